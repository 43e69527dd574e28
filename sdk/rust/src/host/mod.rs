//! Where every import is reached: the host in a component, [`crate::testing`] natively.
//!
//! The two sides have the same functions, so that the rest of the crate does not know which it is in.

#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(target_family = "wasm")]
mod outgoing;
#[cfg(target_family = "wasm")]
mod wasm;

#[cfg(not(target_family = "wasm"))]
pub(crate) use native::*;
#[cfg(target_family = "wasm")]
pub(crate) use outgoing::http_send;
#[cfg(target_family = "wasm")]
pub(crate) use wasm::*;
