//! Logins at a provider that misbehaves in one way at a time.

#![expect(clippy::unwrap_used, reason = "tests")]

mod id_tokens;
mod profiles;
mod provider;
mod states;
mod transport;
