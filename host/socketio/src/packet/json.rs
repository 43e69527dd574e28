//! Finds where JSON values end, and whether they are any, without building them.
//!
//! A hot path: every message of a client passes here. Strings are looked through eight bytes at a time.

use std::ops::Range;

use smallvec::SmallVec;

use super::ParseError;

/// Arrays and objects within each other: as many as serde_json reads, so that what passes here can be read.
pub const MAX_DEPTH: u32 = 127;

/// Places of an array's elements, as the scanner finds them.
pub(super) type Elements = SmallVec<[Range<usize>; 4]>;

/// Checks that `text` is one array, whitespace around it allowed, with at most `max` elements; where they are.
///
/// # Errors
/// [`ParseError::Json`] for what is no JSON, [`ParseError::Payload`] for what is no array,
/// [`ParseError::TooManyArguments`].
pub(super) fn array(text: &[u8], max: usize) -> Result<Elements, ParseError> {
    let mut elements = Elements::new();
    let mut at = skip_space(text, 0);
    if text.get(at) != Some(&b'[') {
        whole(text)?;
        return Err(ParseError::Payload);
    }
    at = skip_space(text, at + 1);
    if text.get(at) == Some(&b']') {
        at += 1;
    } else {
        loop {
            let start = skip_space(text, at);
            // One level is this array's.
            let end = value(text, start, MAX_DEPTH - 1)?;
            if elements.len() == max {
                return Err(ParseError::TooManyArguments);
            }
            elements.push(start..end);
            at = skip_space(text, end);
            match text.get(at) {
                Some(b',') => at += 1,
                Some(b']') => {
                    at += 1;
                    break;
                }
                _ => return Err(ParseError::Json),
            }
        }
    }
    if skip_space(text, at) == text.len() { Ok(elements) } else { Err(ParseError::Json) }
}

/// Checks that `text` is one object, whitespace around it allowed; where it is.
///
/// # Errors
/// [`ParseError::Json`], [`ParseError::Payload`].
pub(super) fn object(text: &[u8]) -> Result<Range<usize>, ParseError> {
    let range = whole(text)?;
    if text[range.start] == b'{' { Ok(range) } else { Err(ParseError::Payload) }
}

fn whole(text: &[u8]) -> Result<Range<usize>, ParseError> {
    let start = skip_space(text, 0);
    let end = value(text, start, MAX_DEPTH)?;
    if skip_space(text, end) == text.len() { Ok(start..end) } else { Err(ParseError::Json) }
}

/// Where the value that begins at `at` ends.
fn value(text: &[u8], mut at: usize, max_depth: u32) -> Result<usize, ParseError> {
    // One bit for each level, the innermost lowest: 1 for an object, 0 for an array.
    let mut levels: u128 = 0;
    let mut depth = 0;
    loop {
        at = skip_space(text, at);
        match text.get(at) {
            Some(b'"') => at = string(text, at)?,
            Some(&open @ (b'{' | b'[')) => {
                let is_object = open == b'{';
                at = skip_space(text, at + 1);
                if depth == max_depth {
                    return Err(ParseError::Json);
                }
                if text.get(at) == Some(if is_object { &b'}' } else { &b']' }) {
                    at += 1;
                } else {
                    depth += 1;
                    levels = levels << 1 | u128::from(is_object);
                    if is_object {
                        at = key(text, at)?;
                    }
                    continue;
                }
            }
            Some(b'-' | b'0'..=b'9') => at = number(text, at)?,
            Some(b't') => at = literal(text, at, b"true")?,
            Some(b'f') => at = literal(text, at, b"false")?,
            Some(b'n') => at = literal(text, at, b"null")?,
            _ => return Err(ParseError::Json),
        }
        // A value has ended: so may have what it is in.
        loop {
            if depth == 0 {
                return Ok(at);
            }
            at = skip_space(text, at);
            let in_object = levels & 1 == 1;
            match text.get(at) {
                Some(b',') => {
                    at += 1;
                    if in_object {
                        at = key(text, skip_space(text, at))?;
                    }
                    break;
                }
                Some(b'}') if in_object => at += 1,
                Some(b']') if !in_object => at += 1,
                _ => return Err(ParseError::Json),
            }
            depth -= 1;
            levels >>= 1;
        }
    }
}

/// After the key that begins at `at`, and its colon.
fn key(text: &[u8], at: usize) -> Result<usize, ParseError> {
    if text.get(at) != Some(&b'"') {
        return Err(ParseError::Json);
    }
    let at = skip_space(text, string(text, at)?);
    if text.get(at) == Some(&b':') { Ok(at + 1) } else { Err(ParseError::Json) }
}

/// After the string that begins with the quote at `at`.
fn string(text: &[u8], at: usize) -> Result<usize, ParseError> {
    let mut at = at + 1;
    loop {
        at += ordinary(&text[at..]);
        match text.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => match text.get(at + 1) {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 2,
                Some(b'u') => match text.get(at + 2..at + 6) {
                    Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => at += 6,
                    _ => return Err(ParseError::Json),
                },
                _ => return Err(ParseError::Json),
            },
            _ => return Err(ParseError::Json),
        }
    }
}

/// How many bytes from the beginning are neither quotes, backslashes nor control characters.
fn ordinary(text: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let mut at = 0;
    let (words, rest) = text.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        // A byte's high bit is set where it is below, or equal to, what is looked for; a borrow can set it
        // wrongly only behind the first that is right, and only the first counts.
        let below_space = word.wrapping_sub(ONES * 0x20) & !word;
        let quotes = word ^ (ONES * u64::from(b'"'));
        let backslashes = word ^ (ONES * u64::from(b'\\'));
        let found = (below_space
            | quotes.wrapping_sub(ONES) & !quotes
            | backslashes.wrapping_sub(ONES) & !backslashes)
            & HIGH;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    at + rest.iter().position(|&byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len())
}

fn number(text: &[u8], at: usize) -> Result<usize, ParseError> {
    let digits = |at: usize| at + text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let some_digits = |at: usize| match digits(at) {
        end if end > at => Ok(end),
        _ => Err(ParseError::Json),
    };
    let mut at = if text[at] == b'-' { at + 1 } else { at };
    at = if text.get(at) == Some(&b'0') { at + 1 } else { some_digits(at)? };
    if text.get(at) == Some(&b'.') {
        at = some_digits(at + 1)?;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = text.get(at) {
            at += 1;
        }
        at = some_digits(at)?;
    }
    Ok(at)
}

fn literal(text: &[u8], at: usize, literal: &[u8]) -> Result<usize, ParseError> {
    if text[at..].starts_with(literal) { Ok(at + literal.len()) } else { Err(ParseError::Json) }
}

fn skip_space(text: &[u8], at: usize) -> usize {
    let mut at = at;
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = text.get(at) {
        at += 1;
    }
    at
}

/// Appends `text` as a JSON string, quotes included, as `JSON.stringify` would write it.
pub fn escape(out: &mut Vec<u8>, text: &str) {
    const HEX: [u8; 16] = *b"0123456789abcdef";
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, special) = rest.split_at(ordinary(rest));
        out.extend_from_slice(plain);
        let Some((&byte, after)) = special.split_first() else { break };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                let high = HEX[usize::from(byte >> 4)];
                let low = HEX[usize::from(byte & 15)];
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            }
        }
        rest = after;
    }
    out.push(b'"');
}
