//! The origin gate (wire protocol §5.8): which pages may talk to this host.
//!
//! One spelling per origin (lower-case `scheme://host[:port]`, default ports removed) is compared
//! with the own address, the configured list and, where allowed, the loopback names. What has an
//! origin that cannot be read, `null` included, is a stranger and is refused whatever its method.

use std::borrow::Cow;
use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

use http::header::{ORIGIN, REFERER};
use http::{HeaderMap, HeaderValue, Method};

/// Where requests may come from.
#[derive(Debug)]
pub(crate) struct OriginPolicy {
    allowed: HashSet<Box<str>>,
    configured: Vec<String>,
    allow_localhost: bool,
    exempt: Vec<String>,
}

/// What the gate says about one request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It may pass; the value is what `Access-Control-Allow-Origin` says, `None` for empty.
    Pass(Option<HeaderValue>),
    /// It is refused.
    Refuse(Refusal),
}

/// Why the gate refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A request that changes something, and nobody says from where.
    NoOrigin,
    /// An origin that is not on the list, or is none.
    NotAllowed,
}

impl Refusal {
    /// The `reason` of the hook `corsRejected`.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::NoOrigin => "missing-origin",
            Self::NotAllowed => "origin-not-allowed",
        }
    }
}

impl OriginPolicy {
    /// `bound` is the address with its real port, `host` what the configuration calls it. A host bound
    /// to loopback or to every address is reached by every spelling of loopback, so all of them are
    /// its own address.
    pub(crate) fn new(
        bound: SocketAddr,
        host: &str,
        configured: &[String],
        allow_localhost: bool,
        exempt: &[String],
    ) -> Self {
        let port = bound.port();
        let mut hosts = vec![host_text(bound.ip().to_canonical())];
        if bound.ip().to_canonical().is_loopback() || bound.ip().is_unspecified() {
            hosts.extend(["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()]);
        }
        if host.parse::<IpAddr>().is_err() {
            hosts.push(host.to_owned());
        }
        let own =
            hosts.iter().flat_map(|host| ["http", "https"].map(|scheme| format!("{scheme}://{host}:{port}")));
        let allowed = own
            .chain(configured.iter().cloned())
            .map(|origin| match normalise(origin.trim()) {
                Some(normal) => Box::from(&*normal),
                // `null`, written down on purpose.
                None => origin.trim().into(),
            })
            .collect();
        Self { allowed, configured: configured.to_vec(), allow_localhost, exempt: exempt.to_vec() }
    }

    /// The configured list, for the hook `corsRejected`.
    pub(crate) fn configured(&self) -> &[String] {
        &self.configured
    }

    /// Whether loopback names pass, for the hook `corsRejected`.
    pub(crate) fn allow_localhost(&self) -> bool {
        self.allow_localhost
    }

    /// Whether pages of this origin may call.
    pub(crate) fn allows(&self, origin: &str) -> bool {
        normalise(origin).is_some_and(|normal| {
            self.allowed.contains(&*normal) || (self.allow_localhost && is_localhost(&normal))
        })
    }

    /// Judges one request by its decoded path.
    pub(crate) fn judge(&self, method: &Method, path: &str, headers: &HeaderMap) -> Verdict {
        if self.exempt.iter().any(|prefix| is_under(path, prefix)) {
            return Verdict::Pass(None);
        }
        let Some(value) = claimed(headers) else {
            let safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
            return if safe { Verdict::Pass(None) } else { Verdict::Refuse(Refusal::NoOrigin) };
        };
        let Ok(text) = value.to_str() else { return Verdict::Refuse(Refusal::NotAllowed) };
        let normal = normalise(text);
        let allowed = match &normal {
            Some(normal) => {
                self.allowed.contains(&**normal) || (self.allow_localhost && is_localhost(normal))
            }
            None => self.allowed.contains(text),
        };
        if !allowed {
            return Verdict::Refuse(Refusal::NotAllowed);
        }
        match normal {
            Some(Cow::Owned(normal)) => Verdict::Pass(HeaderValue::try_from(normal).ok()),
            // Already in its one spelling: shared with the request's buffer.
            Some(Cow::Borrowed(same)) if same.len() < text.len() => {
                Verdict::Pass(HeaderValue::from_str(same).ok())
            }
            _ => Verdict::Pass(Some(value.clone())),
        }
    }
}

/// The header that says where the request comes from: `Origin`, else `Referer`; empty is absent.
fn claimed(headers: &HeaderMap) -> Option<&HeaderValue> {
    let present = |name| headers.get(name).filter(|value: &&HeaderValue| !value.is_empty());
    present(ORIGIN).or_else(|| present(REFERER))
}

/// The raw text of the claimed origin, for the hook `corsRejected`.
pub(crate) fn claimed_text(headers: &HeaderMap) -> Option<&str> {
    claimed(headers).and_then(|value| value.to_str().ok())
}

/// Reduces a URL or origin to its one spelling; `None` when it is neither. Borrowed when the text
/// starts with that spelling.
pub(crate) fn normalise(text: &str) -> Option<Cow<'_, str>> {
    let scheme_end = text.find("://")?;
    let scheme = &text[..scheme_end];
    let authority_start = scheme_end + 3;
    let authority_len =
        text[authority_start..].find(['/', '?', '#', '\\']).unwrap_or(text.len() - authority_start);
    let end = authority_start + authority_len;
    let authority = &text[authority_start..end];
    let (host, port) = split_port(authority)?;
    let scheme_ok = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    if !scheme_ok || !is_host(host) {
        return None;
    }
    let default = match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    };
    let drop_port = port.is_some() && port == default;
    let port_len = authority.len() - host.len();
    let canonical_port = match port {
        Some(port) => !drop_port && port_len == 1 + decimal_len(port),
        None => port_len == 0,
    };
    let clean = canonical_port && !text[..end].bytes().any(|byte| byte.is_ascii_uppercase());
    if clean {
        return Some(Cow::Borrowed(&text[..end]));
    }
    let mut normal = format!("{scheme}://{host}").to_ascii_lowercase();
    if let Some(port) = port.filter(|_| !drop_port) {
        normal.push_str(&format!(":{port}"));
    }
    Some(Cow::Owned(normal))
}

fn decimal_len(port: u16) -> usize {
    port.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// Host and port of an authority; brackets stay with the host. An empty port is no port.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let host_end = match authority.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at(host_end);
    match rest.strip_prefix(':') {
        None if rest.is_empty() => Some((host, None)),
        None => None,
        Some("") => Some((host, None)),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some((host, Some(digits.parse().ok()?)))
        }
        Some(_) => None,
    }
}

/// A registered name, an IPv4 address or a bracketed IPv6 address. User information, escapes and
/// anything beyond ASCII never occur in an origin and are refused.
fn is_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<std::net::Ipv6Addr>().is_ok();
    }
    !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

fn is_localhost(normal: &str) -> bool {
    let Some((_, authority)) = normal.split_once("://") else { return false };
    matches!(split_port(authority), Some(("localhost" | "127.0.0.1" | "[::1]", _)))
}

fn host_text(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// Whether `path` is `prefix` or lies below it, by whole segments.
fn is_under(path: &str, prefix: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests;
