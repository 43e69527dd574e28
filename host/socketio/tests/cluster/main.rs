//! Several hosts as one (Appendix B): two of this kind and a Node server with `@socket.io/redis-adapter`, on
//! one real Redis server, with stock clients at all of them.
#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]

#[path = "../server/mod.rs"]
mod server;

mod broadcasts;
mod losses;
mod peer;
mod requests;
mod world;

use std::time::Duration;

/// How long something that has to happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for what has to happen.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let soon = tokio::time::timeout(PATIENCE, future).await;
    soon.unwrap_or_else(|_| panic!("{what}: did not happen within {PATIENCE:?}"))
}

/// Waits until something is so.
async fn eventually<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    soon(what, async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
