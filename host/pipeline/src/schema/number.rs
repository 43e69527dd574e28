//! Numbers as schemas compare them: integers exactly, the rest as doubles, multiples in decimal.

use std::cmp::Ordering;

/// A finite number. Whole numbers within range are always `Int`, so `1` and `1.0` are equal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Num {
    Int(i128),
    Float(f64),
}

/// One side that a number must stay on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub limit: Num,
    /// `Less`: an upper bound. `Greater`: a lower one.
    pub side: Ordering,
    pub exclusive: bool,
}

/// A decimal number `digits * 10^exponent`; `digits` does not end in a zero unless it is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    digits: i128,
    exponent: i64,
}

/// Longest run of digits that an `i128` holds for certain.
const EXACT_DIGITS: usize = 38;

/// Every whole double below this is exactly an `i128`.
const WHOLE: f64 = 1e38;

impl Num {
    /// The number that a valid token is; nothing when it overflows to infinity. `plain` tokens have
    /// neither fraction nor exponent.
    #[inline]
    pub fn of_token(token: &[u8], plain: bool) -> Option<Num> {
        if plain && token.len() <= EXACT_DIGITS {
            let (digits, negative) = match token.strip_prefix(b"-") {
                Some(digits) => (digits, true),
                None => (token, false),
            };
            let value = digits.iter().fold(0i128, |value, digit| value * 10 + i128::from(digit - b'0'));
            return Some(Num::Int(if negative { -value } else { value }));
        }
        let value: f64 = std::str::from_utf8(token).ok()?.parse().ok()?;
        value.is_finite().then(|| Num::of_f64(value))
    }

    pub fn of_f64(value: f64) -> Num {
        if value.fract() == 0.0 && value.abs() < WHOLE { Num::Int(value as i128) } else { Num::Float(value) }
    }

    pub fn of_json(number: &serde_json::Number) -> Num {
        match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Num::Int(value.into()),
            (_, Some(value)) => Num::Int(value.into()),
            _ => Num::of_f64(number.as_f64().unwrap_or(f64::INFINITY)),
        }
    }

    pub fn is_integer(self) -> bool {
        match self {
            Num::Int(_) => true,
            Num::Float(value) => value.fract() == 0.0,
        }
    }

    #[inline]
    pub fn compare(self, other: Num) -> Ordering {
        match (self, other) {
            (Num::Int(left), Num::Int(right)) => left.cmp(&right),
            (left, right) => left.as_f64().total_cmp(&right.as_f64()),
        }
    }

    fn as_f64(self) -> f64 {
        match self {
            Num::Int(value) => value as f64,
            Num::Float(value) => value,
        }
    }
}

impl Bound {
    #[inline]
    pub fn holds(&self, value: Num) -> bool {
        match value.compare(self.limit) {
            Ordering::Equal => !self.exclusive,
            side => side == self.side,
        }
    }
}

impl Decimal {
    /// The decimal that a valid number token is; nothing when it has more digits than can be exact.
    pub fn of_token(token: &str) -> Option<Decimal> {
        let (digits_text, exponent_text) = match token.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, exponent),
            None => (token, "0"),
        };
        let mut exponent = exponent_text.parse::<i64>().ok()?;
        let negative = digits_text.starts_with('-');
        let mut digits: i128 = 0;
        // Zeros are held back: those at the end belong to the exponent.
        let mut zeros: u32 = 0;
        let mut fraction = false;
        for byte in digits_text.bytes() {
            match byte {
                b'.' => fraction = true,
                b'0'..=b'9' => {
                    if fraction {
                        exponent = exponent.checked_sub(1)?;
                    }
                    if byte == b'0' {
                        zeros += u32::from(digits != 0);
                        continue;
                    }
                    let shift = 10i128.checked_pow(zeros + 1)?;
                    digits = digits.checked_mul(shift)?.checked_add(i128::from(byte - b'0'))?;
                    zeros = 0;
                }
                _ => {}
            }
        }
        if digits == 0 {
            return Some(Decimal { digits: 0, exponent: 0 });
        }
        exponent = exponent.checked_add(i64::from(zeros))?;
        Some(Decimal { digits: if negative { -digits } else { digits }, exponent })
    }

    /// Whether this can stand in `multipleOf`: positive, and with digits that leave room to calculate.
    pub fn is_step(self) -> bool {
        self.digits > 0 && self.digits < 1_000_000_000_000_000_000
    }

    /// Whether this is a whole multiple of `step`.
    pub fn is_multiple_of(self, step: Decimal) -> bool {
        if self.digits == 0 {
            return true;
        }
        // With fewer trailing zeros than the step has, it cannot be one of its multiples.
        let Ok(shift) = u32::try_from(self.exponent - step.exponent) else { return false };
        // A finite number and a step that fits a double are at most this far apart.
        if shift > 1_000 {
            return false;
        }
        (0..shift).fold(self.digits % step.digits, |rest, _| rest * 10 % step.digits) == 0
    }
}
