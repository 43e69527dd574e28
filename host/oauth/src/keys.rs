//! An issuer's signing keys (RFC 7517), cached.
//!
//! The rule kept here: **the key says which algorithms it is for, not the token.** A public key never
//! becomes the secret of an HMAC, because no key of this module fits one; and a stranger's token cannot
//! make the host ask the issuer more than once a minute.

use std::time::{Duration, Instant};

use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use crate::fetch::Fetch;

/// Keys are asked for anew after this long, so that one that was withdrawn is not trusted for ever.
const LIFE: Duration = Duration::from_secs(3600);
/// How often an unknown key is worth a question.
const REFETCH_EVERY: Duration = Duration::from_secs(60);
/// Whoever needs to ask this soon after a failure shares it, so that logins do not queue up behind a dead
/// issuer.
const FAILURE_LIFE: Duration = Duration::from_secs(2);
/// More keys than any issuer has.
const MAX_KEYS: usize = 100;

/// Keys of one issuer.
#[derive(Default)]
pub(crate) struct KeyCache {
    cached: Mutex<Cached>,
}

#[derive(Default)]
struct Cached {
    keys: Option<(Vec<Key>, Instant)>,
    /// When an unknown key last was a reason to ask.
    forced: Option<Instant>,
    /// When asking last failed, and why.
    failed: Option<(String, Instant)>,
}

struct Key {
    kid: Option<String>,
    algorithms: Vec<Algorithm>,
    decoding: DecodingKey,
}

/// What the cache says of a key.
enum Look {
    Found(DecodingKey),
    /// Ask the issuer, then look once more with [`choose`].
    Ask,
    Refused(String),
}

/// What a set of keys says.
enum Choice {
    Found(DecodingKey),
    Unknown(String),
    /// It is there and not for this.
    Unfit(String),
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Value>,
}

/// One key as written; members that are not for signatures are left out.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeyCache {
    /// The key that signed a token with this `kid` and algorithm, asked for at `uri` when it is not known.
    /// Several who need to ask wait for one answer.
    pub(crate) async fn find(
        &self,
        fetch: &Fetch,
        uri: &Url,
        kid: Option<&str>,
        algorithm: Algorithm,
        now: Instant,
    ) -> Result<DecodingKey, String> {
        let mut cached = self.cached.lock().await;
        match cached.look(kid, algorithm, now) {
            Look::Found(key) => return Ok(key),
            Look::Refused(why) => return Err(why),
            Look::Ask => {}
        }
        if let Some((why, at)) = &cached.failed
            && at.elapsed() < FAILURE_LIFE
        {
            return Err(why.clone());
        }
        let jwks: Jwks = match fetch.json(fetch.get(uri)).await {
            Ok(jwks) => jwks,
            Err(error) => {
                let why = format!("the issuer's keys: {error}");
                cached.failed = Some((why.clone(), Instant::now()));
                return Err(why);
            }
        };
        let keys = cached.keep(jwks, now);
        match choose(keys, kid, algorithm) {
            Choice::Found(key) => Ok(key),
            Choice::Unknown(why) | Choice::Unfit(why) => Err(why),
        }
    }
}

impl Cached {
    fn look(&mut self, kid: Option<&str>, algorithm: Algorithm, now: Instant) -> Look {
        let Some((keys, _)) =
            self.keys.as_ref().filter(|(_, asked)| now.saturating_duration_since(*asked) < LIFE)
        else {
            return Look::Ask;
        };
        match choose(keys, kid, algorithm) {
            Choice::Found(key) => Look::Found(key),
            Choice::Unfit(why) => Look::Refused(why),
            Choice::Unknown(why) => {
                let lately = |forced| now.saturating_duration_since(forced) < REFETCH_EVERY;
                if self.forced.is_some_and(lately) {
                    return Look::Refused(why);
                }
                self.forced = Some(now);
                Look::Ask
            }
        }
    }

    fn keep(&mut self, jwks: Jwks, now: Instant) -> &[Key] {
        let keys = jwks.keys.into_iter().take(MAX_KEYS).filter_map(Key::read).collect();
        &self.keys.insert((keys, now)).0
    }
}

