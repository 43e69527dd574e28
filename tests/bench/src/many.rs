//! A hundred components that differ: copies of `vehicles`, each with a service name of its own.
//!
//! The name is patched into the component's bytes, at the same length. Each copy has another content
//! hash, so each is compiled, cached, mapped and described by itself, as a hundred real plugins are.

use std::fs;

use anyhow::{Context, bail};

use crate::project::{Project, Workshop};

/// How many.
pub(crate) const MANY: usize = 100;

const ORIGINAL: &[u8] = b"vehicles";

/// The service of the `index`th copy.
pub(crate) fn service(index: usize) -> String {
    format!("vehic{index:03}")
}

/// The list, asked of that copy.
pub(crate) fn list(index: usize) -> String {
    format!("/api/{}/getAll/v1", service(index))
}

/// A project of the first `count` copies.
pub(crate) fn project(workshop: &Workshop, count: usize) -> anyhow::Result<Project> {
    let original =
        fs::read(workshop.vehicles()).context("vehicles.wasm is missing; run without --no-build")?;
    let copies: Vec<_> =
        (0..count).map(|index| (service(index), patched(&original, &service(index)))).collect();
    let [(_, Some(_)), ..] = &copies[..] else { bail!("vehicles.wasm does not contain its service's name") };
    let services = copies.iter().filter_map(|(name, bytes)| Some((name.as_str(), bytes.as_deref()?, "")));
    workshop.project(&format!("many-{count}"), services)
}

/// The bytes with every occurrence of the name replaced; none without an occurrence.
fn patched(original: &[u8], name: &str) -> Option<Vec<u8>> {
    let name = name.as_bytes();
    debug_assert_eq!(name.len(), ORIGINAL.len());
    let mut bytes = original.to_vec();
    let mut found = false;
    let mut at = 0usize;
    while let Some(end) = at.checked_add(ORIGINAL.len()).filter(|end| *end <= bytes.len()) {
        if &bytes[at..end] == ORIGINAL {
            bytes[at..end].copy_from_slice(name);
            found = true;
            at = end;
        } else {
            at += 1;
        }
    }
    found.then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_occurrence_is_replaced_and_nothing_else() {
        let bytes = patched(b"vehicles.wasm:api/vehicles/getAll vehicle vehicles", "vehic007");
        assert_eq!(bytes.as_deref(), Some(&b"vehic007.wasm:api/vehic007/getAll vehicle vehic007"[..]));
        assert_eq!(patched(b"nothing", "vehic007"), None);
    }
}
