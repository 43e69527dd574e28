//! ID tokens that must not be believed (OpenID Connect Core §3.1.3.7).

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::provider::{
    CLIENT, Provider, SECRET, Signer, app, assert_refused, finish, hmac, issuer, login, message, now,
};

const REFUSED: &str = "oauth.profileFetchFailed";

/// A login whose ID token has other claims fails and says why.
async fn assert_claims_refused(says: &str, change: impl Fn(&mut Value) + Send + Sync + 'static) {
    let provider = Provider::start().await;
    let app = app(vec![issuer("acme", &provider)]);
    login(&app, "acme", &provider).await.expect("it is honest so far");
    provider.claims(change);
    assert_refused(login(&app, "acme", &provider).await, REFUSED, says);
}

/// A login whose ID token is made in another way fails and says why.
async fn assert_forgery_refused(
    says: &str,
    forge: impl Fn(&Signer, &Value) -> String + Send + Sync + 'static,
) {
    let provider = Provider::start().await;
    let app = app(vec![issuer("acme", &provider)]);
    login(&app, "acme", &provider).await.expect("it is honest so far");
    let signer = provider.signer();
    provider.forge(move |claims| forge(&signer, claims));
    assert_refused(login(&app, "acme", &provider).await, REFUSED, says);
}

#[tokio::test]
async fn a_token_of_another_issuer_is_refused() {
    assert_claims_refused("`iss`", |claims| claims["iss"] = json!("https://evil.example.com")).await;
}

#[tokio::test]
async fn a_token_of_an_issuer_with_a_slash_more_is_refused() {
    assert_claims_refused("`iss`", |claims| {
        claims["iss"] = json!(format!("{}/", claims["iss"].as_str().unwrap()));
    })
    .await;
}

#[tokio::test]
async fn a_token_for_another_client_is_refused() {
    assert_claims_refused("`aud`", |claims| claims["aud"] = json!("another-client")).await;
}

#[tokio::test]
async fn a_token_for_nobody_is_refused() {
    assert_claims_refused("`aud`", |claims| claims["aud"] = json!([])).await;
}

#[tokio::test]
async fn a_token_for_several_clients_without_azp_is_refused() {
    assert_claims_refused("`azp`", |claims| claims["aud"] = json!([CLIENT, "another-client"])).await;
}

#[tokio::test]
async fn a_token_that_another_client_asked_for_is_refused() {
    assert_claims_refused("`azp`", |claims| {
        claims["aud"] = json!([CLIENT, "another-client"]);
        claims["azp"] = json!("another-client");
    })
    .await;
}

#[tokio::test]
async fn a_token_for_several_clients_that_this_one_asked_for_is_accepted() {
    let provider = Provider::start().await;
    provider.claims(|claims| {
        claims["aud"] = json!(["another-client", CLIENT]);
        claims["azp"] = json!(CLIENT);
    });
    login(&app(vec![issuer("acme", &provider)]), "acme", &provider).await.unwrap();
}

#[tokio::test]
async fn a_token_with_another_nonce_is_refused() {
    assert_claims_refused("`nonce`", |claims| claims["nonce"] = json!("0".repeat(64))).await;
}

#[tokio::test]
async fn a_token_without_a_nonce_is_refused() {
    assert_claims_refused("`nonce`", |claims| {
        claims.as_object_mut().unwrap().remove("nonce");
    })
    .await;
}

#[tokio::test]
async fn an_expired_token_is_refused() {
    assert_claims_refused("`exp`", |claims| claims["exp"] = json!(now() - 61)).await;
}

#[tokio::test]
async fn a_token_that_never_expires_is_refused() {
    assert_claims_refused("`exp`", |claims| {
        claims.as_object_mut().unwrap().remove("exp");
    })
    .await;
}

#[tokio::test]
async fn a_token_from_the_future_is_refused() {
    assert_claims_refused("`iat`", |claims| claims["iat"] = json!(now() + 120)).await;
}

#[tokio::test]
async fn a_token_that_is_not_valid_yet_is_refused() {
    assert_claims_refused("`nbf`", |claims| claims["nbf"] = json!(now() + 120)).await;
}

#[tokio::test]
async fn an_old_token_is_refused() {
    assert_claims_refused("too long ago", |claims| claims["iat"] = json!(now() - 3600)).await;
}

