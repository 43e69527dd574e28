//! Text from manifests in generated TypeScript: strings, property names and comments.
//!
//! A manifest is not trusted. Whatever stands in it, what these functions return is one literal, one
//! property name or one comment, and nothing after it is read as part of it.

use std::fmt::Write as _;

/// A single-quoted string literal. Whatever is invisible or changes how a line is displayed is escaped.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for char in text.chars() {
        match char {
            '\'' => out.push_str("\\'"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // `</script>` ends a script that is inlined into a page.
            '<' => out.push_str("\\x3c"),
            hidden if is_hidden(hidden) => escape(&mut out, hidden),
            plain => out.push(plain),
        }
    }
    out.push('\'');
    out
}

/// A property name: bare where it is an identifier, else quoted.
pub(crate) fn property(name: &str) -> String {
    if is_identifier(name) { name.to_owned() } else { quote(name) }
}

/// A property name in an object literal, where `__proto__` would set the prototype instead.
pub(crate) fn key(name: &str) -> String {
    if name == "__proto__" { "['__proto__']".to_owned() } else { property(name) }
}

pub(crate) fn is_identifier(name: &str) -> bool {
    name.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A documentation comment with a line end, or nothing. `indent` stands before each of its lines.
///
/// A `@` where a tag or a directive could begin is escaped: `@internal` would drop a member from
/// declarations, and `@ts-expect-error` is obeyed in block comments too.
pub(crate) fn comment(text: Option<&str>, deprecated: bool, indent: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.unwrap_or_default().trim().split(['\n', '\r', '\u{2028}', '\u{2029}']) {
        let line = comment_line(line.trim_end());
        // One empty line in a row, none at the start.
        if line.is_empty() && lines.last().is_none_or(String::is_empty) {
            continue;
        }
        lines.push(line);
    }
    if deprecated {
        lines.push("@deprecated".to_owned());
    }
    match lines.as_slice() {
        [] => String::new(),
        [line] => format!("{indent}/** {line} */\n"),
        lines => {
            let mut out = format!("{indent}/**\n");
            for line in lines {
                let space = if line.is_empty() { "" } else { " " };
                let _ = writeln!(out, "{indent} *{space}{line}");
            }
            let _ = writeln!(out, "{indent} */");
            out
        }
    }
}

fn comment_line(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut before = ' ';
    for char in line.chars() {
        match char {
            '/' if before == '*' => out.push_str("\\/"),
            '@' if before.is_whitespace() || before == '*' || before == '/' => out.push_str("\\@"),
            // `//# sourceMappingURL=` is looked for by text, not by grammar.
            '#' if before == '/' => out.push_str("\\#"),
            '\t' => out.push(' '),
            hidden if is_hidden(hidden) => escape(&mut out, hidden),
            plain => out.push(plain),
        }
        before = char;
    }
    out
}

/// Control characters, line ends, and what is invisible or reorders text.
fn is_hidden(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn escape(out: &mut String, char: char) {
    let mut units = [0; 2];
    for unit in char.encode_utf16(&mut units) {
        let _ = write!(out, "\\u{unit:04x}");
    }
}

/// `getAll` and `fleet-x` as parts of a type's name: `GetAll`, `FleetX`.
pub(crate) fn pascal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut upper = true;
    for char in text.chars() {
        if !char.is_ascii_alphanumeric() {
            upper = true;
        } else if std::mem::take(&mut upper) {
            out.push(char.to_ascii_uppercase());
        } else {
            out.push(char);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_cannot_end_its_literal() {
        assert_eq!(quote("it's \\ `${x}`\n</script>"), r"'it\'s \\ `${x}`\n\x3c/script>'");
        assert_eq!(quote("a\u{2028}b\u{202e}c\u{e0041}"), r"'a\u2028b\u202ec\udb40\udc41'");
    }

    #[test]
    fn a_name_is_quoted_unless_it_is_an_identifier() {
        let cases = [("id", "id"), ("vat-number", "'vat-number'"), ("1", "'1'"), ("", "''"), ("é", "'é'")];
        for (name, expected) in cases {
            assert_eq!(property(name), expected);
        }
        assert_eq!(key("__proto__"), "['__proto__']");
    }

    #[test]
    fn a_comment_cannot_be_left_and_holds_no_directive() {
        assert_eq!(comment(Some("a */ b"), false, ""), "/** a *\\/ b */\n");
        assert_eq!(comment(Some("/"), false, " "), " /** / */\n");
        assert_eq!(comment(Some("@ts-expect-error"), false, ""), "/** \\@ts-expect-error */\n");
        assert_eq!(
            comment(Some("one\r\n\r\n\r\ntwo"), true, ""),
            "/**\n * one\n *\n * two\n * @deprecated\n */\n"
        );
        assert_eq!(comment(None, false, ""), "");
        assert_eq!(comment(Some("mail a@b"), false, ""), "/** mail a@b */\n");
    }
}
