//! Answers that are too much, too late, elsewhere or nothing, and configurations that do not do.

use std::time::Duration;

use luckystack_oauth::{OAuthError, known_providers};
use luckystack_topology::OAuthProviderConfig;
use serde_json::json;

use crate::provider::{Provider, Reply, app, assert_refused, finish, issuer, login, plain, setup, try_app};

const DISCOVERY: &str = "/.well-known/openid-configuration";
const EXCHANGE: &str = "oauth.tokenExchangeFailed";
const PROFILE: &str = "oauth.profileFetchFailed";

/// What is said when a path of an otherwise honest issuer answers like this.
async fn answered(path: &str, reply: Reply) -> Result<luckystack_oauth::Completed, OAuthError> {
    let provider = Provider::start().await;
    provider.route(path, reply);
    let app = app(vec![issuer("acme", &provider)]);
    login(&app, "acme", &provider).await
}

#[tokio::test]
async fn an_oversized_answer_is_refused() {
    for (path, reason) in [("/token", EXCHANGE), ("/jwks", PROFILE), ("/userinfo", PROFILE)] {
        answered(path, Reply::Padded(1000)).await.unwrap();
        assert_refused(answered(path, Reply::Padded(1 << 20)).await, reason, "more than 1048576 bytes");
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let to = [("/token", "/new/token", EXCHANGE), ("/jwks", "/new/jwks", PROFILE)];
    for (path, new, reason) in to.into_iter().chain([("/userinfo", "/new/userinfo", PROFILE)]) {
        let provider = Provider::start().await;
        provider.route(path, Reply::Redirect(new));
        let app = app(vec![issuer("acme", &provider)]);
        assert_refused(login(&app, "acme", &provider).await, reason, "redirect");
        assert!(provider.seen(new).is_empty(), "nothing is sent elsewhere");
    }
}

#[tokio::test]
async fn what_is_not_json_is_refused() {
    let page = || Reply::Bytes("text/html", b"<html>Log in</html>".to_vec());
    assert_refused(answered("/token", page()).await, EXCHANGE, "JSON");
    assert_refused(answered("/userinfo", page()).await, PROFILE, "JSON");
    assert_refused(answered("/jwks", page()).await, PROFILE, "JSON");
    assert_refused(answered("/token", Reply::Json(200, json!([1]))).await, EXCHANGE, "JSON");
    // As GitHub answers those who do not ask for JSON.
    let form = Reply::Bytes("application/x-www-form-urlencoded", b"access_token=an-access-token".to_vec());
    assert_refused(answered("/token", form).await, EXCHANGE, "JSON");
}

#[tokio::test]
async fn errors_are_named_and_nothing_else_of_the_answer_is() {
    let body = json!({"error": "server_error", "error_description": "code-0-of-http an-access-token"});
    let failed = |path| answered(path, Reply::Json(500, body.clone()));
    assert_refused(failed("/token").await, EXCHANGE, "500 (`server_error`)");
    assert_refused(failed("/userinfo").await, PROFILE, "500 (`server_error`)");
    let body = json!({"error": "bad_verification_code", "access_token": "an-access-token"});
    assert_refused(answered("/token", Reply::Json(200, body)).await, EXCHANGE, "`bad_verification_code`");
    assert_refused(answered("/token", Reply::Json(200, json!({}))).await, EXCHANGE, "no access_token");
}

/// The only test that waits: people do, too, and for no longer than this.
#[tokio::test]
async fn a_provider_that_does_not_answer_is_given_up() {
    let waiting = tokio::time::timeout(Duration::from_secs(60), answered("/token", Reply::Silence));
    assert_refused(waiting.await.expect("given up long before"), EXCHANGE, "in time");
}

#[tokio::test]
async fn the_description_of_another_issuer_is_refused() {
    let provider = Provider::start().await;
    provider.discovery(|document| document["issuer"] = json!("https://accounts.example.com"));
    let error = app(vec![issuer("acme", &provider)]).begin("acme", None).await.unwrap_err();
    assert!(matches!(&error, OAuthError::Discovery(why) if why.contains("another issuer")), "{error}");
    assert_eq!(error.reason(), "login.oauthStateInitFailed");
}

#[tokio::test]
async fn described_endpoints_must_be_https() {
    for key in ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"] {
        let provider = Provider::start().await;
        provider.discovery(move |document| document[key] = json!("http://id.example.com/"));
        let error = app(vec![issuer("acme", &provider)]).begin("acme", None).await.unwrap_err();
        assert!(error.to_string().contains(key), "{error}");
    }
}

