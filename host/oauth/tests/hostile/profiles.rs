//! Profiles of the providers that the host knows, as they answer (§5.6).

use luckystack_oauth::Profile;
use serde_json::{Value, json};

use crate::provider::{Provider, Reply, app, assert_refused, issuer, login, plain};

/// The profile that one of the known providers gives when its userinfo endpoint, at `path`, answers this.
async fn profile(name: &str, path: &str, answer: Value, more: &[(&str, Reply)]) -> (Profile, Provider) {
    let provider = Provider::start().await;
    provider.route(path, Reply::Json(200, answer));
    for (path, reply) in more {
        provider.route(path, reply.clone());
    }
    let app = app(vec![plain(name, &provider, path)]);
    let completed = login(&app, name, &provider).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    (completed.profile, provider)
}

fn is_json(provider: &Provider) -> bool {
    provider.seen("/token")[0].headers["content-type"] == "application/json"
}

#[tokio::test]
async fn google_says_who_it_is() {
    let answer = json!({
        "sub": "1", "name": "Jane", "email": "Jane@Gmail.com", "email_verified": "true",
        "picture": "https://lh3.example.com/jane",
    });
    let (profile, provider) = profile("google", "/userinfo", answer, &[]).await;
    assert_eq!((&*profile.subject, &*profile.name), ("1", "Jane"));
    assert_eq!((&*profile.email, profile.email_verified), ("jane@gmail.com", true));
    assert_eq!(profile.avatar, "https://lh3.example.com/jane");
    assert!(is_json(&provider));
}

#[tokio::test]
async fn github_shows_an_email_or_lists_them() {
    let person = |email: Value| {
        json!({"id": 583_231, "login": "octocat", "name": "Mona", "email": email,
               "avatar_url": "https://avatars.example.com/u/583231"})
    };
    let list = json!([
        {"email": "old@example.com", "primary": false, "verified": true},
        {"email": "Octo@Example.com", "primary": true, "verified": true},
        {"email": "new@example.com", "primary": false, "verified": false},
    ]);
    let listed = [("/user/emails", Reply::Json(200, list))];
    let (hidden, provider) = profile("github", "/user", person(Value::Null), &listed).await;
    assert_eq!((&*hidden.subject, &*hidden.name), ("583231", "octocat"));
    assert_eq!((&*hidden.email, hidden.email_verified), ("octo@example.com", true));
    assert_eq!(hidden.avatar, "https://avatars.example.com/u/583231");
    assert!(is_json(&provider));
    assert_eq!(provider.seen("/user/emails")[0].headers["authorization"], "Bearer an-access-token");
    for (shown, verified) in [("old@example.com", true), ("new@example.com", false), ("x@y.example", false)] {
        let (profile, _) = profile("github", "/user", person(json!(shown)), &listed).await;
        assert_eq!((&*profile.email, profile.email_verified), (shown, verified));
    }
    let failing = [("/user/emails", Reply::Json(403, json!({})))];
    let (profile, _) = profile("github", "/user", person(json!("old@example.com")), &failing).await;
    assert!(!profile.email_verified, "who does not answer verifies nothing");
}

#[tokio::test]
async fn a_github_email_that_is_not_primary_and_verified_is_none() {
    for entry in [
        json!({"email": "a@example.com", "primary": true, "verified": false}),
        json!({"email": "a@example.com", "primary": false, "verified": true}),
    ] {
        let provider = Provider::start().await;
        provider.route("/user", Reply::Json(200, json!({"id": 1, "login": "octocat", "email": null})));
        provider.route("/user/emails", Reply::Json(200, json!([entry])));
        let app = app(vec![plain("github", &provider, "/user")]);
        assert_refused(login(&app, "github", &provider).await, "oauth.profileFetchFailed", "no e-mail");
    }
}

#[tokio::test]
async fn discord_says_who_it_is() {
    let person = |avatar: Value, verified: bool| {
        json!({"id": "80351110224678912", "username": "Nelly", "email": "nelly@discord.com",
               "verified": verified, "avatar": avatar})
    };
    let avatars = [
        (json!("8342729096ea3675442027381ff50dfe"), "8342729096ea3675442027381ff50dfe.png"),
        (json!("a_1269e74af4df7417b13759eae50c83dc"), "a_1269e74af4df7417b13759eae50c83dc.gif"),
        (Value::Null, ""),
        (json!("../../evil"), ""),
    ];
    for (avatar, file) in avatars {
        let (profile, provider) = profile("discord", "/me", person(avatar, true), &[]).await;
        assert_eq!((&*profile.name, profile.email_verified), ("Nelly", true));
        let address = format!("https://cdn.discordapp.com/avatars/80351110224678912/{file}");
        assert_eq!(profile.avatar, if file.is_empty() { String::new() } else { address });
        assert!(!is_json(&provider));
    }
    assert!(!profile("discord", "/me", person(Value::Null, false), &[]).await.0.email_verified);
}

