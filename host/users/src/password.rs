//! Password hashes.
//!
//! The rule kept here: **what a check costs and says depends on nothing that a stranger may learn.** The
//! same work is done whether or not there is an account, a hash that cannot be read is as wrong as a wrong
//! password, and no error or log line repeats a password or a hash.
//!
//! argon2id is made with the parameters that OWASP recommends first: 19 MiB of memory, 2 passes, 1 lane
//! (`m=19456,t=2,p=1`), a salt of 16 bytes and an output of 32, as PHC strings. bcrypt is made as `$2b$`
//! with the configured cost. Hashes of either kind are checked whatever is configured; those that are not as
//! configured are replaced at the next right password ([`Verdict::Right`]).

#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use luckystack_topology::{AuthConfig, PasswordHash};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory of one argon2id hash in KiB.
const ARGON2_MEMORY: u32 = 19_456;
/// Passes over it.
const ARGON2_PASSES: u32 = 2;
/// Lanes.
const ARGON2_LANES: u32 = 1;
/// Bytes of the result.
const ARGON2_OUTPUT: usize = 32;
/// The most that a stored hash may ask for, or whoever can write one row could stop the host: memory, 256
/// MiB, …
const ARGON2_MOST_MEMORY: u32 = 256 << 10;
/// … and memory times passes, some four hundred times the work of our own hashes: ten seconds.
const ARGON2_MOST_WORK: u64 = 16 << 20;

/// Bytes of a password that bcrypt looks at.
const BCRYPT_BYTES: usize = 72;
/// Costs of stored bcrypt hashes that are checked; the highest takes some ten seconds.
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=18;

/// Passwords that may wait for each one that is being worked on. At argon2's 20 ms that is a wait of two
/// to three seconds, about as long as a person waits for a login.
const WAITING: usize = 128;
/// How long one may wait, for kinds that take longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a check of a password says.
#[derive(Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is right. A hash to store instead, when the old one is of a kind or cost no longer used.
    Right {
        /// The new hash.
        rehash: Option<String>,
    },
    /// It is wrong, or there is no such user.
    Wrong,
    /// Nothing was checked: too many passwords wait to be checked already. Neither right nor wrong, so it
    /// counts against nobody; the caller may try again shortly.
    Busy,
}

/// Hashes and checks passwords, as many at a time as there are cores: each takes megabytes and tens of
/// milliseconds of one. Some more may wait; beyond that answers are [`Verdict::Busy`] at once, so that a
/// flood of logins costs neither memory nor the time of other work. Cheap to clone; clones share the
/// limits.
#[derive(Clone, Debug)]
pub struct Passwords {
    scheme: Scheme,
    /// Permits for everybody who is here, working or waiting.
    room: Arc<Semaphore>,
    /// Permits for those who work.
    work: Arc<Semaphore>,
}

/// How new hashes are made.
#[derive(Clone, Copy, Debug)]
enum Scheme {
    Argon2id,
    Bcrypt { cost: u32 },
}

/// What a stored hash says about a password.
#[derive(Debug, PartialEq, Eq)]
enum Match {
    /// Right; whether the hash is as it would be made today.
    Right {
        current: bool,
    },
    Wrong,
    /// The hash cannot be checked.
    Unreadable(&'static str),
}

// --- Verdict ---

/// A hash is not printed.
impl std::fmt::Debug for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Right { rehash } => {
                f.debug_struct("Right").field("rehash", &rehash.as_ref().map(|_| "…")).finish()
            }
            Self::Wrong => f.write_str("Wrong"),
            Self::Busy => f.write_str("Busy"),
        }
    }
}

// --- Passwords ---

impl Passwords {
    /// Hashes as configured (`auth.passwords`, `auth.bcrypt_rounds`).
    #[must_use]
    pub fn new(config: &AuthConfig) -> Self {
        let scheme = match config.passwords {
            PasswordHash::Argon2id => Scheme::Argon2id,
            PasswordHash::Bcrypt => Scheme::Bcrypt { cost: config.bcrypt_rounds },
        };
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self::limited(scheme, cores, cores * WAITING)
    }

    fn limited(scheme: Scheme, at_once: usize, waiting: usize) -> Self {
        Self {
            scheme,
            room: Arc::new(Semaphore::new(at_once + waiting)),
            work: Arc::new(Semaphore::new(at_once)),
        }
    }

    /// The hash of a password, salted, off the async threads. Fails when too many wait, and for bcrypt when
    /// the password has more than the 72 bytes it would look at.
    pub async fn hash(&self, password: &str) -> Result<String, String> {
        let place = self.enter().await.ok_or("too many passwords wait to be hashed; try again shortly")?;
        let (scheme, password) = (self.scheme, password.to_owned());
        // The permits go along: a caller who gives up does not make room before the work is done.
        let task = tokio::task::spawn_blocking(move || {
            let _place = place;
            scheme.hash(&password)
        });
        task.await.unwrap_or_else(|error| Err(format!("hashing a password failed: {error}")))
    }

    /// Checks a password against a hash: argon2 or bcrypt (`$2a$`, `$2b$`, `$2y$`). Without a hash it does
    /// the same work as with one of the configured kind and says [`Verdict::Wrong`], so that time tells
    /// nobody who is registered. A hash of no known form is [`Verdict::Wrong`] and a line in the log.
    pub async fn check(&self, password: &str, hash: Option<&str>) -> Verdict {
        let Some(place) = self.enter().await else { return Verdict::Busy };
        let (scheme, password, hash) = (self.scheme, password.to_owned(), hash.map(str::to_owned));
        let task = tokio::task::spawn_blocking(move || {
            let _place = place;
            scheme.check(&password, hash.as_deref())
        });
        task.await.unwrap_or_else(|error| {
            tracing::error!("checking a password failed: {error}");
            Verdict::Busy
        })
    }

