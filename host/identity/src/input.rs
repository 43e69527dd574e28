//! Fields of a body or query, and text on its way into a page.

use serde_json::{Map, Value};

/// Longest password worth looking at, in bytes: none that could be set is longer, and none is hashed.
const MAX_PASSWORD_BYTES: usize = 4096;

/// A field of a body or query; what is not a string counts as empty.
pub(crate) fn text<'a>(input: &'a Map<String, Value>, field: &str) -> &'a str {
    input.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Whether a text has more characters than that; looks at no more than needed.
pub(crate) fn is_longer(text: &str, characters: u32) -> bool {
    let most = usize::try_from(characters).unwrap_or(usize::MAX);
    // A character has at least one byte: short texts need no counting.
    text.len() > most && text.chars().nth(most).is_some()
}

/// A password that is worth hashing. One that is not is checked like that of an unknown user.
pub(crate) fn checkable_password(password: &str) -> Option<&str> {
    (password.len() <= MAX_PASSWORD_BYTES).then_some(password)
}

/// A text for a place where HTML is read.
pub(crate) fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{escape_html, is_longer, text};

    #[test]
    fn what_is_not_a_string_counts_as_empty() {
        let input = json!({ "a": "x", "b": 1, "c": null, "d": ["x"], "e": { "f": "x" } });
        let input = input.as_object().unwrap();
        assert_eq!(text(input, "a"), "x");
        for field in ["b", "c", "d", "e", "missing"] {
            assert_eq!(text(input, field), "", "{field}");
        }
    }

    #[test]
    fn lengths_are_in_characters() {
        assert!(!is_longer("", 0) && !is_longer("äöü", 3) && is_longer("äöü", 2) && is_longer("abcd", 3));
    }

    #[test]
    fn nothing_of_a_tag_is_left() {
        assert_eq!(
            escape_html(r#"<b onclick="x('&')">"#),
            "&lt;b onclick=&quot;x(&#39;&amp;&#39;)&quot;&gt;"
        );
    }
}
