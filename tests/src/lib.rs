//! What whole-system tests stand on. The tests are in `tests/system`, the hostile plugins in
//! `tests/guests`.
//!
//! The rule this crate keeps: **a test sees what a user sees.** It starts the real program on real
//! files, talks to it over sockets, reads what it prints, and ends it with a signal; nothing in here
//! reaches into the host. What a test waits for is an event (a line, an answer, an exit), never a
//! span of time; time only bounds how long a failure may take to show.
//!
//! | module | holds |
//! |---|---|
//! | [`guests`] | the Rust guests and example plugins, built once |
//! | [`forge`] | components made in memory from WebAssembly text: those that no toolchain would make |
//! | [`project`] | a project in a temporary folder |
//! | [`host`] | a started host: its address, its output, its end |
//! | [`client`] | HTTP requests and event streams |
//! | [`wire`] | bytes that no HTTP client would send |
//! | [`socket`] | a socket.io client |
//! | [`visitor`] | a person at a browser, as a host sees one |
//! | [`authenticator`] | the app on that person's telephone |
//! | [`browser`] | a real browser, driven from outside |
//! | [`programs`], [`redis`], [`postgres`], [`oidc`] | servers that are not ours, installed if they are missing |
//! | [`socketio`] | pages of an app, with the stock client of socket.io |
//! | [`load`] | ordinary load beside an attack, and what became of it |

#![warn(missing_docs)]
#![expect(clippy::unwrap_used, reason = "a harness: what fails here fails the test, with its line")]

pub mod authenticator;
pub mod browser;
pub mod client;
pub mod forge;
pub mod guests;
pub mod host;
pub mod languages;
pub mod load;
pub mod oidc;
pub mod postgres;
pub mod programs;
pub mod project;
pub mod redis;
pub mod socket;
pub mod socketio;
pub mod visitor;
pub mod wire;

pub use browser::{Browser, Page};
pub use client::{Answer, Call, Connection};
pub use forge::{Act, Chunk, Forge};
pub use host::Host;
pub use load::Load;
pub use oidc::OidcProvider;
pub use postgres::PostgresServer;
pub use project::Project;
pub use redis::RedisServer;
pub use socket::Socket;
pub use visitor::{Account, Mode, Visitor};
