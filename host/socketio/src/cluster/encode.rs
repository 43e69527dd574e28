//! JSON text to MessagePack, as notepack.io would write the value that JavaScript reads from the text.
//!
//! Runs on the way of every broadcast: one pass, nothing in between. What a browser's `JSON.parse` takes is
//! taken: a lone half of a surrogate pair becomes U+FFFD, a number out of range becomes infinite.

use bytes::Bytes;
use rmp::encode::{self, ByteBuf};

/// How deep arrays and objects may be nested.
pub(super) const MAX_DEPTH: u16 = 512;

/// Why a text cannot be transcoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotJson {
    #[error("it is no JSON from byte {0} on")]
    Syntax(usize),
    #[error("it is nested more than {MAX_DEPTH} deep")]
    Deep,
    #[error("something in it is larger than 4 GiB")]
    Large,
}

/// Appends the value of `json`, with attachments in the place of their placeholders.
pub(super) fn json(out: &mut ByteBuf, json: &str, attachments: &[Bytes]) -> Result<(), NotJson> {
    let mut parser = Parser { text: json, at: 0, depth: 0, out, attachments };
    parser.value()?;
    parser.skip_space();
    match parser.at == json.len() {
        true => Ok(()),
        false => Err(NotJson::Syntax(parser.at)),
    }
}

/// Appends a string.
pub(super) fn text(out: &mut ByteBuf, text: &str) -> Result<(), NotJson> {
    u32::try_from(text.len()).map_err(|_| NotJson::Large)?;
    let Ok(()) = encode::write_str(out, text);
    Ok(())
}

/// Appends the head of an array.
pub(super) fn array(out: &mut ByteBuf, len: usize) -> Result<(), NotJson> {
    let Ok(_) = encode::write_array_len(out, u32::try_from(len).map_err(|_| NotJson::Large)?);
    Ok(())
}

/// Appends the head of a map.
pub(super) fn map(out: &mut ByteBuf, len: usize) -> Result<(), NotJson> {
    let Ok(_) = encode::write_map_len(out, u32::try_from(len).map_err(|_| NotJson::Large)?);
    Ok(())
}

/// Appends a whole number.
pub(super) fn number(out: &mut ByteBuf, number: u64) {
    let Ok(_) = encode::write_uint(out, number);
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: u16,
    out: &'a mut ByteBuf,
    attachments: &'a [Bytes],
}

/// What a placeholder begins with, as socket.io-parser writes it; its number and `}` follow.
const PLACEHOLDER: &str = "{\"_placeholder\":true,\"num\":";

