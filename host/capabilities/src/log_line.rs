//! Lines that guests write into the host's log.
//!
//! The rule: a line is attributed to its service, route and request, stays one line whatever the
//! guest puts into it, and a call has a bounded number of them.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use luckystack_plugins::{CallContext, ServiceRuntime};

/// Longest message; the rest is cut off. A page of text is a log line, more is a file.
const MAX_MESSAGE: usize = 16 << 10;
/// Longest context: a word or a module path.
const MAX_CONTEXT: usize = 256;
/// What stands behind a message that was cut off.
const CUT: &str = "… (cut)";
/// Stands for the route while a component is loaded and no call runs.
const LOADING: &str = "(loading)";

/// How serious a line is; the levels of `wasi:logging`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Critical,
}

/// Whose line it is.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub service: Arc<str>,
    pub route: Option<Arc<str>>,
    pub request_id: Option<Arc<str>>,
}

/// Whether a line is still within its call's limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allowance {
    /// Write it.
    Write,
    /// The first one too many: say that the rest is silence.
    LimitReached,
    /// Drop it.
    Silent,
}

impl Severity {
    /// Whether anybody would see it: ask before doing any work for a line.
    pub(crate) fn enabled(self) -> bool {
        use tracing::{Level, enabled};
        match self {
            Severity::Trace => enabled!(target: "plugin", Level::TRACE),
            Severity::Debug => enabled!(target: "plugin", Level::DEBUG),
            Severity::Info => enabled!(target: "plugin", Level::INFO),
            Severity::Warn => enabled!(target: "plugin", Level::WARN),
            Severity::Error | Severity::Critical => enabled!(target: "plugin", Level::ERROR),
        }
    }
}

impl Source {
    /// The source of lines of `call` or, without one, of a component that is being loaded.
    pub(crate) fn new(service: &ServiceRuntime, call: Option<&CallContext>) -> Self {
        Source {
            service: Arc::clone(service.name()),
            route: call.map(|call| Arc::clone(&call.route)),
            request_id: call.map(|call| Arc::clone(&call.caller.request_id)),
        }
    }

    /// Route for the log.
    pub(crate) fn route(&self) -> &str {
        self.route.as_deref().unwrap_or(LOADING)
    }
}

impl Allowance {
    /// The allowance of line number `count` (from 1) of a call that may write `limit`.
    pub(crate) fn of(count: u32, limit: u32) -> Self {
        if count <= limit {
            Allowance::Write
        } else if count - 1 == limit {
            Allowance::LimitReached
        } else {
            Allowance::Silent
        }
    }
}

/// Writes a line, or what its allowance leaves of it.
pub(crate) fn write(
    allowance: Allowance,
    severity: Severity,
    source: &Source,
    context: Option<&str>,
    message: &str,
) {
    match allowance {
        Allowance::Write => emit(severity, source, context, message),
        Allowance::LimitReached => tracing::warn!(
            target: "plugin",
            service = %source.service,
            route = source.route(),
            request_id = source.request_id.as_deref(),
            "log limit reached: further lines of this call are dropped (max_log_lines of the service)"
        ),
        Allowance::Silent => {}
    }
}

fn emit(severity: Severity, source: &Source, context: Option<&str>, message: &str) {
    let message = one_line(message, MAX_MESSAGE);
    let context = context.filter(|context| !context.is_empty()).map(|context| one_line(context, MAX_CONTEXT));
    let critical = (severity == Severity::Critical).then_some(true);
    macro_rules! at {
        ($level:ident) => {
            tracing::event!(
                target: "plugin",
                tracing::Level::$level,
                service = %source.service,
                route = source.route(),
                request_id = source.request_id.as_deref(),
                context = context.as_deref(),
                critical,
                "{message}"
            )
        };
    }
    match severity {
        Severity::Trace => at!(TRACE),
        Severity::Debug => at!(DEBUG),
        Severity::Info => at!(INFO),
        Severity::Warn => at!(WARN),
        Severity::Error | Severity::Critical => at!(ERROR),
    }
}

/// Cuts `text` to `limit` bytes and escapes what would break or disguise a line. Clean text is
/// returned as it is.
pub(crate) fn one_line(text: &str, limit: usize) -> Cow<'_, str> {
    let kept = &text[..text.floor_char_boundary(limit)];
    let cut = kept.len() < text.len();
    if !cut && !kept.chars().any(must_escape) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(kept.len() + 16);
    for c in kept.chars() {
        if must_escape(c) {
            push_escaped(&mut line, c);
        } else {
            line.push(c);
        }
    }
    if cut {
        line.push_str(CUT);
    }
    Cow::Owned(line)
}

/// Control characters end lines or drive terminals; the others end lines too, or turn the direction
/// of the text behind them.
fn must_escape(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn push_escaped(line: &mut String, c: char) {
    match c {
        '\n' => line.push_str("\\n"),
        '\r' => line.push_str("\\r"),
        '\t' => line.push_str("\\t"),
        // Writing into a string cannot fail.
        _ => drop(write!(line, "\\u{{{:x}}}", u32::from(c))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn clean_text_is_not_copied() {
        for text in ["", "hello, wörld ✓", "C:\\dir \"quoted\" {}"] {
            assert!(matches!(one_line(text, 100), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn what_breaks_or_disguises_a_line_is_escaped() {
        for (text, line) in [
            ("a\nERROR forged", "a\\nERROR forged"),
            ("a\r\n\tb", "a\\r\\n\\tb"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("\0\u{7f}\u{85}", "\\u{0}\\u{7f}\\u{85}"),
            ("a\u{2028}b\u{202e}c", "a\\u{2028}b\\u{202e}c"),
        ] {
            assert_eq!(one_line(text, 100), line);
        }
    }

    #[test]
    fn long_text_is_cut_at_a_character_and_marked() {
        assert_eq!(one_line("aéé", 2), format!("a{CUT}"));
        assert_eq!(one_line("aéé", 3), format!("aé{CUT}"));
        assert_eq!(one_line("aéé", 5), "aéé");
    }

    #[test]
    fn past_the_limit_one_line_says_so_and_the_rest_is_silence() {
        let of = |limit| (1..=4).map(|count| Allowance::of(count, limit)).collect::<Vec<_>>();
        use Allowance::{LimitReached, Silent, Write};
        assert_eq!(of(2), [Write, Write, LimitReached, Silent]);
        assert_eq!(of(0), [LimitReached, Silent, Silent, Silent]);
        assert_eq!(of(u32::MAX), [Write; 4]);
    }

    proptest! {
        #[test]
        fn any_text_becomes_one_bounded_line(text in any::<String>(), limit in 0usize..64) {
            let line = one_line(&text, limit);
            prop_assert!(!line.chars().any(must_escape));
            // `\u{10ffff}` is the longest escape, of a character of at least one byte.
            prop_assert!(line.len() <= limit.min(text.len()) * 10 + CUT.len());
        }
    }
}
