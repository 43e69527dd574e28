//! The application behind the transport: reports what it is told and does what events ask for.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use luckystack_socketio::{App, ConnectError, Event, Handshake, Reason, Settings, Socket};
use tokio::sync::{Mutex, mpsc};

use crate::server::Server;
use crate::soon;

/// What the application was told.
#[derive(Debug)]
pub enum Seen {
    Connected(Arc<Socket>),
    Event(Event),
    Disconnected(Reason, Vec<Arc<str>>),
}

/// A server, and what its application was told.
pub struct World {
    pub server: Server,
    seen: Mutex<mpsc::UnboundedReceiver<Seen>>,
}

struct Echo {
    seen: mpsc::UnboundedSender<Seen>,
}

impl World {
    pub async fn start(settings: Settings) -> World {
        let (sender, receiver) = mpsc::unbounded_channel();
        let server = Server::start(settings, Arc::new(Echo { seen: sender })).await;
        World { server, seen: Mutex::new(receiver) }
    }

    /// What the application was told next.
    pub async fn seen(&self) -> Seen {
        soon("the application is told", async {
            self.seen.lock().await.recv().await.expect("an application")
        })
        .await
    }

    pub async fn connected(&self) -> Arc<Socket> {
        match self.seen().await {
            Seen::Connected(socket) => socket,
            other => panic!("expected a client to join, saw {other:?}"),
        }
    }

    pub async fn event(&self) -> Event {
        match self.seen().await {
            Seen::Event(event) => event,
            other => panic!("expected an event, saw {other:?}"),
        }
    }

    pub async fn disconnected(&self) -> Reason {
        match self.seen().await {
            Seen::Disconnected(reason, _) => reason,
            other => panic!("expected a client to leave, saw {other:?}"),
        }
    }

    /// Whether nothing was told that nobody asked for.
    pub async fn has_seen_nothing(&self) -> bool {
        self.seen.lock().await.try_recv().is_err()
    }
}

impl App for Echo {
    fn connecting<'a>(&'a self, handshake: &'a Handshake) -> BoxFuture<'a, Result<(), ConnectError>> {
        Box::pin(async {
            if handshake.auth.starts_with(br#"{"refuse":"#) {
                let data = Some(Bytes::from_static(br#"{"because":[1,2]}"#));
                return Err(ConnectError { message: "not \"you\"".to_owned(), data });
            }
            if handshake.auth.starts_with(br#"{"plainly":"#) {
                return Err(ConnectError { message: "no".to_owned(), data: None });
            }
            Ok(())
        })
    }

    fn connected(&self, socket: &Arc<Socket>) {
        let _ = self.seen.send(Seen::Connected(Arc::clone(socket)));
    }

    /// `echo` and `echoLater` send the arguments back, one event each; `return` sends all with their
    /// attachments; `ack` acknowledges with them.
    fn event(&self, socket: &Arc<Socket>, event: Event) -> Option<BoxFuture<'static, ()>> {
        let _ = self.seen.send(Seen::Event(event.clone()));
        match &*event.name {
            "echo" => {
                for arg in &event.args {
                    socket.emit("back", arg);
                }
                None
            }
            "echoLater" => {
                let socket = Arc::clone(socket);
                Some(Box::pin(async move {
                    tokio::task::yield_now().await;
                    for arg in &event.args {
                        socket.emit("back", arg);
                    }
                }))
            }
            "ack" => {
                let args: Vec<&[u8]> = event.args.iter().map(|arg| &arg[..]).collect();
                match event.ack {
                    Some(ack) if event.attachments.is_empty() => socket.acknowledge(ack, &args),
                    Some(ack) => socket.acknowledge_with(ack, &args, &event.attachments),
                    None => false,
                };
                None
            }
            "return" => {
                let args: Vec<&[u8]> = event.args.iter().map(|arg| &arg[..]).collect();
                socket.emit_with("returned", &args, &event.attachments);
                None
            }
            _ => None,
        }
    }

    fn disconnected(&self, _: &Arc<Socket>, reason: Reason, rooms: Vec<Arc<str>>) {
        let _ = self.seen.send(Seen::Disconnected(reason, rooms));
    }
}
