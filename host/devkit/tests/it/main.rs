//! The dev kit against the machine's real toolchain.

mod build;
mod freshness;
mod support;
