//! What `/_host` tells: the plugins, the builds, and what is wrong.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use luckystack_live::LiveSet;
use luckystack_topology::Finding;
use parking_lot::Mutex;
use serde_json::{Value, json};

/// The state, put together from what each part last said.
#[derive(Debug)]
pub(crate) struct State {
    live: Arc<LiveSet>,
    parts: Mutex<Parts>,
}

#[derive(Debug, Default)]
struct Parts {
    mode: &'static str,
    presets: Vec<String>,
    building: Vec<PathBuf>,
    failed: BTreeMap<PathBuf, String>,
    findings: Value,
    restart: Vec<String>,
}

impl State {
    pub(crate) fn new(mode: &'static str, live: Arc<LiveSet>) -> Self {
        Self { live, parts: Mutex::new(Parts { mode, ..Parts::default() }) }
    }

    /// The loaded presets, and what is wrong with the configuration.
    pub(crate) fn configuration(&self, presets: &[String], findings: &[Finding]) {
        let mut parts = self.parts.lock();
        parts.presets = presets.to_vec();
        parts.findings = json!(findings);
    }

    /// Findings of a configuration that was not taken.
    pub(crate) fn findings(&self, findings: &[Finding]) {
        self.parts.lock().findings = json!(findings);
    }

    /// Keys whose new values wait for a restart.
    pub(crate) fn needs_restart(&self, keys: &[&str]) {
        self.parts.lock().restart = keys.iter().map(|&key| key.to_owned()).collect();
    }

    /// The source folders being built.
    pub(crate) fn building(&self, folders: Vec<PathBuf>) {
        self.parts.lock().building = folders;
    }

    /// How the last build of a source folder ended.
    pub(crate) fn built(&self, folder: &std::path::Path, problem: Option<&str>) {
        let mut parts = self.parts.lock();
        match problem {
            Some(problem) => parts.failed.insert(folder.to_owned(), problem.to_owned()),
            None => parts.failed.remove(folder),
        };
    }

    /// All of it, as JSON text.
    pub(crate) fn json(&self) -> String {
        let parts = self.parts.lock();
        let failed: Vec<_> = parts
            .failed
            .iter()
            .map(|(folder, message)| json!({ "folder": folder, "message": strip_colours(message) }))
            .collect();
        let state = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "mode": parts.mode,
            "presets": parts.presets,
            "live": self.live.state(),
            "builds": { "running": parts.building, "failed": failed },
            "findings": parts.findings,
            "needsRestart": parts.restart,
        });
        state.to_string()
    }
}

/// Compilers colour what they print for terminals.
fn strip_colours(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(next) = chars.next() {
        if next != '\u{1b}' {
            out.push(next);
            continue;
        }
        // `ESC [ … letter`: everything up to the letter.
        for next in chars.by_ref() {
            if next.is_ascii_alphabetic() {
                break;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_do_not_reach_the_state() {
        assert_eq!(strip_colours("\u{1b}[1m\u{1b}[31merror\u{1b}[0m: no"), "error: no");
        assert_eq!(strip_colours("cut off \u{1b}["), "cut off ");
    }
}
