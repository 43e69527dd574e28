//! Codes that are sent by e-mail and typed in (§5.1, `-emailcode:<purpose>:<identity>`).
//!
//! The rule: **a code is spent once, and every attempt is counted before it is looked at.** Only its SHA-256
//! is stored. A new code takes the place of the one before.

use bytes::Bytes;

use crate::identity::Identity;
use crate::refusal::Refusal;
use crate::secret::{digits, same, sha256};
use crate::settings::Settings;

/// Longest input that is looked at.
const MAX_INPUT_BYTES: usize = 64;

/// What a code is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Logging in without a password; for an e-mail.
    Login,
    /// A second factor; for a user's id.
    SecondFactor,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::SecondFactor => "2fa",
        }
    }
}

impl Identity {
    /// Makes the code that counts from now on.
    pub(crate) async fn issue_code(
        &self,
        settings: &Settings,
        purpose: Purpose,
        whose: &str,
    ) -> Result<String, Refusal> {
        let [key, attempts] = self.code_keys(purpose, whose);
        let code = digits(usize::try_from(settings.auth.email_code_length).unwrap_or(6));
        let hash = Bytes::from(sha256(&code));
        self.store().set(&key, hash, Some(settings.auth.email_code_ttl)).await?;
        self.store().delete(&attempts).await?;
        Ok(code)
    }

    /// Spends a code: of two who type it at once, one succeeds.
    pub(crate) async fn spend_code(
        &self,
        settings: &Settings,
        purpose: Purpose,
        whose: &str,
        typed: &str,
    ) -> Result<(), Refusal> {
        let [key, attempts] = self.code_keys(purpose, whose);
        let count = self.store().count(&attempts, settings.auth.email_code_ttl).await?;
        if count.count > u64::from(settings.auth.email_code_max_attempts) {
            self.store().delete(&key).await?;
            return Err(Refusal::of("login.emailCodeLocked"));
        }
        let Some(stored) = self.store().get(&key).await? else {
            return Err(Refusal::of("login.emailCodeExpired"));
        };
        let wrong = || Refusal::of("login.emailCodeInvalid");
        let typed = plain(typed).ok_or_else(wrong)?;
        let is_right = std::str::from_utf8(&stored).is_ok_and(|stored| same(stored, &sha256(&typed)));
        // An empty value is no code's hash: whoever comes second finds a code that nothing equals.
        if !is_right
            || !self.store().swap(&key, stored, Bytes::new(), Some(settings.auth.email_code_ttl)).await?
        {
            return Err(wrong());
        }
        self.store().delete(&key).await?;
        self.store().delete(&attempts).await?;
        Ok(())
    }

    fn code_keys(&self, purpose: Purpose, whose: &str) -> [String; 2] {
        let suffix = format!("{}:{whose}", purpose.as_str());
        [self.keys().own("emailcode", &suffix), self.keys().own("emailcode-attempts", &suffix)]
    }
}

/// A code as typed, without the spaces and dashes that people add.
pub(crate) fn plain(typed: &str) -> Option<String> {
    (typed.len() <= MAX_INPUT_BYTES)
        .then(|| typed.chars().filter(|character| !character.is_whitespace() && *character != '-').collect())
}