impl Key {
    /// Reads a key that verifies signatures; none for every other.
    fn read(value: Value) -> Option<Key> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        let for_signatures = jwk.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
            && jwk.key_ops.as_deref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !for_signatures {
            return None;
        }
        use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        let (fitting, decoding): (&[Algorithm], _) = match (&*jwk.kty, jwk.crv.as_deref()) {
            ("RSA", _) => (
                &[RS256, RS384, RS512, PS256, PS384, PS512],
                DecodingKey::from_rsa_components(jwk.n.as_deref()?, jwk.e.as_deref()?),
            ),
            ("EC", Some("P-256")) => {
                (&[ES256], DecodingKey::from_ec_components(jwk.x.as_deref()?, jwk.y.as_deref()?))
            }
            ("EC", Some("P-384")) => {
                (&[ES384], DecodingKey::from_ec_components(jwk.x.as_deref()?, jwk.y.as_deref()?))
            }
            ("OKP", Some("Ed25519")) => (&[EdDSA], DecodingKey::from_ed_components(jwk.x.as_deref()?)),
            // `oct` above all: a secret has no place in a published set.
            _ => return None,
        };
        let algorithms: Vec<Algorithm> = match jwk.alg.as_deref() {
            None => fitting.to_vec(),
            Some(alg) => fitting.iter().copied().filter(|fit| named(alg) == Some(*fit)).collect(),
        };
        Some(Key { kid: jwk.kid, algorithms, decoding: decoding.ok()? })
            .filter(|key| !key.algorithms.is_empty())
    }
}

/// The algorithm of that name, if it is one that tokens may be signed with: never `none`, never an HMAC.
pub(crate) fn named(alg: &str) -> Option<Algorithm> {
    Some(match alg {
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        "PS256" => Algorithm::PS256,
        "PS384" => Algorithm::PS384,
        "PS512" => Algorithm::PS512,
        "ES256" => Algorithm::ES256,
        "ES384" => Algorithm::ES384,
        "EdDSA" => Algorithm::EdDSA,
        _ => return None,
    })
}

