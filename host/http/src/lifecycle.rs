//! The life of one connection, as plain numbers that a sweeper reads (wire protocol §6.3; limits on
//! slow clients).
//!
//! Requests and reads only store a coarse time stamp; nothing on the hot path arms a timer. One
//! sweeper per server looks at every connection once per tick and decides through
//! [`ConnState::verdict`], which knows neither sockets nor clocks. Deadlines are therefore kept to
//! within one tick, never early.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// How long a client may take for each thing that it owes the host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// From the first byte of a request's head to its last; also from accept to the first request.
    pub header_read: Duration,
    /// Between two requests of a kept connection.
    pub idle: Duration,
    /// Without taking a byte of a response that waits for it.
    pub write: Duration,
}

/// After a response that tears the connection down, how long what the client still sends is read
/// and thrown away, so that a reset does not overtake the response.
const LINGER: Duration = Duration::from_secs(1);

/// What the server asks of a connection; only ever moves forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Command {
    /// Serve.
    Run = 0,
    /// Finish what is in flight, then close.
    Drain = 1,
    /// Close at once.
    Kill = 2,
}

/// Milliseconds since the server started, refreshed once per tick; never zero.
#[derive(Debug)]
pub(crate) struct Clock {
    started: Instant,
    now: AtomicU64,
}

/// The state of one connection. Zero stands for "not" in every time stamp.
#[derive(Debug)]
pub(crate) struct ConnState {
    clock: Arc<Clock>,
    command: AtomicU8,
    waker: AtomicWaker,
    http2: AtomicBool,
    /// Requests whose response has not been handed over completely.
    active: AtomicU32,
    /// Responses that are complete on our side and wait for the client to take them.
    sending: AtomicU32,
    head_since: AtomicU64,
    idle_since: AtomicU64,
    blocked_since: AtomicU64,
    progress_at: AtomicU64,
    closing_since: AtomicU64,
    linger: AtomicBool,
}

/// Every open connection of a server.
#[derive(Debug)]
pub(crate) struct Registry {
    clock: Arc<Clock>,
    open: Mutex<HashMap<u64, Arc<ConnState>>>,
    draining: AtomicBool,
    emptied: Notify,
}

/// A place in the registry; leaves it when dropped.
#[derive(Debug)]
pub(crate) struct Registration {
    registry: Arc<Registry>,
    id: u64,
    /// The connection's state.
    pub state: Arc<ConnState>,
}

/// A request in flight, from its head to the last byte of its response.
#[derive(Debug)]
pub(crate) struct RequestGuard {
    state: Arc<ConnState>,
    sending: bool,
}

/// A finished response that waits for the client to take it.
#[derive(Debug)]
pub(crate) struct SendingMark {
    state: Arc<ConnState>,
}

impl Clock {
    fn new() -> Self {
        Self { started: Instant::now(), now: AtomicU64::new(1) }
    }

    fn refresh(&self) -> u64 {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        self.now.store(now, Relaxed);
        now
    }

    fn now(&self) -> u64 {
        self.now.load(Relaxed)
    }
}

impl ConnState {
    fn new(clock: Arc<Clock>) -> Self {
        let now = clock.refresh();
        Self {
            clock,
            command: AtomicU8::new(Command::Run as u8),
            waker: AtomicWaker::new(),
            http2: AtomicBool::new(false),
            active: AtomicU32::new(0),
            sending: AtomicU32::new(0),
            head_since: AtomicU64::new(now),
            idle_since: AtomicU64::new(now),
            blocked_since: AtomicU64::new(0),
            progress_at: AtomicU64::new(now),
            closing_since: AtomicU64::new(0),
            linger: AtomicBool::new(false),
        }
    }

    /// What is to become of this connection at `now`.
    pub(crate) fn verdict(&self, now: u64, patience: &Patience) -> Command {
        let over = |since: u64, limit: Duration| {
            since != 0 && u128::from(now.saturating_sub(since)) > limit.as_millis()
        };
        let closing = if self.lingers() { LINGER.min(patience.write) } else { patience.write };
        if over(self.closing_since.load(Relaxed), closing)
            || over(self.blocked_since.load(Relaxed), patience.write)
            || (self.sending.load(Relaxed) > 0 && over(self.progress_at.load(Relaxed), patience.write))
        {
            return Command::Kill;
        }
        if self.active.load(Relaxed) > 0 {
            return Command::Run;
        }
        // Frames that are no request (pings, acknowledgements) arrive at an idle HTTP/2 connection.
        if !self.http2.load(Relaxed) && over(self.head_since.load(Relaxed), patience.header_read) {
            return Command::Kill;
        }
        let idle_since = self.idle_since.load(Relaxed);
        if over(idle_since, patience.idle.saturating_add(patience.write)) {
            return Command::Kill;
        }
        if over(idle_since, patience.idle) { Command::Drain } else { Command::Run }
    }

