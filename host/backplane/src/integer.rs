//! Counters in writing, as Redis reads and writes them: decimal, 64 bits, no other spelling.

use bytes::Bytes;

/// Why something cannot be counted.
pub(crate) const NOT_A_COUNTER: &str = "the value at this key is no integer that can be counted up";

/// The integer that `value` is in writing.
pub(crate) fn parse(value: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(value).ok()?;
    let number: i64 = text.parse().ok()?;
    // "+1", "007" and "-0" are texts.
    (number.to_string() == text).then_some(number)
}

pub(crate) fn write(number: i64) -> Bytes {
    number.to_string().into()
}

/// How often that is: never less than not at all.
pub(crate) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn integers_have_one_spelling() {
        assert_eq!(parse(b"0"), Some(0));
        assert_eq!(parse(b"-12"), Some(-12));
        assert_eq!(parse(b"9223372036854775807"), Some(i64::MAX));
        for text in ["", "+1", "007", "-0", " 1", "1 ", "1.0", "9223372036854775808", "\u{661}"] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
