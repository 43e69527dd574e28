//! An end to guessing passwords (§5.5).
//!
//! The rule: **an attempt is counted before its password is looked at.** So a hundred guesses at once are as
//! many as a hundred one after the other. A right password forgets the count. Names that nobody has are
//! counted and locked like any other.

use crate::identity::Identity;
use crate::refusal::Refusal;
use crate::settings::Settings;

const LOCKED: &str = "login.accountLocked";

/// What a guess is counted under: an account, and where the guess comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guess<'a> {
    /// The e-mail, normalised.
    pub(crate) email: &'a str,
    /// The client's address, or what else tells one guesser from another.
    pub(crate) from: &'a str,
}

impl Identity {
    /// Counts a guess, unless too many went before.
    pub(crate) async fn count_guess(&self, settings: &Settings, guess: Guess<'_>) -> Result<(), Refusal> {
        let rules = &settings.rate.auth;
        if !rules.enabled {
            return Ok(());
        }
        // Who is locked out himself does not use up what the account has left for everybody: one address
        // alone cannot lock others out.
        for (bucket, limit) in
            guess.buckets().into_iter().zip([rules.max_attempts, rules.max_attempts_per_account])
        {
            let key = self.bucket_key(settings, &bucket);
            if self.store().count(&key, rules.window).await?.count > u64::from(limit) {
                return Err(Refusal::of(LOCKED));
            }
        }
        Ok(())
    }

    /// Whether a guess would be refused; counts nothing.
    pub(crate) async fn refuse_locked(&self, settings: &Settings, guess: Guess<'_>) -> Result<(), Refusal> {
        let rules = &settings.rate.auth;
        if !rules.enabled {
            return Ok(());
        }
        for (bucket, limit) in
            guess.buckets().into_iter().zip([rules.max_attempts, rules.max_attempts_per_account])
        {
            let counted = self.store().counted(&self.bucket_key(settings, &bucket)).await?;
            if counted.is_some_and(|count| count.count >= u64::from(limit)) {
                return Err(Refusal::of(LOCKED));
            }
        }
        Ok(())
    }

    /// Forgets guesses: the password was right.
    pub(crate) async fn forget_guesses(&self, settings: &Settings, guess: Guess<'_>) {
        if !settings.rate.auth.enabled {
            return;
        }
        for bucket in guess.buckets() {
            if let Err(error) = self.store().delete(&self.bucket_key(settings, &bucket)).await {
                tracing::warn!(%error, "wrong passwords before a right one stay counted until their window ends");
            }
        }
    }
}

impl Guess<'_> {
    fn buckets(&self) -> [String; 2] {
        [format!("auth:{}:{}", self.email, self.from), format!("auth:{}", self.email)]
    }
}
