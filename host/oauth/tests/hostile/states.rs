//! State, nonce cookie, code and `iss`: what the browser comes back with.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use luckystack_backplane::{Backplane as _, Keys, Memory};
use luckystack_oauth::{Callback, OAuth, OAuthError};
use serde_json::{Value, json};
use url::Url;

use crate::provider::{
    BASE, CLIENT, Provider, Returned, SUBJECT, app, assert_refused, finish, issuer, login, plain,
};

const INVALID: &str = "oauth.invalidState";

#[tokio::test]
async fn an_honest_login_gives_the_profile() {
    let provider = Provider::start().await;
    let app = app(vec![issuer("acme", &provider)]);
    let begun = app.begin("acme", Some("/welcome?a=b")).await.unwrap();
    let completed = finish(&app, "acme", &provider, &begun).await.unwrap();
    assert_eq!(completed.return_url.as_deref(), Some("/welcome?a=b"));
    let profile = completed.profile;
    assert_eq!((&*profile.provider, &*profile.subject), ("acme", SUBJECT));
    assert_eq!((&*profile.email, profile.email_verified), ("jane.doe@example.com", true));
    assert_eq!((&*profile.name, &*profile.avatar), ("Jane Doe", "https://pictures.example.com/jane.png"));
}

#[tokio::test]
async fn the_browser_is_sent_away_with_state_challenge_and_a_nonce_that_is_not_the_cookie() {
    let provider = Provider::start().await;
    let backplane = Arc::new(Memory::new());
    let ttl = Duration::from_secs(600);
    let app =
        OAuth::new(vec![issuer("acme", &provider)], BASE, ttl, backplane.clone(), Keys::new("app")).unwrap();
    let begun = app.begin("acme", None).await.unwrap();
    let location = Url::parse(&begun.location).unwrap();
    let query: HashMap<String, String> = location.query_pairs().into_owned().collect();
    assert_eq!(location.path(), "/authorize");
    let mut keys: Vec<&str> = query.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "client_id",
            "code_challenge",
            "code_challenge_method",
            "nonce",
            "prompt",
            "redirect_uri",
            "response_type",
            "scope",
            "state"
        ]
    );
    assert_eq!(query["client_id"], CLIENT);
    assert_eq!(query["redirect_uri"], "https://app.example.com/auth/callback/acme");
    assert_eq!(query["scope"], "openid profile email");
    assert_eq!(query["prompt"], "select_account");
    let is_hex = |text: &str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    assert!(is_hex(&query["state"]) && is_hex(&begun.nonce));
    assert!(!begun.location.contains(&begun.nonce), "the cookie's value stays in the browser");
    // What is kept is what a Node server of the same app reads.
    let kept = backplane.get(&format!("app-oauth-state:acme:{}", query["state"])).await.unwrap().unwrap();
    let kept: Value = serde_json::from_slice(&kept).unwrap();
    let mut keys: Vec<&str> = kept.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["codeVerifier", "nonceHash"]);
    assert_eq!(kept["nonceHash"], query["nonce"]);
    assert!(!kept.to_string().contains(&begun.nonce));
    assert!(!format!("{begun:?}{app:?}").contains(&begun.nonce));
    let second = app.begin("acme", None).await.unwrap();
    assert!(second.nonce != begun.nonce && second.location != begun.location);
}

#[tokio::test]
async fn an_unknown_state_is_refused() {
    let provider = Provider::start().await;
    let app = app(vec![issuer("acme", &provider)]);
    let begun = app.begin("acme", None).await.unwrap();
    for state in ["", "x", &"0".repeat(64), "*", "a:b"] {
        let returned = Returned { state: state.to_owned(), ..provider.authorize(&begun.location) };
        assert_refused(app.complete("acme", returned.with(&begun.nonce)).await, INVALID, "");
    }
    assert!(provider.seen("/token").is_empty());
    finish(&app, "acme", &provider, &begun).await.unwrap();
}

#[tokio::test]
async fn a_login_that_another_browser_began_is_refused() {
    let provider = Provider::start().await;
    let app = app(vec![issuer("acme", &provider)]);
    let mine = app.begin("acme", None).await.unwrap();
    for nonce in ["", &*mine.nonce, &"0".repeat(64)] {
        let others = app.begin("acme", None).await.unwrap();
        let returned = provider.authorize(&others.location);
        assert_refused(app.complete("acme", returned.with(nonce)).await, INVALID, "browser");
    }
    assert!(provider.seen("/token").is_empty());
}

#[tokio::test]
async fn a_replayed_callback_is_refused() {
    let provider = Provider::start().await;
    let app = app(vec![issuer("acme", &provider)]);
    let begun = app.begin("acme", None).await.unwrap();
    let returned = provider.authorize(&begun.location);
    app.complete("acme", returned.with(&begun.nonce)).await.unwrap();
    assert_refused(app.complete("acme", returned.with(&begun.nonce)).await, INVALID, "used");
    assert_eq!(provider.seen("/token").len(), 1);
}

#[tokio::test]
async fn of_several_callbacks_with_one_state_at_once_one_gets_through() {
    let provider = Provider::start().await;
    let app = app(vec![issuer("acme", &provider)]);
    let begun = app.begin("acme", None).await.unwrap();
    let returned = provider.authorize(&begun.location);
    let attempt = || app.complete("acme", returned.with(&begun.nonce));
    let (a, b, c, d) = tokio::join!(attempt(), attempt(), attempt(), attempt());
    assert_eq!([a, b, c, d].iter().filter(|attempt| attempt.is_ok()).count(), 1);
    assert_eq!(provider.seen("/token").len(), 1);
}

