//! What the program prints for people: the one place that writes to standard output and error.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tracing::Level;

/// Whether standard error holds a log in JSON, which plain lines would break.
static JSON_LOG: AtomicBool = AtomicBool::new(false);

/// The line at the bottom of the terminal that says what is going on; empty for none.
static STATUS: Mutex<String> = Mutex::new(String::new());

/// Clears the line that the cursor is in.
const CLEAR: &str = "\r\x1b[2K";

/// Shows a status line, or takes it away. What is printed meanwhile appears above it. Only on terminals.
pub(crate) fn status(text: &str) {
    if !shows_status() {
        return;
    }
    let mut status = STATUS.lock().unwrap_or_else(PoisonError::into_inner);
    if *status != text {
        let _ = write!(io::stderr().lock(), "{CLEAR}{text}");
        let _ = io::stderr().flush();
        text.clone_into(&mut status);
    }
}

/// Whether there is a place for a status line.
pub(crate) fn shows_status() -> bool {
    io::stderr().is_terminal() && !JSON_LOG.load(Ordering::Relaxed)
}

/// Prints with the status line out of the way.
fn above_status(print: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let status = STATUS.lock().unwrap_or_else(PoisonError::into_inner);
    if status.is_empty() {
        return print();
    }
    let _ = write!(io::stderr().lock(), "{CLEAR}");
    let printed = print();
    let _ = write!(io::stderr().lock(), "{status}");
    let _ = io::stderr().flush();
    printed
}

/// Standard error for the log: whole events, above the status line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        above_status(|| io::stderr().lock().write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// From now on what goes to standard error goes there as an event of the log.
pub(crate) fn notes_are_events() {
    JSON_LOG.store(true, Ordering::Relaxed);
}

/// A line on standard output. A closed pipe (`… | head`) is no error.
pub(crate) fn line(text: impl Display) {
    let _ = above_status(|| writeln!(io::stdout().lock(), "{text}"));
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
        let _ = above_status(|| writeln!(io::stderr().lock(), "{text}"));
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
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// `1 plugin`, `2 plugins`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}
