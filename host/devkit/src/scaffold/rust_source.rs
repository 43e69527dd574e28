//! Reads Rust just well enough to find a `plugin!` and its handlers in a library's first file.
//!
//! The rule: comments and strings never count. When the place is not certain there is none, and a
//! person is told what to write.

use super::list::{List, Style};

/// The text with everything in comments and literals blanked, byte for byte.
fn masked(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => find(bytes, at, b"\n").unwrap_or(bytes.len()),
            b'/' if bytes.get(at + 1) == Some(&b'*') => block_comment(bytes, at),
            b'"' => string(bytes, at),
            b'r' if raw_hashes(bytes, at).is_some() => {
                let hashes = raw_hashes(bytes, at).unwrap_or(0);
                let close = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
                let open = at + 2 + hashes;
                find(bytes, open, &close).map_or(bytes.len(), |found| found + close.len())
            }
            b'\'' => character(text, at),
            byte if byte.is_ascii() => {
                at += 1;
                continue;
            }
            _ => at + 1,
        };
        for byte in &mut out[at..end] {
            if !matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn find(bytes: &[u8], from: usize, what: &[u8]) -> Option<usize> {
    bytes.get(from..)?.windows(what.len()).position(|window| window == what).map(|found| from + found)
}

fn block_comment(bytes: &[u8], start: usize) -> usize {
    let (mut depth, mut at) = (0, start);
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'/', Some(b'*')) => {
                depth += 1;
                at += 2;
            }
            (b'*', Some(b'/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    bytes.len()
}

fn string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The number of hashes of a raw string that begins with the `r` at `at`.
fn raw_hashes(bytes: &[u8], at: usize) -> Option<usize> {
    let before = at.checked_sub(1).map(|at| bytes[at]);
    if before.is_some_and(|byte| is_word(byte) && !matches!(byte, b'b' | b'c')) {
        return None;
    }
    let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
    (bytes.get(at + 1 + hashes) == Some(&b'"')).then_some(hashes)
}

/// The end of a character literal; one on for a lifetime.
fn character(text: &str, at: usize) -> usize {
    let rest = &text[at + 1..];
    let mut chars = rest.char_indices();
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((n, escaped))) => {
            let from = at + 1 + n + escaped.len_utf8();
            find(text.as_bytes(), from, b"'").map_or(text.len(), |found| found + 1)
        }
        (Some(_), Some((n, '\''))) => at + 1 + n + 1,
        _ => at + 1,
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Where the bracket at `open` is closed.
fn close_of(masked: &str, open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in masked.bytes().enumerate().skip(open) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The `handlers = […]` of the file's only `plugin!`.
fn handlers(masked: &str) -> Option<List> {
    let mut found = None;
    for (at, word) in masked.match_indices("plugin!") {
        if at > 0 && is_word(masked.as_bytes()[at - 1]) {
            continue;
        }
        let after = at + word.len();
        let open = after + masked[after..].find(|c: char| !c.is_whitespace())?;
        if !masked[open..].starts_with(['{', '(', '[']) {
            continue;
        }
        if found.replace(open).is_some() {
            return None;
        }
    }
    let open = found?;
    let end = close_of(masked, open)?;
    for (at, word) in masked[open + 1..end].match_indices("handlers") {
        let at = open + 1 + at;
        let rest = masked[at + word.len()..end].trim_start();
        let Some(rest) = rest.strip_prefix('=').map(str::trim_start) else { continue };
        if is_word(masked.as_bytes()[at - 1]) || !rest.starts_with('[') {
            continue;
        }
        let start = end - rest.len();
        let close = close_of(masked, start)?;
        let inside = masked[start + 1..close].trim_end_matches(|c: char| c.is_whitespace() || c == ',');
        let last_end = (!inside.trim().is_empty()).then_some(start + 1 + inside.len());
        return Some(List { whole: start..close + 1, last_end, style: Style::RUST });
    }
    None
}

/// The text with one more handler in its `plugin!`; none when it has no such list.
pub(super) fn add_handler(text: &str, path: &str) -> Option<String> {
    Some(handlers(&masked(text))?.push(text, path))
}

/// The text with `mod name;` among its modules.
pub(super) fn add_module(text: &str, name: &str) -> String {
    let masked = masked(text);
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut at = 0;
    let mut after_module = None;
    let mut attribute = false;
    for line in masked.split_inclusive('\n') {
        at += line.len();
        let line = line.trim_end();
        if is_module(line) && !attribute {
            after_module = Some(at);
        }
        if !line.is_empty() {
            attribute = line.starts_with("#[");
        }
    }
    let declaration = format!("mod {name};{newline}");
    if let Some(at) = after_module {
        let gap = if text[..at].ends_with('\n') { "" } else { newline };
        return format!("{}{gap}{declaration}{}", &text[..at], &text[at..]);
    }
    let at = after_head(text, &masked);
    let (head, rest) = text.split_at(at);
    let before =
        if head.is_empty() || head.ends_with("\n\n") || head.ends_with("\r\n\r\n") { "" } else { newline };
    let after = if rest.is_empty() || rest.starts_with(['\n', '\r']) { "" } else { newline };
    format!("{head}{before}{declaration}{after}{rest}")
}

/// `mod name;` at the top level, perhaps with a visibility.
fn is_module(line: &str) -> bool {
    let line = match line.strip_prefix("pub") {
        Some(rest) => match rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
            Some((_, rest)) => rest,
            None => rest,
        }
        .trim_start(),
        None => line,
    };
    line.strip_prefix("mod ")
        .and_then(|rest| rest.trim().strip_suffix(';'))
        .is_some_and(|name| !name.is_empty() && name.trim_start_matches("r#").bytes().all(is_word))
}

/// Where the inner documentation and attributes of a file end.
fn after_head(text: &str, masked: &str) -> usize {
    let mut at = 0;
    while at < text.len() {
        let line_end = text[at..].find('\n').map_or(text.len(), |newline| at + newline + 1);
        let line = text[at..line_end].trim();
        if line.is_empty() || line.starts_with("//!") {
            at = line_end;
        } else if masked[at..].trim_start().starts_with("#![") {
            let open = at + masked[at..].find('[').unwrap_or(0);
            let Some(close) = close_of(masked, open) else { return at };
            at = text[close..].find('\n').map_or(text.len(), |newline| close + newline + 1);
        } else {
            break;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_is_added_whatever_stands_around_the_list() {
        let cases = [
            ("plugin! { handlers = [a] }", "plugin! { handlers = [a, m::x] }"),
            (
                "luckystack::plugin! {\n    handlers = [],\n}\n",
                "luckystack::plugin! {\n    handlers = [m::x],\n}\n",
            ),
            (
                "// plugin! { handlers = [no] }\nluckystack::plugin! {\n    description = \"handlers = [no]\",\n    \
                 handlers = [\n        a, // ] one\n        b::c,\n    ],\n}\n",
                "// plugin! { handlers = [no] }\nluckystack::plugin! {\n    description = \"handlers = [no]\",\n    \
                 handlers = [\n        a, // ] one\n        b::c,\n        m::x,\n    ],\n}\n",
            ),
            (
                "const C: char = '\"'; fn f<'a>(x: &'a str) {}\nconst R: &str = r#\"plugin! { \"#;\n\
                 plugin!(service = \"s\", handlers = [a /* b] */]);\n",
                "const C: char = '\"'; fn f<'a>(x: &'a str) {}\nconst R: &str = r#\"plugin! { \"#;\n\
                 plugin!(service = \"s\", handlers = [a, m::x /* b] */]);\n",
            ),
        ];
        for (before, after) in cases {
            assert_eq!(add_handler(before, "m::x").as_deref(), Some(after), "{before}");
        }
    }

    #[test]
    fn an_uncertain_place_is_none() {
        for text in [
            "",
            "fn main() {}",
            "plugin! { service = \"s\" }",
            "plugin! { handlers = LIST }",
            "my_plugin! { handlers = [a] }",
            "plugin! { handlers = [a] } plugin! { handlers = [b] }",
            "plugin! { handlers = [a",
            "plugin!",
        ] {
            assert_eq!(add_handler(text, "x"), None, "{text}");
        }
    }

    #[test]
    fn a_module_goes_to_the_others_or_below_the_head() {
        let cases = [
            (
                "mod a;\n\nuse x;\n\n#[cfg(test)]\nmod tests;\n",
                "mod a;\nmod new;\n\nuse x;\n\n#[cfg(test)]\nmod tests;\n",
            ),
            ("mod a;\npub(crate) mod b;", "mod a;\npub(crate) mod b;\nmod new;\n"),
            (
                "//! Docs.\n\n#![warn(\n    x\n)]\n\nuse y;\n",
                "//! Docs.\n\n#![warn(\n    x\n)]\n\nmod new;\n\nuse y;\n",
            ),
            ("/// Of the item.\nuse y;\n", "mod new;\n\n/// Of the item.\nuse y;\n"),
            ("//! Docs.\nmod inline { }\n", "//! Docs.\n\nmod new;\n\nmod inline { }\n"),
            ("/*\nmod no;\n*/\nuse y;\n", "mod new;\n\n/*\nmod no;\n*/\nuse y;\n"),
            ("", "mod new;\n"),
        ];
        for (before, after) in cases {
            assert_eq!(add_module(before, "new"), after, "{before}");
        }
    }
}
