//! The probes: is the process alive, may it be sent work, which boot is it (wire protocol §6.2).
//!
//! Strangers can read these, so they name services and never say why one fails. A check of something
//! that is not configured says `"skipped"`: neither `true` nor `false` would be so.

use bytes::Bytes;
use http::StatusCode;
use luckystack_pipeline::request_id::uuid_text;
use luckystack_topology::{HealthHashConfig, HealthHashMode, HttpConfig};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::answer::Answer;
use crate::readiness::Phase;

/// The salt that stands for the boot uuid.
const BOOT_UUID_SALT: &str = "@bootUuid";
/// Block size of SHA-256, by which HMAC pads its key.
const BLOCK: usize = 64;

/// What `/_health` tells a router about this host.
#[derive(Debug, Clone, Default)]
pub struct HostIdentity {
    /// The environment key: `LUCKYSTACK_ENV`, else `NODE_ENV`, else `development`.
    pub env_key: String,
    /// Environment values that must be the same on every host, by key; only their hashes are shown.
    pub synchronized: Vec<(String, Option<String>)>,
}

/// The probe endpoints of one server.
#[derive(Debug)]
pub(crate) struct Endpoints {
    live: String,
    ready: String,
    health: String,
    boot_uuid: String,
    /// Everything of `/_health` that never changes.
    health_body: HealthBody,
}

/// Whether what the host stands on answers; none where there is nothing to ask.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stores {
    /// The shared backplane.
    pub redis: Option<bool>,
    /// The accounts.
    pub database: Option<bool>,
}

impl Stores {
    fn are_up(self) -> bool {
        self.redis != Some(false) && self.database != Some(false)
    }
}

/// Which probe a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probe {
    Live,
    Ready,
    Health,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct HealthBody {
    status: &'static str,
    boot_uuid: String,
    env_key: String,
    synchronized_hashes: Map<String, Value>,
    health_hash: Value,
}

impl Endpoints {
    pub(crate) fn new(config: &HttpConfig, identity: &HostIdentity) -> Self {
        let boot_uuid = String::from_utf8_lossy(&uuid_text(fastrand::u128(..))).into_owned();
        let hashes = identity.synchronized.iter().map(|(key, value)| {
            let hash = value.as_ref().map(|value| health_hash(&config.health_hash, &boot_uuid, value));
            (key.clone(), hash.map_or(Value::Null, Value::String))
        });
        let mode = match config.health_hash.mode {
            HealthHashMode::Hmac => "hmac",
            HealthHashMode::Plain => "plain",
        };
        let health_body = HealthBody {
            status: "ok",
            boot_uuid: boot_uuid.clone(),
            env_key: identity.env_key.clone(),
            synchronized_hashes: hashes.collect(),
            health_hash: json!({ "mode": mode, "bootUuidSalt": config.health_hash.salt == BOOT_UUID_SALT }),
        };
        Self {
            live: config.live_endpoint.clone(),
            ready: config.ready_endpoint.clone(),
            health: config.health_endpoint.clone(),
            boot_uuid,
            health_body,
        }
    }

    /// This boot's own name.
    pub(crate) fn boot_uuid(&self) -> &str {
        &self.boot_uuid
    }

    /// The probe at this path, if any.
    pub(crate) fn probe(&self, path: &str) -> Option<Probe> {
        if path == self.live {
            Some(Probe::Live)
        } else if path == self.ready {
            Some(Probe::Ready)
        } else if path == self.health {
            Some(Probe::Health)
        } else {
            None
        }
    }

