//! What a service may reach outside of its sandbox, parsed and ready to be asked.
//!
//! The rule: nothing is granted by accident. A pattern grants public addresses only; a private or
//! loopback address is reachable only where it is named literally, so that no name that someone
//! else controls can be pointed at the inside of the network.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Host;

use crate::reader::Wrong;

#[cfg(test)]
mod tests;

/// Everything beyond clocks, randomness, logging and configuration that a service was given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants {
    /// Outbound HTTP, by host.
    pub http: Vec<HttpGrant>,
    /// A key-value store of the service's own.
    pub keyvalue: Option<KeyValueGrant>,
    /// `sessions`: reading, changing and ending sessions of other users than the caller.
    pub sessions: bool,
    /// `accounts`: changing user records, passwords and e-mail addresses.
    pub accounts: bool,
    /// `uploads`: putting files up below `/uploads`.
    pub uploads: bool,
}

/// One entry of the outbound allow-list: `api.example.com`, `*.example.org:8443`,
/// `http://127.0.0.1:9000`, `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpGrant {
    /// Only this scheme; both when absent.
    pub scheme: Option<HttpScheme>,
    /// Which hosts.
    pub host: HostPattern,
    /// Only this port; the default port of the request's scheme when absent.
    pub port: Option<u16>,
}

/// The scheme of an outbound request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HttpScheme {
    /// `http`
    Http,
    /// `https`
    Https,
}

/// Which hosts a grant covers. Names are lower case and in their ASCII form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// This name.
    Exact(String),
    /// This address, private or not.
    Address(IpAddr),
    /// Every name below this one, but not the name itself: `*.example.org`.
    Suffix(String),
    /// Every public host: `*`.
    AnyPublic,
}

/// Bounds of a service's key-value store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyValueGrant {
    /// Largest value. Default 1 MiB: the size of the largest input that a call may bring, so that
    /// whatever arrived can be kept, and no more.
    pub max_value: u64,
    /// Largest sum of keys and values. Default 64 MiB, as much as one instance's memory: a service
    /// that keeps more than it can hold wants a database.
    pub max_total: u64,
}

// ---------------------------------------------------------------------------------------------
// KeyValueGrant, HttpScheme

impl Default for KeyValueGrant {
    fn default() -> Self {
        Self { max_value: 1 << 20, max_total: 64 << 20 }
    }
}

impl HttpScheme {
    /// `"http"` or `"https"`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// 80 or 443.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

// ---------------------------------------------------------------------------------------------
// Grants

impl Grants {
    /// Whether some grant covers a request, before its name is resolved. `host` is as in a URL
    /// (an IPv6 address in brackets or not).
    #[must_use]
    pub fn allows_http(&self, scheme: HttpScheme, host: &str, port: u16) -> bool {
        self.http.iter().any(|grant| grant.matches(scheme, host, port))
    }

    /// Whether a covered request may connect to the address that its host resolved to. Ask this
    /// for the very address that is then connected to; a name may resolve differently next time.
    #[must_use]
    pub fn allows_http_address(&self, scheme: HttpScheme, host: &str, port: u16, address: IpAddr) -> bool {
        let address = unmapped(address);
        self.http
            .iter()
            .filter(|grant| grant.matches(scheme, host, port))
            .any(|grant| is_public_address(address) || grant.names_literally(address))
    }
}

// ---------------------------------------------------------------------------------------------
// HttpGrant

impl HttpGrant {
    /// Whether this grant covers a request, before its name is resolved.
    #[must_use]
    pub fn matches(&self, scheme: HttpScheme, host: &str, port: u16) -> bool {
        if self.scheme.is_some_and(|mine| mine != scheme) {
            return false;
        }
        if port != self.port.unwrap_or(scheme.default_port()) {
            return false;
        }
        match (&self.host, normal_host(host)) {
            (_, None) => false,
            (HostPattern::Exact(mine), Some(Host::Domain(host))) => *mine == host,
            (HostPattern::Suffix(mine), Some(Host::Domain(host))) => {
                host.strip_suffix(mine.as_str()).is_some_and(|start| start.ends_with('.') && start.len() > 1)
            }
            (HostPattern::AnyPublic, Some(Host::Domain(_))) => true,
            (HostPattern::Address(mine), Some(host)) => address_of(&host) == Some(*mine),
            (HostPattern::AnyPublic, Some(host)) => address_of(&host).is_some_and(is_public_address),
            (HostPattern::Exact(_) | HostPattern::Suffix(_), Some(_)) => false,
        }
    }

