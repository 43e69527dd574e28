//! Tokens and the sessions behind them (wire protocol §5.1 to 5.3): stored where Node servers of the same
//! app find them, cached so that a call seldom asks the store, ended everywhere at once.
//!
//! The rule of this crate: **what has ended is refused.** On the host that ends a session at once, on the
//! others as soon as the store's own notice arrives (milliseconds), and nowhere is it brought back to life
//! by somebody who was still writing to it.
#![warn(missing_docs)]

mod cache;
mod change;
mod complaint;
pub mod cookie;
mod ending;
mod events;
mod follow;
mod guard;
mod hooks;
mod life;
mod login;
mod outcome;
mod policy;
mod reading;
mod record;
mod sessions;
mod turns;

pub use events::SessionEvent;
pub use hooks::{Hooks, NoHooks, Stop};
pub use luckystack_plugins::call::Session;
pub use outcome::{CreateError, EndReason, Read, SessionError};
pub use record::mint_token;
pub use sessions::{BACKLOG, Sessions};
pub use turns::{Turn, Turns};
