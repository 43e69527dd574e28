//! This host among the others.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use parking_lot::Mutex;
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::acks::Acks;
use super::requests::{self, Answer, Fetched, Request, Shown, Sockets, texts};
use super::{Bus, BusError, ClusterError, ClusterSettings, RemoteSocket, broadcast, local};
use crate::hub::{Hub, Relay};
use crate::{Socket, Target};

/// Characters of a node's id and of a request's, as npm's.
const ID_LEN: usize = 6;
/// Who waits for answers looks as often whether those who owe them are still there.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// A host's place in the cluster.
pub(crate) struct Cluster {
    shared: Arc<Shared>,
    receiving: AbortHandle,
}

struct Shared {
    hub: Weak<Hub>,
    bus: Arc<dyn Bus>,
    /// This host's id, so that it knows what it said itself.
    uid: String,
    channels: Channels,
    timeout: Duration,
    random: SystemRandom,
    /// Requests of this host that wait for answers, by their ids.
    pending: Mutex<HashMap<String, Pending>>,
    /// Events that clients are to acknowledge to another host.
    acks: Acks,
}

/// Names of the channels.
struct Channels {
    /// Of broadcasts; with a room and `#` after it, of those to that room alone.
    broadcast: String,
    request: String,
    response: String,
}

/// A request that waits for answers.
struct Pending {
    expected: u64,
    /// Answers so far.
    answers: u64,
    /// Hosts that answered, of those that say who they are.
    answered: HashSet<String>,
    /// Sockets that were told.
    known: HashSet<String>,
    sockets: Vec<RemoteSocket>,
    /// Told when all have answered.
    complete: Option<oneshot::Sender<()>>,
}

/// Forgets a request when nobody waits for it any more.
struct Waiting<'a> {
    shared: &'a Shared,
    id: &'a str,
}

// --- Cluster ---

impl Cluster {
    /// Joins the other hosts; what they say is heard from when the future is ready.
    pub(crate) async fn join(
        hub: Weak<Hub>,
        bus: Arc<dyn Bus>,
        settings: ClusterSettings,
    ) -> Result<Cluster, ClusterError> {
        let random = SystemRandom::new();
        let uid = fresh_id(&random)?;
        let channels = Channels::new(&settings.prefix);
        let own_responses = format!("{}{uid}#", channels.response);
        let names = vec![channels.request.clone(), channels.response.clone(), own_responses];
        let patterns = vec![format!("{}*", channels.broadcast)];
        let messages = bus.subscribe(names, patterns).await?;
        let pending = Mutex::default();
        let timeout = settings.timeout;
        let acks = Acks::default();
        let shared = Arc::new(Shared { hub, bus, uid, channels, timeout, random, pending, acks });
        let receiving = tokio::spawn(receive(shared.clone(), messages)).abort_handle();
        Ok(Cluster { shared, receiving })
    }
}

impl Relay for Cluster {
    fn broadcast(&self, payload: &[u8], target: Target<'_>) {
        self.shared.broadcast(payload, target);
    }

    fn fetch<'a>(&'a self, target: Target<'a>) -> BoxFuture<'a, Result<Vec<RemoteSocket>, ClusterError>> {
        self.shared.fetch(target).boxed()
    }

    fn acknowledged(&self, socket: &Socket, ack: u64, args: &[Bytes], attachments: &[Bytes]) {
        self.shared.acknowledged(socket, ack, args, attachments);
    }

    fn close(&self) {
        self.receiving.abort();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.receiving.abort();
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shared.pending.lock().remove(self.id);
    }
}

/// What the others say, in its order, until this host leaves.
async fn receive(shared: Arc<Shared>, mut messages: BoxStream<'static, (String, Bytes)>) {
    while let Some((channel, message)) = messages.next().await {
        let Some(hub) = shared.hub.upgrade() else { return };
        shared.receive(&hub, &channel, &message);
    }
}

// --- Channels ---

impl Channels {
    fn new(prefix: &str) -> Self {
        let nsp = broadcast::NAMESPACE;
        Self {
            broadcast: format!("{prefix}#{nsp}#"),
            request: format!("{prefix}-request#{nsp}#"),
            response: format!("{prefix}-response#{nsp}#"),
        }
    }
}

// --- Shared ---

impl Shared {
    fn broadcast(&self, payload: &[u8], target: Target<'_>) {
        // Nothing is encoded for nobody.
        if !self.bus.is_up() {
            return;
        }
        let (rooms, except) = (unique(target.rooms), unique(target.except));
        let target = Target { rooms: &rooms, except: &except };
        let encoded = str::from_utf8(payload)
            .map_err(|error| super::encode::NotJson::Syntax(error.valid_up_to()))
            .and_then(|data| broadcast::encode(&self.uid, target, data));
        let message = match encoded {
            Ok(message) => message,
            Err(error) => {
                tracing::warn!(%error, "an event cannot be told to the other hosts: its argument is wrong");
                return;
            }
        };
        match &*rooms {
            [room] => self.bus.publish(&format!("{}{room}#", self.channels.broadcast), message),
            _ => self.bus.publish(&self.channels.broadcast, message),
        };
    }

