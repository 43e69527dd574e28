//! Who the client is: its address in one spelling (wire protocol §3.3).
//!
//! The address is the key of rate limits, so every spelling of one address must become the same
//! text, and nothing but an address may come out: a forwarded entry that is not one is passed over.
//! A TCP peer always has an address, so the protocol's `unknown` never occurs here.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::{HeaderMap, HeaderName};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// How far the headers of a reverse proxy are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProxyTrust {
    /// The peer of the connection is the client.
    None,
    /// The client is the n-th entry of `X-Forwarded-For`, counted from the right, n ≥ 1.
    Hops(usize),
}

/// The text of a peer address: without zone, IPv4-mapped IPv6 as IPv4.
pub(crate) fn peer_ip(peer: SocketAddr) -> Arc<str> {
    Arc::from(peer.ip().to_canonical().to_string())
}

/// The client's address of one request; `peer` when no believed header names one.
pub(crate) fn client_ip(trust: ProxyTrust, headers: &HeaderMap, peer: &Arc<str>) -> Arc<str> {
    let ProxyTrust::Hops(hops) = trust else { return Arc::clone(peer) };
    forwarded(headers, hops.max(1))
        .or_else(|| headers.get(X_REAL_IP).and_then(|value| value.to_str().ok()).and_then(parse))
        .map_or_else(|| Arc::clone(peer), |ip| Arc::from(ip.to_string()))
}

/// The entry `hops` from the right; the leftmost when there are fewer.
fn forwarded(headers: &HeaderMap, hops: usize) -> Option<IpAddr> {
    let lines = headers.get_all(X_FORWARDED_FOR).iter().rev().filter_map(|value| value.to_str().ok());
    let from_right = lines.flat_map(|line| line.rsplit(',')).map(str::trim).filter(|entry| !entry.is_empty());
    from_right.take(hops).last().and_then(parse)
}

/// Reads an address as proxies write it: with a zone, in brackets, or with a port.
fn parse(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    if let Ok(with_port) = entry.parse::<SocketAddr>() {
        return Some(with_port.ip().to_canonical());
    }
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let without_zone = bare.split_once('%').map_or(bare, |(address, _)| address);
    without_zone.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        map
    }

    #[test]
    fn the_client_address_follows_the_trusted_hops() {
        use ProxyTrust::{Hops, None};
        type Case = (ProxyTrust, &'static [(&'static str, &'static str)], &'static str);
        let cases: &[Case] = &[
            (None, &[("x-forwarded-for", "1.1.1.1"), ("x-real-ip", "2.2.2.2")], "9.9.9.9"),
            (Hops(1), &[("x-forwarded-for", "1.1.1.1, 2.2.2.2")], "2.2.2.2"),
            (Hops(2), &[("x-forwarded-for", "1.1.1.1, 2.2.2.2")], "1.1.1.1"),
            (Hops(9), &[("x-forwarded-for", "1.1.1.1, 2.2.2.2")], "1.1.1.1"),
            (Hops(0), &[("x-forwarded-for", "1.1.1.1, 2.2.2.2")], "2.2.2.2"),
            (Hops(2), &[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2,,")], "1.1.1.1"),
            (Hops(1), &[("x-forwarded-for", "::FFFF:1.2.3.4")], "1.2.3.4"),
            (Hops(1), &[("x-forwarded-for", "FE80::1%eth0")], "fe80::1"),
            (Hops(1), &[("x-forwarded-for", "[2001:DB8::1]:443")], "2001:db8::1"),
            (Hops(1), &[("x-forwarded-for", "1.2.3.4:5678")], "1.2.3.4"),
            (Hops(1), &[("x-forwarded-for", "not an address"), ("x-real-ip", "3.3.3.3")], "3.3.3.3"),
            (Hops(1), &[("x-forwarded-for", " , "), ("x-real-ip", "junk")], "9.9.9.9"),
            (Hops(1), &[], "9.9.9.9"),
        ];
        let peer: Arc<str> = Arc::from("9.9.9.9");
        for (trust, pairs, expected) in cases {
            assert_eq!(&*client_ip(*trust, &headers(pairs), &peer), *expected, "{trust:?} {pairs:?}");
        }
    }

    #[test]
    fn a_peer_has_one_spelling() {
        for (peer, expected) in [
            ("127.0.0.1:1", "127.0.0.1"),
            ("[::ffff:10.0.0.1]:1", "10.0.0.1"),
            ("[2001:DB8::A]:1", "2001:db8::a"),
            ("[fe80::1%3]:1", "fe80::1"),
        ] {
            assert_eq!(&*peer_ip(peer.parse().unwrap()), expected);
        }
    }

    proptest! {
        #[test]
        fn forwarded_headers_give_an_address_or_the_peer(
            values in proptest::collection::vec("[ -~]{0,40}", 0..4), hops in 0usize..6,
        ) {
            let mut map = HeaderMap::new();
            for value in &values {
                map.append(X_FORWARDED_FOR, HeaderValue::from_str(value).unwrap());
            }
            let peer: Arc<str> = Arc::from("peer");
            let ip = client_ip(ProxyTrust::Hops(hops), &map, &peer);
            prop_assert!(&*ip == "peer" || ip.parse::<IpAddr>().is_ok());
        }
    }
}
