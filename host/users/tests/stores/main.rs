//! The promises of a user store, kept by each on a real file and a real server.

#![expect(clippy::unwrap_used, reason = "tests: what fails here fails the test, with its line")]

mod existing;
mod postgres;
mod server;
mod sqlite;
mod suite;
