//! Thousands of clients on one thread: raw WebSockets that count what they are sent, and find out whether
//! something of it is missing or has come in another order.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::realtime::frames::{self, Kind, Packet};
use crate::realtime::histogram::Histogram;

/// The room that members are in.
pub(crate) const ROOM: &str = "bench";

/// Larger than any frame here, and enough for what a socket receives between two looks at it.
const BUFFER: usize = 512 << 10;
/// Events taken from the system at once.
const EVENTS: usize = 4096;
/// Clients that connect at once: fewer than wait in a listener's queue.
const ARRIVALS: usize = 100;
/// How long anything may take that is not measured.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Between two questions which rooms a client is in.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// Numbers and times are written with as many digits from the first to the last.
pub(crate) const FIRST_NUMBER: u64 = 100_000_000;
const FIRST_NANOSECOND: u64 = 1_000_000_000_000_000;

/// Clients of one server.
pub(crate) struct Swarm {
    port: u16,
    poll: Poll,
    events: Events,
    buffer: Box<[u8]>,
    links: Vec<Link>,
    began: Instant,
    pub(crate) seen: Seen,
}

/// What all of them together have been sent.
pub(crate) struct Seen {
    /// Frames of fanouts.
    pub(crate) deliveries: u64,
    /// Those that came before one with a smaller number, or after a missing one.
    pub(crate) reordered: u64,
    /// From the sender's clock to the reader's, microseconds.
    pub(crate) latency: Histogram,
    /// Clients whose call was answered since this was last emptied.
    pub(crate) answered: Vec<usize>,
    /// Clients whose connection ended, and how.
    pub(crate) closed: Vec<(usize, String)>,
    /// The first thing that nobody should have said.
    unexpected: Option<String>,
    ready: usize,
    members: usize,
    number_at: usize,
    sent_at: usize,
}

struct Link {
    stream: TcpStream,
    phase: Phase,
    /// The beginning of a frame.
    rest: Vec<u8>,
    /// What the server has not taken yet.
    out: Vec<u8>,
    deaf: bool,
    in_room: bool,
    tally: Tally,
}

/// What one client has been sent since it was last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    /// Of the numbers, wrapping.
    pub(crate) sum: u64,
    /// The largest number.
    pub(crate) last: u64,
    /// The number that comes next; none before the first.
    next: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waits for the upgrade.
    Upgrading,
    /// Waits for the namespace.
    Joining,
    Ready,
    Gone,
}

