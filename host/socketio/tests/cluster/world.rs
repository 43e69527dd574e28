//! The cluster that tests play with.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use luckystack_backplane::{Redis, RedisBus};
use luckystack_socketio::{
    App, Bus, BusError, ClusterSettings, ConnectError, Event, Handshake, Io, Reason, Settings, Socket, Target,
};
use luckystack_tests::RedisServer;
use serde_json::{Value, json};

use crate::eventually;
use crate::peer::{Client, Node};
use crate::server::Server;

/// Two hosts of this kind, a Node server, and a Redis server that they meet on.
pub struct World {
    pub redis: RedisServer,
    pub ours: [Server; 2],
    pub node: Node,
}

/// Who sends something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// One of our hosts.
    Ours(usize),
    Node,
}

pub const EVERYBODY: [From; 3] = [From::Ours(0), From::Ours(1), From::Node];

/// The bus as the framework has it.
pub struct OverRedis(pub RedisBus);

/// Clients join the rooms that they ask for.
pub struct Rooms;

impl World {
    pub async fn start(library: &str) -> World {
        let redis = RedisServer::start().await;
        let ours = [host(&redis).await, host(&redis).await];
        let node = Node::start(&redis.url(), library).await;
        let world = World { redis, ours, node };
        world.complete().await;
        world
    }

    /// Waits until everybody listens.
    pub async fn complete(&self) {
        eventually("everybody listens", || async {
            let listening = ["PUBSUB", "NUMSUB", "socket.io-request#/#", "socket.io-response#/#"];
            self.redis.command(&listening).await.matches(":3\r\n").count() == 2
                && self.redis.command(&["PUBSUB", "NUMPAT"]).await == ":1\r\n"
                && self.redis.command(&["PUBSUB", "NUMSUB"]).await == "*0\r\n"
        })
        .await;
    }

    /// A client of one of them.
    pub async fn client(&self, name: &str, of: From, transport: &str) -> Client {
        let port = match of {
            From::Ours(n) => self.ours[n].address.port(),
            From::Node => self.node.port,
        };
        self.node.client(name, port, transport).await
    }

    /// Sends an event with one argument.
    pub async fn emit(&self, from: From, rooms: &[&str], except: &[&str], event: &str, argument: Value) {
        match from {
            From::Ours(n) => {
                let target = Target { rooms, except };
                self.ours[n].io.emit(None, target, event, argument.to_string().as_bytes());
            }
            From::Node => {
                let order = json!({ "rooms": rooms, "except": except, "event": event, "args": [argument] });
                self.node.run("emit", order).await;
            }
        }
    }
}

/// A host of ours in the cluster.
pub async fn host(redis: &RedisServer) -> Server {
    let server = Server::start(Settings::default(), Arc::new(Rooms)).await;
    join(&server.io, redis, Duration::from_secs(20)).await;
    server
}

/// Joins the cluster.
pub async fn join(io: &Io, redis: &RedisServer, timeout: Duration) {
    let bus = Redis::connect(&redis.url()).await.unwrap().bus().await.unwrap();
    let settings = ClusterSettings { prefix: "socket.io".to_owned(), timeout };
    io.join_cluster(Arc::new(OverRedis(bus)), settings).await.unwrap();
}

impl App for Rooms {
    fn connecting<'a>(&'a self, _: &'a Handshake) -> BoxFuture<'a, Result<(), ConnectError>> {
        async { Ok(()) }.boxed()
    }

    fn connected(&self, _: &Arc<Socket>) {}

    fn event(&self, socket: &Arc<Socket>, event: Event) -> Option<BoxFuture<'static, ()>> {
        assert_eq!(event.name, "join");
        let rooms: Vec<String> = serde_json::from_slice(&event.args[0]).unwrap();
        for room in rooms {
            socket.join(&room);
        }
        socket.acknowledge(event.ack.unwrap(), &[b"true"]);
        None
    }

    fn disconnected(&self, _: &Arc<Socket>, _: Reason, _: Vec<Arc<str>>) {}
}

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
        async move { self.0.subscribers(channel).await.map_err(|error| BusError(error.to_string())) }.boxed()
    }

    fn is_up(&self) -> bool {
        self.0.is_up()
    }
}
