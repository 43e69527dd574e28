//! References: which definitions are written in place, and which get a name.
//!
//! In place is what readers prefer, and what test tools can make samples of. A name is needed for a
//! definition that contains itself, and for one so large that repeating it would multiply.

use std::collections::HashMap;

use serde_json::Value;

/// Schemas that a definition may hold, its own definitions written out, to be written in place.
const SMALL: usize = 150;
/// References through references that are written in place.
const MAX_DEEP: usize = 32;

/// Sizes of definitions by pointer.
#[derive(Debug)]
pub(super) struct References<'s> {
    root: &'s Value,
    sizes: HashMap<String, Size>,
}

#[derive(Clone, Copy, Debug)]
enum Size {
    /// Being measured.
    Open,
    /// Met again while being measured, or too deep: it needs a name.
    Named,
    /// Written in place, it has so many schemas.
    Small(usize),
}

impl<'s> References<'s> {
    pub fn new(root: &'s Value) -> Self {
        References { root, sizes: HashMap::new() }
    }

    /// The pointer of a local reference and what is there.
    pub fn find(&self, reference: &str) -> Option<(String, &'s Value)> {
        let fragment = reference.strip_prefix('#')?;
        if !fragment.is_empty() && !fragment.starts_with('/') {
            return None;
        }
        let pointer = percent_decoded(fragment);
        let schema = self.root.pointer(&pointer)?;
        Some((pointer, schema))
    }

    /// The size of a definition that is to be written in place, or nothing when it needs a name.
    pub fn inline(&mut self, pointer: &str, schema: &'s Value) -> Option<usize> {
        match self.measure(pointer, schema, 0) {
            Size::Small(size) => Some(size),
            Size::Open | Size::Named => None,
        }
    }

    fn measure(&mut self, pointer: &str, schema: &'s Value, deep: usize) -> Size {
        match self.sizes.get(pointer) {
            Some(Size::Open) => {
                self.sizes.insert(pointer.to_owned(), Size::Named);
                return Size::Named;
            }
            Some(known) => return *known,
            None => {}
        }
        if deep > MAX_DEEP {
            self.sizes.insert(pointer.to_owned(), Size::Named);
            return Size::Named;
        }
        self.sizes.insert(pointer.to_owned(), Size::Open);
        let size = self.count(schema, deep);
        let size = match self.sizes.get(pointer) {
            Some(Size::Open) if size <= SMALL => Size::Small(size),
            _ => Size::Named,
        };
        self.sizes.insert(pointer.to_owned(), size);
        size
    }

    fn count(&mut self, schema: &'s Value, deep: usize) -> usize {
        let mut count = 1;
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str)
            && let Some((pointer, target)) = self.find(reference)
            && let Size::Small(size) = self.measure(&pointer, target, deep + 1)
        {
            count += size;
        }
        for part in subschemas(schema) {
            count += self.count(part, deep);
        }
        count + schema.get("enum").and_then(Value::as_array).map_or(0, Vec::len)
    }
}

/// The schemas directly within a schema, without its definitions.
fn subschemas(schema: &Value) -> impl Iterator<Item = &Value> {
    const ONE: [&str; 12] = [
        "items",
        "additionalItems",
        "unevaluatedItems",
        "contains",
        "additionalProperties",
        "unevaluatedProperties",
        "propertyNames",
        "not",
        "if",
        "then",
        "else",
        "contentSchema",
    ];
    const LISTS: [&str; 5] = ["prefixItems", "anyOf", "oneOf", "allOf", "items"];
    const MAPS: [&str; 3] = ["properties", "patternProperties", "dependentSchemas"];
    let one = ONE.iter().filter_map(|keyword| schema.get(*keyword)).filter(|part| !part.is_array());
    let lists = LISTS.iter().filter_map(|keyword| schema.get(*keyword)?.as_array()).flatten();
    let maps =
        MAPS.iter().filter_map(|keyword| schema.get(*keyword)?.as_object()).flat_map(|map| map.values());
    one.chain(lists).chain(maps)
}

/// `%xx` in a fragment. What is malformed stays, and will not be found.
pub(crate) fn percent_decoded(fragment: &str) -> String {
    let bytes = fragment.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| fragment.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}
