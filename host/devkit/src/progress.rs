//! What a build tells while it runs. The host decides how to show it.

use crate::language::Built;

/// Receives what happens during a build or an installation, from whichever thread it happens on.
pub trait Progress: Send + Sync {
    /// One thing happened.
    fn event(&self, event: Event<'_>);

    /// Whether tools should colour their output: true when it ends up on a terminal.
    fn colour(&self) -> bool {
        false
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A command that changes the machine is about to run.
    Running {
        /// The command, as one would type it.
        command: &'a str,
    },
    /// The compiler starts on these plugins.
    Compiling {
        /// Names of their packages.
        plugins: &'a [String],
    },
    /// A tool printed this: a line of its progress, or a whole warning or error (several lines).
    Output {
        /// The text without its last line end.
        text: &'a str,
    },
    /// The compiler is done with a plugin, its component is being made.
    Encoding {
        /// Name of its package.
        plugin: &'a str,
    },
    /// A component is in its place.
    Built(&'a Built),
}

/// Shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn event(&self, _event: Event<'_>) {}
}
