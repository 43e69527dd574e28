//! Dates as records show them: ISO 8601 in UTC with milliseconds, `2026-01-02T03:04:05.678Z`.

use std::time::{SystemTime, UNIX_EPOCH};

const DAY: i64 = 86_400_000;

/// A date that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Date {
    /// Milliseconds since 1970; what is finer was cut off.
    pub(crate) millis: i64,
    /// Whether the text said which zone it means. One that says none means UTC.
    pub(crate) has_zone: bool,
}

/// This moment.
pub(crate) fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)).unwrap_or_default()
}

/// A date of the years 1 to 9999.
pub(crate) fn format(millis: i64) -> Option<String> {
    let (year, month, day) = civil(millis.div_euclid(DAY));
    if !(1..=9999).contains(&year) {
        return None;
    }
    let rest = millis.rem_euclid(DAY);
    let (hour, minute, second, milli) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60, rest % 1000);
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z"))
}

/// Reads `YYYY-MM-DD`, alone or with `T` or a space and `HH:MM`, seconds and their fraction, and a zone:
/// `Z`, `+HH:MM` or `+HHMM`. A day alone is its midnight in UTC, as in JavaScript.
pub(crate) fn parse(text: &str) -> Option<Date> {
    let mut rest = text.as_bytes();
    let year = digits(&mut rest, 4)?;
    eat(&mut rest, b"-")?;
    let month = digits(&mut rest, 2)?;
    eat(&mut rest, b"-")?;
    let day = digits(&mut rest, 2)?;
    let days = days(year, month, day)?;
    if rest.is_empty() {
        return Some(Date { millis: days * DAY, has_zone: true });
    }
    eat(&mut rest, b"T ")?;
    let (hour, minute) = clock(&mut rest, true)?;
    let mut millis = (hour * 60 + minute) * 60_000;
    if eat(&mut rest, b":").is_some() {
        let second = digits(&mut rest, 2).filter(|second| *second < 60)?;
        millis += second * 1000;
        if eat(&mut rest, b".").is_some() {
            millis += fraction(&mut rest)?;
        }
    }
    let zone = match rest.split_first() {
        None => None,
        Some((b'Z', after)) => {
            rest = after;
            Some(0)
        }
        Some((sign @ (b'+' | b'-'), after)) => {
            rest = after;
            let (hours, minutes) = clock(&mut rest, false)?;
            let offset = (hours * 60 + minutes) * 60_000;
            Some(if *sign == b'-' { -offset } else { offset })
        }
        Some(_) => return None,
    };
    let millis = days * DAY + millis - zone.unwrap_or(0);
    // A zone may carry it out of the years that can be written.
    let fits = rest.is_empty() && format(millis).is_some();
    fits.then_some(Date { millis, has_zone: zone.is_some() })
}

/// `HH:MM`, or `HHMM` where that is allowed.
fn clock(rest: &mut &[u8], with_colon: bool) -> Option<(i64, i64)> {
    let hour = digits(rest, 2).filter(|hour| *hour < 24)?;
    if eat(rest, b":").is_none() && with_colon {
        return None;
    }
    Some((hour, digits(rest, 2).filter(|minute| *minute < 60)?))
}

/// Digits after a point, as milliseconds.
fn fraction(rest: &mut &[u8]) -> Option<i64> {
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (fraction, after) = rest.split_at(length);
    *rest = after;
    let place = |at: usize| fraction.get(at).map_or(0, |digit| i64::from(digit - b'0'));
    (length > 0).then(|| place(0) * 100 + place(1) * 10 + place(2))
}

fn digits(rest: &mut &[u8], count: usize) -> Option<i64> {
    let (number, after) = rest.split_at_checked(count)?;
    *rest = after;
    number.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
}

fn eat(rest: &mut &[u8], any: &[u8]) -> Option<()> {
    let (first, after) = rest.split_first()?;
    any.contains(first).then(|| *rest = after)
}

/// Days from 1970-01-01 to a day of the Gregorian calendar, if there is such a day. Years are counted from
/// March, so that the leap day is their last, in cycles of 400 years with 146 097 days each.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if year < 1 || !(1..=12).contains(&month) || day < 1 {
        return None;
    }
    let shifted = if month > 2 { year } else { year - 1 };
    let (cycle, of_cycle) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = cycle * 146_097 + of_cycle * 365 + of_cycle / 4 - of_cycle / 100 + of_year - 719_468;
    // The 31st of April would be the 1st of May.
    (civil(days) == (year, month, day)).then_some(days)
}

fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (cycle, of_cycle) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_cycle - of_cycle / 1460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let of_year = of_cycle - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (cycle * 400 + year + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates_are_read_in_every_usual_form() {
        let table = [
            ("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.678Z"),
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"),
            ("2026-01-02T03:04Z", "2026-01-02T03:04:00.000Z"),
            ("2026-01-02 03:04:05", "2026-01-02T03:04:05.000Z"),
            ("2026-01-02", "2026-01-02T00:00:00.000Z"),
            ("2026-01-02T03:04:05.6789Z", "2026-01-02T03:04:05.678Z"),
            ("2026-01-02T03:04:05.6Z", "2026-01-02T03:04:05.600Z"),
            ("2026-01-02T00:30:00+01:00", "2026-01-01T23:30:00.000Z"),
            ("2026-01-02T23:30:00-0130", "2026-01-03T01:00:00.000Z"),
            ("1965-07-14T12:00:00Z", "1965-07-14T12:00:00.000Z"),
            ("2000-02-29", "2000-02-29T00:00:00.000Z"),
            ("0001-01-01", "0001-01-01T00:00:00.000Z"),
            ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
        ];
        for (text, expected) in table {
            let date = parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(format(date.millis).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(parse("1970-01-01T00:00:00Z").unwrap().millis, 0);
        assert_eq!(parse("2001-09-09T01:46:40Z").unwrap().millis, 1_000_000_000_000);
        assert!(!parse("2026-01-02T03:04:05").unwrap().has_zone);
    }

    #[test]
    fn what_is_no_date_is_refused() {
        let wrong = [
            "",
            "2026",
            "2026-1-2",
            "2026-13-01",
            "2026-02-29",
            "2026-04-31",
            "2026-00-10",
            "0000-01-01",
            "2026-01-02T",
            "2026-01-02T25:00Z",
            "2026-01-02T03:60Z",
            "2026-01-02T03:04:60Z",
            "2026-01-02T03:04:05.Z",
            "2026-01-02T03:04:05ZZ",
            "2026-01-02T03:04:05+1:00",
            "20260102",
            "2026-01-02T0304Z",
            "now",
            "2026-01-02T03:04:05Z; DROP TABLE users",
            "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00",
            "२०२६-01-02",
        ];
        for text in wrong {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_date_reads_back(millis in -62_135_596_800_000_i64..=253_402_300_799_999) {
            let text = format(millis).unwrap();
            prop_assert_eq!(parse(&text), Some(Date { millis, has_zone: true }));
        }

        #[test]
        fn no_text_is_too_strange(text in "\\PC*|[0-9TZ:. +-]{0,30}") {
            if let Some(date) = parse(&text) {
                prop_assert!(format(date.millis).is_some());
            }
        }
    }
}
