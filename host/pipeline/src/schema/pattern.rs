//! Patterns are written for ECMAScript, as JSON Schema has it, and matched by a linear-time engine.
//!
//! What the two read differently is translated: `\d`, `\w`, `\b` are ASCII in ECMAScript, `.` stops
//! at every line end, and inside a class `[`, `&`, `~` and `--` mean nothing special there. What the engine lacks (look-around, back
//! references) is an error of the schema.

use regex::{Regex, RegexBuilder};

/// Compiled size of one pattern: generous for real ones, far from what would hurt.
const SIZE_LIMIT: usize = 1 << 20;

pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(&translate(pattern)).size_limit(SIZE_LIMIT).dfa_size_limit(SIZE_LIMIT).build().map_err(
        |error| match error {
            regex::Error::CompiledTooBig(_) => "the pattern is too large; shorten its repetitions".to_owned(),
            other => format!(
                "the pattern cannot be used (look-around and back references are not supported): {}",
                other.to_string().lines().last().unwrap_or_default()
            ),
        },
    )
}

fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut class = false;
    let mut chars = pattern.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some('d') => out.push_str(if class { "0-9" } else { "[0-9]" }),
                Some('w') => out.push_str(if class { "0-9A-Za-z_" } else { "[0-9A-Za-z_]" }),
                Some('D') => out.push_str("[^0-9]"),
                Some('W') => out.push_str("[^0-9A-Za-z_]"),
                Some('b') if class => out.push_str("\\x08"),
                Some('b') => out.push_str("(?-u:\\b)"),
                Some('0') if !chars.peek().is_some_and(char::is_ascii_digit) => out.push_str("\\x00"),
                Some(other) => {
                    out.push('\\');
                    out.push(other);
                }
                None => out.push('\\'),
            },
            '[' if !class => {
                let negated = chars.next_if_eq(&'^').is_some();
                // To ECMAScript an empty class matches nothing, and an empty negated one anything.
                if chars.next_if_eq(&']').is_some() {
                    out.push_str(if negated { "(?s:.)" } else { "[^\\s\\S]" });
                } else {
                    class = true;
                    out.push_str(if negated { "[^" } else { "[" });
                }
            }
            '-' if class && out.ends_with('-') => out.push_str("\\-"),
            '.' if !class => out.push_str("[^\\n\\r\\x{2028}\\x{2029}]"),
            ']' if class => {
                class = false;
                out.push(']');
            }
            '[' | '&' | '~' if class => {
                out.push('\\');
                out.push(char);
            }
            other => out.push(other),
        }
    }
    out
}
