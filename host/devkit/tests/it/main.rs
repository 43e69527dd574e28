//! The dev kit against the machine's real toolchain.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test, and says where")]

mod build;
mod c;
mod freshness;
mod python;
mod scaffold;
mod support;
mod typescript;
