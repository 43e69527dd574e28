//! ID tokens (OpenID Connect Core §3.1.3.7, RFC 7515).
//!
//! Nothing in a token is looked at before its signature holds, except which key and algorithm to try;
//! and those are only taken from what [`crate::keys`] allows.

#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use ring::digest::{self, digest};
use serde_json::{Map, Value};

use crate::keys::named;

/// How far clocks may be apart, in seconds.
const LEEWAY: f64 = 60.0;
/// How old a token may be that was just asked for, in seconds; some issuers date theirs five minutes back.
const MAX_AGE: f64 = 600.0;

/// A token whose signature has not been looked at.
pub(crate) struct Unverified<'a> {
    /// Header and payload, as they were signed.
    message: &'a str,
    payload: &'a str,
    signature: &'a str,
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<String>,
}

/// What a signed token says.
pub(crate) struct Claims(Map<String, Value>);

/// What it has to say.
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) access_token: &'a str,
    /// Seconds since 1970.
    pub(crate) now: f64,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart.
    pub(crate) fn parse(token: &'a str) -> Result<Self, String> {
        let malformed = || "the ID token is malformed".to_owned();
        let (message, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
        let (header, payload) = message.split_once('.').ok_or_else(malformed)?;
        if payload.contains('.') {
            return Err(malformed());
        }
        let header = object(header).ok_or_else(malformed)?;
        if header.contains_key("crit") {
            return Err("the ID token has extensions (`crit`) that are not understood".to_owned());
        }
        let algorithm = header
            .get("alg")
            .and_then(Value::as_str)
            .and_then(named)
            .ok_or("the ID token is not signed with an algorithm that is accepted")?;
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(malformed()),
        };
        Ok(Self { message, payload, signature, algorithm, kid })
    }

    /// What it says, if `key` signed it. The key has to be one for the token's algorithm.
    pub(crate) fn verify(&self, key: &DecodingKey) -> Result<Claims, String> {
        match crypto::verify(self.signature, self.message.as_bytes(), key, self.algorithm) {
            Ok(true) => {}
            Ok(false) | Err(_) => return Err("the signature of the ID token is wrong".to_owned()),
        }
        object(self.payload).map(Claims).ok_or_else(|| "the ID token holds no claims".to_owned())
    }

    /// The hash of the access token that `at_hash` is about: the left half, in base64url.
    fn half_hash(&self, text: &str) -> String {
        let algorithm = match self.algorithm {
            Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 => &digest::SHA384,
            Algorithm::RS512 | Algorithm::PS512 | Algorithm::EdDSA => &digest::SHA512,
            _ => &digest::SHA256,
        };
        let hash = digest(algorithm, text.as_bytes());
        let (half, _) = hash.as_ref().split_at(hash.as_ref().len() / 2);
        URL_SAFE_NO_PAD.encode(half)
    }

    /// Judges what a token says.
    pub(crate) fn check(&self, claims: &Claims, expected: &Expected<'_>) -> Result<(), String> {
        claims.check_parties(expected)?;
        claims.check_times(expected.now)?;
        if claims.text("nonce") != Some(expected.nonce) {
            return Err("the ID token is of another login (`nonce`)".to_owned());
        }
        match claims.0.get("at_hash") {
            None => Ok(()),
            Some(Value::String(hash)) if *hash == self.half_hash(expected.access_token) => Ok(()),
            Some(_) => Err("the ID token belongs to another access token (`at_hash`)".to_owned()),
        }
    }
}

impl Claims {
    /// Who it is.
    pub(crate) fn subject(&self) -> Option<&str> {
        self.text("sub").filter(|subject| !subject.is_empty())
    }

    /// All claims.
    pub(crate) fn into_map(self) -> Map<String, Value> {
        self.0
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(Value::as_str)
    }

    /// From whom, for whom.
    fn check_parties(&self, expected: &Expected<'_>) -> Result<(), String> {
        if self.text("iss") != Some(expected.issuer) {
            return Err("the ID token is of another issuer (`iss`)".to_owned());
        }
        let audiences: Vec<&str> = match self.0.get("aud") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if !audiences.contains(&expected.client_id) {
            return Err("the ID token is for another client (`aud`)".to_owned());
        }
        match self.0.get("azp") {
            None if audiences.len() > 1 => {
                Err("the ID token is for several clients and does not say who asked (`azp`)".to_owned())
            }
            Some(party) if party.as_str() != Some(expected.client_id) => {
                Err("another client asked for the ID token (`azp`)".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// From when to when.
    fn check_times(&self, now: f64) -> Result<(), String> {
        let time = |key: &str| match self.0.get(key) {
            None => Ok(None),
            Some(value) => match value.as_f64().filter(|time| time.is_finite()) {
                Some(time) => Ok(Some(time)),
                None => Err(format!("the ID token has no time in `{key}`")),
            },
        };
        let needed = |key: &str| time(key)?.ok_or_else(|| format!("the ID token has no `{key}`"));
        if needed("exp")? + LEEWAY <= now {
            return Err("the ID token has expired (`exp`)".to_owned());
        }
        let issued = needed("iat")?;
        if issued - LEEWAY > now || time("nbf")?.is_some_and(|begin| begin - LEEWAY > now) {
            return Err("the ID token is from the future (`iat`, `nbf`); compare the clocks".to_owned());
        }
        if issued + MAX_AGE + LEEWAY < now {
            return Err("the ID token was issued too long ago (`iat`)".to_owned());
        }
        Ok(())
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