impl Swarm {
    pub(crate) fn new(port: u16) -> anyhow::Result<Swarm> {
        Ok(Swarm {
            port,
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS),
            buffer: vec![0; BUFFER].into_boxed_slice(),
            links: Vec::new(),
            began: Instant::now(),
            seen: Seen {
                deliveries: 0,
                reordered: 0,
                latency: Histogram::new(),
                answered: Vec::new(),
                closed: Vec::new(),
                unexpected: None,
                ready: 0,
                members: 0,
                number_at: 0,
                sent_at: 0,
            },
        })
    }

    /// Connects clients that carry these cookies in turns, none where it is empty, and waits until all have
    /// joined the namespace.
    pub(crate) fn connect(&mut self, count: usize, cookies: &[String]) -> anyhow::Result<()> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let goal = self.links.len() + count;
        while self.links.len() < goal {
            let until = goal.min(self.links.len() + ARRIVALS);
            for index in self.links.len()..until {
                let cookie = cookies.get(index % cookies.len().max(1)).map_or("", String::as_str);
                let cookie = if cookie.is_empty() { String::new() } else { format!("Cookie: {cookie}\r\n") };
                let mut stream = TcpStream::connect(address)?;
                let interests = Interest::READABLE | Interest::WRITABLE;
                self.poll.registry().register(&mut stream, Token(index), interests)?;
                let request = format!(
                    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost:{}\r\n\
                     Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{cookie}\r\n",
                    self.port
                );
                self.links.push(Link {
                    stream,
                    phase: Phase::Upgrading,
                    rest: Vec::new(),
                    out: request.into_bytes(),
                    deaf: false,
                    in_room: false,
                    tally: Tally::default(),
                });
            }
            self.until("clients were not let in", PATIENCE, |seen| seen.ready + seen.closed.len() >= until)?;
            self.all_open()?;
        }
        Ok(())
    }

    /// Waits until each is in [`ROOM`], which they join by themselves, some time after the namespace.
    pub(crate) fn await_membership(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.seen.members < self.links.len() {
            for index in 0..self.links.len() {
                if !self.links[index].in_room {
                    self.say(index, br#"42["getJoinedRooms",{"responseIndex":1}]"#)?;
                }
            }
            let again = Instant::now() + ASK_AGAIN;
            while Instant::now() < again && self.seen.members < self.links.len() {
                self.turn(Some(ASK_AGAIN))?;
            }
            ensure!(
                Instant::now() < deadline,
                "{} of {} clients are in the room: {}",
                self.seen.members,
                self.links.len(),
                self.seen.unexpected.as_deref().unwrap_or("the others were not let in")
            );
        }
        self.all_open()
    }

    /// Asks for every client to join [`ROOM`]; each must carry a session of its own.
    pub(crate) fn join(&mut self) -> anyhow::Result<()> {
        for index in 0..self.links.len() {
            self.say(index, format!(r#"42["joinRoom",{{"group":{ROOM:?},"responseIndex":1}}]"#).as_bytes())?;
        }
        let goal = self.links.len();
        self.until("clients could not join the room", PATIENCE, |seen| seen.members >= goal)
    }

    /// Fails when a connection has ended.
    pub(crate) fn all_open(&self) -> anyhow::Result<()> {
        if let Some((index, why)) = self.seen.closed.first() {
            bail!("{} connections ended; client {index}: {why}", self.seen.closed.len());
        }
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.links.len()
    }

    /// The clock that is written into messages: nanoseconds, always sixteen digits.
    pub(crate) fn now(&self) -> u64 {
        now(self.began)
    }

    /// Sends an event on behalf of one client.
    pub(crate) fn say(&mut self, index: usize, event: &[u8]) -> anyhow::Result<()> {
        self.put(index, event);
        self.flush(index)
    }

    /// Sends it with the next flush.
    pub(crate) fn put(&mut self, index: usize, event: &[u8]) {
        frames::write(event, &mut self.links[index].out);
    }

    pub(crate) fn flush(&mut self, index: usize) -> anyhow::Result<()> {
        let link = &mut self.links[index];
        link.flush().with_context(|| format!("client {index} could not send"))
    }

    /// Reads nothing of one client any more, or all that has come meanwhile.
    pub(crate) fn set_deaf(&mut self, index: usize, deaf: bool) -> anyhow::Result<()> {
        self.links[index].deaf = deaf;
        if deaf { Ok(()) } else { self.read(index, true) }
    }

    pub(crate) fn tally(&self, index: usize) -> Tally {
        self.links[index].tally
    }

    /// Forgets what was counted.
    pub(crate) fn clear(&mut self) {
        self.seen.deliveries = 0;
        self.seen.reordered = 0;
        self.seen.latency.clear();
        self.seen.answered.clear();
        for link in &mut self.links {
            link.tally = Tally::default();
        }
    }

    /// Waits for `done`, without sleeping: a reader that has to be woken costs the server that writes.
    pub(crate) fn until(
        &mut self,
        otherwise: &str,
        patience: Duration,
        done: impl Fn(&Seen) -> bool,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + patience;
        while !done(&self.seen) {
            self.turn(Some(Duration::ZERO))?;
            if let Some(text) = &self.seen.unexpected {
                bail!("{otherwise}; a client was told: {text}");
            }
            ensure!(
                Instant::now() < deadline,
                "{otherwise} within {patience:?}: {} of {} are ready, {} frames came, {} connections ended",
                self.seen.ready,
                self.links.len(),
                self.seen.deliveries,
                self.seen.closed.len()
            );
        }
        Ok(())
    }

    /// Takes what the system has to say, after `wait` at the latest.
    pub(crate) fn turn(&mut self, wait: Option<Duration>) -> anyhow::Result<()> {
        match self.poll.poll(&mut self.events, wait) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        let ready: Vec<_> = self
            .events
            .iter()
            .map(|event| (event.token().0, event.is_readable(), event.is_writable(), event.is_read_closed()))
            .collect();
        for (index, readable, writable, closed) in ready {
            if readable || closed {
                self.read(index, closed)?;
            }
            if writable && !self.links[index].out.is_empty() && self.links[index].phase != Phase::Gone {
                // What is wrong with the stream is told by reading.
                let _ = self.links[index].flush();
            }
        }
        Ok(())
    }

    /// Reads what has come; to the very end when the connection has ended. Fewer bytes than there was room
    /// for mean that there are no more.
    fn read(&mut self, index: usize, to_the_end: bool) -> anyhow::Result<()> {
        let Swarm { links, buffer, seen, began, .. } = self;
        let link = &mut links[index];
        while !link.deaf && link.phase != Phase::Gone {
            let kept = link.rest.len();
            buffer[..kept].copy_from_slice(&link.rest);
            let read = match link.stream.read(&mut buffer[kept..]) {
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    link.end(index, seen, error.to_string());
                    break;
                }
            };
            if read == 0 {
                link.end(index, seen, "closed by the server".to_owned());
                break;
            }
            let bytes = &buffer[..kept + read];
            let used = link.take(index, bytes, now(*began), seen)?;
            ensure!(used > 0 || bytes.len() < BUFFER, "a frame is larger than the bench reads");
            link.rest.clear();
            link.rest.extend_from_slice(&bytes[used..]);
            if kept + read < BUFFER && !to_the_end {
                break;
            }
        }
        Ok(())
    }
}

fn now(began: Instant) -> u64 {
    FIRST_NANOSECOND + u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX / 2)
}