    /// Answers a probe. A service that fails all its calls is named and keeps nobody else from being
    /// served, so it makes the host neither unready nor unhealthy.
    pub(crate) fn answer(&self, probe: Probe, phase: Phase, degraded: &[String], stores: Stores) -> Answer {
        match probe {
            Probe::Live => Answer::json(StatusCode::OK, Bytes::from_static(br#"{"status":"live"}"#)),
            Probe::Ready => {
                let check = |store: Option<bool>| store.map_or(Value::from("skipped"), Value::from);
                let (status, word) = match phase {
                    Phase::Ready if stores.are_up() => (StatusCode::OK, "ready"),
                    Phase::Loading | Phase::Ready | Phase::Draining => {
                        (StatusCode::SERVICE_UNAVAILABLE, "not-ready")
                    }
                };
                let body = json!({
                    "status": word,
                    "checks": {
                        "bootUuid": true,
                        "redis": check(stores.redis),
                        "database": check(stores.database),
                        "prisma": stores.database != Some(false),
                        "devTools": true,
                        "plugins": { "ok": degraded.is_empty(), "degraded": degraded },
                    },
                });
                Answer::json(status, body.to_string())
            }
            Probe::Health => {
                // A structure of strings and numbers always serialises.
                let body = serde_json::to_vec(&self.health_body).unwrap_or_default();
                Answer::json(StatusCode::OK, body)
            }
        }
    }
}

/// The hash of one synchronised value, in hexadecimal.
fn health_hash(config: &HealthHashConfig, boot_uuid: &str, value: &str) -> String {
    let salt = if config.salt == BOOT_UUID_SALT { boot_uuid } else { &config.salt };
    let digest = match config.mode {
        HealthHashMode::Hmac => hmac_sha256(salt.as_bytes(), value.as_bytes()),
        HealthHashMode::Plain => Sha256::digest(value.as_bytes()).into(),
    };
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 2104 with SHA-256.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0u8; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Content;

    fn body(answer: &Answer) -> Value {
        match &answer.content {
            Content::Full(bytes) => serde_json::from_slice(bytes).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn identity() -> HostIdentity {
        HostIdentity {
            env_key: "production".to_owned(),
            synchronized: vec![("A".to_owned(), Some("value".to_owned())), ("B".to_owned(), None)],
        }
    }

    #[test]
    fn hmac_follows_rfc_4231() {
        let hex = |bytes: [u8; 32]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(
            hex(hmac_sha256(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex(hmac_sha256(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn readiness_follows_the_phase_and_names_failing_services() {
        let endpoints = Endpoints::new(&HttpConfig::default(), &identity());
        for (phase, status, word) in [
            (Phase::Loading, 503, "not-ready"),
            (Phase::Ready, 200, "ready"),
            (Phase::Draining, 503, "not-ready"),
        ] {
            let answer = endpoints.answer(Probe::Ready, phase, &["vehicles".to_owned()], Stores::default());
            assert_eq!(answer.status.as_u16(), status);
            let body = body(&answer);
            assert_eq!(body["status"], word);
            assert_eq!(body["checks"]["redis"], "skipped");
            assert_eq!(body["checks"]["bootUuid"], true);
            assert_eq!(body["checks"]["plugins"]["degraded"][0], "vehicles");
        }
    }

    #[test]
    fn a_store_that_does_not_answer_makes_the_host_unready() {
        let endpoints = Endpoints::new(&HttpConfig::default(), &identity());
        for (redis, database, status) in [
            (None, Some(true), 200),
            (Some(true), Some(true), 200),
            (Some(false), Some(true), 503),
            (Some(true), Some(false), 503),
        ] {
            let stores = Stores { redis, database };
            let answer = endpoints.answer(Probe::Ready, Phase::Ready, &[], stores);
            assert_eq!(answer.status.as_u16(), status, "{stores:?}");
            let checks = &body(&answer)["checks"];
            assert_eq!(checks["redis"], redis.map_or(json!("skipped"), Value::from));
            assert_eq!((&checks["database"], &checks["prisma"]), (&json!(database), &json!(database)));
        }
    }

    #[test]
    fn health_tells_the_boot_and_the_hashes() {
        let endpoints = Endpoints::new(&HttpConfig::default(), &identity());
        let body = body(&endpoints.answer(Probe::Health, Phase::Ready, &[], Stores::default()));
        assert_eq!(body["status"], "ok");
        assert_eq!(body["bootUuid"], endpoints.boot_uuid());
        assert_eq!(body["envKey"], "production");
        assert_eq!(body["synchronizedHashes"]["A"].as_str().unwrap().len(), 64);
        assert_eq!(body["synchronizedHashes"]["B"], Value::Null);
        assert_eq!(body["healthHash"], json!({ "mode": "hmac", "bootUuidSalt": true }));
    }

    #[test]
    fn hashes_follow_the_configured_mode_and_salt() {
        let hash = |mode, salt: &str| {
            let config = HealthHashConfig { mode, salt: salt.to_owned() };
            health_hash(&config, "boot", "value")
        };
        let plain = "cd42404d52ad55ccfa9aca4adc828aa5800ad9d385a0671fbcbf724118320619";
        assert_eq!(hash(HealthHashMode::Plain, "anything"), plain);
        assert_eq!(hash(HealthHashMode::Hmac, "@bootUuid"), hash(HealthHashMode::Hmac, "boot"));
        assert_ne!(hash(HealthHashMode::Hmac, "pepper"), hash(HealthHashMode::Hmac, "boot"));
    }

    #[test]
    fn the_paths_are_configured() {
        let config = HttpConfig { live_endpoint: "/alive".to_owned(), ..HttpConfig::default() };
        let endpoints = Endpoints::new(&config, &identity());
        assert_eq!(endpoints.probe("/alive"), Some(Probe::Live));
        assert_eq!(endpoints.probe("/livez"), None);
        assert_eq!(endpoints.probe("/readyz"), Some(Probe::Ready));
        assert_eq!(endpoints.probe("/_health"), Some(Probe::Health));
    }
}
