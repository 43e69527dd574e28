//! To be written.

/// A backplane.
#[derive(Debug)]
pub struct Memory;