    async fn fetch(&self, target: Target<'_>) -> Result<Vec<RemoteSocket>, ClusterError> {
        if !self.bus.is_up() {
            return Err(BusError("the connection is lost".to_owned()).into());
        }
        // One of them is this host.
        let expected = self.bus.subscribers(&self.channels.request).await?.saturating_sub(1);
        if expected == 0 {
            return Ok(Vec::new());
        }
        let (id, (complete, completed)) = (fresh_id(&self.random)?, oneshot::channel());
        let request = requests::fetch(&self.uid, &id, &unique(target.rooms), &unique(target.except));
        self.pending.lock().insert(id.clone(), Pending::new(expected, complete));
        let _waiting = Waiting { shared: self, id: &id };
        if !self.bus.publish(&self.channels.request, request) {
            return Err(BusError("a request could not be sent".to_owned()).into());
        }
        self.all_answered(&id, expected, completed).await?;
        let mut pending = self.pending.lock();
        Ok(pending.get_mut(&id).map(|pending| std::mem::take(&mut pending.sockets)).unwrap_or_default())
    }

    /// Waits for the answers to a request. A host that goes away meanwhile is not waited for.
    async fn all_answered(
        &self,
        id: &str,
        expected: u64,
        mut completed: oneshot::Receiver<()>,
    ) -> Result<(), ClusterError> {
        let deadline = Instant::now() + self.timeout;
        loop {
            let look = deadline.min(Instant::now() + LOOK_AGAIN);
            if tokio::time::timeout_at(look, &mut completed).await.is_ok() {
                return Ok(());
            }
            let answers = self.pending.lock().get(id).map_or(0, |pending| pending.answers);
            if Instant::now() >= deadline {
                let (timeout, missing) = (self.timeout, expected.saturating_sub(answers));
                return Err(ClusterError::Timeout { expected, missing, timeout });
            }
            if self.bus.subscribers(&self.channels.request).await?.saturating_sub(1) <= answers {
                return Ok(());
            }
        }
    }

    fn receive(&self, hub: &Arc<Hub>, channel: &str, message: &Bytes) {
        let (what, handled) = match channel {
            _ if channel == self.channels.request => ("request", self.on_request(hub, message)),
            _ if channel.starts_with(&self.channels.response) => ("answer", self.on_response(message)),
            _ => match channel.strip_prefix(&self.channels.broadcast) {
                Some(room) => ("broadcast", self.on_broadcast(hub, room, message)),
                None => return,
            },
        };
        if let Err(error) = handled {
            // Not the channel: the name of a room may be a session's token.
            tracing::debug!(what, %error, "a message of another host is malformed: dropped");
        }
    }

    /// `room` is empty, or the only one with a `#` after it.
    fn on_broadcast(&self, hub: &Hub, room: &str, message: &Bytes) -> Result<(), requests::Malformed> {
        let room = room.strip_suffix('#').unwrap_or(room);
        if !room.is_empty() && !local::has_room(hub, room) {
            return Ok(());
        }
        let Some(broadcast) = broadcast::decode(message, &self.uid)? else { return Ok(()) };
        let (rooms, except) = (strs(&broadcast.rooms), strs(&broadcast.except));
        let target = Target { rooms: &rooms, except: &except };
        // Of several rooms none may be here.
        if rooms.is_empty() || rooms.iter().any(|room| local::has_room(hub, room)) {
            local::deliver(hub, target, &broadcast.packet()?, None);
        }
        Ok(())
    }

    fn on_request(&self, hub: &Arc<Hub>, message: &Bytes) -> Result<(), requests::Malformed> {
        let json = requests::read(message)?;
        let request = Request::parse(&json)?;
        if request.uid.as_ref().is_some_and(|uid| uid.0 == self.uid) {
            return Ok(());
        }
        let (rooms, opts) = (texts(request.rooms.as_ref()), request.opts.as_ref());
        let opts_rooms = texts(opts.and_then(|opts| opts.rooms.as_ref()));
        let except = texts(opts.and_then(|opts| opts.except.as_ref()));
        let target = opts.map(|_| Target { rooms: &opts_rooms, except: &except });
        match request.kind {
            requests::SOCKETS => {
                let sockets = hub.sockets(Target::rooms(&rooms));
                let ids = sockets.iter().map(|socket| &**socket.id()).collect();
                self.answer(&request, Answer { sockets: Some(Sockets::Ids(ids)), ..Answer::default() });
            }
            requests::ALL_ROOMS => {
                self.answer(&request, Answer { rooms: Some(&hub.rooms()), ..Answer::default() });
            }
            requests::REMOTE_FETCH => {
                let sockets = hub.sockets(target.unwrap_or_default());
                let shown = sockets.iter().map(|socket| Shown::of(socket)).collect();
                self.answer(&request, Answer { sockets: Some(Sockets::Whole(shown)), ..Answer::default() });
            }
            requests::REMOTE_JOIN | requests::REMOTE_LEAVE | requests::REMOTE_DISCONNECT => {
                self.change(hub, &request, target, &rooms);
            }
            // Nobody here listens to what servers emit to each other: an empty answer, so that the asker
            // does not wait in vain.
            requests::SERVER_SIDE_EMIT => {
                let kind = Some(requests::SERVER_SIDE_EMIT);
                self.answer(&request, Answer { kind, ..Answer::default() });
            }
            requests::BROADCAST => {
                if let Some(packet) = request.packet(&json) {
                    let target = target.unwrap_or_default();
                    let ack = request.id.as_ref().map(|id| {
                        let patience = request.patience().unwrap_or(self.timeout);
                        let sockets = hub.sockets(target);
                        self.acks.expect(&id.0, patience, sockets.iter().map(|socket| socket.id().clone()))
                    });
                    let count = local::deliver(hub, target, &packet, ack);
                    let kind = Some(requests::BROADCAST_CLIENT_COUNT);
                    self.answer(&request, Answer { kind, count: Some(count), ..Answer::default() });
                }
            }
            unknown => tracing::debug!(kind = unknown, "a request of another host is unknown: ignored"),
        }
        Ok(())
    }

