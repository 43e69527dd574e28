//! Points in time as JavaScript writes them.

const DAY: i64 = 86_400_000;
/// JavaScript knows no points in time further from 1970, in milliseconds.
const FURTHEST: f64 = 8.64e15;

/// A point in time, taken apart.
struct Parts {
    year: i64,
    /// From 1.
    month: usize,
    day: i64,
    /// From Sunday, 0.
    weekday: usize,
    hour: i64,
    minute: i64,
    second: i64,
    millis: i64,
}

/// `2026-11-21T19:25:16.123Z`, as `toISOString` writes milliseconds since 1970; none where `toJSON` writes
/// `null`.
pub(super) fn iso(millis: f64) -> Option<String> {
    if millis.is_nan() || millis.abs() > FURTHEST {
        return None;
    }
    let Parts { year, month, day, hour, minute, second, millis, .. } = Parts::of(millis.trunc() as i64);
    let year = match year {
        0..=9999 => format!("{year:04}"),
        _ => format!("{year:+07}"),
    };
    Some(format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"))
}

/// `Sat Nov 21 2026 19:25:16 GMT+0000 (Coordinated Universal Time)`, as a date is shown by a server that
/// knows no other time.
pub(super) fn shown(millis: i64) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let Parts { year, month, day, weekday, hour, minute, second, .. } = Parts::of(millis);
    let (weekday, month) = (DAYS[weekday], MONTHS[month - 1]);
    format!(
        "{weekday} {month} {day:02} {year:04} {hour:02}:{minute:02}:{second:02} GMT+0000 \
         (Coordinated Universal Time)"
    )
}

impl Parts {
    /// The calendar is that of the years since 1582, in both directions for ever; years are counted from
    /// March within it, so that the odd day is the last.
    fn of(millis: i64) -> Parts {
        let (days, rest) = (millis.div_euclid(DAY), millis.rem_euclid(DAY));
        let since = days + 719_468;
        let (era, day_of_era) = (since.div_euclid(146_097), since.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Parts {
            year,
            month: usize::try_from(month).unwrap_or(1),
            day,
            weekday: usize::try_from((days + 4).rem_euclid(7)).unwrap_or(0),
            hour: rest / 3_600_000,
            minute: rest / 60_000 % 60,
            second: rest / 1000 % 60,
            millis: rest % 1000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{iso, shown};

    #[test]
    fn dates_are_written_as_javascript_writes_them() {
        // From Node: `new Date(n).toISOString()`.
        for (millis, text) in [
            (0.0, "1970-01-01T00:00:00.000Z"),
            (1_795_289_116_123.0, "2026-11-21T19:25:16.123Z"),
            (1_709_164_799_999.0, "2024-02-28T23:59:59.999Z"),
            (1_709_164_800_000.0, "2024-02-29T00:00:00.000Z"),
            (-1.0, "1969-12-31T23:59:59.999Z"),
            (-62_198_755_200_000.0, "-000001-01-01T00:00:00.000Z"),
            (253_402_300_800_000.0, "+010000-01-01T00:00:00.000Z"),
            (8.64e15, "+275760-09-13T00:00:00.000Z"),
            (-8.64e15, "-271821-04-20T00:00:00.000Z"),
        ] {
            assert_eq!(iso(millis).as_deref(), Some(text), "{millis}");
        }
        assert_eq!(iso(8.64e15 + 1.0), None);
        assert_eq!(iso(f64::NAN), None);
        assert_eq!(
            shown(1_795_289_116_123),
            "Sat Nov 21 2026 19:25:16 GMT+0000 (Coordinated Universal Time)"
        );
    }
}