#[tokio::test]
async fn clocks_may_be_a_minute_apart() {
    let provider = Provider::start().await;
    provider.claims(|claims| {
        claims["iat"] = json!(now() + 30);
        claims["nbf"] = json!(now() + 30);
        claims["exp"] = json!(now() - 30);
    });
    login(&app(vec![issuer("acme", &provider)]), "acme", &provider).await.unwrap();
}

#[tokio::test]
async fn a_token_of_nobody_is_refused() {
    assert_claims_refused("`sub`", |claims| claims["sub"] = json!("")).await;
}

#[tokio::test]
async fn a_token_with_the_hash_of_another_access_token_is_refused() {
    assert_claims_refused("`at_hash`", |claims| claims["at_hash"] = json!("AAAAAAAAAAAAAAAAAAAAAA")).await;
}

#[tokio::test]
async fn a_token_without_at_hash_is_accepted() {
    let provider = Provider::start().await;
    provider.claims(|claims| {
        claims.as_object_mut().unwrap().remove("at_hash");
    });
    login(&app(vec![issuer("acme", &provider)]), "acme", &provider).await.unwrap();
}

#[tokio::test]
async fn an_unsigned_token_is_refused() {
    assert_forgery_refused("algorithm that is accepted", |_, claims| {
        format!("{}.", message(&json!({"alg": "none", "kid": "first"}), claims))
    })
    .await;
}

#[tokio::test]
async fn a_token_with_an_empty_signature_is_refused() {
    assert_forgery_refused("signature", |_, claims| {
        format!("{}.", message(&json!({"alg": "ES256", "kid": "first"}), claims))
    })
    .await;
}

/// The classic: the verifier takes its public key for the secret of an HMAC.
#[tokio::test]
async fn a_token_signed_with_the_public_key_as_a_secret_is_refused() {
    assert_forgery_refused("algorithm that is accepted", |signer, claims| {
        hmac("first", &signer.public, claims)
    })
    .await;
}

#[tokio::test]
async fn a_token_signed_with_the_client_secret_is_refused() {
    assert_forgery_refused("algorithm that is accepted", |_, claims| {
        hmac("first", SECRET.as_bytes(), claims)
    })
    .await;
}

#[tokio::test]
async fn a_token_signed_with_another_key_of_the_same_name_is_refused() {
    assert_forgery_refused("signature", |_, claims| Signer::p256("first").sign(claims)).await;
}

#[tokio::test]
async fn a_token_whose_claims_were_changed_is_refused() {
    assert_forgery_refused("signature", |signer, claims| {
        let signed = signer.sign(claims);
        let signature = signed.rsplit('.').next().unwrap();
        let mut claims = claims.clone();
        claims["sub"] = json!("somebody-else");
        format!("{}.{signature}", message(&json!({"alg": "ES256", "typ": "JWT", "kid": "first"}), &claims))
    })
    .await;
}

#[tokio::test]
async fn a_token_whose_extensions_are_not_understood_is_refused() {
    assert_forgery_refused("crit", |signer, claims| {
        let header = json!({"alg": "ES256", "kid": "first", "crit": ["b64"], "b64": true});
        signer.sign_with(&header, claims)
    })
    .await;
}

#[tokio::test]
async fn a_token_in_pieces_is_refused() {
    for malformed in ["", ".", "..", "a.b", "a.b.c", "e30.e30.e30", "e30.e30.e30.e30", "e30..e30", "{}.{}.{}"]
    {
        assert_forgery_refused("the ID token is", move |_, _| match malformed {
            "" => " ".to_owned(),
            other => other.to_owned(),
        })
        .await;
    }
}

#[tokio::test]
async fn a_key_of_another_type_than_the_algorithm_is_refused() {
    let provider = Provider::start().await;
    let app = app(vec![issuer("acme", &provider)]);
    let (ec, rsa) = (Signer::p256("same"), Signer::rsa("same", Algorithm::RS256));
    // Published is the one, signed with the other; both are called the same.
    provider.sign_with(&rsa, &[&ec]);
    assert_refused(login(&app, "acme", &provider).await, REFUSED, "another type");
    provider.sign_with(&rsa, &[&ec, &rsa]);
    assert_eq!(provider.seen("/jwks").len(), 1, "a key of the wrong type is no reason to ask again");
}

