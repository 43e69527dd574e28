//! Who another provider says that somebody is: OAuth 2 with PKCE, and OpenID Connect (wire protocol §5.6).
//!
//! The rule of this crate: **nothing that comes back is believed.** State, nonce cookie, issuer, audience,
//! signature, algorithm, nonce and times are all checked, a code is exchanged once, and whatever is wrong
//! ends in one and the same failure for the browser and a precise one for the log.
#![warn(missing_docs)]

mod flow;
mod provider;

pub use flow::{Begun, Callback, Completed, OAuth, OAuthError};
pub use provider::{Profile, ProviderSetup, known_providers};
