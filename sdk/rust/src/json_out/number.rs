//! Numbers, by the crates that serde_json writes them with.

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
    if value.is_finite() {
        text::append(out, zmij::Buffer::new().format_finite(value).as_bytes());
    } else {
        out.extend_from_slice(b"null");
    }
}
