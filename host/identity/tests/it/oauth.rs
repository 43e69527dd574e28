//! Logging in through another provider (§5.6): one that answers on a port of its own.

use std::sync::Arc;

use luckystack_identity::{AuthRequest, Begin, Callback, Identity};
use luckystack_oauth::ProviderSetup;
use luckystack_sessions::Session;
use luckystack_topology::{AccountStrategy, OAuthProviderConfig};
use luckystack_users::NewUser;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use url::Url;

use crate::house::{ANN, House, IP, PASSWORD, Plan, reason, request};

/// A provider that says of everybody what it was told to say.
#[derive(Clone)]
struct Provider {
    profile: Arc<Mutex<Value>>,
    setup: ProviderSetup,
}

impl Provider {
    async fn start(name: &str, profile: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let profile = Arc::new(Mutex::new(profile));
        let shown = profile.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let shown = shown.clone();
                tokio::spawn(async move {
                    let mut heard = Vec::new();
                    let mut chunk = [0; 4096];
                    // A request is whole when its body is; requests without one end with the headers.
                    loop {
                        let read = stream.read(&mut chunk).await.unwrap_or(0);
                        heard.extend_from_slice(&chunk[..read]);
                        let text = String::from_utf8_lossy(&heard).to_lowercase();
                        let length =
                            text.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
                        let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
                        let is_whole =
                            text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.len() >= length);
                        if read == 0 || is_whole {
                            break;
                        }
                    }
                    let body = if heard.starts_with(b"POST /token") {
                        json!({ "access_token": "t", "token_type": "Bearer" })
                    } else {
                        shown.lock().clone()
                    };
                    let body = body.to_string();
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
                         connection: close\r\n\r\n{body}",
                        body.len()
                    );
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        let config = OAuthProviderConfig {
            authorization_url: Some(format!("{base}/authorize")),
            token_url: Some(format!("{base}/token")),
            userinfo_url: Some(format!("{base}/userinfo")),
            ..Default::default()
        };
        let setup = ProviderSetup {
            name: name.to_owned(),
            client_id: "id".to_owned(),
            client_secret: "secret".to_owned(),
            config,
        };
        Self { profile, setup }
    }

    fn says(&self, profile: Value) {
        *self.profile.lock() = profile;
    }
}

fn ann(verified: bool) -> Value {
    json!({ "sub": "7", "email": "Ann@Example.com", "email_verified": verified, "name": "<Ann>" })
}

struct World {
    house: House,
    acme: Provider,
    other: Provider,
}

impl World {
    async fn open(strategy: AccountStrategy) -> Self {
        Self::open_with(Plan::new().with(|project| project.auth.account_strategy = strategy)).await
    }

    async fn open_with(mut plan: Plan) -> Self {
        let acme = Provider::start("acme", ann(true)).await;
        let other = Provider::start("other", ann(true)).await;
        plan.providers = vec![acme.setup.clone(), other.setup.clone()];
        Self { house: plan.open().await, acme, other }
    }

    async fn log_in(&self, provider: &str, return_url: Option<&str>, token: Option<&str>) -> Callback {
        log_in(&self.house.identity, provider, return_url, token).await
    }

    async fn session(&self, provider: &str) -> Option<Arc<Session>> {
        match self.log_in(provider, None, None).await {
            Callback::Redirect { session, .. } => Some(session),
            Callback::Failed => None,
        }
    }

    fn failure(&self) -> String {
        self.house.hooks.last("loginFailed")["reason"].as_str().unwrap().to_owned()
    }
}

async fn log_in(
    identity: &Identity,
    provider: &str,
    return_url: Option<&str>,
    token: Option<&str>,
) -> Callback {
    let input = Map::new();
    let begun = identity.oauth_begin(provider, return_url, request(&input, None)).await;
    let Begin::Redirect { location, nonce } = begun else { panic!("{begun:?}") };
    let location = Url::parse(&location).unwrap();
    let state = location.query_pairs().find(|(key, _)| key == "state").unwrap().1.into_owned();
    let callback =
        luckystack_oauth::Callback { code: "c", state: &state, nonce: &nonce, ..Default::default() };
    identity.oauth_callback(provider, callback, request(&input, token)).await
}

