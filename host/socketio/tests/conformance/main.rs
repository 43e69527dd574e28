//! What the transport promises (wire protocol §2.1 and Appendix A), one test for each rule, over real
//! connections: HTTP and WebSocket are spoken by hand, so that they can be spoken wrongly.

#[path = "../server/mod.rs"]
mod server;

mod app;
mod http1;
mod polling;
mod websocket;

mod acknowledgements;
mod binary;
mod closing;
mod cors;
mod delivery;
mod events;
mod frames;
mod heartbeat;
mod limits;
mod namespaces;
mod opening;
mod options;
mod polls;
mod upgrading;

use std::future::Future;
use std::time::Duration;

/// Longer than anything takes that works.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits for what has to happen.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: did not happen within {PATIENCE:?}"),
    }
}
