//! Text that is known to be UTF-8, shared like [`Bytes`].

use std::ops::Range;

use bytes::Bytes;

use super::ParseError;

/// UTF-8 text. Cheap to clone and to slice.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Text(Bytes);

impl Text {
    /// Text that is known when compiling.
    pub const fn from_static(text: &'static str) -> Text {
        Text(Bytes::from_static(text.as_bytes()))
    }

    /// Checks that `bytes` are UTF-8.
    ///
    /// # Errors
    /// [`ParseError::Utf8`].
    pub fn new(bytes: Bytes) -> Result<Text, ParseError> {
        match std::str::from_utf8(&bytes) {
            Ok(_) => Ok(Text(bytes)),
            Err(_) => Err(ParseError::Utf8),
        }
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its bytes, not copied.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// A part. The caller cuts at ASCII characters only, so that it is UTF-8 again.
    pub(super) fn slice(&self, range: Range<usize>) -> Text {
        Text(self.0.slice(range))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        Text(Bytes::from(text))
    }
}

impl From<&'static str> for Text {
    fn from(text: &'static str) -> Text {
        Text::from_static(text)
    }
}

/// Only its length: what a client says may be secret.
impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Text({} bytes)", self.0.len())
    }
}