#[tokio::test]
async fn an_issuer_is_asked_for_its_description_when_first_needed_and_once() {
    let provider = Provider::start().await;
    let app = app(vec![issuer("acme", &provider)]);
    assert!(provider.seen(DISCOVERY).is_empty());
    let (a, b) = tokio::join!(app.begin("acme", None), app.begin("acme", None));
    finish(&app, "acme", &provider, &a.unwrap()).await.unwrap();
    finish(&app, "acme", &provider, &b.unwrap()).await.unwrap();
    assert_eq!(provider.seen(DISCOVERY).len(), 1);
}

#[tokio::test]
async fn the_client_authenticates_as_the_issuer_asks() {
    for (methods, has_header) in
        [(json!(["client_secret_post"]), false), (json!(["client_secret_basic"]), true)]
    {
        let provider = Provider::start().await;
        provider.discovery(move |document| {
            document["token_endpoint_auth_methods_supported"] = methods.clone();
        });
        login(&app(vec![issuer("acme", &provider)]), "acme", &provider).await.unwrap();
        assert_eq!(provider.seen("/token")[0].headers.contains_key("authorization"), has_header);
    }
}

#[tokio::test]
async fn an_issuer_that_cannot_let_people_choose_an_account_is_not_asked_to() {
    let provider = Provider::start().await;
    provider.discovery(|document| document["prompt_values_supported"] = json!(["login", "consent"]));
    let begun = app(vec![issuer("acme", &provider)]).begin("acme", None).await.unwrap();
    assert!(!begun.location.contains("prompt="), "{}", begun.location);
}

#[tokio::test]
async fn an_issuer_is_used_for_a_known_provider_too() {
    let provider = Provider::start().await;
    let app = app(vec![issuer("google", &provider)]);
    let profile = login(&app, "google", &provider).await.unwrap().profile;
    assert_eq!(profile.provider, "google");
    assert_eq!(provider.seen("/jwks").len(), 1);
}

#[tokio::test]
async fn providers_are_listed_as_known_and_then_by_name() {
    let setups = ["zeta", "microsoft", "alpha", "google", "github"].map(|name| {
        let issuer = (!known_providers().contains(&name)).then(|| "https://id.example.com".to_owned());
        setup(name, OAuthProviderConfig { issuer, ..Default::default() })
    });
    assert_eq!(app(setups.to_vec()).names(), ["google", "github", "microsoft", "alpha", "zeta"]);
}

#[test]
fn what_is_missing_or_wrong_is_said() {
    let config = |change: fn(&mut OAuthProviderConfig)| {
        let mut config = OAuthProviderConfig::default();
        change(&mut config);
        config
    };
    for (name, config, says) in [
        (
            "acme",
            config(|_| {}),
            &["[oauth.acme]", "`issuer`", "`authorization_url`", "`token_url`", "`userinfo_url`"][..],
        ),
        (
            "acme",
            config(|c| {
                c.authorization_url = Some("https://a.example.com".into());
                c.token_url = Some("https://a.example.com".into());
            }),
            &["`userinfo_url`"],
        ),
        ("acme", config(|c| c.issuer = Some("http://id.example.com".into())), &["`issuer`", "https"]),
        ("google", config(|c| c.token_url = Some("http://t.example.com".into())), &["`token_url`", "https"]),
        ("google", config(|c| c.tenant = Some("common".into())), &["`tenant`", "microsoft"]),
        ("microsoft", config(|c| c.tenant = Some("../evil".into())), &["`tenant`"]),
        (
            "acme",
            config(|c| {
                c.issuer = Some("https://id.example.com".into());
                c.scopes = Some(vec!["email".into()]);
            }),
            &["`scopes`", "openid"],
        ),
    ] {
        let error = try_app(vec![setup(name, config)]).expect_err(says[0]);
        for part in says {
            assert!(error.contains(part), "{error}");
        }
    }
    let twice = || setup("google", OAuthProviderConfig::default());
    assert!(try_app(vec![twice(), twice()]).unwrap_err().contains("twice"));
}

#[tokio::test]
async fn a_provider_needs_a_place_to_send_people_back_to() {
    use luckystack_backplane::{Keys, Memory};
    let new = |setups, base| {
        let ttl = Duration::from_secs(600);
        luckystack_oauth::OAuth::new(setups, base, ttl, std::sync::Arc::new(Memory::new()), Keys::new("app"))
    };
    assert!(new(Vec::new(), "").is_ok());
    let provider = Provider::start().await;
    for base in ["", "app.example.com", "ftp://app.example.com"] {
        let error = new(vec![plain("acme", &provider, "/userinfo")], base).unwrap_err();
        assert!(error.contains("oauth_callback_base"), "{error}");
    }
    let app = new(vec![plain("acme", &provider, "/userinfo")], "https://app.example.com/").unwrap();
    let begun = app.begin("acme", None).await.unwrap();
    assert!(begun.location.contains("redirect_uri=https%3A%2F%2Fapp.example.com%2Fauth%2Fcallback%2Facme"));
}