    /// Asks for `command`; a stronger one stays.
    pub(crate) fn ask(&self, command: Command) {
        if self.command.fetch_max(command as u8, Relaxed) < command as u8 {
            self.waker.wake();
        }
    }

    /// The command in force; the task is woken when it grows.
    pub(crate) fn poll_command(&self, cx: &Context<'_>) -> Command {
        self.waker.register(cx.waker());
        match self.command.load(Relaxed) {
            0 => Command::Run,
            1 => Command::Drain,
            _ => Command::Kill,
        }
    }

    /// Resolves once the connection is to be closed at once.
    pub(crate) async fn killed(&self) {
        poll_fn(|cx| if self.poll_command(cx) == Command::Kill { Poll::Ready(()) } else { Poll::Pending })
            .await;
    }

    /// Bytes arrived.
    pub(crate) fn on_read(&self) {
        if self.active.load(Relaxed) == 0 && self.head_since.load(Relaxed) == 0 {
            self.head_since.store(self.clock.now(), Relaxed);
        }
    }

    /// The socket took no more bytes.
    pub(crate) fn on_write_blocked(&self) {
        if self.blocked_since.load(Relaxed) == 0 {
            self.blocked_since.store(self.clock.now(), Relaxed);
        }
    }

    /// The socket took bytes.
    pub(crate) fn on_written(&self) {
        if self.blocked_since.load(Relaxed) != 0 {
            self.blocked_since.store(0, Relaxed);
        }
    }

    /// The connection's own side is closing.
    pub(crate) fn on_closing(&self) {
        if self.closing_since.load(Relaxed) == 0 {
            self.closing_since.store(self.clock.now(), Relaxed);
        }
    }

    /// The next response is the last; what the client still sends is to be swallowed for a moment.
    pub(crate) fn tear_down(&self) {
        self.linger.store(true, Relaxed);
        self.ask(Command::Drain);
    }

    /// Whether what the client still sends is swallowed: after a response that ends the connection,
    /// and after a head that was refused half read.
    pub(crate) fn lingers(&self) -> bool {
        self.linger.load(Relaxed) || self.head_since.load(Relaxed) != 0
    }

    /// A part of a response was taken.
    pub(crate) fn on_progress(&self) {
        self.progress_at.store(self.clock.now(), Relaxed);
    }

    /// A request's head has arrived.
    pub(crate) fn begin(self: &Arc<Self>, http2: bool) -> RequestGuard {
        self.active.fetch_add(1, Relaxed);
        self.head_since.store(0, Relaxed);
        if http2 {
            self.http2.store(true, Relaxed);
        }
        RequestGuard { state: Arc::clone(self), sending: false }
    }

    /// A response is complete and waits for the client.
    pub(crate) fn sending(self: &Arc<Self>) -> SendingMark {
        self.on_progress();
        self.sending.fetch_add(1, Relaxed);
        SendingMark { state: Arc::clone(self) }
    }
}

impl RequestGuard {
    /// From now on the client is waited for.
    pub(crate) fn start_sending(&mut self) {
        if !self.sending {
            self.sending = true;
            self.state.on_progress();
            self.state.sending.fetch_add(1, Relaxed);
        }
    }

    /// A part of the response was taken.
    pub(crate) fn on_progress(&self) {
        self.state.on_progress();
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        if self.sending {
            self.state.sending.fetch_sub(1, Relaxed);
        }
        if self.state.active.fetch_sub(1, Relaxed) == 1 {
            self.state.idle_since.store(self.state.clock.now(), Relaxed);
        }
    }
}

impl Drop for SendingMark {
    fn drop(&mut self) {
        self.state.sending.fetch_sub(1, Relaxed);
    }
}

