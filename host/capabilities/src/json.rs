//! Checks JSON that a guest wrote and that is spliced into something else unparsed.

use luckystack_plugins::HandlerError;
use luckystack_plugins::call::ErrorParam;
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

/// Deepest nesting of a document (`types.json` of the contract).
const MAX_DEPTH: u32 = 128;

/// What one look over the bytes of a valid document finds.
struct Shape {
    depth: u32,
    /// Whether a line ends in the white space between its tokens. Inside of a string it cannot.
    has_line_breaks: bool,
}

/// Checks that `text` is one JSON document no deeper than the contract allows. Builds no tree.
pub(crate) fn check(text: &[u8]) -> Result<(), String> {
    checked_shape(text).map(|_| ())
}

/// Checks that `text` is one JSON object and returns it on a single line, as event streams need it.
///
/// Hot: runs for every chunk; one allocation, three passes over the bytes.
pub(crate) fn single_line_object(text: &[u8]) -> Result<Vec<u8>, String> {
    let shape = checked_shape(text)?;
    if text.trim_ascii_start().first() != Some(&b'{') {
        return Err("it is JSON, but no object".into());
    }
    let mut line = text.to_vec();
    if shape.has_line_breaks {
        for byte in &mut line {
            if matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
    }
    Ok(line)
}

/// The fields of `text`, which must be one JSON object.
pub(crate) fn object(text: &[u8]) -> Result<Map<String, Value>, String> {
    checked_shape(text)?;
    serde_json::from_slice(text).map_err(|error| error.to_string())
}

/// Bytes of a value as JSON text.
pub(crate) fn size(value: &Value) -> usize {
    /// Counts what is written to it.
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Neither a value nor a counter can fail.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

/// Adds a parameter to an error.
pub(crate) fn with_param(mut error: HandlerError, key: &str, value: &impl Serialize) -> HandlerError {
    if let Ok(value) = serde_json::to_vec(value) {
        error.error_params.push(ErrorParam { key: key.to_owned(), value });
    }
    error
}

fn checked_shape(text: &[u8]) -> Result<Shape, String> {
    // Skipping over a value checks its grammar, but not the encoding of its strings.
    std::str::from_utf8(text).map_err(|error| error.to_string())?;
    serde_json::from_slice::<IgnoredAny>(text).map_err(|error| error.to_string())?;
    let shape = shape(text);
    if shape.depth > MAX_DEPTH {
        return Err(format!("it is {} levels deep, the limit is {MAX_DEPTH}", shape.depth));
    }
    Ok(shape)
}

fn shape(valid: &[u8]) -> Shape {
    let mut shape = Shape { depth: 0, has_line_breaks: false };
    let mut open = 0;
    let mut bytes = valid.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                open += 1;
                shape.depth = shape.depth.max(open);
            }
            b'}' | b']' => open -= 1,
            b'\n' | b'\r' => shape.has_line_breaks = true,
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    shape
}

fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_objects_pass_as_chunks() {
        for (text, passes) in [
            ("{}", true),
            (" \t{\"a\": [1, 2.5e3, \"\\u00e9\", null]} ", true),
            ("[]", false),
            ("1", false),
            ("null", false),
            ("\"{}\"", false),
            ("", false),
            ("{", false),
            ("{}{}", false),
            ("{} x", false),
            ("{\"a\":1,}", false),
            ("{a:1}", false),
            ("{\"a\":01}", false),
            ("{\"a\":\"\n\"}", false),
            ("{\"a\":\"\\x\"}", false),
            ("\u{feff}{}", false),
        ] {
            assert_eq!(single_line_object(text.as_bytes()).is_ok(), passes, "{text:?}");
        }
        assert!(single_line_object(b"{\"a\":\"\xff\"}").is_err(), "strings must be UTF-8");
    }

    #[test]
    fn line_breaks_between_tokens_become_spaces_and_escaped_ones_stay() {
        let line = single_line_object(b"{\r\n  \"a\\n\": \"x\\\\\\\"\\r\"\n}").unwrap();
        assert_eq!(line, b"{    \"a\\n\": \"x\\\\\\\"\\r\" }");
    }

    #[test]
    fn nesting_is_bounded_and_brackets_in_strings_do_not_count() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(check(nested(128).as_bytes()).is_ok());
        assert!(check(nested(129).as_bytes()).unwrap_err().contains("129 levels"));
        assert!(check(nested(500_000).as_bytes()).is_err());
        assert!(check(format!("\"{}\"", "[".repeat(1000)).as_bytes()).is_ok());
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(6, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
                prop::collection::hash_map(any::<String>(), inner, 0..8)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_passes_is_one_object_on_one_line(text in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(line) = single_line_object(&text) {
                prop_assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
                prop_assert!(serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&line).is_ok());
            }
        }

        #[test]
        fn almost_json_never_panics(text in "[\\[\\]{}\",:\\\\0-9a-fu\n\r .e+-]{0,60}") {
            if let Ok(line) = single_line_object(text.as_bytes()) {
                prop_assert!(serde_json::from_slice::<IgnoredAny>(&line).is_ok());
            }
        }

        #[test]
        fn pretty_printed_objects_pass_with_the_same_meaning(value in value()) {
            let object = serde_json::json!({ "value": value });
            let pretty = serde_json::to_vec_pretty(&object).unwrap();
            let line = single_line_object(&pretty).unwrap();
            prop_assert!(!line.contains(&b'\n'));
            prop_assert_eq!(serde_json::from_slice::<serde_json::Value>(&line).unwrap(), object);
        }
    }
}
