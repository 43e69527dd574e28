//! Shows builds: a status line on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use luckystack_devkit::{Event, Progress};
use parking_lot::Mutex;

use crate::terminal::{colours, note, shows_status, status};

/// How often the status line moves.
const FRAME: Duration = Duration::from_millis(120);
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// The builds that run, by plugin.
#[derive(Debug)]
pub(crate) struct Board {
    running: Mutex<BTreeMap<String, Step>>,
    /// Whether all that tools print is shown, or only their warnings: what they say of an error is in
    /// the error.
    chatty: bool,
}

#[derive(Debug)]
struct Step {
    what: &'static str,
    since: Instant,
}

impl Board {
    /// A board. A `chatty` one shows every line of every tool.
    pub(crate) fn new(chatty: bool) -> Arc<Self> {
        let board = Arc::new(Self { running: Mutex::default(), chatty });
        if shows_status() {
            let weak = Arc::downgrade(&board);
            tokio::spawn(async move {
                let mut frames = tokio::time::interval(FRAME);
                let mut frame = 0;
                loop {
                    frames.tick().await;
                    let Some(board) = weak.upgrade() else { return status("") };
                    frame += 1;
                    status(&board.text(SPINNER[frame % SPINNER.len()]));
                }
            });
        }
        board
    }

    /// The builds that are left; the others ended, however they did.
    pub(crate) fn retain(&self, running: &[String]) {
        let mut steps = self.running.lock();
        steps.retain(|plugin, _| running.contains(plugin));
        let over = steps.is_empty();
        drop(steps);
        if over {
            status("");
        }
    }

    fn text(&self, spinner: &str) -> String {
        let running = self.running.lock();
        let of = |(plugin, step): (&String, &Step)| {
            format!("{plugin}: {} {:.1} s", step.what, step.since.elapsed().as_secs_f64())
        };
        let all: Vec<_> = running.iter().map(of).collect();
        if all.is_empty() { String::new() } else { format!("{spinner} building {}", all.join(" · ")) }
    }

    fn step(&self, plugin: &str, what: &'static str) {
        let mut running = self.running.lock();
        let since = running.get(plugin).map_or_else(Instant::now, |step| step.since);
        running.insert(plugin.to_owned(), Step { what, since });
    }
}

impl Progress for Board {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Running { command } => note(format!("  running   {command}")),
            Event::Compiling { plugins } => {
                for plugin in plugins {
                    self.running.lock().remove(plugin);
                    self.step(plugin, "compiling");
                }
                if !shows_status() {
                    note(format!("  compiling {}", plugins.join(", ")));
                }
            }
            Event::Encoding { plugin } => self.step(plugin, "making the component"),
            Event::Output { text } if self.chatty || is_warning(text) => note(text),
            Event::Output { .. } => {}
            Event::Built(built) => {
                self.running.lock().remove(&built.plugin);
                note(format!(
                    "  built     {} ({} KB, compiled in {:.1} s)",
                    built.component.display(),
                    built.bytes / 1024,
                    (built.compile + built.encode).as_secs_f64()
                ));
            }
            _ => {}
        }
    }

    fn colour(&self) -> bool {
        colours()
    }
}

/// `warning: …`, coloured or not.
fn is_warning(text: &str) -> bool {
    let head = text.lines().next().unwrap_or_default();
    head.find("warning").is_some_and(|at| !head[..at].contains(char::is_whitespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_told_from_errors_and_progress() {
        for (text, warning) in [
            ("warning: unused variable", true),
            ("\u{1b}[33mwarning\u{1b}[0m: unused", true),
            ("error[E0425]: cannot find value", false),
            ("   Compiling serde v1.0.0", false),
            ("error: a warning was denied", false),
        ] {
            assert_eq!(is_warning(text), warning, "{text}");
        }
    }
}
