//! A login at a real OpenID Connect provider, walked through as a browser would.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use luckystack_backplane::{Keys, Memory};
use luckystack_oauth::{Callback, Completed, OAuth, OAuthError, ProviderSetup};
use luckystack_tests::OidcProvider;
use luckystack_topology::OAuthProviderConfig;
use url::Url;

const BASE: &str = "http://127.0.0.1:9";
const CALLBACK: &str = "http://127.0.0.1:9/auth/callback/acme";

fn app(provider: &OidcProvider) -> OAuth {
    let setup = ProviderSetup {
        name: "acme".to_owned(),
        client_id: provider.client_id().to_owned(),
        client_secret: provider.client_secret().to_owned(),
        config: OAuthProviderConfig { issuer: Some(provider.issuer().to_owned()), ..Default::default() },
    };
    let backplane = Arc::new(Memory::new());
    OAuth::new(vec![setup], BASE, Duration::from_secs(600), backplane, Keys::new("app")).unwrap()
}

/// The browser arrives at the app's callback.
async fn arrive(app: &OAuth, callback: &str, nonce: &str) -> Result<Completed, OAuthError> {
    assert!(callback.starts_with(&format!("{CALLBACK}?")), "{callback}");
    let query: HashMap<String, String> = Url::parse(callback).unwrap().query_pairs().into_owned().collect();
    let part = |key: &str| query.get(key).map(String::as_str).unwrap_or_default();
    let (code, state) = (part("code"), part("state"));
    let callback = Callback { code, state, error: part("error"), issuer: part("iss"), nonce };
    app.complete("acme", callback).await
}

#[tokio::test]
async fn a_login_at_a_real_provider_gives_the_profile() {
    let provider = OidcProvider::start(&[CALLBACK]).await;
    let app = app(&provider);
    for login in ["jane", "john"] {
        let begun = app.begin("acme", Some("/home")).await.unwrap();
        let callback = provider.log_in(&begun.location, login).await;
        let completed = arrive(&app, &callback, &begun.nonce).await.unwrap();
        assert_eq!(completed.return_url.as_deref(), Some("/home"));
        let profile = completed.profile;
        assert_eq!((&*profile.provider, &*profile.subject), ("acme", login));
        assert_eq!((&*profile.email, profile.email_verified), (&*format!("{login}@example.com"), true));
        assert_eq!(profile.name, format!("{login} of the provider"));
        assert_eq!(profile.avatar, format!("https://pictures.example.com/{login}.png"));
        let again = arrive(&app, &callback, &begun.nonce).await.unwrap_err();
        assert_eq!(again.reason(), "oauth.invalidState");
    }
}

#[tokio::test]
async fn a_person_who_says_no_at_a_real_provider_is_not_logged_in() {
    let provider = OidcProvider::start(&[CALLBACK]).await;
    let app = app(&provider);
    let begun = app.begin("acme", None).await.unwrap();
    let callback = provider.refuse(&begun.location).await;
    let error = arrive(&app, &callback, &begun.nonce).await.unwrap_err();
    assert!(matches!(&error, OAuthError::NoCode(why) if why.contains("access_denied")), "{error}");
}
