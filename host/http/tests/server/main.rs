//! A started server, real sockets, and a scripted dispatcher behind it: what HTTP promises by itself.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a failure is a failed test")]

mod arbitrary;
mod drain;
mod events;
mod inputs;
mod limits;
mod order;
mod protocols;
mod support;
