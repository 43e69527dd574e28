//! The cursor that everything else walks with, and the validation of a whole document.

/// Deepest nesting of arrays and objects that any document may have.
///
/// Far above what a handler's types describe (validation stops at 64 levels, wire protocol §3.5) and
/// one bit per level of a `u128`, which is all the memory that nesting costs.
pub const MAX_DEPTH: usize = 128;

/// The kind of a JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number, of whatever magnitude.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// Where a document stops being JSON, and what would have been right there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid JSON at byte {offset}: expected {expected}")]
pub struct JsonError {
    /// Offset of the offending byte; the document's length when it ends too early.
    pub offset: usize,
    /// What could have stood there.
    pub expected: &'static str,
}

/// The inside of a string token: what stands between its quotes, still escaped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text {
    pub start: usize,
    pub end: usize,
    pub escaped: bool,
}

/// A number token. `plain` means an optional sign and digits only, `power` that it has an exponent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number {
    pub start: usize,
    pub end: usize,
    pub plain: bool,
    pub power: bool,
}

/// A position in a document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    pub bytes: &'a [u8],
    pub pos: usize,
}

/// Validates a whole document, white space around its one value included.
///
/// ```
/// use luckystack_pipeline::json::{Kind, scan};
/// assert_eq!(scan(b" {\"a\":[1,2]} "), Ok(Kind::Object));
/// assert_eq!(scan(b"{\"a\":}").unwrap_err().offset, 5);
/// ```
pub fn scan(bytes: &[u8]) -> Result<Kind, JsonError> {
    let mut cursor = Cursor::new(bytes);
    cursor.space();
    let kind = cursor.value(0)?;
    cursor.end()?;
    Ok(kind)
}

// --- JsonError ---

impl JsonError {
    /// Line and column (both from 1, the column in bytes) of the error in the document it came from.
    pub fn line_column(&self, bytes: &[u8]) -> (usize, usize) {
        line_column(bytes, self.offset)
    }
}

pub(crate) fn line_column(bytes: &[u8], offset: usize) -> (usize, usize) {
    let before = &bytes[..offset.min(bytes.len())];
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    let column = offset.min(bytes.len()) - memchr::memrchr(b'\n', before).map_or(0, |at| at + 1) + 1;
    (line, column)
}

// --- Kind ---

impl Kind {
    /// The kind that a value starting with this byte can only be.
    #[inline]
    pub(crate) fn of_first_byte(byte: u8) -> Option<Kind> {
        match byte {
            b'{' => Some(Kind::Object),
            b'[' => Some(Kind::Array),
            b'"' => Some(Kind::String),
            b'-' | b'0'..=b'9' => Some(Kind::Number),
            b't' | b'f' => Some(Kind::Bool),
            b'n' => Some(Kind::Null),
            _ => None,
        }
    }
}

// --- Number ---

impl Number {
    /// Doubles reach beyond 300 digits: without an exponent, fewer cannot overflow.
    #[inline]
    pub fn is_surely_finite(&self) -> bool {
        !self.power && self.end - self.start <= 300
    }
}

// --- Strings, eight bytes at a time ---

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// First byte at or after `at` that ends a plain run of a string (quote, backslash, control) or the
/// length, and whether a non-ASCII byte stood before it.
///
/// Each mask below may be wrong only above its own first hit, so the lowest set bit of all of them is
/// always a true hit.
#[inline]
pub(super) fn plain_run(bytes: &[u8], mut at: usize) -> (usize, bool) {
    let mut high = 0;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ (ONES * u64::from(b'"'));
        let slash = word ^ (ONES * u64::from(b'\\'));
        let hits = (quote.wrapping_sub(ONES) & !quote
            | slash.wrapping_sub(ONES) & !slash
            | word.wrapping_sub(ONES * 0x20) & !word)
            & HIGHS;
        if hits != 0 {
            let index = hits.trailing_zeros() as usize / 8;
            let before = (1u64 << (index * 8)) - 1;
            return (at + index, (high | word & before) & HIGHS != 0);
        }
        high |= word;
        at += 8;
    }
    let mut high = high & HIGHS != 0;
    while let Some(&byte) = bytes.get(at) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            break;
        }
        high |= byte >= 0x80;
        at += 1;
    }
    (at, high)
}

// --- Cursor ---