fn choose(keys: &[Key], kid: Option<&str>, algorithm: Algorithm) -> Choice {
    let fits = |key: &&Key| key.algorithms.contains(&algorithm);
    let Some(kid) = kid else {
        // Without a name only a single candidate is meant for sure (OpenID Connect Core §10.1).
        let mut fitting = keys.iter().filter(fits);
        return match (fitting.next(), fitting.next()) {
            (Some(only), None) => Choice::Found(only.decoding.clone()),
            (None, _) => Choice::Unknown("no key of the issuer fits the ID token".to_owned()),
            _ => Choice::Unfit("the ID token names no key, and several of the issuer's fit".to_owned()),
        };
    };
    let mut of_that_name = keys.iter().filter(|key| key.kid.as_deref() == Some(kid)).peekable();
    if of_that_name.peek().is_none() {
        return Choice::Unknown("the ID token is signed with a key that the issuer does not list".to_owned());
    }
    match of_that_name.find(fits) {
        Some(key) => Choice::Found(key.decoding.clone()),
        None => Choice::Unfit("the key of the ID token is of another type than its algorithm".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use jsonwebtoken::Algorithm;
    use serde_json::{Value, json};

    use super::{Cached, Choice, Jwks, Key, LIFE, Look, REFETCH_EVERY, choose, named};

    const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

    fn ec(kid: &str) -> Value {
        json!({"kty": "EC", "crv": "P-256", "x": X, "y": Y, "kid": kid})
    }

    fn with(mut jwk: Value, key: &str, value: Value) -> Value {
        jwk[key] = value;
        jwk
    }

    #[test]
    fn a_key_is_for_the_algorithms_of_its_type_alone() {
        use Algorithm::{ES256, ES384, EdDSA, PS256, RS256};
        let rsa = json!({"kty": "RSA", "n": X, "e": "AQAB"});
        let ed = json!({"kty": "OKP", "crv": "Ed25519", "x": X});
        for (jwk, fitting) in [
            (ec("k"), vec![ES256]),
            (with(ec("k"), "crv", json!("P-384")), vec![ES384]),
            (ed.clone(), vec![EdDSA]),
            (with(rsa.clone(), "alg", json!("RS256")), vec![RS256]),
            (with(rsa.clone(), "alg", json!("PS256")), vec![PS256]),
        ] {
            assert_eq!(Key::read(jwk.clone()).unwrap().algorithms, fitting, "{jwk}");
        }
        let all = Key::read(rsa.clone()).unwrap().algorithms;
        assert_eq!(all.len(), 6);
        assert!(!all.iter().any(|alg| matches!(alg, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512)));
        for unusable in [
            json!({"kty": "oct", "k": X}),
            json!({"kty": "oct", "k": X, "alg": "HS256"}),
            with(rsa.clone(), "alg", json!("HS256")),
            with(rsa.clone(), "alg", json!("ES256")),
            with(rsa.clone(), "alg", json!("none")),
            with(rsa.clone(), "use", json!("enc")),
            with(rsa.clone(), "key_ops", json!(["encrypt"])),
            json!({"kty": "RSA", "e": "AQAB"}),
            with(rsa, "n", json!("not base64!")),
            with(ec("k"), "crv", json!("P-521")),
            with(ec("k"), "crv", json!("secp256k1")),
            with(ed, "crv", json!("X25519")),
            json!({"kid": "k"}),
            json!(5),
        ] {
            assert!(Key::read(unusable.clone()).is_none(), "{unusable}");
        }
    }

    fn found(choice: Choice) -> bool {
        matches!(choice, Choice::Found(_))
    }

    #[test]
    fn only_algorithms_with_public_keys_have_a_name() {
        for alg in ["none", "None", "", "HS256", "HS384", "HS512", "ES512", "ES256K", "rs256", "RS256 "] {
            assert_eq!(named(alg), None, "{alg}");
        }
        for alg in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"] {
            assert_eq!(named(alg).map(|found| format!("{found:?}")).as_deref(), Some(alg));
        }
    }

    #[test]
    fn a_token_without_a_kid_needs_a_single_candidate() {
        let one: Vec<Key> = [ec("a")].into_iter().filter_map(Key::read).collect();
        let two: Vec<Key> = [ec("a"), ec("b")].into_iter().filter_map(Key::read).collect();
        assert!(found(choose(&one, None, Algorithm::ES256)));
        assert!(matches!(choose(&two, None, Algorithm::ES256), Choice::Unfit(_)));
        assert!(matches!(choose(&one, None, Algorithm::RS256), Choice::Unknown(_)));
        assert!(found(choose(&two, Some("b"), Algorithm::ES256)));
        assert!(matches!(choose(&two, Some("c"), Algorithm::ES256), Choice::Unknown(_)));
        assert!(matches!(choose(&two, Some("b"), Algorithm::RS256), Choice::Unfit(_)));
    }

    #[test]
    fn an_unknown_key_is_asked_for_at_most_once_a_minute_and_known_ones_hourly() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let mut cached = Cached::default();
        let asks = |cached: &mut Cached, kid: &str, now| {
            matches!(cached.look(Some(kid), Algorithm::ES256, now), Look::Ask)
        };
        assert!(asks(&mut cached, "a", at(0)), "nothing is known yet");
        cached.keep(Jwks { keys: vec![ec("a")] }, at(0));
        assert!(matches!(cached.look(Some("a"), Algorithm::ES256, at(1)), Look::Found(_)));
        assert!(asks(&mut cached, "b", at(2)), "the first unknown key");
        cached.keep(Jwks { keys: vec![ec("a")] }, at(2));
        for seconds in 2..2 + REFETCH_EVERY.as_secs() {
            assert!(!asks(&mut cached, "b", at(seconds)), "{seconds}");
            assert!(!asks(&mut cached, "c", at(seconds)), "{seconds}");
        }
        let again = 2 + REFETCH_EVERY.as_secs();
        assert!(asks(&mut cached, "b", at(again)));
        assert!(!asks(&mut cached, "b", at(again + 1)), "also when asking brought nothing");
        assert!(!asks(&mut cached, "a", at(1 + LIFE.as_secs())));
        assert!(asks(&mut cached, "a", at(2 + LIFE.as_secs())));
    }
}
