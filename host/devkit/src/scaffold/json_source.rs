//! Adds to a JSON file without changing how the rest of it is written.

use super::list::{List, Style};

/// The document with `item` at the end of the array `key` at its top; the array is made where there is
/// none. None when the document is no object or `key` no array.
pub(super) fn push(text: &str, key: &str, item: &str) -> Option<String> {
    let before: serde_json::Value = serde_json::from_str(text).ok()?;
    let members = before.as_object()?;
    let masked = masked(text);
    let start = masked.find('{')?;
    let after = if let Some(array) = members.get(key) {
        array.as_array()?;
        let open = value_of(text, &masked, start, key)?;
        list(&masked, open)?.push(text, item)
    } else {
        list(&masked, start)?.push(text, &format!("\"{key}\": [\n    {}\n]", item.replace('\n', "\n    ")))
    };
    // What the parser reads counts, whatever the text looked like.
    let mut expected = before.clone();
    let array = expected.as_object_mut()?.entry(key).or_insert_with(|| serde_json::json!([]));
    array.as_array_mut()?.push(serde_json::from_str(item).ok()?);
    (serde_json::from_str::<serde_json::Value>(&after).ok()? == expected).then_some(after)
}

/// The text with everything between quotes replaced, byte for byte.
fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut inside, mut escaped) = (false, false);
    for byte in text.bytes() {
        let is_quote = byte == b'"' && !escaped;
        escaped = inside && byte == b'\\' && !escaped;
        out.push(if is_quote {
            '"'
        } else if inside || !byte.is_ascii() {
            '_'
        } else {
            char::from(byte)
        });
        inside ^= is_quote;
    }
    out
}

/// Where the value of the member `key` of the object at `start` begins.
fn value_of(text: &str, masked: &str, start: usize, key: &str) -> Option<usize> {
    let quoted = format!("\"{key}\"");
    let mut depth = 0usize;
    for (at, byte) in masked.bytes().enumerate().skip(start) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b'"' if depth == 1 && text[at..].starts_with(&quoted) => {
                let rest = masked[at + quoted.len()..].trim_start();
                if let Some(rest) = rest.strip_prefix(':') {
                    return Some(masked.len() - rest.trim_start().len());
                }
            }
            _ => {}
        }
    }
    None
}

/// The array or object at `open`.
fn list(masked: &str, open: usize) -> Option<List> {
    let mut depth = 0usize;
    for (at, byte) in masked.bytes().enumerate().skip(open) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let inside = masked[open + 1..at].trim_end();
            let last_end = (!inside.trim().is_empty()).then_some(open + 1 + inside.len());
            return Some(List { whole: open..at + 1, last_end, style: Style::JSON });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_added_and_everything_else_stays() {
        let cases = [
            ("{}", "{\"routes\": [\n    {\n      \"a\": 1\n    }\n]}"),
            (
                "{\n  \"name\": \"routes\",\n  \"routes\": [\n    { \"name\": \"]\\\"}\" }\n  ]\n}\n",
                "{\n  \"name\": \"routes\",\n  \"routes\": [\n    { \"name\": \"]\\\"}\" },\n    {\n      \"a\": 1\n    }\n  ]\n}\n",
            ),
            (
                "{\n  \"x\": { \"routes\": [] }\n}\n",
                "{\n  \"x\": { \"routes\": [] },\n  \"routes\": [\n      {\n        \"a\": 1\n      }\n  ]\n}\n",
            ),
            ("{ \"routes\": [1] }", "{ \"routes\": [1, {\n  \"a\": 1\n}] }"),
            ("{\n  \"routes\": [\n  ]\n}", "{\n  \"routes\": [\n      {\n        \"a\": 1\n      }\n  ]\n}"),
        ];
        for (before, after) in cases {
            assert_eq!(push(before, "routes", "{\n  \"a\": 1\n}").as_deref(), Some(after), "{before}");
        }
    }

    #[test]
    fn what_is_no_such_document_is_left_alone() {
        for text in ["", "[]", "{", "{\"routes\": 1}"] {
            assert_eq!(push(text, "routes", "1"), None, "{text}");
        }
    }
}
