//! What the program prints for people: the one place that writes to standard output and error.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::Level;

/// Whether standard error holds a log in JSON, which plain lines would break.
static JSON_LOG: AtomicBool = AtomicBool::new(false);

/// From now on what goes to standard error goes there as an event of the log.
pub(crate) fn notes_are_events() {
    JSON_LOG.store(true, Ordering::Relaxed);
}

/// A line on standard output. A closed pipe (`… | head`) is no error.
pub(crate) fn line(text: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// A line on standard error.
pub(crate) fn note(text: impl Display) {
    note_at(Level::INFO, text);
}

/// A line on standard error about something that went wrong.
pub(crate) fn complain(text: impl Display) {
    note_at(Level::ERROR, text);
}

/// A line on standard error; the level counts in a JSON log only.
pub(crate) fn note_at(level: Level, text: impl Display) {
    if !JSON_LOG.load(Ordering::Relaxed) {
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    } else if level == Level::ERROR {
        tracing::error!("{text}");
    } else if level == Level::WARN {
        tracing::warn!("{text}");
    } else {
        tracing::info!("{text}");
    }
}

/// Whether standard error shows colours.
pub(crate) fn colours() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// `1 plugin`, `2 plugins`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}
