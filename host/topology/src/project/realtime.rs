//! The sections for sockets: `[socket]`, `[sync]` and `[presence]` (wire protocol §2.1, §4, §8, §12.1).

mod read;

use std::time::Duration;

/// `[socket]` (§2.1)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketConfig {
    /// `enabled` (true): false is a host without sockets; `/sync` answers `sync.ioUnavailable` then.
    pub enabled: bool,
    /// `path` (`/socket.io/`)
    pub path: String,
    /// `ping_interval` (25 s): the server's first ping comes after it.
    pub ping_interval: Duration,
    /// `ping_timeout` (20 s): how long a ping may wait for its pong.
    pub ping_timeout: Duration,
    /// `max_payload` (5 MiB): the largest message of a client.
    pub max_payload: u64,
    /// `connect_timeout` (45 s): how long a client may take to join a namespace.
    pub connect_timeout: Duration,
    /// `upgrade_timeout` (10 s): how long an upgrade to WebSocket may take.
    pub upgrade_timeout: Duration,
    /// `transports` (both)
    pub transports: Transports,
    /// `allow_upgrades` (true): from polling to WebSocket.
    pub allow_upgrades: bool,
    /// `cookie`: name of a cookie with the transport's session id, for balancers that stick to one; none is
    /// set without it.
    pub cookie: Option<String>,
    /// `compression_threshold` (1 KiB; `None` for `false`): polling answers from this size on are
    /// compressed for clients that can read it. WebSocket messages never are.
    pub compression_threshold: Option<u64>,
    /// `max_outgoing` (8 MiB): bytes that may wait for one client; beyond it its connection is closed.
    pub max_outgoing: u64,
    /// `max_in_flight` (1000): requests of one client that run at once; above it the host reads no further.
    pub max_in_flight: u32,
    /// `max_connections` (50 000): the next client is refused.
    pub max_connections: u32,
    /// `max_rooms_per_session` (50; `None` for `false`): beyond it the oldest room is left.
    pub max_rooms_per_session: Option<u32>,
    /// `location_provider_enabled` (false): whether `updateLocation` is heeded (§2.8).
    pub location_provider_enabled: bool,
    /// `redis_prefix` (`socket.io`): beginning of the adapter's channels (Appendix B).
    pub redis_prefix: String,
    /// `cluster_timeout` (5 s): how long the other hosts may take to answer a question.
    pub cluster_timeout: Duration,
}

/// Ways for a client to be connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transports {
    /// Long polling.
    pub polling: bool,
    /// WebSocket.
    pub websocket: bool,
}

/// `[sync]` (§4)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncConfig {
    /// `allow_client_receiver_all` (false): whether a client may send to everybody.
    pub allow_client_receiver_all: bool,
    /// `require_room_membership` (true): whether a client may send only to rooms it is in.
    pub require_room_membership: bool,
    /// `fanout_yield_every` (100): recipients of a fanout with a client half or a hook for each, before it
    /// lets others work.
    pub fanout_yield_every: u32,
    /// `fanout_yield` (1 ms): for how long; 0 only gives its turn away.
    pub fanout_yield: Duration,
}

/// `[presence]` (§8)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresenceConfig {
    /// `enabled` (false; the original's `socketActivityBroadcaster`)
    pub enabled: bool,
    /// `grace_tab_switch` (20 s): from `intentionalDisconnect` to `userLeft`.
    pub grace_tab_switch: Duration,
    /// `grace_transport` (60 s): after `transport close` and `transport error`.
    pub grace_transport: Duration,
    /// `grace_other` (2 s): after any other reason but `ping timeout`, which is ignored.
    pub grace_other: Duration,
    /// `afk_timeout` (5 min): without activity, to `userAfk`.
    pub afk_timeout: Duration,
    /// `afk_interval` (15 s): how often that is looked at.
    pub afk_interval: Duration,
    /// `afk_refractory` (60 s): how long a socket and a session are not told of again.
    pub afk_refractory: Duration,
}

impl Default for SocketConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            path: "/socket.io/".to_owned(),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            max_payload: 5 << 20,
            connect_timeout: Duration::from_secs(45),
            upgrade_timeout: Duration::from_secs(10),
            transports: Transports { polling: true, websocket: true },
            allow_upgrades: true,
            cookie: None,
            compression_threshold: Some(1 << 10),
            max_outgoing: 8 << 20,
            max_in_flight: 1000,
            max_connections: 50_000,
            max_rooms_per_session: Some(50),
            location_provider_enabled: false,
            redis_prefix: "socket.io".to_owned(),
            cluster_timeout: Duration::from_secs(5),
        }
    }
}

impl Default for SyncConfig {
    fn default() -> Self {
        Self {
            allow_client_receiver_all: false,
            require_room_membership: true,
            fanout_yield_every: 100,
            fanout_yield: Duration::from_millis(1),
        }
    }
}

impl Default for PresenceConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            grace_tab_switch: Duration::from_secs(20),
            grace_transport: Duration::from_secs(60),
            grace_other: Duration::from_secs(2),
            afk_timeout: Duration::from_secs(300),
            afk_interval: Duration::from_secs(15),
            afk_refractory: Duration::from_secs(60),
        }
    }
}
