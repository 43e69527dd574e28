//! Reads the sections for sockets.

use std::time::Duration;

use super::{PresenceConfig, SocketConfig, SyncConfig, Transports};
use crate::document::Node;
use crate::reader::{Reader, Wrong, boolean, duration, integer, limit, list, size, token, word};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

impl SocketConfig {
    pub(in crate::project) fn read(&mut self, r: &mut Reader<'_, '_>) {
        r.set("enabled", &mut self.enabled, boolean);
        r.set("path", &mut self.path, path);
        r.set("ping_interval", &mut self.ping_interval, duration(MILLISECOND..=HOUR));
        r.set("ping_timeout", &mut self.ping_timeout, duration(MILLISECOND..=HOUR));
        r.set("max_payload", &mut self.max_payload, size(1 << 10..=1 << 30));
        r.set("connect_timeout", &mut self.connect_timeout, duration(MILLISECOND..=HOUR));
        r.set("upgrade_timeout", &mut self.upgrade_timeout, duration(MILLISECOND..=HOUR));
        r.set("allow_upgrades", &mut self.allow_upgrades, boolean);
        if let Some(named) = r.get("transports", list(transport)) {
            let of = |name: &str| named.iter().any(|named| named == name);
            let transports = Transports { polling: of("polling"), websocket: of("websocket") };
            match transports.polling || transports.websocket {
                true => self.transports = transports,
                false => no_transport(r),
            }
        }
        self.cookie = r.get("cookie", token);
        r.set("compression_threshold", &mut self.compression_threshold, threshold);
        r.set("max_outgoing", &mut self.max_outgoing, size(64 << 10..=1 << 30));
        r.set("max_in_flight", &mut self.max_in_flight, integer(1..=1_000_000));
        r.set("max_connections", &mut self.max_connections, integer(1..=10_000_000));
        r.set("max_rooms_per_session", &mut self.max_rooms_per_session, limit(1..=1_000_000));
        r.set("location_provider_enabled", &mut self.location_provider_enabled, boolean);
        r.set("redis_prefix", &mut self.redis_prefix, word);
        r.set("cluster_timeout", &mut self.cluster_timeout, duration(10 * MILLISECOND..=HOUR));
    }
}

impl SyncConfig {
    pub(in crate::project) fn read(&mut self, r: &mut Reader<'_, '_>) {
        r.set("allow_client_receiver_all", &mut self.allow_client_receiver_all, boolean);
        r.set("require_room_membership", &mut self.require_room_membership, boolean);
        r.set("fanout_yield_every", &mut self.fanout_yield_every, integer(1..=1_000_000));
        r.set("fanout_yield", &mut self.fanout_yield, duration(Duration::ZERO..=SECOND));
    }
}

impl PresenceConfig {
    pub(in crate::project) fn read(&mut self, r: &mut Reader<'_, '_>) {
        r.set("enabled", &mut self.enabled, boolean);
        r.set("grace_tab_switch", &mut self.grace_tab_switch, duration(MILLISECOND..=DAY));
        r.set("grace_transport", &mut self.grace_transport, duration(MILLISECOND..=DAY));
        r.set("grace_other", &mut self.grace_other, duration(MILLISECOND..=DAY));
        r.set("afk_timeout", &mut self.afk_timeout, duration(MILLISECOND..=DAY));
        r.set("afk_interval", &mut self.afk_interval, duration(MILLISECOND..=DAY));
        r.set("afk_refractory", &mut self.afk_refractory, duration(MILLISECOND..=DAY));
    }
}

fn no_transport(r: &mut Reader<'_, '_>) {
    let Some(at) = r.place("transports").cloned() else { return };
    let key = r.path_of("transports");
    r.findings.push(
        at.error(
            "invalid-value",
            format!("`{key}` is empty: nobody could connect"),
            "name \"polling\", \"websocket\" or both, or write enabled = false",
        )
        .key(key),
    );
}

fn transport(node: &Node) -> Result<String, Wrong> {
    let name = word(node)?;
    if name == "polling" || name == "websocket" {
        return Ok(name);
    }
    Err(Wrong::value(format!("cannot be `{name}`"), "name \"polling\", \"websocket\" or both"))
}

/// A path of one's own, with a slash at either end.
fn path(node: &Node) -> Result<String, Wrong> {
    let written = word(node)?;
    let inner = written.trim_matches('/');
    let plain = !inner.is_empty()
        && written.starts_with('/')
        && inner.bytes().all(|b| b.is_ascii_graphic() && !b"?#%\\".contains(&b))
        && !inner.contains("//");
    if !plain {
        return Err(Wrong::value("is no path", "write a plain path such as \"/socket.io/\""));
    }
    let first = inner.split('/').next().unwrap_or_default();
    if ["api", "sync", "auth", "uploads"].contains(&first) {
        return Err(Wrong::value(
            "would hide routes of the framework",
            "write a path such as \"/socket.io/\"",
        ));
    }
    Ok(format!("/{inner}/"))
}

/// A size, or `false` for never.
fn threshold(node: &Node) -> Result<Option<u64>, Wrong> {
    match boolean(node) {
        Ok(false) => Ok(None),
        _ => size(1..=1 << 30)(node).map(Some),
    }
}
