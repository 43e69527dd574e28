//! Formats of strings that are enforced, and the ranges that integer formats mean.

use std::net::{Ipv4Addr, Ipv6Addr};

/// An enforced format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    DateTime,
    Date,
    Uuid,
    Email,
    Ipv4,
    Ipv6,
}

impl Format {
    pub fn named(name: &str) -> Option<Format> {
        Some(match name {
            "date-time" => Format::DateTime,
            "date" => Format::Date,
            "uuid" => Format::Uuid,
            "email" => Format::Email,
            "ipv4" => Format::Ipv4,
            "ipv6" => Format::Ipv6,
            _ => return None,
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Format::DateTime => "date-time",
            Format::Date => "date",
            Format::Uuid => "uuid",
            Format::Email => "email",
            Format::Ipv4 => "ipv4",
            Format::Ipv6 => "ipv6",
        }
    }

    pub fn accepts(self, text: &str) -> bool {
        match self {
            Format::DateTime => is_date_time(text.as_bytes()),
            Format::Date => {
                text.len() == 10 && date(text.as_bytes()).is_some_and(|(_, rest)| rest.is_empty())
            }
            Format::Uuid => is_uuid(text.as_bytes()),
            Format::Email => is_email(text),
            Format::Ipv4 => text.parse::<Ipv4Addr>().is_ok(),
            Format::Ipv6 => text.parse::<Ipv6Addr>().is_ok(),
        }
    }
}

/// The range of an integer format. `int` and `uint`, a guest's pointer size, count as 64 bits: the
/// guest's own decoder knows better.
pub(super) fn integer_range(format: &str) -> Option<(i128, i128)> {
    let (signed, bits) = match format {
        "int" => (true, 64),
        "uint" => (false, 64),
        _ => match format.strip_prefix('u') {
            Some(rest) => (false, rest.strip_prefix("int")?.parse::<u32>().ok()?),
            None => (true, format.strip_prefix("int")?.parse::<u32>().ok()?),
        },
    };
    match (signed, bits) {
        (true, 8 | 16 | 32 | 64) => Some((-(1 << (bits - 1)), (1 << (bits - 1)) - 1)),
        (false, 8 | 16 | 32 | 64) => Some((0, (1 << bits) - 1)),
        (true, 128) => Some((i128::MIN, i128::MAX)),
        // What is above reads as a float, which is never in an integer's range below.
        (false, 128) => Some((0, i128::MAX)),
        _ => None,
    }
}

/// The ISO forms of JavaScript's `Date.parse`: a year (four digits, or six with a sign), optionally
/// month and day, optionally a time to the minute or finer with or without an offset; and RFC 3339's
/// lower-case letters and space. Days beyond their month are refused.
fn is_date_time(text: &[u8]) -> bool {
    let Some((full, rest)) = date(text) else { return false };
    match rest {
        [] => true,
        // RFC 3339 allows the space only between a whole date and a time, and so does this.
        [b' ', rest @ ..] if full => is_time(rest),
        [b'T' | b't', rest @ ..] => is_time(rest),
        _ => false,
    }
}

/// A date at the start: whether it has all its parts, and what follows it.
fn date(text: &[u8]) -> Option<(bool, &[u8])> {
    let (year, rest) = match text {
        [b'-', b'0', b'0', b'0', b'0', b'0', b'0', ..] => return None,
        [b'+' | b'-', rest @ ..] => digits(rest, 6)?,
        _ => digits(text, 4)?,
    };
    let [b'-', rest @ ..] = rest else { return Some((false, rest)) };
    let (month, rest) = digits(rest, 2)?;
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => return None,
    };
    let [b'-', rest @ ..] = rest else { return Some((false, rest)) };
    let (day, rest) = digits(rest, 2)?;
    (1..=days).contains(&day).then_some((true, rest))
}

fn is_time(text: &[u8]) -> bool {
    time(text).is_some_and(|rest| match rest {
        [] | [b'Z' | b'z'] => true,
        [b'+' | b'-', rest @ ..] => clock(rest).is_some_and(|(hours, _, rest)| hours < 24 && rest.is_empty()),
        _ => false,
    })
}

/// What follows a time of day at the start.
fn time(text: &[u8]) -> Option<&[u8]> {
    let (hours, minutes, mut rest) = clock(text)?;
    let mut finer = minutes;
    if let [b':', after @ ..] = rest {
        let (seconds, after) = digits(after, 2)?;
        if seconds > 59 {
            return None;
        }
        finer |= seconds;
        rest = after;
        if let [b'.', after @ ..] = rest {
            let length = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if length == 0 {
                return None;
            }
            finer |= u32::from(after[..length].iter().any(|digit| *digit != b'0'));
            rest = &after[length..];
        }
    }
    // Midnight at a day's end is written 24:00.
    (hours < 24 || hours == 24 && finer == 0).then_some(rest)
}

/// `HH:MM` at the start.
fn clock(text: &[u8]) -> Option<(u32, u32, &[u8])> {
    let (hours, rest) = digits(text, 2)?;
    let (minutes, rest) = digits(rest.strip_prefix(b":")?, 2)?;
    (minutes < 60).then_some((hours, minutes, rest))
}

fn digits(text: &[u8], count: usize) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_at_checked(count)?;
    let value = digits
        .iter()
        .try_fold(0, |value, digit| digit.is_ascii_digit().then(|| value * 10 + u32::from(digit - b'0')))?;
    Some((value, rest))
}

fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// The rule of browsers' e-mail fields, and the longest address that mail can carry.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.len() <= 254
        && !local.is_empty()
        && local.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte))
        && domain.split('.').all(is_label)
}