    /// Whether this grant names `address` itself, which opens it even when it is private.
    fn names_literally(&self, address: IpAddr) -> bool {
        match &self.host {
            HostPattern::Address(mine) => *mine == address,
            HostPattern::Exact(name) => name == "localhost" && address.is_loopback(),
            HostPattern::Suffix(_) | HostPattern::AnyPublic => false,
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Wrong> {
        let wrong = |why: &str| {
            Wrong::value(
                format!("entry `{text}` {why}"),
                "write a host such as \"api.example.com\", \"*.example.org:8443\", \"http://127.0.0.1:9000\" or \"*\"",
            )
        };
        let (scheme, rest) = match text.split_once("://") {
            None => (None, text),
            Some(("http", rest)) => (Some(HttpScheme::Http), rest),
            Some(("https", rest)) => (Some(HttpScheme::Https), rest),
            Some(_) => return Err(wrong("has a scheme other than http and https")),
        };
        if rest.contains(['/', '?', '#', '\\']) {
            return Err(wrong("names a path; a grant covers whole hosts"));
        }
        if rest.contains('@') {
            return Err(wrong("holds credentials; those belong in the service's configuration"));
        }
        let (host, port) = split_port(rest).ok_or_else(|| wrong("has no valid port"))?;
        let host = match host.strip_prefix("*.") {
            _ if host == "*" => HostPattern::AnyPublic,
            Some(suffix) => match normal_host(suffix) {
                Some(Host::Domain(name)) => HostPattern::Suffix(name),
                _ => return Err(wrong("needs a name behind `*.`")),
            },
            None if host.contains('*') => return Err(wrong("may have its `*` only as the first label")),
            None => match normal_host(host) {
                Some(Host::Domain(name)) => HostPattern::Exact(name),
                Some(host) => {
                    address_of(&host).map(HostPattern::Address).ok_or_else(|| wrong("is no host"))?
                }
                None => return Err(wrong("is no host name or address")),
            },
        };
        Ok(Self { scheme, host, port })
    }
}

impl fmt::Display for HttpGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(scheme) = self.scheme {
            write!(f, "{}://", scheme.as_str())?;
        }
        match &self.host {
            HostPattern::Exact(name) => f.write_str(name)?,
            HostPattern::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
            HostPattern::Address(address) => write!(f, "{address}")?,
            HostPattern::Suffix(name) => write!(f, "*.{name}")?,
            HostPattern::AnyPublic => f.write_str("*")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

// ---------------------------------------------------------------------------------------------
// Hosts and addresses

/// Splits `host[:port]`; an IPv6 address keeps its brackets. `None` when the port is no port.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let name_end = if text.starts_with('[') { text.find(']')? + 1 } else { 0 };
    match text[name_end..].find(':') {
        None => Some((text, None)),
        Some(at) => {
            let (host, port) = text.split_at(name_end + at);
            let digits = &port[1..];
            // `parse` would take a sign, and nothing listens on port 0.
            let port = digits.parse().ok().filter(|port| *port != 0)?;
            digits.bytes().all(|b| b.is_ascii_digit()).then_some((host, Some(port)))
        }
    }
}

/// The one spelling of a host: lower case, ASCII, no trailing dot, numbers as addresses.
fn normal_host(host: &str) -> Option<Host<String>> {
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.is_empty() || host.ends_with('.') {
        return None;
    }
    if let Ok(address) = host.parse::<Ipv6Addr>() {
        return Some(Host::Ipv6(address));
    }
    match Host::parse(host).ok()? {
        // The URL standard lets a few more characters pass than a name can have.
        Host::Domain(name)
            if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')) =>
        {
            None
        }
        host => Some(host),
    }
}

fn address_of(host: &Host<String>) -> Option<IpAddr> {
    match host {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(IpAddr::V4(*address)),
        Host::Ipv6(address) => Some(unmapped(IpAddr::V6(*address))),
    }
}

/// An IPv4 address dressed as IPv6 (`::ffff:10.0.0.1`) is that IPv4 address.
fn unmapped(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// Whether an address belongs to the public internet: not private, loopback, link-local, shared,
/// multicast, documentation, benchmarking, reserved, nor a translation of such an IPv4 address.
#[must_use]
pub fn is_public_address(address: IpAddr) -> bool {
    match unmapped(address) {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a >= 240
        // Shared address space of carriers (RFC 6598), protocol assignments, benchmarking, 6to4 relays.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19))
        || (a == 192 && b == 88 && c == 99))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let s = address.segments();
    let embedded = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    // Translated and tunnelled IPv4 is as public as the address inside.
    if s[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        return is_public_v4(embedded(s[6], s[7]));
    }
    if s[0] == 0x2002 {
        return is_public_v4(embedded(s[1], s[2]));
    }
    // Global unicast is 2000::/3; of it, 2001::/23 (assignments, Teredo among them) and the two
    // documentation prefixes are not the public internet.
    (s[0] & 0xe000) == 0x2000
        && !(s[0] == 0x2001 && s[1] < 0x200)
        && !(s[0] == 0x2001 && s[1] == 0xdb8)
        && !(s[0] == 0x3fff && s[1] < 0x1000)
}
