//! MessagePack to JSON text, as JavaScript would write the value that notepack.io reads from the bytes.
//!
//! Only what is there is believed: a length beyond the end of the bytes is an error before anything is
//! reserved for it.

use bytes::Bytes;
use rmp::Marker;
use rmp::decode::RmpRead as _;

use super::dates;
use super::encode::MAX_DEPTH;

/// Why bytes are no MessagePack that JSON has words for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotMessagePack {
    #[error("it ends too early")]
    Short,
    #[error("it is no MessagePack, or not what has to stand there, at byte {0}")]
    Unexpected(usize),
    #[error("it is nested more than {MAX_DEPTH} deep")]
    Deep,
}

/// notepack.io's number for its own types: `undefined`, an `ArrayBuffer`, an old form of a date.
const OWN: i8 = 0;
/// MessagePack's number for a point in time.
const TIMESTAMP: i8 = -1;

/// Reads one value after the other.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    whole: &'a Bytes,
    rest: &'a [u8],
    depth: u16,
}

/// What comes next, but for what it holds.
enum Head<'a> {
    Nil,
    /// Written by old versions where JavaScript has nothing.
    Undefined,
    Bool(bool),
    Whole(u64),
    Negative(i64),
    Float(f64),
    Text(&'a [u8]),
    Binary(&'a [u8]),
    Array(u32),
    Map(u32),
    /// Milliseconds since 1970.
    Date(f64),
    /// Of a number that nobody here knows.
    Other(i8, &'a [u8]),
}

/// JSON text and what does not fit into it.
#[derive(Debug, Default)]
pub(super) struct Json {
    pub(super) text: Vec<u8>,
    /// In their order; in the text stands `{"_placeholder":true,"num":n}`.
    pub(super) attachments: Vec<Bytes>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(whole: &'a Bytes) -> Self {
        Self { whole, rest: whole, depth: 0 }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    fn at(&self) -> usize {
        self.whole.len() - self.rest.len()
    }

    pub(super) fn unexpected<T>(&self) -> Result<T, NotMessagePack> {
        Err(NotMessagePack::Unexpected(self.at()))
    }

    /// An array's length.
    pub(super) fn array(&mut self) -> Result<u32, NotMessagePack> {
        match self.clone_head()? {
            (Head::Array(len), after) => {
                self.rest = after;
                Ok(len)
            }
            _ => self.unexpected(),
        }
    }

    /// A map's length.
    pub(super) fn map(&mut self) -> Result<u32, NotMessagePack> {
        match self.clone_head()? {
            (Head::Map(len), after) => {
                self.rest = after;
                Ok(len)
            }
            _ => self.unexpected(),
        }
    }

    /// Whether a string comes next.
    pub(super) fn is_text(&self) -> bool {
        matches!(self.clone_head(), Ok((Head::Text(_), _)))
    }

    /// A string; a number is taken for its writing, as rooms may be numbers in JavaScript.
    pub(super) fn name(&mut self) -> Result<String, NotMessagePack> {
        let (head, after) = self.clone_head()?;
        let Some(name) = name(&head) else { return self.unexpected() };
        self.rest = after;
        Ok(name)
    }

    /// A string, or none for anything else, which is passed over.
    pub(super) fn maybe_name(&mut self) -> Result<Option<String>, NotMessagePack> {
        match self.clone_head()? {
            (Head::Text(text), after) => {
                self.rest = after;
                Ok(Some(String::from_utf8_lossy(text).into_owned()))
            }
            _ => self.skip().map(|()| None),
        }
    }

    /// A whole number, or none for anything else, which is passed over.
    pub(super) fn maybe_number(&mut self) -> Result<Option<u64>, NotMessagePack> {
        match self.clone_head()? {
            (Head::Whole(number), after) => {
                self.rest = after;
                Ok(Some(number))
            }
            _ => self.skip().map(|()| None),
        }
    }

    /// Names; none instead of an array.
    pub(super) fn names(&mut self) -> Result<Vec<String>, NotMessagePack> {
        match self.clone_head()? {
            (Head::Array(len), after) => {
                self.rest = after;
                (0..len).map(|_| self.name()).collect()
            }
            (Head::Nil | Head::Undefined, after) => {
                self.rest = after;
                Ok(Vec::new())
            }
            _ => self.unexpected(),
        }
    }

    /// Passes a value over.
    pub(super) fn skip(&mut self) -> Result<(), NotMessagePack> {
        let head = self.head()?;
        let (len, per_item) = match head {
            Head::Array(len) => (len, 1),
            Head::Map(len) => (len, 2),
            _ => return Ok(()),
        };
        self.descend()?;
        for _ in 0..u64::from(len) * per_item {
            self.skip()?;
        }
        self.depth -= 1;
        Ok(())
    }

    /// Appends a value to JSON text.
    pub(super) fn json(&mut self, out: &mut Json) -> Result<(), NotMessagePack> {
        match self.head()? {
            Head::Nil | Head::Undefined => out.text.extend_from_slice(b"null"),
            Head::Bool(true) => out.text.extend_from_slice(b"true"),
            Head::Bool(false) => out.text.extend_from_slice(b"false"),
            Head::Whole(number) => put(out, &number),
            Head::Negative(number) => put(out, &number),
            // Not finite: null.
            Head::Float(number) => put(out, &number),
            Head::Text(text) => put(out, &*String::from_utf8_lossy(text)),
            Head::Date(millis) => match dates::iso(millis) {
                Some(date) => put(out, &date),
                None => out.text.extend_from_slice(b"null"),
            },
            Head::Binary(bytes) => self.attach(bytes, out),
            Head::Other(kind, bytes) => {
                out.text.push(b'[');
                put(out, &kind);
                out.text.push(b',');
                self.attach(bytes, out);
                out.text.push(b']');
            }
            Head::Array(len) => {
                self.descend()?;
                out.text.push(b'[');
                for n in 0..len {
                    if n > 0 {
                        out.text.push(b',');
                    }
                    self.json(out)?;
                }
                out.text.push(b']');
                self.depth -= 1;
            }
            Head::Map(len) => {
                self.descend()?;
                out.text.push(b'{');
                let mut is_first = true;
                for _ in 0..len {
                    let key = self.head()?;
                    let Some(key) = name(&key) else { return self.unexpected() };
                    if let (Head::Undefined, after) = self.clone_head()? {
                        self.rest = after;
                        continue;
                    }
                    if !is_first {
                        out.text.push(b',');
                    }
                    is_first = false;
                    put(out, &key);
                    out.text.push(b':');
                    self.json(out)?;
                }
                out.text.push(b'}');
                self.depth -= 1;
            }
        }
        Ok(())
    }

    fn attach(&self, bytes: &'a [u8], out: &mut Json) {
        out.text.extend_from_slice(b"{\"_placeholder\":true,\"num\":");
        put(out, &out.attachments.len());
        out.text.push(b'}');
        out.attachments.push(self.whole.slice_ref(bytes));
    }

    fn descend(&mut self) -> Result<(), NotMessagePack> {
        self.depth += 1;
        match self.depth > MAX_DEPTH {
            true => Err(NotMessagePack::Deep),
            false => Ok(()),
        }
    }

    /// What comes next, with what comes after it; nothing is taken yet.
    fn clone_head(&self) -> Result<(Head<'a>, &'a [u8]), NotMessagePack> {
        let mut ahead = self.clone();
        let head = ahead.head()?;
        Ok((head, ahead.rest))
    }

    fn head(&mut self) -> Result<Head<'a>, NotMessagePack> {
        let begun = self.at();
        Ok(match Marker::from_u8(self.int(<&[u8]>::read_data_u8)?) {
            Marker::Null => Head::Nil,
            Marker::False => Head::Bool(false),
            Marker::True => Head::Bool(true),
            Marker::FixPos(number) => Head::Whole(number.into()),
            Marker::U8 => Head::Whole(self.int(<&[u8]>::read_data_u8)?.into()),
            Marker::U16 => Head::Whole(self.int(<&[u8]>::read_data_u16)?.into()),
            Marker::U32 => Head::Whole(self.int(<&[u8]>::read_data_u32)?.into()),
            Marker::U64 => Head::Whole(self.int(<&[u8]>::read_data_u64)?),
            Marker::FixNeg(number) => signed(number.into()),
            Marker::I8 => signed(self.int(<&[u8]>::read_data_i8)?.into()),
            Marker::I16 => signed(self.int(<&[u8]>::read_data_i16)?.into()),
            Marker::I32 => signed(self.int(<&[u8]>::read_data_i32)?.into()),
            Marker::I64 => signed(self.int(<&[u8]>::read_data_i64)?),
            Marker::F32 => Head::Float(self.int(<&[u8]>::read_data_f32)?.into()),
            Marker::F64 => Head::Float(self.int(<&[u8]>::read_data_f64)?),
            Marker::FixStr(len) => Head::Text(self.take(len.into())?),
            Marker::Str8 => Head::Text(self.sized(<&[u8]>::read_data_u8)?),
            Marker::Str16 => Head::Text(self.sized(<&[u8]>::read_data_u16)?),
            Marker::Str32 => Head::Text(self.sized(<&[u8]>::read_data_u32)?),
            Marker::Bin8 => Head::Binary(self.sized(<&[u8]>::read_data_u8)?),
            Marker::Bin16 => Head::Binary(self.sized(<&[u8]>::read_data_u16)?),
            Marker::Bin32 => Head::Binary(self.sized(<&[u8]>::read_data_u32)?),
            Marker::FixArray(len) => Head::Array(len.into()),
            Marker::Array16 => Head::Array(self.int(<&[u8]>::read_data_u16)?.into()),
            Marker::Array32 => Head::Array(self.int(<&[u8]>::read_data_u32)?),
            Marker::FixMap(len) => Head::Map(len.into()),
            Marker::Map16 => Head::Map(self.int(<&[u8]>::read_data_u16)?.into()),
            Marker::Map32 => Head::Map(self.int(<&[u8]>::read_data_u32)?),
            Marker::FixExt1 => self.extension(1, true)?,
            Marker::FixExt2 => self.extension(2, true)?,
            Marker::FixExt4 => self.extension(4, true)?,
            Marker::FixExt8 => self.extension(8, true)?,
            Marker::FixExt16 => self.extension(16, true)?,
            Marker::Ext8 => {
                let len = self.int(<&[u8]>::read_data_u8)?;
                self.extension(len.into(), false)?
            }
            Marker::Ext16 => {
                let len = self.int(<&[u8]>::read_data_u16)?;
                self.extension(len.into(), false)?
            }
            Marker::Ext32 => {
                let len = self.int(<&[u8]>::read_data_u32)?;
                self.extension(len, false)?
            }
            Marker::Reserved => return Err(NotMessagePack::Unexpected(begun)),
        })
    }

    /// The types beside MessagePack's own that notepack.io writes, or wrote once.
    fn extension(&mut self, len: u32, is_fixed: bool) -> Result<Head<'a>, NotMessagePack> {
        let kind = self.int(<&[u8]>::read_data_i8)?;
        let bytes = self.take(len)?;
        let high = |bytes: &[u8]| f64::from(i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
        let low = |bytes: &[u8]| f64::from(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
        Ok(match (kind, len) {
            (OWN, 1) if is_fixed => Head::Undefined,
            (OWN, 8) if is_fixed => Head::Date(high(bytes) * TWO_TO_32 + low(&bytes[4..])),
            (OWN, _) if !is_fixed => Head::Binary(bytes),
            (TIMESTAMP, 4) if is_fixed => Head::Date(low(bytes) * 1e3),
            (TIMESTAMP, 8) if is_fixed => {
                let both = u64::from_be_bytes([
                    bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7],
                ]);
                let (nanos, seconds) = (both >> 34, both & ((1 << 34) - 1));
                Head::Date(seconds as f64 * 1e3 + nanos as f64 / 1e6)
            }
            (TIMESTAMP, 12) if !is_fixed => {
                let seconds = high(&bytes[4..]) * TWO_TO_32 + low(&bytes[8..]);
                Head::Date(seconds * 1e3 + low(bytes) / 1e6)
            }
            _ => Head::Other(kind, bytes),
        })
    }

    fn int<T, E>(&mut self, read: impl FnOnce(&mut &'a [u8]) -> Result<T, E>) -> Result<T, NotMessagePack> {
        read(&mut self.rest).map_err(|_| NotMessagePack::Short)
    }

    /// Bytes with their length before them.
    fn sized<T: Into<u32>, E>(
        &mut self,
        read: impl FnOnce(&mut &'a [u8]) -> Result<T, E>,
    ) -> Result<&'a [u8], NotMessagePack> {
        let len = self.int(read)?;
        self.take(len.into())
    }

    fn take(&mut self, len: u32) -> Result<&'a [u8], NotMessagePack> {
        let len = usize::try_from(len).map_err(|_| NotMessagePack::Short)?;
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(NotMessagePack::Short)?;
        self.rest = rest;
        Ok(bytes)
    }
}

const TWO_TO_32: f64 = 4_294_967_296.0;

fn signed<'a>(number: i64) -> Head<'a> {
    u64::try_from(number).map_or(Head::Negative(number), Head::Whole)
}

/// The name that JavaScript makes of a key or a room.
fn name(head: &Head<'_>) -> Option<String> {
    Some(match head {
        Head::Text(text) => String::from_utf8_lossy(text).into_owned(),
        Head::Whole(number) => number.to_string(),
        Head::Negative(number) => number.to_string(),
        Head::Float(number) => number.to_string(),
        Head::Bool(flag) => flag.to_string(),
        Head::Nil => "null".to_owned(),
        Head::Undefined => "undefined".to_owned(),
        Head::Binary(_) | Head::Array(_) | Head::Map(_) | Head::Date(_) | Head::Other(..) => return None,
    })
}

/// Appends a number or a string. Neither can fail: a vector takes everything.
fn put<T: serde::Serialize + ?Sized>(out: &mut Json, value: &T) {
    let written = serde_json::to_writer(&mut out.text, value);
    debug_assert!(written.is_ok());
}
