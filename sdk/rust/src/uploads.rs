//! Files that everybody may read at `/uploads/<name>`. The preset must grant `uploads`.
//!
//! ```
//! # use luckystack::{uploads, testing, HandlerError};
//! # fn main() -> Result<(), HandlerError> {
//! uploads::put("u1.webp", b"RIFF")?;
//! assert_eq!(testing::uploaded("u1.webp").unwrap(), b"RIFF");
//! assert!(uploads::remove("u1.webp")?);
//! # Ok(())
//! # }
//! ```

use crate::{HandlerError, host};

/// Puts a file up, or replaces it, as a whole. `name` is `<id>.<format>`: an id of at most 128 letters,
/// digits, `-` and `_`, and a format of the project's `uploads.formats`.
///
/// The bytes are served as they are given: decode and re-encode what a user sent.
///
/// # Errors
/// `uploads.invalidName`; `uploads.tooLarge` (413) past the project's `uploads.max_bytes`.
pub fn put(name: &str, data: &[u8]) -> Result<(), HandlerError> {
    host::upload_put(name, data)
}

/// Takes a file down; whether it was there.
///
/// # Errors
/// `uploads.invalidName`.
pub fn remove(name: &str) -> Result<bool, HandlerError> {
    host::upload_remove(name)
}
