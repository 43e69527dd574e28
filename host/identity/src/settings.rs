//! The configuration as this crate needs it, replaced as a whole.

use luckystack_topology::{AccountStrategy, AppConfig, AuthConfig, ProjectConfig, RateLimitConfig};
use luckystack_users::{PasswordPolicy, Passwords};

/// What was configured last. A request works with one of these from beginning to end.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The project's name, as e-mails and authenticators show it.
    pub(crate) name: String,
    pub(crate) app: AppConfig,
    pub(crate) auth: AuthConfig,
    pub(crate) rate: RateLimitConfig,
    pub(crate) passwords: Passwords,
    pub(crate) policy: PasswordPolicy,
}

impl Settings {
    pub(crate) fn new(project: &ProjectConfig) -> Self {
        Self::with_passwords(project, Passwords::new(&project.auth))
    }

    /// The settings that follow these. Unless hashing changed, the same few passwords at a time go on.
    pub(crate) fn changed(&self, project: &ProjectConfig) -> Self {
        let hashing = |auth: &AuthConfig| (auth.passwords, auth.bcrypt_rounds);
        if hashing(&self.auth) == hashing(&project.auth) {
            return Self::with_passwords(project, self.passwords.clone());
        }
        Self::new(project)
    }

    fn with_passwords(project: &ProjectConfig, passwords: Passwords) -> Self {
        Self {
            name: project.name.clone(),
            app: project.app.clone(),
            auth: project.auth.clone(),
            rate: project.rate_limiting.clone(),
            policy: PasswordPolicy::new(&project.auth.password_policy),
            passwords,
        }
    }

    /// One account per e-mail, whatever the provider.
    pub(crate) fn is_unified(&self) -> bool {
        self.auth.account_strategy == AccountStrategy::Unified
    }

    /// The provider whose accounts a login by that provider may reach; none for all of them.
    pub(crate) fn reach<'a>(&self, provider: &'a str) -> Option<&'a str> {
        (!self.is_unified()).then_some(provider)
    }
}
