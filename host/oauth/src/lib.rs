//! Who another provider says that somebody is: OAuth 2 with PKCE, and OpenID Connect (wire protocol §5.6).
//!
//! The rule of this crate: **nothing that comes back is believed.** State, nonce cookie, issuer, audience,
//! signature, algorithm, nonce and times are all checked, a code is exchanged once, and whatever is wrong
//! ends in one and the same failure for the browser and a precise one for the log.
//!
//! | module | holds |
//! |---|---|
//! | `flow` | [`OAuth`]: begin and complete |
//! | `client` | one active provider, and what a login does with it |
//! | `table` | what is known of google, github, discord, facebook and microsoft |
//! | `state` | what is kept between the two halves of a login |
//! | `discovery`, `keys` | an issuer's description of itself and its signing keys, cached |
//! | `exchange`, `id_token`, `profile` | code to tokens, tokens to claims, claims to a [`Profile`] |
//! | `endpoint`, `fetch` | which addresses are asked, and how little is taken from them |
#![warn(missing_docs)]

mod client;
mod discovery;
mod endpoint;
mod exchange;
mod fetch;
mod flow;
mod id_token;
mod keys;
mod profile;
mod provider;
mod state;
mod table;

pub use flow::{Begun, Callback, Completed, OAuth, OAuthError};
pub use provider::{Profile, ProviderSetup, known_providers};
