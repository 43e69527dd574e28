//! The order of a sync call (wire protocol §4), over components whose handlers and hooks do what each test
//! says, and an audience that writes down what it is told.

#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]

mod admission;
mod fanout;
mod hooks;
mod http;
mod puppet;
mod stage;
mod streams;
