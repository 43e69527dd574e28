//! Who is in which room.
//!
//! A room lists its sockets in the order they joined. Each socket is in a room of its own id, too, which is
//! not stored: the sockets are found by their ids.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use smallvec::SmallVec;

use crate::{Socket, Target};

/// Sockets and rooms of a server.
#[derive(Default)]
pub(crate) struct Index {
    /// In the order they connected.
    sockets: BTreeMap<u64, Arc<Socket>>,
    by_id: HashMap<Arc<str>, u64>,
    rooms: HashMap<Arc<str>, Room>,
    /// Grows with every join, so that it orders them.
    joins: u64,
}

/// Sockets by when they joined.
type Room = BTreeMap<u64, Arc<Socket>>;

/// The rooms of one socket, its own not among them, in the order it joined them.
#[derive(Default)]
pub(crate) struct Memberships {
    /// When it connected; `None` before, and when it has left.
    connected: Option<u64>,
    rooms: Vec<(Arc<str>, u64)>,
}

impl Memberships {
    pub(crate) fn contains(&self, room: &str) -> bool {
        self.rooms.iter().any(|(joined, _)| **joined == *room)
    }

    pub(crate) fn rooms(&self) -> impl Iterator<Item = &Arc<str>> {
        self.rooms.iter().map(|(room, _)| room)
    }
}

impl Index {
    fn next(&mut self) -> u64 {
        self.joins += 1;
        self.joins
    }

    /// A socket connects.
    pub(crate) fn insert(&mut self, socket: &Arc<Socket>) {
        let at = self.next();
        self.sockets.insert(at, Arc::clone(socket));
        self.by_id.insert(Arc::clone(socket.id()), at);
        socket.memberships().lock().connected = Some(at);
    }

    /// A socket leaves all its rooms; which, its own first. `None` when it was not there.
    pub(crate) fn remove(&mut self, socket: &Socket) -> Option<Vec<Arc<str>>> {
        let mut memberships = socket.memberships().lock();
        let at = memberships.connected.take()?;
        self.sockets.remove(&at);
        self.by_id.remove(socket.id());
        let mut left = Vec::with_capacity(1 + memberships.rooms.len());
        left.push(Arc::clone(socket.id()));
        for (room, at) in std::mem::take(&mut memberships.rooms) {
            self.drop_member(&room, at);
            left.push(room);
        }
        Some(left)
    }

    /// A socket joins a room; whether it was not in it.
    pub(crate) fn join(&mut self, socket: &Socket, room: &str) -> bool {
        if **socket.id() == *room {
            return false;
        }
        let mut memberships = socket.memberships().lock();
        if memberships.contains(room) {
            return false;
        }
        let Some(socket) = memberships.connected.and_then(|at| self.sockets.get(&at)).cloned() else {
            return false;
        };
        let at = self.next();
        let name = match self.rooms.get_key_value(room) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(room),
        };
        self.rooms.entry(Arc::clone(&name)).or_default().insert(at, socket);
        memberships.rooms.push((name, at));
        true
    }

    /// A socket leaves a room; whether it was in it.
    pub(crate) fn leave(&mut self, socket: &Socket, room: &str) -> bool {
        let mut memberships = socket.memberships().lock();
        let Some(place) = memberships.rooms.iter().position(|(joined, _)| **joined == *room) else {
            return false;
        };
        let (room, at) = memberships.rooms.remove(place);
        self.drop_member(&room, at);
        true
    }

    fn drop_member(&mut self, room: &str, at: u64) {
        if let Some(members) = self.rooms.get_mut(room) {
            members.remove(&at);
            if members.is_empty() {
                self.rooms.remove(room);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.sockets.len()
    }

    pub(crate) fn socket(&self, id: &str) -> Option<&Arc<Socket>> {
        self.sockets.get(self.by_id.get(id)?)
    }

    pub(crate) fn count(&self, room: &str) -> usize {
        self.rooms.get(room).map_or(0, BTreeMap::len) + usize::from(self.by_id.contains_key(room))
    }

    pub(crate) fn rooms(&self) -> Vec<Arc<str>> {
        self.by_id
            .keys()
            .chain(self.rooms.keys().filter(|room| !self.by_id.contains_key(*room)))
            .cloned()
            .collect()
    }

    /// Goes through the sockets in `target`, each once, in the order of the first of its rooms, then of the
    /// others.
    pub(crate) fn each<'a>(&'a self, target: Target<'_>, mut visit: impl FnMut(&'a Arc<Socket>)) {
        let mut without_ids: SmallVec<[&str; 2]> = SmallVec::new();
        let mut without_rooms: SmallVec<[&str; 2]> = SmallVec::new();
        for except in target.except {
            if self.by_id.contains_key(*except) {
                without_ids.push(except);
            }
            if self.rooms.contains_key(*except) {
                without_rooms.push(except);
            }
        }
        let is_meant = |socket: &Socket| {
            if without_ids.iter().any(|id| *id == &**socket.id()) {
                return false;
            }
            if without_rooms.is_empty() {
                return true;
            }
            let memberships = socket.memberships().lock();
            !without_rooms.iter().any(|room| memberships.contains(room))
        };
        match target.rooms {
            [] => self.sockets.values().filter(|socket| is_meant(socket)).for_each(visit),
            [room] => self.members(room, |socket| {
                if is_meant(socket) {
                    visit(socket);
                }
            }),
            rooms => {
                let mut seen = HashSet::new();
                for room in rooms {
                    self.members(room, |socket| {
                        if seen.insert(Arc::as_ptr(socket)) && is_meant(socket) {
                            visit(socket);
                        }
                    });
                }
            }
        }
    }

    /// The socket with that id, and those that have joined a room of that name.
    fn members<'a>(&'a self, room: &str, mut visit: impl FnMut(&'a Arc<Socket>)) {
        if let Some(socket) = self.socket(room) {
            visit(socket);
        }
        if let Some(members) = self.rooms.get(room) {
            members.values().for_each(visit);
        }
    }
}
