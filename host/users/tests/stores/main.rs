//! The promises of a user store, kept by each on a real file and a real server.

mod existing;
mod postgres;
mod server;
mod sqlite;
mod suite;