impl Link {
    fn end(&mut self, index: usize, seen: &mut Seen, why: String) {
        self.phase = Phase::Gone;
        seen.closed.push((index, why));
    }

    /// Handles all that is whole in `bytes`; how many those were.
    fn take(&mut self, index: usize, bytes: &[u8], now: u64, seen: &mut Seen) -> anyhow::Result<usize> {
        let mut used = 0;
        if self.phase == Phase::Upgrading {
            let Some(end) = frames::find(bytes, b"\r\n\r\n") else { return Ok(0) };
            if !bytes.starts_with(b"HTTP/1.1 101") {
                bail!("a client was refused: {}", String::from_utf8_lossy(bytes));
            }
            used = end + 4;
            self.phase = Phase::Joining;
            frames::write(b"40", &mut self.out);
            self.flush()?;
        }
        while let Some(frame) = frames::first(&bytes[used..])? {
            used += frame.size;
            match frame.kind {
                Kind::Text => self.hear(index, frame.payload, now, seen)?,
                Kind::Close => {
                    let why = frame.payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]));
                    self.end(index, seen, format!("closed by the server, code {why:?}"));
                    return Ok(used);
                }
                Kind::Control => {}
            }
        }
        Ok(used)
    }

    fn hear(&mut self, index: usize, payload: &[u8], now: u64, seen: &mut Seen) -> anyhow::Result<()> {
        let unexpected = |seen: &mut Seen| {
            if seen.unexpected.is_none() {
                seen.unexpected = Some(String::from_utf8_lossy(payload).into_owned());
            }
        };
        match frames::packet(payload) {
            Packet::Delivery => {
                let number = frames::number(payload, b"\"seq\":", &mut seen.number_at);
                let sent = frames::number(payload, b"\"sent\":", &mut seen.sent_at);
                let Some((number, sent)) = number.zip(sent) else {
                    unexpected(seen);
                    return Ok(());
                };
                seen.deliveries += 1;
                seen.latency.record(now.saturating_sub(sent) / 1000);
                seen.reordered += u64::from(self.tally.next.is_some_and(|next| next != number));
                self.tally.count += 1;
                self.tally.sum = self.tally.sum.wrapping_add(number);
                self.tally.last = self.tally.last.max(number);
                self.tally.next = Some(number + 1);
            }
            Packet::Answer => {
                let sent = frames::number(payload, b"\"sent\":", &mut seen.sent_at);
                let Some(sent) = sent.filter(|_| frames::find(payload, b"\"success\"").is_some()) else {
                    unexpected(seen);
                    return Ok(());
                };
                seen.latency.record(now.saturating_sub(sent) / 1000);
                seen.answered.push(index);
            }
            Packet::Ping => {
                frames::write(b"3", &mut self.out);
                self.flush()?;
            }
            Packet::Connected => {
                self.phase = Phase::Ready;
                seen.ready += 1;
            }
            Packet::Rooms => {
                let room = format!("{ROOM:?}");
                if !self.in_room && frames::find(payload, room.as_bytes()).is_some() {
                    self.in_room = true;
                    seen.members += 1;
                } else if frames::find(payload, b"\"error\"").is_some() {
                    unexpected(seen);
                }
            }
            Packet::Open | Packet::Other => {}
            Packet::Unexpected => unexpected(seen),
        }
        Ok(())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let mut written = 0;
        while written < self.out.len() {
            match self.stream.write(&self.out[written..]) {
                Ok(count) => written += count,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    break;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.out.drain(..written);
        Ok(())
    }
}
