//! The host's side of what guests may import, one file each, granted per service.
//!
//! The rule this crate keeps: **a guest reaches exactly what its preset names, and what it reaches is
//! bounded.** Every capability follows the three phases of [`Capability`]: linked once per engine,
//! configured once per service, and only read at call time. While no call runs (a component is being
//! loaded and asked for its manifest) everything but logging, clocks, randomness and configuration
//! politely fails.
//!
//! | module | interface | granted by |
//! |---|---|---|
//! | [`stream`] | `luckystack:plugin/stream` | – |
//! | [`functions`] | `luckystack:plugin/function-call` | – |
//! | [`session`] | `luckystack:plugin/session-api` | –, and `sessions` for those of other users |
//! | [`accounts`] | `luckystack:plugin/accounts` | `accounts` |
//! | [`uploads`] | `luckystack:plugin/uploads` | `uploads` |
//! | [`logging`] | `wasi:logging` | – |
//! | [`config`] | `wasi:config` | – |
//! | [`wasi`] | `wasi:cli`, `io`, `clocks`, `filesystem`, `random`, `sockets`, all with an empty context | – |
//! | [`keyvalue`] | `wasi:keyvalue` | `keyvalue` |
//! | [`http`] | `wasi:http` (outgoing) | `http` |

#![warn(missing_docs)]

mod access;
pub mod accounts;
pub mod config;
pub mod functions;
pub mod http;
mod json;
pub mod keyvalue;
mod log_line;
pub mod logging;
pub mod session;
pub mod stream;
pub mod uploads;
pub mod wasi;
mod wit;

use std::sync::Arc;

use luckystack_plugins::Capability;

use crate::accounts::AccountAccess;
use crate::keyvalue::{KeyValueBackend, MemoryBackend};
use crate::session::SessionAccess;
use crate::uploads::UploadStore;

pub use crate::access::Answer;

/// What the capabilities are built on.
#[derive(Clone)]
pub struct Options {
    /// Where key-value stores live. It outlives settings: a service that is configured again finds
    /// its store as it left it.
    pub keyvalue: Arc<dyn KeyValueBackend>,
    /// The host's sessions. None on a host without login: a guest then reads the session that came with its
    /// call, if one did, and nothing else.
    pub sessions: Option<Arc<dyn SessionAccess>>,
    /// The host's accounts. None on a host without login: everything about them is `auth.disabled`.
    pub accounts: Option<Arc<dyn AccountAccess>>,
    /// Where uploaded files go. Without it nothing can be put up.
    pub uploads: Option<Arc<dyn UploadStore>>,
}

impl Default for Options {
    /// Stores in this process's memory, no login, no uploads.
    fn default() -> Self {
        Options {
            keyvalue: Arc::new(MemoryBackend::default()),
            sessions: None,
            accounts: None,
            uploads: None,
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").finish_non_exhaustive()
    }
}

/// All capabilities, for [`Runtime::start`](luckystack_plugins::Runtime::start).
pub fn all(options: Options) -> Vec<Box<dyn Capability>> {
    vec![
        Box::new(stream::Stream),
        Box::new(functions::FunctionCall),
        Box::new(session::SessionApi::new(options.sessions)),
        Box::new(accounts::Accounts::new(options.accounts)),
        Box::new(uploads::Uploads::new(options.uploads)),
        Box::new(logging::Logging),
        Box::new(config::ConfigStore),
        Box::new(wasi::Wasi),
        Box::new(keyvalue::KeyValue::new(options.keyvalue)),
        Box::new(http::OutboundHttp),
    ]
}
