//! What is kept of a connected client, and its requests that are being answered.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use luckystack_pipeline::request_id::uuid_text;
use luckystack_plugins::StreamSink;
use luckystack_plugins::call::SinkFuture;
use luckystack_socketio::Socket;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::index::Index;

/// A socket's own, kept with it.
pub(crate) struct Client {
    /// The session token presented when it connected, live or not; frozen with the connection (§2.2).
    pub(crate) token: Option<Arc<str>>,
    /// The language that its handshake prefers.
    pub(crate) language: Arc<str>,
    /// Whether it is in the rooms of its session, or will not be.
    settled: AtomicBool,
    settling: Notify,
    gone: AtomicBool,
    flights: Mutex<Flights>,
}

/// Requests that are being answered.
#[derive(Default)]
struct Flights {
    requests: HashMap<u64, Arc<Flight>>,
    syncs: HashMap<CancelId, Arc<Flight>>,
}

/// The id by which a sync call is cancelled (§4.8).
pub(crate) type CancelId = [u8; 36];

/// One request that is being answered: where its chunks go, and whether anybody still wants them.
pub(crate) struct Flight {
    socket: Arc<Socket>,
    client: Arc<Client>,
    /// The event of its chunks; none when nobody knows which request they belong to.
    event: Option<String>,
    cancelled: AtomicBool,
}

/// A request that can be cancelled while this lives.
pub(crate) struct Aloft {
    pub(crate) flight: Arc<Flight>,
    name: Name,
}

enum Name {
    Request(u64),
    Sync(CancelId),
}

// --- Client ---

impl Client {
    pub(crate) fn new(token: Option<Arc<str>>, language: Arc<str>) -> Arc<Client> {
        Arc::new(Client {
            settled: AtomicBool::new(token.is_none()),
            token,
            language,
            settling: Notify::new(),
            gone: AtomicBool::new(false),
            flights: Mutex::default(),
        })
    }

    /// The client behind a socket; none before it is connected.
    pub(crate) fn of(socket: &Socket) -> Option<&Arc<Client>> {
        socket.state::<Arc<Client>>()
    }

    /// Waits until it is in the rooms of its session, or it is known that it will not be soon.
    pub(crate) async fn settled(&self) {
        if self.settled.load(Ordering::Acquire) {
            return;
        }
        let mut settled = pin!(self.settling.notified());
        settled.as_mut().enable();
        if !self.settled.load(Ordering::Acquire) {
            settled.await;
        }
    }

    /// Lets those go on who wait for its rooms.
    pub(crate) fn settle(&self) {
        self.settled.store(true, Ordering::Release);
        self.settling.notify_waiters();
    }

    /// It has gone: nothing more is sent for its requests, and their handlers can see it (§2.10).
    pub(crate) fn leave(&self) {
        self.gone.store(true, Ordering::Relaxed);
        self.settle();
    }

    /// Cancels a call; nothing happens when there is none of that number.
    pub(crate) fn cancel_request(&self, index: Index) {
        if let Some(flight) = self.flights.lock().requests.get(&index.key()) {
            flight.cancel();
        }
    }

    /// Cancels a sync call; nothing happens when there is none of that id.
    pub(crate) fn cancel_sync(&self, id: &str) {
        let Ok(id) = CancelId::try_from(id.as_bytes()) else { return };
        if let Some(flight) = self.flights.lock().syncs.get(&id) {
            flight.cancel();
        }
    }
}

// --- Flight ---

impl Flight {
    /// A call that `apiCancel` ends.
    pub(crate) fn request(socket: &Arc<Socket>, client: &Arc<Client>, index: Index) -> Aloft {
        let flight = Flight::new(socket, client, Some(index.event("apiStream-")));
        client.flights.lock().requests.insert(index.key(), Arc::clone(&flight));
        Aloft { flight, name: Name::Request(index.key()) }
    }

    /// A sync call that `syncCancel` ends, and the id that it takes.
    pub(crate) fn sync(
        socket: &Arc<Socket>,
        client: &Arc<Client>,
        index: Option<Index>,
    ) -> (Aloft, CancelId) {
        let flight = Flight::new(socket, client, index.map(|index| index.event("sync-progress-")));
        let id = uuid_text(fastrand::u128(..));
        client.flights.lock().syncs.insert(id, Arc::clone(&flight));
        (Aloft { flight, name: Name::Sync(id) }, id)
    }

    fn new(socket: &Arc<Socket>, client: &Arc<Client>, event: Option<String>) -> Arc<Flight> {
        Arc::new(Flight {
            socket: Arc::clone(socket),
            client: Arc::clone(client),
            event,
            cancelled: AtomicBool::new(false),
        })
    }

    fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

/// A chunk goes out as it is; a handler that is faster than its client waits for it.
impl StreamSink for Flight {
    fn emit(&self, chunk: Bytes) -> SinkFuture<'_> {
        Box::pin(async move {
            let Some(event) = &self.event else { return false };
            !self.aborted() && self.socket.emit(event, &chunk) && self.socket.drained().await
        })
    }

    fn aborted(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed) || self.client.gone.load(Ordering::Relaxed)
    }
}

// --- Aloft ---

impl Drop for Aloft {
    fn drop(&mut self) {
        let flights = &mut *self.flight.client.flights.lock();
        match self.name {
            // A client that used a number twice can cancel the later request; it stays.
            Name::Request(key) => {
                if flights.requests.get(&key).is_some_and(|other| Arc::ptr_eq(other, &self.flight)) {
                    flights.requests.remove(&key);
                }
            }
            Name::Sync(id) => drop(flights.syncs.remove(&id)),
        }
    }
}
