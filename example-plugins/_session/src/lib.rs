//! Who is signed in: `api/system/session/v1`, which a stock front-end asks first (wire protocol §10.6), and
//! `api/system/logout/v1`.

use luckystack::prelude::*;

/// The session of the caller without its secrets; null when nobody is signed in.
#[api(rate_limit = 60)]
fn session(ctx: &Ctx) -> Result<Option<Value>, HandlerError> {
    let mut user = ctx.user();
    if let Some(Value::Object(user)) = &mut user {
        user.remove("token");
        user.remove("csrfToken");
    }
    Ok(user)
}

/// Logs the caller out. Browsers whose session is in a cookie are better served by `POST /auth/logout`, which
/// takes the cookie away too; what the cookie held is worth nothing after either.
#[api(login = true, rate_limit = 60)]
fn logout(ctx: &Ctx) -> Result<bool, HandlerError> {
    Ok(ctx.end_session())
}

luckystack::plugin! {
    service = "system",
    description = "Who is signed in: the first thing a stock front-end asks",
    handlers = [session, logout],
}

#[cfg(test)]
mod tests {
    use super::*;
    use luckystack::testing;

    fn answer(call: testing::Call) -> Value {
        testing::call_route(&PLUGIN, call.route("api/system/session/v1").build(), &json!({})).unwrap()
    }

    #[test]
    fn an_anonymous_caller_gets_null() {
        assert_eq!(answer(testing::call()), json!({ "status": "success", "result": null }));
    }

    #[test]
    fn a_signed_in_caller_gets_the_session_without_its_secrets() {
        let user = json!({ "id": "u1", "name": "Ada", "csrfToken": "secret", "token": "secret" });
        let answer = answer(testing::call().user(&user));
        assert_eq!(answer["result"], json!({ "id": "u1", "name": "Ada" }));
    }

    #[test]
    fn a_logout_ends_the_session_once() {
        let logout = || {
            let call = testing::call().user(&json!({ "id": "u1" })).route("api/system/logout/v1").build();
            testing::call_route(&PLUGIN, call, &json!({})).unwrap()["result"].clone()
        };
        testing::live(&testing::call().user(&json!({ "id": "u1" })).build());
        assert_eq!(logout(), true);
        assert_eq!(logout(), false);
    }

    #[test]
    fn the_route_is_public_and_limited() {
        let manifest = testing::manifest(&PLUGIN);
        let route = &manifest["routes"][0];
        assert_eq!(route["rateLimit"], 60);
        // No rule is public, and `session` is POST by inference.
        assert_eq!((route.get("auth"), route.get("method")), (None, None));
    }
}