    async fn enter(&self) -> Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        let room = self.room.clone().try_acquire_owned().ok()?;
        let work = tokio::time::timeout(PATIENCE, self.work.clone().acquire_owned()).await.ok()?.ok()?;
        Some((room, work))
    }
}

// --- Scheme ---

impl Scheme {
    fn hash(self, password: &str) -> Result<String, String> {
        match self {
            Self::Argon2id => argon2id()
                .hash_password(password.as_bytes())
                .map(|hash| hash.to_string())
                .map_err(|error| format!("hashing a password failed: {error}")),
            Self::Bcrypt { .. } if password.len() > BCRYPT_BYTES => {
                Err(format!("the password has more than {BCRYPT_BYTES} bytes: bcrypt would ignore the rest"))
            }
            Self::Bcrypt { cost } => {
                bcrypt::hash(password, cost).map_err(|error| format!("hashing a password failed: {error}"))
            }
        }
    }

    fn check(self, password: &str, hash: Option<&str>) -> Verdict {
        let Some(hash) = hash.filter(|hash| !hash.is_empty()) else {
            self.pretend(password);
            return Verdict::Wrong;
        };
        match self.compare(password, hash) {
            Match::Right { current: true } => Verdict::Right { rehash: None },
            // A password too long for bcrypt keeps the hash it has.
            Match::Right { current: false } => Verdict::Right { rehash: self.hash(password).ok() },
            Match::Wrong => Verdict::Wrong,
            Match::Unreadable(reason) => {
                tracing::warn!(reason, "a stored password hash cannot be checked; its user cannot log in");
                self.pretend(password);
                Verdict::Wrong
            }
        }
    }

    fn compare(self, password: &str, hash: &str) -> Match {
        if hash.starts_with("$argon2") {
            compare_argon2(password, hash, matches!(self, Self::Argon2id))
        } else if hash.starts_with("$2") {
            let cost = match self {
                Self::Argon2id => None,
                Self::Bcrypt { cost } => Some(cost),
            };
            compare_bcrypt(password, hash, cost)
        } else {
            Match::Unreadable("it is neither argon2 nor bcrypt")
        }
    }

    /// The work of a check, for nothing.
    fn pretend(self, password: &str) {
        match self {
            Self::Argon2id => {
                let _ = argon2id().hash_password_with_salt(password.as_bytes(), &[0; 16]);
            }
            Self::Bcrypt { cost } => {
                let _ = bcrypt::hash_with_salt(password, cost, [0; 16]);
            }
        }
    }
}

fn argon2id() -> Argon2<'static> {
    // The constants are in range, as the tests say; the crate's own defaults are the same numbers.
    let params = Params::new(ARGON2_MEMORY, ARGON2_PASSES, ARGON2_LANES, Some(ARGON2_OUTPUT));
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.unwrap_or_default())
}

fn compare_argon2(password: &str, hash: &str, argon2_is_current: bool) -> Match {
    const MALFORMED: Match = Match::Unreadable("it is no well-formed argon2 hash");
    let Ok(parsed) = argon2::PasswordHash::new(hash) else { return MALFORMED };
    let (Ok(params), true) = (Params::try_from(&parsed), parsed.salt.is_some() && parsed.hash.is_some())
    else {
        return MALFORMED;
    };
    let work = u64::from(params.m_cost()) * u64::from(params.t_cost());
    if params.m_cost() > ARGON2_MOST_MEMORY || work > ARGON2_MOST_WORK {
        return Match::Unreadable("it asks for more memory or passes than a check may take");
    }
    match argon2id().verify_password(password.as_bytes(), &parsed) {
        Ok(()) => Match::Right {
            current: argon2_is_current
                && parsed.algorithm == Algorithm::Argon2id.ident()
                && parsed.version == Some(Version::V0x13.into())
                && (params.m_cost(), params.t_cost(), params.p_cost())
                    == (ARGON2_MEMORY, ARGON2_PASSES, ARGON2_LANES),
        },
        Err(argon2::password_hash::Error::PasswordInvalid) => Match::Wrong,
        Err(argon2::password_hash::Error::OutOfMemory) => Match::Unreadable("memory is short"),
        Err(_) => MALFORMED,
    }
}

/// `cost` is that of new hashes, if they are bcrypt's.
fn compare_bcrypt(password: &str, hash: &str, cost: Option<u32>) -> Match {
    const MALFORMED: Match = Match::Unreadable("it is no well-formed bcrypt hash");
    let Ok(parts) = bcrypt::HashParts::from_str(hash) else { return MALFORMED };
    if !BCRYPT_COSTS.contains(&parts.get_cost()) {
        return Match::Unreadable("its bcrypt cost is outside 4 to 18");
    }
    match bcrypt::verify(password, hash) {
        // bcrypt compares 72 bytes; what follows them must not be taken as right unseen.
        Ok(true) if password.len() > BCRYPT_BYTES => Match::Wrong,
        Ok(true) => Match::Right { current: cost == Some(parts.get_cost()) },
        Ok(false) => Match::Wrong,
        Err(_) => MALFORMED,
    }
}