#[tokio::test]
async fn the_first_login_creates_an_account_and_the_next_finds_it() {
    let world = World::open(AccountStrategy::PerProvider).await;
    let Callback::Redirect { location, session } = world.log_in("acme", None, None).await else {
        panic!("{}", world.failure())
    };
    assert_eq!(location, "https://app.example.com/home");
    let fields = session.fields();
    assert_eq!((&fields["email"], &fields["provider"]), (&json!(ANN), &json!("acme")));
    assert_eq!((&fields["name"], &fields["language"]), (&json!("&lt;Ann&gt;"), &json!("nl")));
    assert_eq!(fields["previousLogin"], Value::Null);
    let again = world.session("acme").await.unwrap();
    assert_eq!(again.user_id, session.user_id);
    assert!(again.fields()["previousLogin"].is_string());
    let hooks = ["preLogin", "preRegister", "postRegister", "postLogin"];
    assert_eq!(
        world.house.hooks.order(&hooks),
        ["preLogin", "preRegister", "postRegister", "postLogin", "preLogin", "postLogin"]
    );
    assert_eq!(world.house.hooks.last("preLogin"), json!({ "email": ANN, "provider": "acme" }));
    assert_eq!(world.house.identity.providers()["providers"], json!(["credentials", "acme", "other"]));
}

#[tokio::test]
async fn each_provider_has_its_own_account() {
    let world = World::open(AccountStrategy::PerProvider).await;
    let (mine, _) = world.house.ann().await;
    world.acme.says(ann(false));
    let acme = world.session("acme").await.unwrap().user_id.clone();
    let other = world.session("other").await.unwrap().user_id.clone();
    assert!(mine != acme && acme != other && mine != other);
}

#[tokio::test]
async fn a_unified_account_is_joined_by_a_verified_email_only() {
    let world = World::open(AccountStrategy::Unified).await;
    let (mine, _) = world.house.ann().await;
    world.acme.says(ann(false));
    assert!(world.session("acme").await.is_none());
    assert_eq!(world.failure(), "oauth.userResolveFailed");
    let failure = world.house.hooks.last("loginFailed");
    assert_eq!((&failure["stage"], &failure["provider"]), (&json!("oauth"), &json!("acme")));
    assert_eq!(
        (&failure["email"], &failure["userId"]),
        (&json!("Ann@Example.com".to_lowercase()), &json!(mine))
    );
    world.acme.says(json!({ "sub": "7", "email": ANN, "name": "Ann" }));
    assert!(world.session("acme").await.is_none(), "nothing said is not verified");
    world.acme.says(ann(true));
    assert_eq!(world.session("acme").await.unwrap().user_id, mine);
    assert_eq!(world.session("other").await.unwrap().user_id, mine);
}

#[tokio::test]
async fn a_unified_account_stays_its_own_providers() {
    let world = World::open(AccountStrategy::Unified).await;
    world.acme.says(ann(false));
    let first = world.session("acme").await.unwrap().user_id.clone();
    assert_eq!(world.session("acme").await.unwrap().user_id, first);
    world.other.says(ann(false));
    assert!(world.session("other").await.is_none());
}

#[tokio::test]
async fn nobody_comes_in_without_an_email() {
    let world = World::open(AccountStrategy::PerProvider).await;
    for profile in
        [json!({ "sub": "7", "name": "Ann" }), json!({ "sub": "7", "email": "ann", "email_verified": true })]
    {
        world.acme.says(profile);
        assert!(world.session("acme").await.is_none());
        assert!(["oauth.userResolveFailed", "oauth.profileFetchFailed"].contains(&&*world.failure()));
    }
}

#[tokio::test]
async fn without_registration_only_known_people_come_in() {
    let world = World::open_with(Plan::new().with(|project| project.auth.allow_registration = false)).await;
    assert!(world.session("acme").await.is_none());
    assert_eq!(world.failure(), "auth.registrationDisabled");
    let new =
        NewUser { email: ANN.into(), name: "Ann".into(), provider: "acme".into(), ..Default::default() };
    let id = world.house.users.create(new, false).await.unwrap().id().to_owned();
    assert_eq!(world.session("acme").await.unwrap().user_id, id);
}

