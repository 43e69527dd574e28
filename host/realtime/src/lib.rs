//! The framework over sockets (wire protocol §2, §3.1, §4, §8): calls and sync calls, rooms, locations,
//! session events, presence.
//!
//! The transport is `luckystack-socketio`, the stages of a call are `luckystack-pipeline`: this crate knows
//! what the events are called and who is in which room.
#![warn(missing_docs)]

mod api;
mod app;
mod audience;
mod bus;
mod client;
mod http_sync;
mod index;
mod location;
mod message;
mod notices;
mod presence;
mod realtime;
mod rooms;
mod rules;
mod shared;
mod sync;
mod token;

pub use bus::OverRedis;
pub use realtime::{OpenError, Parts, Realtime};
