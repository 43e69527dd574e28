//! Password hashes.

use luckystack_topology::AuthConfig;

/// What a check of a password says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is right. A hash to store instead, when the old one is of a kind or cost no longer used.
    Right {
        /// The new hash.
        rehash: Option<String>,
    },
    /// It is wrong, or there is no such user.
    Wrong,
}

/// Hashes and checks passwords, a few at a time: each takes megabytes and tens of milliseconds. Cheap to
/// clone.
#[derive(Clone, Debug)]
pub struct Passwords {}

impl Passwords {
    /// Hashes as configured.
    #[must_use]
    pub fn new(config: &AuthConfig) -> Self {
        let _ = config;
        unimplemented!()
    }

    /// The hash of a password, salted, off the async threads.
    pub async fn hash(&self, password: &str) -> Result<String, String> {
        let _ = password;
        unimplemented!()
    }

    /// Checks a password against a hash, argon2 or bcrypt (`$2a$`, `$2b$`, `$2y$`). Without a hash it does
    /// the same work and says [`Verdict::Wrong`], so that time tells nobody who is registered.
    pub async fn check(&self, password: &str, hash: Option<&str>) -> Verdict {
        let _ = (password, hash);
        unimplemented!()
    }
}