impl<'a> Cursor<'a> {
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Cursor { bytes, pos: 0 }
    }

    #[inline]
    pub fn fail<T>(&self, expected: &'static str) -> Result<T, JsonError> {
        Err(JsonError { offset: self.pos, expected })
    }

    #[inline]
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.pos).copied()
    }

    /// Skips white space.
    #[inline]
    pub fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.pos += 1;
        }
    }

    /// Nothing but white space may follow.
    #[inline]
    pub fn end(&mut self) -> Result<(), JsonError> {
        self.space();
        if self.pos == self.bytes.len() { Ok(()) } else { self.fail("the end of the document") }
    }

    /// The kind of the value that starts here.
    #[inline]
    pub fn kind(&self) -> Result<Kind, JsonError> {
        match self.peek().and_then(Kind::of_first_byte) {
            Some(kind) => Ok(kind),
            None => self.fail("a value"),
        }
    }

    /// Skips one value, validating it. `depth` is the number of containers around it.
    #[inline]
    pub fn value(&mut self, depth: usize) -> Result<Kind, JsonError> {
        let kind = self.kind()?;
        match kind {
            Kind::Object | Kind::Array => self.container(depth)?,
            scalar => self.scalar(scalar)?,
        }
        Ok(kind)
    }

    #[inline]
    pub fn scalar(&mut self, kind: Kind) -> Result<(), JsonError> {
        match kind {
            Kind::String => {
                self.string()?;
            }
            Kind::Number => {
                self.number()?;
            }
            Kind::Bool if self.peek() == Some(b't') => self.word(b"true", "true")?,
            Kind::Bool => self.word(b"false", "false")?,
            _ => self.word(b"null", "null")?,
        }
        Ok(())
    }

    #[inline]
    fn word(&mut self, word: &'static [u8], expected: &'static str) -> Result<(), JsonError> {
        if self.bytes[self.pos..].starts_with(word) {
            self.pos += word.len();
            Ok(())
        } else {
            self.fail(expected)
        }
    }

    /// A member's key, its colon and the white space around them.
    #[inline]
    pub fn key(&mut self) -> Result<Text, JsonError> {
        if self.peek() != Some(b'"') {
            return self.fail("a key in double quotes");
        }
        let key = self.string()?;
        self.space();
        if self.peek() != Some(b':') {
            return self.fail("`:` after the key");
        }
        self.pos += 1;
        self.space();
        Ok(key)
    }

    /// After an element of a container: true when another follows, false when `close` came.
    #[inline]
    pub fn more(&mut self, close: u8) -> Result<bool, JsonError> {
        self.space();
        match self.peek() {
            Some(b',') => {
                self.pos += 1;
                self.space();
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.pos += 1;
                Ok(false)
            }
            _ => self.fail(if close == b'}' { "`,` or `}`" } else { "`,` or `]`" }),
        }
    }

    /// Steps into the container that starts here: true when it has elements; past its end otherwise.
    #[inline]
    pub fn enter(&mut self, close: u8) -> bool {
        self.pos += 1;
        self.space();
        if self.peek() == Some(close) {
            self.pos += 1;
            return false;
        }
        true
    }

    /// The string that starts here.
    #[inline]
    pub fn string(&mut self) -> Result<Text, JsonError> {
        let start = self.pos + 1;
        let mut at = start;
        let mut escaped = false;
        let mut non_ascii = false;
        loop {
            let (stop, high) = plain_run(self.bytes, at);
            non_ascii |= high;
            match self.bytes.get(stop) {
                Some(b'"') => {
                    if non_ascii && let Err(error) = std::str::from_utf8(&self.bytes[start..stop]) {
                        self.pos = start + error.valid_up_to();
                        return self.fail("valid UTF-8");
                    }
                    self.pos = stop + 1;
                    return Ok(Text { start, end: stop, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    at = self.escape(stop)?;
                }
                found => {
                    self.pos = stop;
                    return self.fail(match found {
                        Some(_) => "an escape such as \\n instead of a control character",
                        None => "the string's closing quote",
                    });
                }
            }
        }
    }

    /// The end of the escape that starts at `at`.
    #[inline]
    fn escape(&mut self, at: usize) -> Result<usize, JsonError> {
        match self.bytes.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u') => {
                for digit in at + 2..at + 6 {
                    if !self.bytes.get(digit).is_some_and(u8::is_ascii_hexdigit) {
                        self.pos = digit.min(self.bytes.len());
                        return self.fail("four hexadecimal digits");
                    }
                }
                Ok(at + 6)
            }
            _ => {
                self.pos = at + 1;
                self.fail("one of \" \\ / b f n r t u after a backslash")
            }
        }
    }

    /// The number that starts here.
    #[inline]
    pub fn number(&mut self) -> Result<Number, JsonError> {
        let start = self.pos;
        if self.peek() == Some(b'-') {
            self.pos += 1;
        }
        match self.peek() {
            Some(b'0') => self.pos += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return self.fail("a digit"),
        }
        let mut plain = true;
        let mut power = false;
        if self.peek() == Some(b'.') {
            plain = false;
            self.pos += 1;
            self.some_digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            plain = false;
            power = true;
            self.pos += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.pos += 1;
            }
            self.some_digits()?;
        }
        Ok(Number { start, end: self.pos, plain, power })
    }

    #[inline]
    fn digits(&mut self) {
        while let Some(b'0'..=b'9') = self.peek() {
            self.pos += 1;
        }
    }

    #[inline]
    fn some_digits(&mut self) -> Result<(), JsonError> {
        let before = self.pos;
        self.digits();
        if self.pos == before { self.fail("a digit") } else { Ok(()) }
    }

    /// Skips the container that starts here. Which levels are objects is one bit each.
    fn container(&mut self, depth: usize) -> Result<(), JsonError> {
        let mut objects: u128 = 0;
        let mut level = depth;
        'open: loop {
            if level >= MAX_DEPTH {
                return self.fail("at most 128 levels of nesting");
            }
            let object = self.peek() == Some(b'{');
            objects = objects << 1 | u128::from(object);
            level += 1;
            let mut open = self.enter(if object { b'}' } else { b']' });
            loop {
                if open {
                    if objects & 1 == 1 {
                        self.key()?;
                    }
                    match self.kind()? {
                        Kind::Object | Kind::Array => continue 'open,
                        scalar => self.scalar(scalar)?,
                    }
                } else {
                    objects >>= 1;
                    level -= 1;
                    if level == depth {
                        return Ok(());
                    }
                }
                open = self.more(if objects & 1 == 1 { b'}' } else { b']' })?;
            }
        }
    }
}
