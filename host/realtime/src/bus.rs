//! The way to other hosts over the Redis server that holds the sessions.

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use luckystack_backplane::RedisBus;
use luckystack_socketio::{Bus, BusError};

/// Carries messages between hosts over Redis; see [`luckystack_backplane::Redis::bus`].
#[derive(Debug)]
pub struct OverRedis(pub RedisBus);

impl Bus for OverRedis {
    fn publish(&self, channel: &str, message: Bytes) -> bool {
        self.0.publish(channel, message)
    }

    fn subscribe(
        &self,
        channels: Vec<String>,
        patterns: Vec<String>,
    ) -> BoxFuture<'_, Result<BoxStream<'static, (String, Bytes)>, BusError>> {
        async move {
            let messages = self.0.subscribe(channels, patterns).await;
            messages.map_err(|error| BusError(error.to_string()))
        }
        .boxed()
    }

    fn subscribers<'a>(&'a self, channel: &'a str) -> BoxFuture<'a, Result<u64, BusError>> {
        async move {
            let subscribers = self.0.subscribers(channel).await;
            subscribers.map_err(|error| BusError(error.to_string()))
        }
        .boxed()
    }

    fn is_up(&self) -> bool {
        self.0.is_up()
    }
}
