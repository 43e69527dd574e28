//! Logging in at another provider (wire protocol §5.6): the real thing, from the button to the session.

use luckystack_tests::{Account, Answer, Call, Host, Mode, OidcProvider, Project, Visitor};
use serde_json::json;

use crate::identity_door::{MINE, assert_failure, door, is_hex};

/// Where the provider sends people back to, as far as it knows: nobody goes there in these tests.
pub(crate) const BASE: &str = "http://localhost:4000";
pub(crate) const BEGIN: &str = "/auth/api/acme";
const CALLBACK: &str = "/auth/callback/acme";

/// A provider and a project that knows it as `acme`.
pub(crate) async fn acme(project: Project) -> (OidcProvider, Project) {
    let provider = OidcProvider::start(&[&format!("{BASE}{CALLBACK}")]).await;
    let project = project
        .set(&format!("app.oauth_callback_base={BASE}"))
        .set(&format!("oauth.acme.issuer={}", provider.issuer()))
        .set(&format!("oauth.acme.client_id={}", provider.client_id()))
        .set(&format!("oauth.acme.client_secret={}", provider.client_secret()));
    (provider, project)
}

/// Presses the button; where the browser is sent.
pub(crate) async fn begin(visitor: &mut Visitor, path: &str) -> String {
    let answer = visitor.send(Call::get(path)).await;
    assert_eq!(answer.status, 302, "{}", answer.text());
    answer.header("location").unwrap().to_owned()
}

/// The way back, as a path of the host.
pub(crate) fn way_back(callback: &str) -> &str {
    callback.strip_prefix(BASE).unwrap_or_else(|| panic!("sent to {callback}"))
}

/// The whole way: button, provider, back.
pub(crate) async fn come_by(
    provider: &OidcProvider,
    visitor: &mut Visitor,
    path: &str,
    login: &str,
) -> Answer {
    let location = begin(visitor, path).await;
    let callback = provider.log_in(&location, login).await;
    visitor.send(Call::get(way_back(&callback))).await
}

/// All values of a header.
pub(crate) fn all(answer: &Answer, name: &str) -> Vec<String> {
    answer.headers.get_all(name).iter().map(|value| value.to_str().unwrap().trim_end().to_owned()).collect()
}

#[track_caller]
pub(crate) fn assert_refused(answer: &Answer) {
    assert_eq!((answer.status, &*answer.text()), (401, "Login failed"));
    assert_eq!(answer.header("x-session-token"), None);
    assert_eq!(all(answer, "set-cookie"), ["ls-oauth-state=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"]);
    assert_eq!(answer.header("location"), None);
}

