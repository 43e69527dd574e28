//! JSON as bytes: one strict pass that validates, finds and splices, and never builds a tree.
//!
//! The rule kept here: what passes is exactly what RFC 8259 and a browser's `JSON.parse` accept
//! (UTF-8 throughout, no byte order mark, lone surrogate escapes allowed, duplicate keys allowed with
//! the last one winning), except that nesting stops at [`MAX_DEPTH`] levels. Nothing is recursive and
//! nothing is allocated per value, so the cost of hostile input is the cost of reading it.
//!
//! This is on the path of every call, inside the host's budget of 5 µs.

mod build;
mod members;
mod scan;
mod string;
#[cfg(test)]
pub(crate) mod tests;

pub use build::flat_object;
pub use members::{Document, Member, Members, document, object_members};
pub use scan::{JsonError, Kind, MAX_DEPTH, scan};
pub use string::{decode, single_line, write_str};

pub(crate) use scan::{Cursor, Number, Text, line_column};
pub(crate) use string::{decode_exact, decode_token};