/// First bytes of the heads of an array and of a map: of a short one, with 16, with 32 bits of length.
const ARRAY: [u8; 3] = [0x90, 0xdc, 0xdd];
const MAP: [u8; 3] = [0x80, 0xde, 0xdf];

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn wrong<T>(&self) -> Result<T, NotJson> {
        Err(NotJson::Syntax(self.at))
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// Whether `byte` comes next; then it is taken.
    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn value(&mut self) -> Result<(), NotJson> {
        self.skip_space();
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'{') => match self.placeholder() {
                Some((attachment, end)) => {
                    self.at = end;
                    u32::try_from(attachment.len()).map_err(|_| NotJson::Large)?;
                    let Ok(()) = encode::write_bin(self.out, attachment);
                    Ok(())
                }
                None => self.many(b'}', MAP),
            },
            Some(b'[') => self.many(b']', ARRAY),
            Some(b't') => self.word("true", 0xc3),
            Some(b'f') => self.word("false", 0xc2),
            Some(b'n') => self.word("null", 0xc0),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.wrong(),
        }
    }

    /// The attachment whose placeholder comes next, and where that ends.
    fn placeholder(&self) -> Option<(&'a Bytes, usize)> {
        if self.attachments.is_empty() {
            return None;
        }
        let (number, _) = self.text[self.at..].strip_prefix(PLACEHOLDER)?.split_once('}')?;
        let attachment = self.attachments.get(number.parse::<usize>().ok()?)?;
        Some((attachment, self.at + PLACEHOLDER.len() + number.len() + 1))
    }

    fn word(&mut self, word: &str, byte: u8) -> Result<(), NotJson> {
        if !self.text[self.at..].starts_with(word) {
            return self.wrong();
        }
        self.at += word.len();
        self.out.as_mut_vec().push(byte);
        Ok(())
    }

    /// An array or an object. How many there are is known at its end: a head of one byte, as nearly all
    /// are, is filled in, a longer one inserted.
    fn many(&mut self, end: u8, heads: [u8; 3]) -> Result<(), NotJson> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(NotJson::Deep);
        }
        self.at += 1;
        let head = self.out.as_vec().len();
        self.out.as_mut_vec().push(0);
        let mut count = 0_u32;
        self.skip_space();
        if !self.take(end) {
            loop {
                if end == b'}' {
                    self.skip_space();
                    if self.peek() != Some(b'"') {
                        return self.wrong();
                    }
                    self.string()?;
                    self.skip_space();
                    if !self.take(b':') {
                        return self.wrong();
                    }
                }
                self.value()?;
                count = count.checked_add(1).ok_or(NotJson::Large)?;
                self.skip_space();
                if self.take(end) {
                    break;
                }
                if !self.take(b',') {
                    return self.wrong();
                }
            }
        }
        self.depth -= 1;
        let out = self.out.as_mut_vec();
        match (u8::try_from(count), u16::try_from(count)) {
            (Ok(count), _) if count < 16 => out[head] = heads[0] | count,
            (_, Ok(count)) => {
                out[head] = heads[1];
                insert(out, head + 1, &count.to_be_bytes());
            }
            _ => {
                out[head] = heads[2];
                insert(out, head + 1, &count.to_be_bytes());
            }
        }
        Ok(())
    }

    fn string(&mut self) -> Result<(), NotJson> {
        self.at += 1;
        let rest = &self.text[self.at..];
        let Some(run) = memchr::memchr2(b'"', b'\\', rest.as_bytes()) else {
            self.at = self.text.len();
            return self.wrong();
        };
        if rest.as_bytes()[run] == b'"' {
            self.at += run + 1;
            return text(self.out, &rest[..run]);
        }
        let mut plain = String::with_capacity(2 * run);
        loop {
            let rest = &self.text[self.at..];
            let Some(run) = memchr::memchr2(b'"', b'\\', rest.as_bytes()) else {
                self.at = self.text.len();
                return self.wrong();
            };
            plain.push_str(&rest[..run]);
            self.at += run + 1;
            if rest.as_bytes()[run] == b'"' {
                return text(self.out, &plain);
            }
            let escaped = self.escaped()?;
            plain.push(escaped);
        }
    }

    /// What stands after a backslash.
    fn escaped(&mut self) -> Result<char, NotJson> {
        let letter = self.peek();
        self.at += 1;
        Ok(match letter {
            Some(plain @ (b'"' | b'\\' | b'/')) => char::from(plain),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let first = self.unit()?;
                if !(0xd800..0xdc00).contains(&first) || !self.text[self.at..].starts_with("\\u") {
                    return Ok(char::from_u32(u32::from(first)).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                let between = self.at;
                self.at += 2;
                let second = self.unit()?;
                match char::decode_utf16([first, second]).next() {
                    Some(Ok(pair)) => pair,
                    _ => {
                        // The second is looked at again, for itself.
                        self.at = between;
                        char::REPLACEMENT_CHARACTER
                    }
                }
            }
            _ => {
                self.at -= 1;
                return self.wrong();
            }
        })
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Result<u16, NotJson> {
        let digits = self.text.get(self.at..self.at + 4);
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let Some(unit) = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok()) else {
            return self.wrong();
        };
        self.at += 4;
        Ok(unit)
    }

    fn number(&mut self) -> Result<(), NotJson> {
        let rest = &self.text[self.at..];
        let is_part = |byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let len = rest.bytes().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        let digits = &rest[..len];
        if let Ok(whole) = digits.parse::<u64>() {
            let Ok(_) = encode::write_uint(self.out, whole);
        } else if let Ok(whole) = digits.parse::<i64>() {
            let Ok(_) = encode::write_sint(self.out, whole);
        } else if digits.ends_with(|end: char| end.is_ascii_digit())
            && let Ok(number) = digits.parse::<f64>()
        {
            let Ok(()) = encode::write_f64(self.out, number);
        } else {
            return self.wrong();
        }
        self.at += len;
        Ok(())
    }
}

fn insert(out: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = out.len();
    out.extend_from_slice(bytes);
    out.copy_within(at..end, at + bytes.len());
    out[at..at + bytes.len()].copy_from_slice(bytes);
}
