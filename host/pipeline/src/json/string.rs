//! Strings: from their escaped form to text and back.

use std::borrow::Cow;

use super::scan::plain_run;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Decodes the inside of a string token that has already been validated.
///
/// Lone surrogate escapes, which `JSON.parse` accepts and no Rust string can hold, become U+FFFD.
pub fn decode(raw: &[u8]) -> Cow<'_, str> {
    decode_with(raw).0
}

/// As [`decode`], for a whole token with its quotes.
pub(crate) fn decode_token(token: &[u8]) -> Cow<'_, str> {
    decode(token.get(1..token.len().saturating_sub(1)).unwrap_or_default())
}

/// As [`decode`], or nothing when the text cannot be represented exactly.
pub(crate) fn decode_exact(raw: &[u8]) -> Option<Cow<'_, str>> {
    let (text, exact) = decode_with(raw);
    exact.then_some(text)
}

/// Appends `text` as a JSON string, quotes included.
///
/// ```
/// let mut out = Vec::new();
/// luckystack_pipeline::json::write_str(&mut out, "a \"b\"\n");
/// assert_eq!(out, br#""a \"b\"\n""#);
/// ```
pub fn write_str(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut at = 0;
    loop {
        let (stop, _) = plain_run(bytes, at);
        out.extend_from_slice(&bytes[at..stop]);
        let Some(&byte) = bytes.get(stop) else { break };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            control => out.extend_from_slice(&[
                b'\\',
                b'u',
                b'0',
                b'0',
                HEX[usize::from(control >> 4)],
                HEX[usize::from(control & 15)],
            ]),
        }
        at = stop + 1;
    }
    out.push(b'"');
}

/// The same valid document on one line, as an event stream's `data:` field needs it (wire protocol
/// §3.6).
///
/// In valid JSON a raw line break is always white space between tokens, so each becomes a space.
pub fn single_line(document: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'\n', b'\r', document).is_none() {
        return Cow::Borrowed(document);
    }
    Cow::Owned(
        document.iter().map(|&byte| if byte == b'\n' || byte == b'\r' { b' ' } else { byte }).collect(),
    )
}

fn decode_with(raw: &[u8]) -> (Cow<'_, str>, bool) {
    let Some(first) = memchr::memchr(b'\\', raw) else {
        return (String::from_utf8_lossy(raw), true);
    };
    let mut exact = true;
    let mut text = String::with_capacity(raw.len());
    let mut at = 0;
    let mut next = Some(first);
    while let Some(slash) = next {
        text.push_str(&String::from_utf8_lossy(&raw[at..slash]));
        let (char, width) = match raw.get(slash + 1) {
            Some(b'b') => ('\u{8}', 2),
            Some(b'f') => ('\u{c}', 2),
            Some(b'n') => ('\n', 2),
            Some(b'r') => ('\r', 2),
            Some(b't') => ('\t', 2),
            Some(b'u') => match surrogates(&raw[slash..]) {
                Some(found) => found,
                None => {
                    exact = false;
                    (char::REPLACEMENT_CHARACTER, 6)
                }
            },
            Some(&same) => (char::from(same), 2),
            None => break,
        };
        text.push(char);
        at = (slash + width).min(raw.len());
        next = memchr::memchr(b'\\', &raw[at..]).map(|found| at + found);
    }
    text.push_str(&String::from_utf8_lossy(&raw[at..]));
    (Cow::Owned(text), exact)
}

/// The character of the `\u` escape (or pair of them) that `raw` starts with, and its width in bytes.
fn surrogates(raw: &[u8]) -> Option<(char, usize)> {
    let unit = code_unit(raw)?;
    if let Some(char) = char::from_u32(unit) {
        return Some((char, 6));
    }
    let low = code_unit(raw.get(6..)?)?;
    if (0xd800..0xdc00).contains(&unit) && (0xdc00..0xe000).contains(&low) {
        let char = char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00))?;
        return Some((char, 12));
    }
    None
}

fn code_unit(raw: &[u8]) -> Option<u32> {
    let digits = raw.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, &digit| Some(unit << 4 | char::from(digit).to_digit(16)?))
}
