//! What a service asks about an account without changing it.

use serde_json::{Map, Value};

use crate::accounts::AccountError;
use crate::identity::Identity;
use crate::lockout::Guess;

impl Identity {
    /// The record of a user as it may be shown; none when there is no such user.
    pub async fn user(&self, user_id: &str) -> Result<Option<Map<String, Value>>, AccountError> {
        Ok(self.accounts().by_id(user_id).await?.map(|user| user.shown()))
    }

    /// Whether that is the user's password: `login.wrongPassword` if not, `account.notFound` without such a
    /// user. Guesses are counted like a login's, and lock the account like them.
    pub async fn verify_password(&self, user_id: &str, password: &str) -> Result<(), AccountError> {
        let settings = self.settings();
        let user = self.accounts().by_id(user_id).await?.ok_or_else(AccountError::not_found)?;
        let email = user.text("email").unwrap_or_default().to_owned();
        let guess = Guess { email: &email, from: user_id };
        self.count_guess(&settings, guess).await?;
        self.check_password(&settings, Some(user), password).await?;
        self.forget_guesses(&settings, guess).await;
        Ok(())
    }
}
