//! The top level of an object as spans of its bytes: for finding a member, taking one out, or
//! splicing others around it, all after one validating pass.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::scan::{Cursor, JsonError, Kind};
use super::string::{decode, decode_token};

/// One member of an object.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// The key between its quotes, still escaped.
    pub key_raw: &'a [u8],
    /// The value, without white space around it.
    pub value: &'a [u8],
    /// Offset of the key's opening quote in the document.
    pub start: usize,
    /// Offset after the value's last byte.
    pub end: usize,
    escaped: bool,
}

/// The members of a document that is one object, in their order, duplicates included.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    bytes: &'a [u8],
    /// Eight members need no heap: a handler's answer has two or three.
    list: SmallVec<[Member<'a>; 8]>,
}

/// A whole valid document: an object with its members, or the kind of what else it is.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "boxing the members would allocate on every call")]
pub enum Document<'a> {
    /// The document is an object.
    Object(Members<'a>),
    /// The document is something else.
    Other(Kind),
}

/// Validates a whole document and, when it is an object, says where its members are.
pub fn document(bytes: &[u8]) -> Result<Document<'_>, JsonError> {
    let mut cursor = Cursor::new(bytes);
    cursor.space();
    let kind = cursor.kind()?;
    if kind != Kind::Object {
        cursor.value(0)?;
        cursor.end()?;
        return Ok(Document::Other(kind));
    }
    let mut list = SmallVec::new();
    let mut open = cursor.enter(b'}');
    while open {
        let start = cursor.pos;
        let key = cursor.key()?;
        let value = cursor.pos;
        cursor.value(1)?;
        list.push(Member {
            key_raw: &bytes[key.start..key.end],
            value: &bytes[value..cursor.pos],
            start,
            end: cursor.pos,
            escaped: key.escaped,
        });
        open = cursor.more(b'}')?;
    }
    cursor.end()?;
    Ok(Document::Object(Members { bytes, list }))
}

/// Validates a whole document that must be an object.
///
/// ```
/// use luckystack_pipeline::json::object_members;
/// let members = object_members(br#"{"a": 1, "stream": true}"#).unwrap();
/// assert_eq!(members.get("a").unwrap().value, b"1");
/// assert_eq!(members.without("stream").unwrap(), br#"{"a": 1}"#);
/// ```
pub fn object_members(bytes: &[u8]) -> Result<Members<'_>, JsonError> {
    match document(bytes)? {
        Document::Object(members) => Ok(members),
        Document::Other(_) => {
            let mut cursor = Cursor::new(bytes);
            cursor.space();
            cursor.fail("an object")
        }
    }
}

// --- Member ---

impl<'a> Member<'a> {
    /// The key as text.
    pub fn key(&self) -> Cow<'a, str> {
        decode(self.key_raw)
    }

    /// Whether the key is `name`; allocates only for a key with escapes.
    #[inline]
    pub fn key_is(&self, name: &str) -> bool {
        if self.escaped { decode(self.key_raw) == name } else { self.key_raw == name.as_bytes() }
    }

    /// The value as text, when it is a string.
    pub fn as_str(&self) -> Option<Cow<'a, str>> {
        (self.value.first() == Some(&b'"')).then(|| decode_token(self.value))
    }
}

// --- Members ---

impl<'a> Members<'a> {
    /// The document.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The member of that name; of several, the last, as `JSON.parse` has it.
    #[inline]
    pub fn get(&self, name: &str) -> Option<&Member<'a>> {
        self.list.iter().rev().find(|member| member.key_is(name))
    }

    /// All members in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Member<'a>> {
        self.list.iter()
    }

    /// The document without any member of that name, or nothing when there is none.
    pub fn without(&self, name: &str) -> Option<Vec<u8>> {
        self.get(name)?;
        let mut out = Vec::with_capacity(self.bytes.len());
        out.push(b'{');
        self.append_where(&mut out, |member| !member.key_is(name));
        out.push(b'}');
        Some(out)
    }

    /// Appends the members that `keep` chooses, separated by commas and preceded by one unless `out`
    /// ends in an opening brace. Neighbours are copied together with what stands between them.
    pub(crate) fn append_where(&self, out: &mut Vec<u8>, keep: impl Fn(&Member<'_>) -> bool) {
        let mut run: Option<(usize, usize)> = None;
        let flush = |out: &mut Vec<u8>, run: Option<(usize, usize)>| {
            if let Some((start, end)) = run {
                if out.last() != Some(&b'{') {
                    out.push(b',');
                }
                out.extend_from_slice(&self.bytes[start..end]);
            }
        };
        for member in &self.list {
            if keep(member) {
                run = Some((run.map_or(member.start, |(start, _)| start), member.end));
            } else {
                flush(out, run.take());
            }
        }
        flush(out, run);
    }
}

impl<'m, 'a> IntoIterator for &'m Members<'a> {
    type Item = &'m Member<'a>;
    type IntoIter = std::slice::Iter<'m, Member<'a>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
