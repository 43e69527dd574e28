//! Which passwords are taken (wire protocol §5.5).
//!
//! Lengths count as JavaScript's `.length` does, in UTF-16 code units: a browser that checks first and this
//! host agree, and so do Node servers of the same app. Letters and digits mean ASCII's; everything else,
//! a space or `é` as well, is special.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::LazyLock;

use luckystack_topology::PasswordPolicyConfig;

/// Bytes that bcrypt looks at; longer passwords are refused whichever hash is configured, so that the
/// configuration can change.
const MAX_BYTES: usize = 72;

/// Passwords that guessers try first, one a line, in lower case.
const COMMON: &str = include_str!("policy/common.txt");

/// The rules of a project.
#[derive(Clone, Debug)]
pub struct PasswordPolicy {
    config: PasswordPolicyConfig,
}

impl PasswordPolicy {
    /// The rules as configured (`[auth.password_policy]`).
    #[must_use]
    pub fn new(config: &PasswordPolicyConfig) -> Self {
        Self { config: config.clone() }
    }

    /// The reason of the first rule that the password breaks, in this order: `login.passwordCharacterMinimum`,
    /// `login.passwordCharacterLimit`, `login.passwordRequiresUppercase`, `login.passwordRequiresLowercase`,
    /// `login.passwordRequiresNumber`, `login.passwordRequiresSpecial`, `login.passwordTooCommon`.
    pub fn check(&self, password: &str) -> Result<(), &'static str> {
        let rules = &self.config;
        let length = password.encode_utf16().count();
        let has = |kind: fn(char) -> bool| password.chars().any(kind);
        let broken = [
            (length < rules.min_length as usize, "login.passwordCharacterMinimum"),
            (
                length > rules.max_length as usize || password.len() > MAX_BYTES,
                "login.passwordCharacterLimit",
            ),
            (rules.require_uppercase && !has(|c| c.is_ascii_uppercase()), "login.passwordRequiresUppercase"),
            (rules.require_lowercase && !has(|c| c.is_ascii_lowercase()), "login.passwordRequiresLowercase"),
            (rules.require_number && !has(|c| c.is_ascii_digit()), "login.passwordRequiresNumber"),
            (rules.require_special && !has(|c| !c.is_ascii_alphanumeric()), "login.passwordRequiresSpecial"),
            (rules.forbid_common && is_common(password), "login.passwordTooCommon"),
        ];
        match broken.into_iter().find(|(is_broken, _)| *is_broken) {
            Some((_, reason)) => Err(reason),
            None => Ok(()),
        }
    }
}

fn is_common(password: &str) -> bool {
    static WORDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| COMMON.lines().collect());
    WORDS.contains(password.to_lowercase().as_str())
}
