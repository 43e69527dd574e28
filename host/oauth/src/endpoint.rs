//! Addresses that secrets may be sent to.
//!
//! The rule kept here: codes, secrets and tokens travel over TLS, except to this machine itself.

use url::{Host, Url};

/// Reads an endpoint's address: `https`, or `http` on a loopback host. The error says what is wrong and
/// does not repeat the address, which may hold a password.
pub(crate) fn endpoint(address: &str) -> Result<Url, String> {
    let url = Url::parse(address).map_err(|error| format!("is no address ({error})"))?;
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => {}
        ("http", Some(host)) if is_loopback(&host) => {}
        ("http", Some(_)) => return Err("must be https; http is for loopback hosts".to_owned()),
        _ => return Err("must begin with https://".to_owned()),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or a password".to_owned());
    }
    if url.fragment().is_some() {
        return Err("must not have a fragment (#…)".to_owned());
    }
    Ok(url)
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::endpoint;

    #[test]
    fn endpoints_are_https_or_on_this_machine() {
        for good in [
            "https://login.example.com/token?a=b",
            "http://127.0.0.1:9/token",
            "http://localhost/token",
            "http://[::1]:80/token",
        ] {
            assert!(endpoint(good).is_ok(), "{good}");
        }
        for bad in [
            "http://login.example.com/token",
            "http://127.0.0.1.example.com/token",
            "http://localhost.example.com/",
            "http://128.0.0.1/",
            "ftp://localhost/",
            "https://user:secret@example.com/",
            "https://user@example.com/",
            "https://example.com/#part",
            "data:text/plain,x",
            "/token",
            "",
        ] {
            assert!(endpoint(bad).is_err(), "{bad}");
        }
    }
}