impl Registry {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            clock: Arc::new(Clock::new()),
            open: Mutex::new(HashMap::new()),
            draining: AtomicBool::new(false),
            emptied: Notify::new(),
        })
    }

    /// Takes up a new connection under an id that was never used before.
    pub(crate) fn register(self: &Arc<Self>, id: u64) -> Registration {
        let state = Arc::new(ConnState::new(Arc::clone(&self.clock)));
        self.open.lock().insert(id, Arc::clone(&state));
        // Looked at after the insertion: a drain that started meanwhile has either seen the
        // connection or is seen here.
        if self.draining.load(Relaxed) {
            state.ask(Command::Drain);
        }
        Registration { registry: Arc::clone(self), id, state }
    }

    /// How many connections are open.
    pub(crate) fn len(&self) -> usize {
        self.open.lock().len()
    }

    /// Looks at every connection once per tick, for ever.
    pub(crate) async fn sweep(self: Arc<Self>, patience: Patience) {
        let shortest = patience.header_read.min(patience.idle).min(patience.write).min(LINGER);
        // A quarter of the shortest deadline keeps it to within 25 %; once a second is enough for
        // anything, and fifty times a second is the most that a sweep of many connections may cost.
        let tick = (shortest / 4).clamp(Duration::from_millis(20), Duration::from_secs(1));
        loop {
            tokio::time::sleep(tick).await;
            let now = self.clock.refresh();
            for state in self.open.lock().values() {
                state.ask(state.verdict(now, &patience));
            }
        }
    }

    /// Asks every connection, and every later one, for `command`.
    pub(crate) fn ask_all(&self, command: Command) {
        self.draining.store(true, Relaxed);
        for state in self.open.lock().values() {
            state.ask(command);
        }
    }

    /// Resolves once no connection is open.
    pub(crate) async fn wait_empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.len() == 0 {
                return;
            }
            emptied.await;
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut open = self.registry.open.lock();
        open.remove(&self.id);
        if open.is_empty() {
            self.registry.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        header_read: Duration::from_millis(100),
        idle: Duration::from_millis(1000),
        write: Duration::from_millis(300),
    };

    fn at(clock: &Clock, now: u64) -> u64 {
        clock.now.store(now, Relaxed);
        now
    }

    fn fresh() -> (Arc<Clock>, Arc<ConnState>) {
        let clock = Arc::new(Clock::new());
        let state = Arc::new(ConnState::new(Arc::clone(&clock)));
        state.head_since.store(1, Relaxed);
        state.idle_since.store(1, Relaxed);
        (clock, state)
    }

    #[test]
    fn a_connection_that_sends_no_head_is_closed() {
        let (_, state) = fresh();
        assert_eq!(state.verdict(101, &PATIENCE), Command::Run);
        assert_eq!(state.verdict(102, &PATIENCE), Command::Kill);
    }

    #[test]
    fn a_request_in_hand_may_take_as_long_as_its_handler() {
        let (_, state) = fresh();
        let guard = state.begin(false);
        assert_eq!(state.verdict(1_000_000, &PATIENCE), Command::Run);
        drop(guard);
    }

    #[test]
    fn an_idle_connection_is_drained_and_then_closed() {
        let (clock, state) = fresh();
        let guard = state.begin(false);
        at(&clock, 500);
        drop(guard);
        assert_eq!(state.verdict(1500, &PATIENCE), Command::Run);
        assert_eq!(state.verdict(1501, &PATIENCE), Command::Drain);
        assert_eq!(state.verdict(1801, &PATIENCE), Command::Kill);
    }

    #[test]
    fn a_slow_second_head_is_closed_on_http1_only() {
        for (http2, expected) in [(false, Command::Kill), (true, Command::Run)] {
            let (clock, state) = fresh();
            drop(state.begin(http2));
            at(&clock, 200);
            state.on_read();
            assert_eq!(state.verdict(301, &PATIENCE), expected);
        }
    }

    #[test]
    fn a_client_that_takes_nothing_is_closed() {
        let (clock, state) = fresh();
        let mut guard = state.begin(false);
        at(&clock, 1000);
        guard.start_sending();
        assert_eq!(state.verdict(1300, &PATIENCE), Command::Run);
        at(&clock, 1200);
        guard.on_progress();
        assert_eq!(state.verdict(1500, &PATIENCE), Command::Run);
        assert_eq!(state.verdict(1501, &PATIENCE), Command::Kill);
        drop(guard);
        let _guard = state.begin(false);
        state.on_write_blocked();
        at(&clock, 1400);
        state.on_write_blocked();
        assert_eq!(state.verdict(1501, &PATIENCE), Command::Kill);
        state.on_written();
        assert_eq!(state.verdict(1501, &PATIENCE), Command::Run);
    }

    #[test]
    fn commands_only_grow() {
        let (_, state) = fresh();
        state.ask(Command::Kill);
        state.ask(Command::Drain);
        assert_eq!(state.poll_command(&Context::from_waker(std::task::Waker::noop())), Command::Kill);
    }

    #[tokio::test]
    async fn a_drain_reaches_old_and_new_connections_and_waits_for_them() {
        let registry = Registry::new();
        let old = registry.register(1);
        registry.ask_all(Command::Drain);
        let new = registry.register(2);
        let context = Context::from_waker(std::task::Waker::noop());
        assert_eq!(old.state.poll_command(&context), Command::Drain);
        assert_eq!(new.state.poll_command(&context), Command::Drain);
        let waiting = tokio::spawn({
            let registry = Arc::clone(&registry);
            async move { registry.wait_empty().await }
        });
        drop(old);
        drop(new);
        waiting.await.unwrap();
        assert_eq!(registry.len(), 0);
    }
}
