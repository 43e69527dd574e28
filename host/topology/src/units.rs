//! Sizes and durations as people write them: `64MiB`, `250ms`.

use std::time::Duration;

const UNITS: [(&str, u64); 8] = [
    ("KIB", 1 << 10),
    ("MIB", 1 << 20),
    ("GIB", 1 << 30),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
    ("", 1),
];

/// Parses `64MiB`, `256 KiB`, `1GiB`, `10KB`, `5MB`, `1GB`, `512B` or `512`; case does not matter.
///
/// ```
/// assert_eq!(luckystack_topology::parse_size("64MiB"), Some(64 << 20));
/// assert_eq!(luckystack_topology::parse_size("64 parsecs"), None);
/// ```
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.replace('_', "").parse().ok()?;
    let unit = unit.trim().to_ascii_uppercase();
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*factor)
}

/// The shortest exact way to write a size in binary units: `64MiB`, `1500`.
#[must_use]
pub fn format_size(bytes: u64) -> String {
    for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] {
        if bytes != 0 && bytes.is_multiple_of(1 << shift) {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

/// Parses `250ms`, `5s`, `1m 30s`; a bare number has no unit and is refused.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    // humantime takes a bare `0`; here every duration says its unit.
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    humantime::parse_duration(text).ok()
}

pub(crate) fn format_duration(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_are_read_in_every_unit() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("512", Some(512)),
            ("512B", Some(512)),
            ("1_000", Some(1000)),
            ("64MiB", Some(64 << 20)),
            (" 64 mib ", Some(64 << 20)),
            ("256KiB", Some(256 << 10)),
            ("2GiB", Some(2 << 30)),
            ("10KB", Some(10_000)),
            ("10MB", Some(10_000_000)),
            ("1GB", Some(1_000_000_000)),
            ("", None),
            ("MiB", None),
            ("_", None),
            ("-1", None),
            ("1.5MiB", None),
            ("1TiB", None),
            ("99999999999999999999", None),
            ("18446744073709551615KiB", None),
        ] {
            assert_eq!(parse_size(text), bytes, "{text:?}");
        }
    }

    #[test]
    fn durations_need_a_unit() {
        for (text, expected) in [
            ("250ms", Some(Duration::from_millis(250))),
            ("1m 30s", Some(Duration::from_secs(90))),
            ("0s", Some(Duration::ZERO)),
            ("0", None),
            ("60", None),
            ("", None),
            ("soon", None),
            ("-1s", None),
        ] {
            assert_eq!(parse_duration(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn sizes_survive_formatting(bytes: u64) {
            prop_assert_eq!(parse_size(&format_size(bytes)), Some(bytes));
        }

        #[test]
        fn units_never_panic(text in r"\PC{0,30}") {
            let _ = parse_size(&text);
            let _ = parse_duration(&text);
        }

        #[test]
        fn number_like_units_never_panic(text in "[0-9]{1,22}(\\.[0-9]{1,25})?[ a-zA-Zµ]{0,6}") {
            let _ = parse_size(&text);
            let _ = parse_duration(&text);
        }
    }
}
