use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};
use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair as _,
};
use serde_json::{Value, json};

use super::{Claims, Expected, Unverified};

const NOW: u64 = 1_700_000_000;

fn expected() -> Expected<'static> {
    #[expect(clippy::cast_precision_loss, reason = "seconds fit")]
    let now = NOW as f64;
    Expected { issuer: "https://i", client_id: "me", nonce: "n", access_token: "access", now }
}

fn claims(change: impl FnOnce(&mut Value)) -> Claims {
    let mut claims =
        json!({"iss": "https://i", "sub": "1", "aud": "me", "exp": NOW + 60, "iat": NOW, "nonce": "n"});
    change(&mut claims);
    Claims(claims.as_object().unwrap().clone())
}

fn message(header: &Value, claims: &Value) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// A key pair of an algorithm that is not RSA's.
fn pair(algorithm: Algorithm) -> (EncodingKey, DecodingKey) {
    let random = SystemRandom::new();
    let ec = |how: &'static EcdsaSigningAlgorithm, half: usize| {
        let document = EcdsaKeyPair::generate_pkcs8(how, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(how, document.as_ref(), &random).unwrap();
        let point = pair.public_key().as_ref();
        let part = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
        let decoding =
            DecodingKey::from_ec_components(&part(&point[1..=half]), &part(&point[half + 1..])).unwrap();
        (EncodingKey::from_ec_der(document.as_ref()), decoding)
    };
    match algorithm {
        Algorithm::ES256 => ec(&ECDSA_P256_SHA256_FIXED_SIGNING, 32),
        Algorithm::ES384 => ec(&ECDSA_P384_SHA384_FIXED_SIGNING, 48),
        _ => {
            let document = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
            let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
            let public = URL_SAFE_NO_PAD.encode(pair.public_key());
            (EncodingKey::from_ed_der(document.as_ref()), DecodingKey::from_ed_components(&public).unwrap())
        }
    }
}

#[test]
fn every_algorithm_is_verified_with_its_own_key_alone() {
    let algorithms = [Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA];
    let pairs = algorithms.map(pair);
    for (index, algorithm) in algorithms.into_iter().enumerate() {
        let message = message(&json!({"alg": format!("{algorithm:?}")}), &json!({"sub": "1"}));
        let signature = crypto::sign(message.as_bytes(), &pairs[index].0, algorithm).unwrap();
        let token = format!("{message}.{signature}");
        let token = Unverified::parse(&token).unwrap();
        assert_eq!(token.algorithm, algorithm);
        for (other, (_, key)) in pairs.iter().enumerate() {
            assert_eq!(token.verify(key).is_ok(), other == index, "{algorithm:?} {other}");
        }
    }
}

/// The hashes of `access`, computed with `openssl dgst`.
#[test]
fn at_hash_is_the_left_half_of_the_algorithms_own_hash() {
    let hash = |alg: &str| {
        let token = format!("{}.x", message(&json!({"alg": alg}), &json!({})));
        Unverified::parse(&token).unwrap().half_hash("access")
    };
    let (short, middle, long) = (
        "oFYf1knNtrqnhAVfBRuteQ",
        "SeGOaEgS6QNKbB7vkLM3y8nujeY4Ple3",
        "kyd4-h3ZoV2sH212kLKbcOnCBajStKQ38Ae_bfT-PFI",
    );
    for (alg, expected) in [
        ("RS256", short),
        ("PS256", short),
        ("ES256", short),
        ("RS384", middle),
        ("PS384", middle),
        ("ES384", middle),
        ("RS512", long),
        ("PS512", long),
        ("EdDSA", long),
    ] {
        assert_eq!(hash(alg), expected, "{alg}");
    }
}

#[test]
fn times_are_judged_with_a_minute_of_leeway() {
    let judge = |change: fn(&mut Value)| claims(change).check_times(expected().now);
    let accepted: &[fn(&mut Value)] = &[
        |_| {},
        |c| c["exp"] = json!(NOW - 59),
        |c| c["iat"] = json!(NOW + 60),
        |c| c["nbf"] = json!(NOW + 60),
        |c| c["iat"] = json!(NOW - 660),
        |c| c["exp"] = json!(1_700_000_001.5),
    ];
    for (index, change) in accepted.iter().enumerate() {
        assert_eq!(judge(*change), Ok(()), "{index}");
    }
    let refused: &[fn(&mut Value)] = &[
        |c| c["exp"] = json!(NOW - 60),
        |c| c["exp"] = json!("9999999999"),
        |c| c["exp"] = Value::Null,
        |c| c["iat"] = json!(NOW + 61),
        |c| c["nbf"] = json!(NOW + 61),
        |c| c["nbf"] = json!("soon"),
        |c| c["iat"] = json!(NOW - 661),
        |c| {
            c.as_object_mut().unwrap().remove("iat");
        },
    ];
    for (index, change) in refused.iter().enumerate() {
        assert!(judge(*change).is_err(), "{index}");
    }
}

#[test]
fn parties_are_judged_exactly() {
    let judge = |change: fn(&mut Value)| claims(change).check_parties(&expected()).is_ok();
    assert!(judge(|_| {}));
    assert!(judge(|c| c["aud"] = json!(["me"])));
    assert!(judge(|c| c["azp"] = json!("me")));
    assert!(!judge(|c| c["iss"] = json!("https://I")));
    assert!(!judge(|c| c["iss"] = json!(["https://i"])));
    assert!(!judge(|c| c["aud"] = json!("me2")));
    assert!(!judge(|c| c["aud"] = json!({"me": true})));
    assert!(!judge(|c| c["azp"] = json!(["me"])));
    assert!(!judge(|c| c["azp"] = json!("other")));
}

proptest! {
    /// Whatever comes, it is taken apart or refused.
    #[test]
    fn no_text_breaks_the_parser(text in "[a-zA-Z0-9_.=+/ -]{0,80}|\\PC{0,60}") {
        let _ = Unverified::parse(&text);
    }

    /// A token with any one byte changed is refused, by the parser or by the signature.
    #[test]
    fn a_changed_token_is_refused(place in any::<prop::sample::Index>(), letter in "[a-zA-Z0-9_.-]") {
        static PAIR: std::sync::LazyLock<(EncodingKey, DecodingKey)> =
            std::sync::LazyLock::new(|| pair(Algorithm::EdDSA));
        let message = message(&json!({"alg": "EdDSA"}), &json!({"sub": "1", "aud": "me"}));
        let signature = crypto::sign(message.as_bytes(), &PAIR.0, Algorithm::EdDSA).unwrap();
        let token = format!("{message}.{signature}");
        let mut changed = token.clone();
        let place = place.index(token.len());
        changed.replace_range(place..=place, &letter);
        let verified = Unverified::parse(&changed).and_then(|token| token.verify(&PAIR.1)).is_ok();
        prop_assert_eq!(verified, changed == token);
    }
}