#[tokio::test]
async fn hooks_may_stop_a_login_by_a_provider() {
    for hook in ["preRegister", "preLogin", "preSessionCreate"] {
        let world = World::open(AccountStrategy::PerProvider).await;
        world.house.hooks.stop(hook, "app.closed");
        assert!(world.session("acme").await.is_none(), "{hook}");
        assert_eq!(world.failure(), "app.closed", "{hook}");
    }
}

#[tokio::test]
async fn a_state_is_used_once_and_by_the_browser_that_got_it() {
    let world = World::open(AccountStrategy::PerProvider).await;
    let callback = luckystack_oauth::Callback { code: "c", state: "x", nonce: "y", ..Default::default() };
    let input = Map::new();
    let failed = world.house.identity.oauth_callback("acme", callback, request(&input, None)).await;
    assert!(matches!(failed, Callback::Failed));
    assert_eq!(
        world.house.hooks.last("loginFailed"),
        json!({ "provider": "acme", "reason": "oauth.invalidState", "stage": "oauth", "requesterIp": IP })
    );
}

#[tokio::test]
async fn the_browser_goes_where_it_came_from_if_that_is_ours() {
    let world = World::open_with(Plan::new().with(|project| project.rate_limiting.enabled = false)).await;
    for (return_url, expected) in [
        ("/settings?tab=2#top", "/settings?tab=2"),
        ("https://shop.example.com/cart#x", "https://shop.example.com/cart"),
        ("https://evil.com/", "https://app.example.com/home"),
        ("//evil.com", "https://app.example.com/home"),
        ("/\\evil.com", "https://app.example.com/home"),
        (&*format!("/{}", "a".repeat(5000)), "https://app.example.com/home"),
        ("", "https://app.example.com/home"),
    ] {
        match world.log_in("acme", Some(return_url), None).await {
            Callback::Redirect { location, .. } => assert_eq!(location, expected, "{return_url}"),
            Callback::Failed => panic!("{}", world.failure()),
        }
    }
}

#[tokio::test]
async fn the_session_that_the_browser_had_is_superseded() {
    let world = World::open(AccountStrategy::PerProvider).await;
    let (_, mine) = world.house.ann().await;
    assert!(matches!(world.log_in("acme", None, Some(&mine)).await, Callback::Redirect { .. }));
    assert!(!world.house.is_live(&mine).await);
}

#[tokio::test]
async fn beginning_is_limited_and_needs_a_provider() {
    let world =
        World::open_with(Plan::new().with(|project| project.rate_limiting.default_api_limit = Some(2))).await;
    let input = Map::new();
    let begin = async |provider: &str, ip: &str| {
        let request = AuthRequest { ip, ..request(&input, None) };
        world.house.identity.oauth_begin(provider, None, request).await
    };
    let Begin::Reply(reply) = begin("nobody", IP).await else { panic!("it began") };
    assert_eq!(
        (reply.status, reply.body),
        (200, json!({ "status": false, "reason": "login.providerNotFound" }))
    );
    assert!(matches!(begin("acme", IP).await, Begin::Redirect { .. }));
    let Begin::Reply(reply) = begin("acme", IP).await else { panic!("it began") };
    assert_eq!((reply.status, reason(&reply)), (429, "api.rateLimitExceeded"));
    assert_eq!(reply.body["errorParams"][0]["key"], "seconds");
    assert_eq!(world.house.counted(&format!("ip:{IP}:auth:oauth-init")).await, 3);
    assert!(matches!(begin("acme", "203.0.113.8").await, Begin::Redirect { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_first_logins_at_once_both_find_one_account() {
    let world = World::open_with(Plan::new().with(|project| {
        project.session.per_user = luckystack_topology::SessionsPerUser::Multiple;
    }))
    .await;
    let sessions = futures::future::join_all((0..4).map(|_| world.session("acme"))).await;
    let ids: Vec<String> = sessions.into_iter().map(|session| session.unwrap().user_id.clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[tokio::test]
async fn no_second_factor_is_asked_for() {
    let world = World::open(AccountStrategy::Unified).await;
    let (id, _) = world.house.ann().await;
    world.house.set(&id, json!({ "twoFactorEnabled": true })).await;
    assert_eq!(reason(&world.house.log_in(ANN, PASSWORD).await), "login.twoFactorRequired");
    assert_eq!(world.session("acme").await.unwrap().user_id, id);
}
