//! `deploy.toml`: where services run and what hosts share (wire protocol §7.5), in TOML's spelling.
//!
//! The rule: this module says what was written; whether it makes sense together with the presets
//! and the services on disk is the business of [`validate`](crate::validate). A project without
//! the file runs on one host and needs none of it.

mod read;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::finding::Place;

/// Everything in `deploy.toml`.
#[derive(Debug, Clone)]
pub struct Deploy {
    /// The file.
    pub file: PathBuf,
    /// `[resources.KEY]`
    pub resources: BTreeMap<String, Resource>,
    /// `[environments.ENV]`
    pub environments: BTreeMap<String, Environment>,
    /// `[routing]`
    pub routing: Routing,
    /// `[development]`
    pub development: Development,
    /// `[custom_routes]`
    pub custom_routes: Vec<CustomRoute>,
    /// Where each key stands, by its dotted path.
    pub(crate) places: BTreeMap<String, Place>,
}

/// A server that hosts share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// `type`
    pub kind: ResourceKind,
    /// `url_env_key`: the variable that holds its URL, so that no file holds a password.
    pub url_env_key: String,
    /// `synchronized_env_keys`: variables that must be equal on all hosts which share it.
    pub synchronized_env_keys: Vec<String>,
}

/// What a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResourceKind {
    /// `redis`
    Redis,
    /// `mongo`
    Mongo,
}

/// A set of hosts that serve together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment {
    /// `redis`: key of a resource. Without one every host is on its own.
    pub redis: Option<String>,
    /// `mongo`: key of a resource.
    pub mongo: Option<String>,
    /// `fallback`: the environment that serves what this one does not.
    pub fallback: Option<String>,
    /// `bindings`: service to `http://host:port`.
    pub bindings: BTreeMap<String, String>,
}

/// `[routing]`, what the router does (§7). Defaults are those of §7.1 to §7.5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routing {
    /// `missing_service_error_code` (`serviceNotAssigned`)
    pub missing_service_error_code: String,
    /// `enable_unhealthy_fallback` (true): an unhealthy binding gives way to the fallback.
    pub enable_unhealthy_fallback: bool,
    /// `strict_boot_handshake` (true): a fallback that does not share this Redis stops the router,
    /// because it would mix the sessions of two systems.
    pub strict_boot_handshake: bool,
    /// `verify_synchronized_env` (true): compare the hashes of synchronised variables.
    pub verify_synchronized_env: bool,
    /// `default_router_port` (4000)
    pub default_router_port: u16,
    /// `default_health_poll` (5 s)
    pub default_health_poll: Duration,
    /// `health_probe_timeout` (3 s)
    pub health_probe_timeout: Duration,
    /// `boot_key_ttl` (1 h)
    pub boot_key_ttl: Duration,
    /// `upstream_timeout` (30 s)
    pub upstream_timeout: Duration,
    /// `websocket_service` (`system`): who gets `/socket.io`.
    pub websocket_service: String,
    /// `trusted_proxy_cidrs`: peers that may say `x-forwarded-proto: https`.
    pub trusted_proxy_cidrs: Vec<Cidr>,
    /// `max_request_body_bytes` (100 MiB)
    pub max_request_body_bytes: u64,
    /// `ws_max_head_bytes` (64 KiB)
    pub ws_max_head_bytes: u64,
    /// `ws_idle_timeout` (120 s)
    pub ws_idle_timeout: Duration,
    /// `ws_max_bytes_per_connection` (100 MiB), per direction.
    pub ws_max_bytes_per_connection: u64,
    /// `health_store_ttl` (60 s)
    pub health_store_ttl: Duration,
}

/// `[development]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Development {
    /// `enable_fallback_routing` (false): poll bindings and fall back from those that are down.
    pub enable_fallback_routing: bool,
    /// `health_poll` (`routing.default_health_poll`)
    pub health_poll: Duration,
}

/// One line of `[custom_routes]`: a path prefix and the service that answers below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomRoute {
    /// As written, `/auth`.
    pub prefix: String,
    /// Its service.
    pub service: String,
}

/// A block of addresses, `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    /// First address, as written.
    pub address: IpAddr,
    /// Length of the prefix in bits.
    pub prefix: u8,
}

// ---------------------------------------------------------------------------------------------

impl Default for Routing {
    fn default() -> Self {
        Self {
            missing_service_error_code: "serviceNotAssigned".to_owned(),
            enable_unhealthy_fallback: true,
            strict_boot_handshake: true,
            verify_synchronized_env: true,
            default_router_port: 4000,
            default_health_poll: Duration::from_secs(5),
            health_probe_timeout: Duration::from_secs(3),
            boot_key_ttl: Duration::from_secs(3600),
            upstream_timeout: Duration::from_secs(30),
            websocket_service: crate::names::SYSTEM.to_owned(),
            trusted_proxy_cidrs: Vec::new(),
            max_request_body_bytes: 100 << 20,
            ws_max_head_bytes: 64 << 10,
            ws_idle_timeout: Duration::from_secs(120),
            ws_max_bytes_per_connection: 100 << 20,
            health_store_ttl: Duration::from_secs(60),
        }
    }
}

impl ResourceKind {
    /// `"redis"` or `"mongo"`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Mongo => "mongo",
        }
    }
}

impl Deploy {
    pub(crate) fn place(&self, key: &str) -> Place {
        self.places.get(key).cloned().unwrap_or_else(|| Place::whole(&self.file))
    }
}

impl Cidr {
    /// Whether the block holds `address`; an IPv4 address dressed as IPv6 counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(mine), IpAddr::V4(other)) => {
                let shift = 32 - u32::from(self.prefix);
                (u32::from(mine) ^ u32::from(other)).checked_shr(shift).unwrap_or(0) == 0
            }
            (IpAddr::V6(mine), IpAddr::V6(other)) => {
                let shift = 128 - u32::from(self.prefix);
                (u128::from(mine) ^ u128::from(other)).checked_shr(shift).unwrap_or(0) == 0
            }
            _ => false,
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) if prefix.bytes().all(|b| b.is_ascii_digit()) => prefix.parse().ok()?,
            Some(_) => return None,
            None => bits,
        };
        (prefix <= bits).then_some(Self { address, prefix })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_hold_their_addresses() {
        for (block, address, held) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.1.1", true),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("0.0.0.0/0", "::1", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
            ("::/0", "fe80::1", true),
        ] {
            let block = Cidr::parse(block).expect(block);
            assert_eq!(block.contains(address.parse().expect(address)), held, "{block:?} {address}");
        }
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/+8", "host/8"] {
            assert_eq!(Cidr::parse(text), None, "{text}");
        }
    }
}