    /// Sockets join, leave or are disconnected: those of a target, without an answer, or, for old askers,
    /// one, with an answer.
    fn change(&self, hub: &Hub, request: &Request<'_>, target: Option<Target<'_>>, rooms: &[&str]) {
        let (close, room) = (request.close.unwrap_or(false), request.room.as_ref());
        let change = |target, rooms: &[&str]| match request.kind {
            requests::REMOTE_JOIN => hub.join(target, rooms),
            requests::REMOTE_LEAVE => hub.leave(target, rooms),
            _ => hub.disconnect(target, close),
        };
        match (target, &request.sid) {
            (Some(target), _) => change(target, rooms),
            (None, Some(sid)) if hub.socket(&sid.0).is_some() => {
                let room: Vec<&str> = room.map(|room| &*room.0).into_iter().collect();
                change(Target::rooms(&[&sid.0]), &room);
                self.answer(request, Answer::default());
            }
            (None, _) => {}
        }
    }

    /// Answers, if an answer is wanted.
    fn answer(&self, request: &Request<'_>, answer: Answer<'_>) {
        if let Some(id) = &request.id {
            let answer = Answer { id: &id.0, uid: &self.uid, ..answer };
            self.bus.publish(&self.channels.response, answer.encode());
        }
    }

    /// A client has acknowledged something; if it was asked to for another host, that is told.
    fn acknowledged(&self, socket: &Socket, ack: u64, args: &[Bytes], attachments: &[Bytes]) {
        let Some(request) = self.acks.take(ack, socket.id()) else { return };
        let argument = args.first().and_then(|argument| str::from_utf8(argument).ok());
        match requests::acknowledgement(&request, argument, attachments) {
            Ok(message) => {
                self.bus.publish(&self.channels.response, message);
            }
            Err(error) => tracing::debug!(%error, "an acknowledgement cannot be told to another host"),
        }
    }

    fn on_response(&self, message: &Bytes) -> Result<(), requests::Malformed> {
        // Nearly all answers are for others.
        if self.pending.lock().is_empty() {
            return Ok(());
        }
        let json = requests::read(message)?;
        let Some(id) = requests::answered(&json)? else { return Ok(()) };
        if !self.pending.lock().contains_key(&id) {
            return Ok(());
        }
        let fetched = Fetched::parse(&json)?;
        if let Some(pending) = self.pending.lock().get_mut(&id) {
            pending.take(&fetched);
        }
        Ok(())
    }
}

// --- Pending ---

impl Pending {
    fn new(expected: u64, complete: oneshot::Sender<()>) -> Self {
        Self {
            expected,
            answers: 0,
            answered: HashSet::new(),
            known: HashSet::new(),
            sockets: Vec::new(),
            complete: Some(complete),
        }
    }

    fn take(&mut self, fetched: &Fetched<'_>) {
        if fetched.uid.as_ref().is_some_and(|uid| !self.answered.insert(uid.clone())) {
            return;
        }
        self.answers += 1;
        self.sockets.extend(fetched.sockets(&mut self.known));
        if self.answers >= self.expected
            && let Some(complete) = self.complete.take()
        {
            // An error says that nobody waits any more.
            let _ = complete.send(());
        }
    }
}

/// Each once, in their order.
fn unique<'a>(rooms: &[&'a str]) -> Vec<&'a str> {
    if rooms.len() < 2 {
        return rooms.to_vec();
    }
    let mut seen = HashSet::with_capacity(rooms.len());
    rooms.iter().copied().filter(|room| seen.insert(*room)).collect()
}

fn strs(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

fn fresh_id(random: &SystemRandom) -> Result<String, ClusterError> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789AZ";
    let mut bytes = [0; ID_LEN];
    random.fill(&mut bytes).map_err(|_| BusError("the system has no randomness to give".to_owned()))?;
    Ok(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 64)])).collect())
}