#[tokio::test]
async fn every_rsa_algorithm_is_verified() {
    use Algorithm::{PS256, PS384, PS512, RS256, RS384, RS512};
    for algorithm in [RS256, RS384, RS512, PS256, PS384, PS512] {
        let provider = Provider::start().await;
        provider.claims(|claims| {
            claims.as_object_mut().unwrap().remove("at_hash");
        });
        let rsa = Signer::rsa("rsa", algorithm);
        provider.sign_with(&rsa, &[&Signer::p256("ec"), &rsa]);
        let app = app(vec![issuer("acme", &provider)]);
        login(&app, "acme", &provider).await.unwrap_or_else(|error| panic!("{algorithm:?}: {error}"));
    }
}

#[tokio::test]
async fn a_key_for_one_algorithm_does_not_verify_another() {
    let provider = Provider::start().await;
    let mut rsa = Signer::rsa("rsa", Algorithm::RS256);
    rsa.jwk["alg"] = json!("PS256");
    provider.sign_with(&rsa, &[&rsa]);
    let app = app(vec![issuer("acme", &provider)]);
    assert_refused(login(&app, "acme", &provider).await, REFUSED, "another type");
}

#[tokio::test]
async fn a_new_key_is_fetched_once_and_unknown_ones_do_not_make_the_host_ask_again() {
    let provider = Provider::start().await;
    let app = app(vec![issuer("acme", &provider)]);
    login(&app, "acme", &provider).await.unwrap();
    login(&app, "acme", &provider).await.unwrap();
    assert_eq!(provider.seen("/jwks").len(), 1, "keys are kept");
    let rotated = Signer::p256("second");
    provider.sign_with(&rotated, &[&rotated]);
    login(&app, "acme", &provider).await.unwrap();
    assert_eq!(provider.seen("/jwks").len(), 2, "a new key is fetched");
    let unknown = Signer::p256("unknown");
    provider.sign_with(&unknown, &[&rotated]);
    for _ in 0..5 {
        assert_refused(login(&app, "acme", &provider).await, REFUSED, "does not list");
    }
    assert_eq!(provider.seen("/jwks").len(), 2, "at most once a minute");
    provider.sign_with(&rotated, &[&rotated]);
    login(&app, "acme", &provider).await.unwrap();
}

#[tokio::test]
async fn an_unknown_key_is_refused() {
    let provider = Provider::start().await;
    let app = app(vec![issuer("acme", &provider)]);
    provider.sign_with(&Signer::p256("unknown"), &[&Signer::p256("first")]);
    assert_refused(login(&app, "acme", &provider).await, REFUSED, "does not list");
    assert_eq!(provider.seen("/jwks").len(), 1, "what was fetched for this very token is fresh enough");
}

#[tokio::test]
async fn a_login_without_an_id_token_is_refused() {
    let provider = Provider::start().await;
    provider.forge(|_| String::new());
    let app = app(vec![issuer("acme", &provider)]);
    assert_refused(login(&app, "acme", &provider).await, REFUSED, "no ID token");
}

#[tokio::test]
async fn the_userinfo_of_somebody_else_is_refused() {
    for other in [json!("somebody-else"), json!(""), json!(248_289_761_001_u64), Value::Null] {
        let provider = Provider::start().await;
        provider.userinfo(move |person| person["sub"] = other.clone());
        let app = app(vec![issuer("acme", &provider)]);
        assert_refused(login(&app, "acme", &provider).await, REFUSED, "somebody else");
    }
}

/// The token of one login is presented in another.
#[tokio::test]
async fn a_token_of_another_login_is_refused() {
    let provider = Provider::start().await;
    let app = app(vec![issuer("acme", &provider)]);
    let kept = std::sync::Arc::new(parking_lot::Mutex::new(None));
    let signer = provider.signer();
    provider.forge(move |claims| kept.lock().get_or_insert_with(|| signer.sign(claims)).clone());
    let first = app.begin("acme", None).await.unwrap();
    finish(&app, "acme", &provider, &first).await.unwrap();
    assert_refused(login(&app, "acme", &provider).await, REFUSED, "`nonce`");
}
