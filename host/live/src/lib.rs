//! Keeps what is served equal to what is on disk.
//!
//! The rules it keeps:
//!
//! - **A swap is whole or not at all.** The next table is composed aside and replaces the live one behind
//!   one pointer; calls in flight end on the one they began on. There is no moment with a route missing
//!   that was there before and is there after.
//! - **What serves goes on serving** until its successor was compiled, described, checked and instantiated.
//!   A successor that fails any of that changes nothing but what is reported.
//! - **The disk is the truth, events are hints.** An event only says when to look; what changed is found
//!   out by looking. A lost event costs a delay, never a wrong state.
//!
//! | module | holds |
//! |---|---|
//! | [`set`] | the plugins that are live, file by file, and how the next table comes about |
//! | [`watch`] | events of the file system, settled: editors and copies write in many steps |
//! | [`settle`] | when a path has come to rest: a state machine without a clock |
//! | [`builds`] | builds in the background, restarted by a save |

#![warn(missing_docs)]

pub mod builds;
pub mod set;
pub mod settle;
pub mod watch;

pub use builds::{Builds, Finished};
pub use set::{Change, LiveSet, Plan, Version};
pub use watch::{Seen, Watch};
