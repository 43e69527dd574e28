//! What is kept between the two halves of a login: state, nonce, PKCE verifier (§5.1, §5.6).
//!
//! The rule kept here: a state is spent by being asked for, once, under the provider that it was made
//! for, and only the browser that began the login holds the nonce that goes with it.

use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use luckystack_backplane::{Keys, SharedBackplane};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::flow::OAuthError;

/// Random bytes in each of state, nonce and verifier.
const RANDOM: usize = 32;

/// Where states are kept. Cheap to clone.
#[derive(Clone)]
pub(crate) struct States {
    backplane: SharedBackplane,
    keys: Keys,
    life: Duration,
}

/// A login that begins: what goes to the browser and to the provider.
pub(crate) struct Fresh {
    /// `state`, 64 hex digits.
    pub(crate) state: String,
    /// The cookie's value, 64 hex digits. It goes to the browser only.
    pub(crate) nonce: String,
    /// The nonce of the ID token: the hash of the cookie's value, which the provider does not learn.
    pub(crate) oidc_nonce: String,
    /// `code_challenge`: S256 of the verifier.
    pub(crate) challenge: String,
}

/// What is kept, as the framework writes it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Kept {
    /// SHA-256 of the cookie's value, in hex; also the nonce of the ID token.
    pub(crate) nonce_hash: String,
    /// PKCE; absent when a server without it began the login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) code_verifier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) return_url: Option<String>,
}

impl States {
    pub(crate) fn new(backplane: SharedBackplane, keys: Keys, life: Duration) -> Self {
        Self { backplane, keys, life }
    }

    /// Makes a state and keeps what belongs to it.
    pub(crate) async fn begin(&self, provider: &str, return_url: Option<&str>) -> Result<Fresh, OAuthError> {
        let state = hex(&random()?);
        let nonce = hex(&random()?);
        let verifier = URL_SAFE_NO_PAD.encode(random()?);
        let nonce_hash = hash(&nonce);
        let challenge = challenge(&verifier);
        let kept = Kept {
            nonce_hash: nonce_hash.clone(),
            code_verifier: Some(verifier),
            return_url: return_url.map(str::to_owned),
        };
        let value = serde_json::to_vec(&kept).map_err(|error| OAuthError::StateInit(error.to_string()))?;
        let key = self.key(provider, &state);
        match self.backplane.set_new(&key, value.into(), Some(self.life)).await {
            Ok(true) => Ok(Fresh { state, nonce, oidc_nonce: nonce_hash, challenge }),
            Ok(false) => Err(OAuthError::StateInit("the state exists already".to_owned())),
            Err(error) => Err(OAuthError::StateInit(error.to_string())),
        }
    }

    /// Spends a state; what was kept, if the nonce is the one that belongs to it.
    pub(crate) async fn end(&self, provider: &str, state: &str, nonce: &str) -> Result<Kept, OAuthError> {
        let invalid = |why: &str| OAuthError::InvalidState(why.to_owned());
        if state.is_empty() {
            return Err(invalid("none was sent"));
        }
        // Only what this crate makes can be a part of a key.
        if !is_hex(state) {
            return Err(invalid("it is none of this host's"));
        }
        let value = self
            .backplane
            .take(&self.key(provider, state))
            .await
            .map_err(|error| OAuthError::InvalidState(error.to_string()))?
            .ok_or_else(|| invalid("it is unknown, expired, used, or of another provider"))?;
        let kept: Kept =
            serde_json::from_slice(&value).map_err(|_| invalid("what is stored with it cannot be read"))?;
        if nonce.is_empty() {
            return Err(invalid("the browser sent no cookie `ls-oauth-state`"));
        }
        if !bool::from(hash(nonce).as_bytes().ct_eq(kept.nonce_hash.as_bytes())) {
            return Err(invalid("another browser began this login"));
        }
        Ok(kept)
    }

    /// Forgets the state of a login that the provider ended. What cannot be forgotten expires.
    pub(crate) async fn forget(&self, provider: &str, state: &str) {
        if is_hex(state)
            && let Err(error) = self.backplane.delete(&self.key(provider, state)).await
        {
            tracing::debug!(provider, %error, "the state of an ended login stays until it expires");
        }
    }

    fn key(&self, provider: &str, state: &str) -> String {
        self.keys.own("oauth-state", &format!("{provider}:{state}"))
    }
}

fn random() -> Result<[u8; RANDOM], OAuthError> {
    let mut bytes = [0; RANDOM];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| OAuthError::StateInit("the system gives no random numbers".to_owned()))?;
    Ok(bytes)
}

/// SHA-256 in hex.
fn hash(text: &str) -> String {
    hex(digest(&SHA256, text.as_bytes()).as_ref())
}

/// RFC 7636 §4.2, `S256`.
fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn is_hex(text: &str) -> bool {
    text.len() == RANDOM * 2 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::{challenge, hash, hex, is_hex};

    /// The example of RFC 7636, appendix B.
    #[test]
    fn the_challenge_is_the_one_of_the_rfc() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn hashes_are_lower_case_hex() {
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn only_own_states_reach_the_store() {
        assert!(is_hex(&hex(&[0xa5; 32])));
        for other in ["", "a", &"A".repeat(64), &"g".repeat(64), &"a".repeat(65), &"*".repeat(64)] {
            assert!(!is_hex(other), "{other}");
        }
    }
}
