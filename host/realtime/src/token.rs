//! Which session a socket belongs to (wire protocol §2.2, §5.4): decided once, when it connects.

use std::borrow::Cow;

use http::header::COOKIE;
use luckystack_pipeline::json::object_members;
use luckystack_sessions::cookie;
use luckystack_socketio::Handshake;
use serde_json::Value;

use crate::rules::Rules;

/// The token that a socket of this host presents.
pub(crate) fn of_handshake(rules: &Rules, handshake: &Handshake) -> Option<String> {
    let auth = || {
        let members = object_members(&handshake.auth).ok()?;
        Some(members.get("token")?.as_str()?.into_owned())
    };
    choose(rules, auth, || cookie::find(handshake.header(&COOKIE), &rules.cookie))
}

/// The token that a socket of another host presented there.
pub(crate) fn of_remote(rules: &Rules, handshake: &Value) -> Option<String> {
    let auth = || handshake["auth"]["token"].as_str().map(str::to_owned);
    choose(rules, auth, || cookie::find(handshake["headers"]["cookie"].as_str(), &rules.cookie))
}

/// An empty token means nobody; in token mode also where a cookie would say otherwise.
fn choose<'h>(
    rules: &Rules,
    auth: impl FnOnce() -> Option<String>,
    cookie: impl FnOnce() -> Option<Cow<'h, str>>,
) -> Option<String> {
    let cookie = || cookie().map(Cow::into_owned);
    let token = match (rules.token_mode, rules.accepts_bearer) {
        (true, _) => auth().or_else(cookie),
        (false, true) => cookie().or_else(auth),
        (false, false) => cookie(),
    };
    token.filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use luckystack_topology::ProjectConfig;
    use serde_json::json;

    use super::*;

    fn rules(token_mode: bool, accepts_bearer: bool) -> Rules {
        Rules {
            token_mode,
            accepts_bearer,
            ..Rules::new(&ProjectConfig::defaults(Path::new("."), Path::new(".")))
        }
    }

    #[test]
    fn the_token_is_taken_from_where_the_mode_says() {
        let both = json!({ "auth": { "token": "a" }, "headers": { "cookie": "x=1; token=c%20d" } });
        let auth = json!({ "auth": { "token": "a" }, "headers": {} });
        let cookie = json!({ "auth": {}, "headers": { "cookie": "token=c" } });
        let empty = json!({ "auth": { "token": "" }, "headers": { "cookie": "token=c" } });
        let number = json!({ "auth": { "token": 7 }, "headers": { "cookie": "token=c" } });
        let nothing = json!({});
        for (token_mode, accepts_bearer, handshake, token) in [
            (true, false, &both, Some("a")),
            (true, false, &auth, Some("a")),
            (true, false, &cookie, Some("c")),
            (true, false, &empty, None),
            (true, false, &number, Some("c")),
            (true, false, &nothing, None),
            (false, false, &both, Some("c d")),
            (false, false, &auth, None),
            (false, false, &cookie, Some("c")),
            (false, true, &both, Some("c d")),
            (false, true, &auth, Some("a")),
            (false, true, &empty, Some("c")),
            (false, true, &nothing, None),
        ] {
            let found = of_remote(&rules(token_mode, accepts_bearer), handshake);
            assert_eq!(found.as_deref(), token, "{token_mode} {accepts_bearer} {handshake}");
        }
    }
}
