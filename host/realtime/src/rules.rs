//! What follows from the project's configuration.

use luckystack_socketio::Settings;
use luckystack_topology::{ProjectConfig, SocketConfig};

/// What may change while the host runs; swapped as one.
#[derive(Debug)]
pub(crate) struct Rules {
    /// Sessions travel in `auth.token` (§2.2); in cookies otherwise.
    pub(crate) token_mode: bool,
    /// In cookie mode `auth.token` counts where there is no cookie.
    pub(crate) accepts_bearer: bool,
    /// Name of the session cookie.
    pub(crate) cookie: String,
    /// Rooms that a session may have; the oldest is left beyond them.
    pub(crate) max_rooms: Option<usize>,
    /// Whether `updateLocation` is heeded.
    pub(crate) locations: bool,
}

impl Rules {
    pub(crate) fn new(project: &ProjectConfig) -> Rules {
        let cookie = &project.http.cookie;
        Rules {
            token_mode: project.session.based_token,
            accepts_bearer: cookie.accept_bearer,
            cookie: cookie.name.clone(),
            max_rooms: project.socket.max_rooms_per_session.map(size),
            locations: project.socket.location_provider_enabled,
        }
    }
}

/// How the transport is opened.
pub(crate) fn transport(config: &SocketConfig) -> Settings {
    Settings {
        path: config.path.clone(),
        ping_interval: config.ping_interval,
        ping_timeout: config.ping_timeout,
        max_payload: bytes(config.max_payload),
        connect_timeout: config.connect_timeout,
        upgrade_timeout: config.upgrade_timeout,
        polling: config.transports.polling,
        websocket: config.transports.websocket,
        allow_upgrades: config.allow_upgrades,
        cookie: config.cookie.clone(),
        compression_threshold: config.compression_threshold.map(bytes),
        max_outgoing: bytes(config.max_outgoing),
        max_in_flight: size(config.max_in_flight),
        max_connections: size(config.max_connections),
        ..Settings::default()
    }
}

fn bytes(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
