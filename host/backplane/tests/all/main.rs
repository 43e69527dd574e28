//! The promises of a backplane, kept by every implementation; and what each promises beside them.
#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]

mod bus;
mod conformance;
mod model;
mod redis;
mod relay;
mod sqlite;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use luckystack_backplane::{Memory, Redis, SharedBackplane, Sqlite};
use luckystack_tests::RedisServer;
use tempfile::TempDir;

/// How long something that has to happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// A life that no test outlasts.
const LONG: Duration = Duration::from_secs(1000);

/// A backplane and what it stands on.
struct Stand {
    backplane: SharedBackplane,
    redis: Option<RedisServer>,
    _folder: Option<TempDir>,
}

impl Stand {
    async fn memory() -> Stand {
        Stand { backplane: Arc::new(Memory::new()), redis: None, _folder: None }
    }

    async fn sqlite() -> Stand {
        let folder = tempfile::tempdir().unwrap();
        let backplane = Arc::new(Sqlite::open(&folder.path().join("state.db")).await.unwrap());
        Stand { backplane, redis: None, _folder: Some(folder) }
    }

    async fn redis() -> Stand {
        let server = RedisServer::start().await;
        let backplane = Arc::new(Redis::connect(&server.url()).await.unwrap());
        Stand { backplane, redis: Some(server), _folder: None }
    }
}

/// Waits until something is so.
async fn eventually<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let so = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, so).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// The next item of a stream.
async fn next<T>(stream: &mut BoxStream<'static, T>) -> T {
    let next = tokio::time::timeout(PATIENCE, stream.next()).await;
    next.expect("nothing came").expect("the stream ended")
}

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}