#[tokio::test]
async fn a_replayed_code_is_refused() {
    let provider = Provider::start().await;
    let app = app(vec![issuer("acme", &provider)]);
    let stolen = {
        let begun = app.begin("acme", None).await.unwrap();
        let returned = provider.authorize(&begun.location);
        app.complete("acme", returned.with(&begun.nonce)).await.unwrap();
        returned.code
    };
    let begun = app.begin("acme", None).await.unwrap();
    let returned = Returned { code: stolen, ..provider.authorize(&begun.location) };
    let result = app.complete("acme", returned.with(&begun.nonce)).await;
    assert_refused(result, "oauth.tokenExchangeFailed", "invalid_grant");
}

/// The code is good and was never used; PKCE ties it to the login that it was given for.
#[tokio::test]
async fn a_code_of_another_login_is_refused() {
    let provider = Provider::start().await;
    let app = app(vec![issuer("acme", &provider)]);
    let victims = app.begin("acme", None).await.unwrap();
    let injected = provider.authorize(&victims.location).code;
    let mine = app.begin("acme", None).await.unwrap();
    let returned = Returned { code: injected, ..provider.authorize(&mine.location) };
    let result = app.complete("acme", returned.with(&mine.nonce)).await;
    assert_refused(result, "oauth.tokenExchangeFailed", "invalid_grant");
}

#[tokio::test]
async fn a_state_that_began_with_another_provider_is_refused() {
    let (honest, evil) = (Provider::start().await, Provider::start().await);
    let app = app(vec![issuer("honest", &honest), issuer("evil", &evil)]);
    let begun = app.begin("honest", None).await.unwrap();
    let returned = honest.authorize(&begun.location);
    assert_refused(app.complete("evil", returned.with(&begun.nonce)).await, INVALID, "another provider");
    assert!(evil.seen("/token").is_empty(), "the code must not reach the other provider");
}

#[tokio::test]
async fn a_code_that_another_issuer_sent_is_refused() {
    let provider = Provider::start().await;
    let app = app(vec![issuer("acme", &provider), plain("plain", &provider, "/userinfo")]);
    for name in ["acme", "plain"] {
        let own = app.begin(name, None).await.unwrap();
        let issuer = provider.url().to_owned();
        let returned = Returned { issuer, ..provider.authorize(&own.location) };
        app.complete(name, returned.with(&own.nonce)).await.unwrap();
        for other in ["https://evil.example.com", "http://127.0.0.1:1", "nonsense"] {
            let begun = app.begin(name, None).await.unwrap();
            let returned = Returned { issuer: other.to_owned(), ..provider.authorize(&begun.location) };
            assert_refused(app.complete(name, returned.with(&begun.nonce)).await, INVALID, "`iss`");
        }
        assert_eq!(provider.seen("/token").len(), if name == "acme" { 1 } else { 2 });
    }
}

#[tokio::test]
async fn an_issuer_that_promises_to_name_itself_has_to() {
    let provider = Provider::start().await;
    provider.discovery(|document| {
        document["authorization_response_iss_parameter_supported"] = json!(true);
    });
    let app = app(vec![issuer("acme", &provider)]);
    assert_refused(login(&app, "acme", &provider).await, INVALID, "`iss`");
    let begun = app.begin("acme", None).await.unwrap();
    let returned = Returned { issuer: provider.url().to_owned(), ..provider.authorize(&begun.location) };
    app.complete("acme", returned.with(&begun.nonce)).await.unwrap();
}

#[tokio::test]
async fn a_refusal_of_the_provider_ends_the_login() {
    let provider = Provider::start().await;
    let app = app(vec![issuer("acme", &provider)]);
    let begun = app.begin("acme", None).await.unwrap();
    let error = "access_denied\r\nforged log line".to_owned();
    let returned = Returned { error, ..provider.authorize(&begun.location) };
    let result = app.complete("acme", returned.with(&begun.nonce)).await;
    assert_refused(result, "oauth.noCode", "`access_deniedforgedlogline`");
    let returned = Returned { error: String::new(), ..returned };
    let again = app.complete("acme", returned.with(&begun.nonce)).await;
    assert_refused(again, INVALID, "");
}

#[tokio::test]
async fn a_callback_without_a_code_is_refused() {
    let provider = Provider::start().await;
    let app = app(vec![issuer("acme", &provider)]);
    let begun = app.begin("acme", None).await.unwrap();
    let returned = Returned { code: String::new(), ..provider.authorize(&begun.location) };
    assert_refused(app.complete("acme", returned.with(&begun.nonce)).await, "oauth.noCode", "none");
    assert!(provider.seen("/token").is_empty());
}

#[tokio::test]
async fn an_unknown_provider_is_refused() {
    let app = app(Vec::new());
    assert!(app.names().is_empty());
    assert!(
        matches!(app.begin("acme", None).await, Err(OAuthError::UnknownProvider(name)) if name == "acme")
    );
    let result = app.complete("acme", Callback::default()).await;
    assert_refused(result, "login.providerNotFound", "acme");
}