#[tokio::test]
async fn a_person_of_the_provider_comes_in_with_a_cookie() {
    let (provider, project) = acme(door()).await;
    let host = project.start().await;
    let providers = host.get("/auth/providers").await.json();
    assert_eq!(providers, json!({ "providers": ["credentials", "acme"], "emailCodeLogin": false }));

    let mut visitor = Visitor::of(&host);
    let answer = visitor.send(Call::get(BEGIN)).await;
    let [state] = &all(&answer, "set-cookie")[..] else { panic!("one cookie") };
    let nonce = visitor.cookie("ls-oauth-state").unwrap();
    assert!(is_hex(nonce), "{nonce}");
    assert_eq!(*state, format!("ls-oauth-state={nonce}; Path=/; HttpOnly; SameSite=Lax; Max-Age=600"));
    let location = answer.header("location").unwrap().to_owned();
    assert!(location.starts_with(provider.issuer()), "{location}");
    let query = location.split_once('?').unwrap().1;
    let of = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap();
    assert_eq!((of("response_type"), of("client_id")), ("code", provider.client_id()));
    assert_eq!(of("redirect_uri"), "http%3A%2F%2Flocalhost%3A4000%2Fauth%2Fcallback%2Facme");
    assert_eq!((of("prompt"), of("code_challenge_method")), ("select_account", "S256"));
    assert!(is_hex(of("state")), "{location}");
    assert!(!location.contains(nonce), "the nonce stays in the browser");

    let callback = provider.log_in(&location, "jane").await;
    let answer = visitor.send(Call::get(way_back(&callback))).await;
    assert_eq!((answer.status, answer.header("location")), (302, Some("/")), "{}", answer.text());
    let cookies = all(&answer, "set-cookie");
    let token = visitor.cookie("token").unwrap();
    let session = format!("token={token}; HttpOnly; SameSite=Strict; Path=/; Max-Age=604800;");
    assert_eq!(cookies, ["ls-oauth-state=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0".to_owned(), session]);
    assert_eq!(answer.header("x-session-token"), None);
    let session = visitor.session().await;
    assert_eq!(
        (&session["email"], &session["provider"], &session["name"], &session["avatar"]),
        (
            &json!("jane@example.com"),
            &json!("acme"),
            &json!("jane of the provider"),
            &json!("https://pictures.example.com/jane.png"),
        )
    );
    // The way back leads in once.
    assert_refused(&visitor.clone().send(Call::get(way_back(&callback))).await);

    // Again: the same account; the browser's earlier session ends.
    let before = visitor.clone();
    let answer =
        come_by(&provider, &mut visitor, "/auth/api/acme?return_url=%2Fsettings%3Ftab%3D2", "jane").await;
    assert_eq!(answer.header("location"), Some("/settings?tab=2"));
    assert_eq!(visitor.session().await["id"], session["id"]);
    before.clone().send(Call::get(MINE)).await.assert_error(401, "auth.required");
    // An account of the provider has no password.
    let guess = json!({ "email": "jane@example.com", "password": "" });
    assert_failure(&Visitor::of(&host).submit(&guess).await, 200, "login.empty");
    let guess = json!({ "email": "jane@example.com", "password": "anything at all" });
    assert_failure(&Visitor::of(&host).submit(&guess).await, 200, "login.wrongPassword");
}

#[tokio::test]
async fn in_token_mode_the_token_is_in_the_fragment() {
    let (provider, project) = acme(door().set("session.based_token=true")).await;
    let host = project
        .set("app.public_url=https://app.example.com")
        .set("app.login_redirect_url=/home")
        .start()
        .await;
    let mut visitor = Visitor::with_mode(&host, Mode::Token);
    for (path, page) in
        [(BEGIN, "https://app.example.com/home"), ("/auth/api/acme?return_url=/inbox%23old", "/inbox")]
    {
        let answer = come_by(&provider, &mut visitor, path, "jane").await;
        assert_eq!(answer.status, 302, "{}", answer.text());
        let location = answer.header("location").unwrap();
        let (before, token) = location.split_once("#token=").unwrap();
        assert!(before == page && is_hex(token), "{location}");
        let state = ["ls-oauth-state=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"];
        assert_eq!(all(&answer, "set-cookie"), state, "no session in a cookie");
        assert_eq!(answer.header("x-session-token"), None);
        let call = Call::get(MINE).header("authorization", &format!("Bearer {token}"));
        assert_eq!(host.send(call).await.result(), "in");
    }
}

#[tokio::test]
async fn accounts_are_one_a_provider_or_one_a_person() {
    let (provider, project) = acme(door()).await;
    let apart = project.start().await;
    let jane = Account::of("Jane");
    let own = Visitor::of(&apart).register(&jane).await;
    let mut visitor = Visitor::of(&apart);
    come_by(&provider, &mut visitor, BEGIN, "jane").await;
    assert_ne!(visitor.session().await["id"], own["id"]);

    let unified = door()
        .set("auth.provider_account_strategy=unified")
        .set(&format!("app.oauth_callback_base={BASE}"))
        .set(&format!("oauth.acme.issuer={}", provider.issuer()))
        .set(&format!("oauth.acme.client_id={}", provider.client_id()))
        .set(&format!("oauth.acme.client_secret={}", provider.client_secret()))
        .beside(&apart)
        .start()
        .await;
    let own = Visitor::of(&unified).register(&jane).await;
    let mut visitor = Visitor::of(&unified);
    come_by(&provider, &mut visitor, BEGIN, "jane").await;
    assert_eq!(visitor.session().await["id"], own["id"], "the provider vouches for the address");
    come_by(&provider, &mut visitor, BEGIN, "rita").await;
    let rita = Account::of("Rita");
    assert_failure(&Visitor::of(&unified).submit(&rita.registration()).await, 200, "login.emailExists");
}