#[tokio::test]
async fn facebook_says_who_it_is() {
    let answer = json!({"id": "10", "name": "Jane", "email": "jane@example.com",
                        "picture": {"data": {"url": "https://pictures.example.com/10?a=b"}}});
    let (profile, provider) = profile("facebook", "/me", answer, &[]).await;
    assert_eq!((&*profile.subject, &*profile.name), ("10", "Jane"));
    assert_eq!((&*profile.email, profile.email_verified), ("jane@example.com", true));
    assert_eq!(profile.avatar, "https://pictures.example.com/10?a=b");
    assert_eq!(provider.seen("/me")[0].query, "fields=id,name,email,picture.type(large)");
    assert!(!is_json(&provider));
}

#[tokio::test]
async fn microsoft_says_who_it_is_and_shows_a_photo_if_it_can() {
    let answer = || json!({"id": "48d31887", "displayName": "Jane", "mail": "Jane@contoso.com"});
    let photo = |kind, length| [("/me/photo/$value", Reply::Bytes(kind, vec![0xff; length]))];
    let (with, provider) = profile("microsoft", "/me", answer(), &photo("image/jpeg", 3)).await;
    assert_eq!((&*with.subject, &*with.name, &*with.email), ("48d31887", "Jane", "jane@contoso.com"));
    assert!(!with.email_verified, "administrators write what they like into `mail`");
    assert_eq!(with.avatar, "data:image/jpeg;base64,////");
    assert_eq!(provider.seen("/me/photo/$value")[0].headers["authorization"], "Bearer an-access-token");
    assert!(!is_json(&provider));
    let largest = profile("microsoft", "/me", answer(), &photo("image/png", 200 << 10)).await.0;
    assert!(largest.avatar.starts_with("data:image/png;base64,/"));
    for (kind, length) in
        [("image/jpeg", (200 << 10) + 1), ("image/svg+xml", 3), ("text/html", 3), ("image/png", 0)]
    {
        assert_eq!(profile("microsoft", "/me", answer(), &photo(kind, length)).await.0.avatar, "", "{kind}");
    }
    assert_eq!(profile("microsoft", "/me", answer(), &[]).await.0.avatar, "", "there may be none");
}

#[tokio::test]
async fn microsoft_tenants_have_addresses_of_their_own() {
    use luckystack_topology::OAuthProviderConfig;
    for (tenant, part) in [(None, "/common/"), (Some("contoso.com".to_owned()), "/contoso.com/")] {
        let config = OAuthProviderConfig { tenant, ..Default::default() };
        let begun =
            app(vec![crate::provider::setup("microsoft", config)]).begin("microsoft", None).await.unwrap();
        let expected = format!("https://login.microsoftonline.com{part}oauth2/v2.0/authorize?");
        assert!(begun.location.starts_with(&expected), "{}", begun.location);
        assert!(begun.location.contains("scope=openid+profile+email+User.Read&"), "{}", begun.location);
    }
}

#[tokio::test]
async fn an_email_is_verified_only_when_the_provider_says_so() {
    for (flag, verified) in [
        (json!(true), true),
        (json!("true"), true),
        (json!(false), false),
        (json!("false"), false),
        (json!("TRUE"), false),
        (json!(1), false),
        (json!(["true"]), false),
        (Value::Null, false),
    ] {
        let provider = Provider::start().await;
        // The token's word is about the token's e-mail.
        provider.claims(|claims| {
            claims["email"] = json!("token@example.com");
            claims["email_verified"] = json!(true);
        });
        let said = flag.clone();
        provider.userinfo(move |person| person["email_verified"] = said.clone());
        let app = app(vec![issuer("acme", &provider)]);
        let profile = login(&app, "acme", &provider).await.unwrap().profile;
        assert_eq!((&*profile.email, profile.email_verified), ("jane.doe@example.com", verified), "{flag}");
    }
}

#[tokio::test]
async fn an_id_token_alone_may_say_who_it_is() {
    let provider = Provider::start().await;
    provider.discovery(|document| {
        document.as_object_mut().unwrap().remove("userinfo_endpoint");
    });
    provider.claims(|claims| {
        claims["email"] = json!("token@example.com");
        claims["email_verified"] = json!(true);
        claims["preferred_username"] = json!("jane");
    });
    let profile = login(&app(vec![issuer("acme", &provider)]), "acme", &provider).await.unwrap().profile;
    assert_eq!(
        (&*profile.email, profile.email_verified, &*profile.name),
        ("token@example.com", true, "jane")
    );
    assert!(provider.seen("/userinfo").is_empty());
}

#[tokio::test]
async fn a_person_without_a_plausible_email_or_an_id_is_refused() {
    for (key, value, says) in [
        ("email", Value::Null, "no e-mail"),
        ("email", json!("jane"), "none"),
        ("email", json!(5), "no e-mail"),
    ] {
        let provider = Provider::start().await;
        provider.userinfo(move |person| person[key] = value.clone());
        let app = app(vec![issuer("acme", &provider)]);
        assert_refused(login(&app, "acme", &provider).await, "oauth.profileFetchFailed", says);
    }
    for id in [Value::Null, json!(""), json!(1.5), json!(-1), json!("x".repeat(256)), json!(true)] {
        let provider = Provider::start().await;
        provider.route("/me", Reply::Json(200, json!({"id": id, "email": "jane@example.com"})));
        let app = app(vec![plain("acme", &provider, "/me")]);
        assert_refused(login(&app, "acme", &provider).await, "oauth.profileFetchFailed", "no id");
    }
}
