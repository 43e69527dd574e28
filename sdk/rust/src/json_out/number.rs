//! Numbers, by the crates that serde_json writes them with; a shorter way for ordinary decimals.

use super::text;

pub(super) fn unsigned(out: &mut Vec<u8>, value: u64) {
    if value < 10 {
        out.push(b'0' + value as u8);
    } else {
        text::append(out, itoa::Buffer::new().format(value).as_bytes());
    }
}

pub(super) fn signed(out: &mut Vec<u8>, value: i64) {
    text::append(out, itoa::Buffer::new().format(value).as_bytes());
}

pub(super) fn unsigned_128(out: &mut Vec<u8>, value: u128) {
    text::append(out, itoa::Buffer::new().format(value).as_bytes());
}

pub(super) fn signed_128(out: &mut Vec<u8>, value: i128) {
    text::append(out, itoa::Buffer::new().format(value).as_bytes());
}

pub(super) fn f32(out: &mut Vec<u8>, value: f32) {
    if value.is_finite() {
        text::append(out, zmij::Buffer::new().format_finite(value).as_bytes());
    } else {
        out.extend_from_slice(b"null");
    }
}

pub(super) fn f64(out: &mut Vec<u8>, value: f64) {
    if decimal(out, value) {
        return;
    }
    if value.is_finite() {
        text::append(out, zmij::Buffer::new().format_finite(value).as_bytes());
    } else {
        out.extend_from_slice(b"null");
    }
}

/// Writes a number that has at most six decimals and a size from a thousandth to a thousand million:
/// coordinates, prices, measurements. False, and nothing written, for any other.
///
/// Such a number is a whole number of millionths below 10^15. A quotient of two integers that a float
/// holds exactly is rounded correctly, so when the division gives the value back, these digits read as
/// the value; and no other decimal of at most fifteen digits does, because that many survive a float.
/// So they are the shortest digits, which zmij would find too, with multiplications that this machine
/// makes of several calls.
#[inline]
fn decimal(out: &mut Vec<u8>, value: f64) -> bool {
    const PER_UNIT: u64 = 1_000_000;
    let size = value.abs();
    if !(1e-3..1e9).contains(&size) {
        return false;
    }
    let millionths = (size * PER_UNIT as f64 + 0.5) as i64;
    if millionths as f64 / PER_UNIT as f64 != size {
        return false;
    }
    let millionths = millionths as u64;
    if value < 0.0 {
        out.push(b'-');
    }
    unsigned(out, millionths / PER_UNIT);
    let fraction = millionths % PER_UNIT;
    // Three pairs of digits in lanes of sixteen bits, then six digits in bytes, the first one lowest.
    let pairs = (fraction / 10_000) | ((fraction / 100 % 100) << 16) | ((fraction % 100) << 32);
    let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f;
    let digits = tens | ((pairs - tens * 10) << 8);
    // Zeros at the end go, but one digit stays.
    let len = (8 - digits.leading_zeros() as usize / 8).max(1);
    text::append_word(out, u64::from(b'.') | ((digits | 0x3030_3030_3030) << 8), len + 1);
    true
}