#[tokio::test]
async fn who_turns_back_or_may_not_come_in_is_not_in() {
    let (provider, project) = acme(door().set("auth.allow_registration=false")).await;
    let host = project.start().await;
    let mut visitor = Visitor::of(&host);
    assert_refused(&come_by(&provider, &mut visitor, BEGIN, "jane").await);
    let location = begin(&mut visitor, BEGIN).await;
    let callback = provider.refuse(&location).await;
    assert!(callback.contains("error=access_denied"), "{callback}");
    assert_refused(&visitor.send(Call::get(way_back(&callback))).await);
    visitor.send(Call::get(MINE)).await.assert_error(401, "auth.required");
    assert_refused(&visitor.send(Call::get(CALLBACK)).await);
    assert_refused(&visitor.send(Call::get("/auth/callback/nobody?code=a&state=b")).await);
}

#[tokio::test]
async fn a_provider_that_is_half_configured_or_away_is_off() {
    let half = door().set("oauth.acme.issuer=http://127.0.0.1:9").set("oauth.acme.client_id=x").start().await;
    half.wait_for_log("the login provider acme is off").await;
    let providers = half.get("/auth/providers").await.json();
    assert_eq!(providers["providers"], json!(["credentials"]));
    assert_failure(&half.get(BEGIN).await, 200, "login.providerNotFound");
    let away = door()
        .set("oauth.acme.issuer=http://127.0.0.1:9")
        .set("oauth.acme.client_id=x")
        .set("oauth.acme.client_secret=y")
        .beside(&half)
        .start()
        .await;
    let answer = away.get(BEGIN).await;
    assert_failure(&answer, 500, "login.oauthStateInitFailed");
}

#[tokio::test]
async fn known_providers_come_with_their_variables() {
    let host: Host = door()
        .env("DEV_GOOGLE_CLIENT_ID", "google-id")
        .env("DEV_GOOGLE_CLIENT_SECRET", "secret")
        .env("DEV_GITHUB_CLIENT_ID", "github-id")
        .env("DEV_GITHUB_CLIENT_SECRET", "secret")
        .env("DISCORD_CLIENT_ID", "for production")
        .env("DISCORD_CLIENT_SECRET", "secret")
        .set("rate_limiting.enabled=true")
        .set("rate_limiting.default_api_limit=4")
        .start()
        .await;
    let providers = host.get("/auth/providers").await.json()["providers"].clone();
    let mut names: Vec<String> = serde_json::from_value(providers).unwrap();
    names.sort();
    assert_eq!(names, ["credentials", "github", "google"]);
    for (name, address, scope) in [
        ("google", "https://accounts.google.com/o/oauth2/v2/auth?", "userinfo.email"),
        ("github", "https://github.com/login/oauth/authorize?", "read%3Auser"),
    ] {
        let mut visitor = Visitor::of(&host).header("x-forwarded-host", "evil.example");
        let location = begin(&mut visitor, &format!("/auth/api/{name}")).await;
        assert!(!location.contains("evil"), "{location}");
        assert!(location.starts_with(address), "{location}");
        assert!(location.contains(&format!("client_id={name}-id")) && location.contains(scope), "{location}");
        assert!(location.contains(&format!("%2Fauth%2Fcallback%2F{name}")), "{location}");
        assert!(!location.contains("secret"), "{location}");
    }
    assert_failure(&host.get("/auth/api/discord").await, 200, "login.providerNotFound");
    begin(&mut Visitor::of(&host), "/auth/api/google").await;
    let answer = host.get("/auth/api/google").await;
    assert_eq!((answer.status, &answer.json()["reason"]), (429, &json!("api.rateLimitExceeded")));
    assert_eq!(answer.json()["errorParams"][0]["key"], "seconds");
}
