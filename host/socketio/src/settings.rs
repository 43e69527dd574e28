//! How the transport behaves (`[socket]` of a project's configuration).

use std::time::Duration;

/// Settings of an [`Io`](crate::Io); defaults are socket.io's where it has one.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Beginning and end with a slash.
    pub path: String,
    /// The server's first ping comes after it.
    pub ping_interval: Duration,
    /// How long a ping may wait for its pong.
    pub ping_timeout: Duration,
    /// Bytes of the largest message of a client.
    pub max_payload: usize,
    /// How long a client may take to join a namespace.
    pub connect_timeout: Duration,
    /// How long an upgrade to WebSocket may take.
    pub upgrade_timeout: Duration,
    /// Whether clients may poll.
    pub polling: bool,
    /// Whether clients may use WebSocket.
    pub websocket: bool,
    /// Whether polling clients may change to WebSocket.
    pub allow_upgrades: bool,
    /// Name of a cookie with the transport's session id.
    pub cookie: Option<String>,
    /// Polling answers of so many bytes are compressed.
    pub compression_threshold: Option<usize>,
    /// Bytes that may wait for one client.
    pub max_outgoing: usize,
    /// Events of one client whose futures run at once; above it nothing more is read from it.
    pub max_in_flight: usize,
    /// Clients at once.
    pub max_connections: usize,
    /// Methods that preflights are told of.
    pub cors_methods: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            path: "/socket.io/".to_owned(),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            max_payload: 5 << 20,
            connect_timeout: Duration::from_secs(45),
            upgrade_timeout: Duration::from_secs(10),
            polling: true,
            websocket: true,
            allow_upgrades: true,
            cookie: None,
            compression_threshold: Some(1 << 10),
            max_outgoing: 8 << 20,
            max_in_flight: 1000,
            max_connections: 50_000,
            cors_methods: "GET,POST,PUT,DELETE,OPTIONS".to_owned(),
        }
    }
}
