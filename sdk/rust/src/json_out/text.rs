//! Strings and keys, eight bytes at a step.
//!
//! A text that does not fill whole words is read as two words that overlap, and written as whole words
//! of which the surplus is cut off again: neither needs a loop or a copy of unknown length.

const WORD: usize = 8;
/// Up to here words are cheaper than a copy that leaves the sandbox.
const SHORT_COPY: usize = 64;

const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; WORD])
}

/// Up to eight bytes as a little-endian number; zeros behind them.
#[inline(always)]
fn word(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    if let Some(&word) = bytes.first_chunk::<8>() {
        return u64::from_le_bytes(word);
    }
    if let (Some(&first), Some(&last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let last = u64::from(u32::from_le_bytes(last)) << (8 * (len - 4));
        return u64::from(u32::from_le_bytes(first)) | last;
    }
    if let (Some(&first), Some(&last)) = (bytes.first_chunk::<2>(), bytes.last_chunk::<2>()) {
        let last = u64::from(u16::from_le_bytes(last)) << (8 * (len - 2));
        return u64::from(u16::from_le_bytes(first)) | last;
    }
    bytes.first().copied().map_or(0, u64::from)
}

/// Nonzero when one of the eight bytes must be escaped; the lowest bit set is in the first of these.
///
/// A subtraction borrows into a byte's top bit when the byte is too small: smaller than a space, or,
/// after the exclusive or, zero. Bytes beyond ASCII have that bit to begin with and never count.
#[inline(always)]
fn special(word: u64) -> u64 {
    let control = word.wrapping_sub(each(b' '));
    let quote = (word ^ each(b'"')).wrapping_sub(each(1));
    let backslash = (word ^ each(b'\\')).wrapping_sub(each(1));
    (control | quote | backslash) & !word & each(0x80)
}

/// The same for the first `len` bytes of a word, at most eight.
#[inline(always)]
fn special_in(word: u64, len: usize) -> u64 {
    if len < WORD { special(word) & ((1 << (8 * len)) - 1) } else { special(word) }
}

/// Appends at most eight bytes, given as a word.
#[inline(always)]
pub(super) fn append_word(out: &mut Vec<u8>, word: u64, len: usize) {
    let end = out.len() + len;
    out.extend_from_slice(&word.to_le_bytes());
    out.truncate(end);
}

/// Appends bytes as they are.
#[inline]
pub(super) fn append(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() <= WORD {
        append_word(out, word(bytes), bytes.len());
    } else if let Some(&last) = bytes.last_chunk::<8>()
        && bytes.len() <= SHORT_COPY
    {
        let end = out.len() + bytes.len();
        for chunk in bytes.as_chunks::<WORD>().0 {
            out.extend_from_slice(chunk);
        }
        // Again what the last whole word had of it, and the rest.
        out.truncate(end - WORD);
        out.extend_from_slice(&last);
    } else {
        out.extend_from_slice(bytes);
    }
}

/// Appends a JSON string.
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let len = bytes.len();
    if len < WORD {
        let word = word(bytes);
        if special_in(word, len) == 0 {
            let end = out.len() + len + 2;
            let [a, b, c, d, e, f, g, h] = (word | (u64::from(b'"') << (8 * len))).to_le_bytes();
            out.extend_from_slice(&[b'"', a, b, c, d, e, f, g, h]);
            out.truncate(end);
            return;
        }
    }
    out.push(b'"');
    contents(out, bytes);
    out.push(b'"');
}

/// Appends the inside of a JSON string.
pub(super) fn contents(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut rest = bytes;
    loop {
        let (clean, escaped) = rest.split_at(clean(rest));
        append(out, clean);
        let Some((&byte, behind)) = escaped.split_first() else { return };
        escape(out, byte);
        rest = behind;
    }
}

/// How many bytes at the start can stand as they are.
#[inline]
fn clean(bytes: &[u8]) -> usize {
    let (words, tail) = bytes.as_chunks::<WORD>();
    for (index, &chunk) in words.iter().enumerate() {
        let special = special(u64::from_le_bytes(chunk));
        if special != 0 {
            return index * WORD + special.trailing_zeros() as usize / 8;
        }
    }
    let special = special_in(word(tail), tail.len());
    if special == 0 { bytes.len() } else { bytes.len() - tail.len() + special.trailing_zeros() as usize / 8 }
}

#[cold]
fn escape(out: &mut Vec<u8>, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let letter = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0c => b'f',
        b'\r' => b'r',
        _ => {
            let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', letter]);
}

/// Appends a byte (`{` or `,`), a key and the colon.
///
/// Inlined by force: the keys of structs are constants, so that what remains of this is two stores.
#[inline(always)]
pub(super) fn key(out: &mut Vec<u8>, before: u8, key: &'static str) {
    let bytes = key.as_bytes();
    match bytes.len() {
        0..=12 if is_clean_short(bytes) => framed::<16>(out, before, bytes),
        13..=16 if is_clean_short(bytes) => framed::<20>(out, before, bytes),
        _ => any_key(out, before, key),
    }
}

/// For at most sixteen bytes.
#[inline(always)]
fn is_clean_short(bytes: &[u8]) -> bool {
    match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(&first), Some(&last)) => {
            special(u64::from_le_bytes(first)) | special(u64::from_le_bytes(last)) == 0
        }
        _ => special_in(word(bytes), bytes.len()) == 0,
    }
}

/// `N` is at least four more than the length of the key.
#[inline(always)]
fn framed<const N: usize>(out: &mut Vec<u8>, before: u8, key: &[u8]) {
    let len = key.len();
    let mut frame = [0; N];
    frame[0] = before;
    frame[1] = b'"';
    frame[2..2 + len].copy_from_slice(key);
    frame[2 + len] = b'"';
    frame[3 + len] = b':';
    let end = out.len() + len + 4;
    out.extend_from_slice(&frame);
    out.truncate(end);
}

fn any_key(out: &mut Vec<u8>, before: u8, key: &str) {
    out.push(before);
    string(out, key);
    out.push(b':');
}
