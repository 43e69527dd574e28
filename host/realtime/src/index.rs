//! `responseIndex`: the number that ties a reply to its request (wire protocol §2.4).

use std::fmt;

/// The number of a request, as JavaScript would have it: what is written `7`, `7.0` and `70e-1` is one
/// number, and the events of its replies end in `7`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Index(f64);

impl Index {
    /// Reads a JSON value; none unless it is a finite number.
    pub(crate) fn read(value: &[u8]) -> Option<Index> {
        if !value.first().is_some_and(|first| *first == b'-' || first.is_ascii_digit()) {
            return None;
        }
        let number: f64 = std::str::from_utf8(value).ok()?.parse().ok()?;
        // Minus zero is written as zero is.
        number.is_finite().then_some(Index(number + 0.0))
    }

    /// Reads the text of a number as [`fmt::Display`] writes it.
    pub(crate) fn read_text(text: &str) -> Option<Index> {
        Self::read(text.as_bytes()).filter(|index| index.to_string() == text)
    }

    /// The number as a key.
    pub(crate) fn key(self) -> u64 {
        self.0.to_bits()
    }

    /// The name of an event: the prefix, and this.
    pub(crate) fn event(self, prefix: &str) -> String {
        use fmt::Write;
        let mut name = String::with_capacity(prefix.len() + 12);
        // Writing to a string cannot fail.
        let _ = write!(name, "{prefix}{self}");
        name
    }
}

/// As JavaScript writes a number.
impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const EXACT: f64 = (1_u64 << 53) as f64;
        let number = self.0;
        let size = number.abs();
        if number.fract() == 0.0 && size <= EXACT {
            return write!(f, "{}", number as i64);
        }
        if size >= 1e21 {
            return f.write_str(&format!("{number:e}").replace('e', "e+"));
        }
        if size < 1e-6 {
            return write!(f, "{number:e}");
        }
        write!(f, "{number}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_named_as_javascript_does() {
        for (written, name) in [
            ("1", "sync-1"),
            ("0", "sync-0"),
            ("-0", "sync-0"),
            ("7.0", "sync-7"),
            ("70e-1", "sync-7"),
            ("1e3", "sync-1000"),
            ("-3", "sync--3"),
            ("1.5", "sync-1.5"),
            ("9007199254740993", "sync-9007199254740992"),
            ("123456789012345680000", "sync-123456789012345680000"),
            ("1e21", "sync-1e+21"),
            ("1.5e300", "sync-1.5e+300"),
            ("1e-7", "sync-1e-7"),
        ] {
            let index = Index::read(written.as_bytes()).unwrap();
            assert_eq!(index.event("sync-"), name);
            assert_eq!(Index::read_text(&name["sync-".len()..]), Some(index));
        }
    }

    #[test]
    fn what_is_no_finite_number_is_none() {
        for value in ["", "\"1\"", "null", "true", "[1]", "{}", "1e999", "NaN", "Infinity"] {
            assert_eq!(Index::read(value.as_bytes()), None, "{value}");
        }
        for text in ["", "01", "7.0", "1e3", " 1", "x"] {
            assert_eq!(Index::read_text(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_name_leads_back_to_its_number(number in proptest::num::f64::NORMAL | proptest::num::f64::ZERO) {
            let index = Index::read(serde_json::to_string(&number).unwrap().as_bytes()).unwrap();
            prop_assert_eq!(Index::read_text(&index.to_string()), Some(index));
        }
    }
}
