//! One account.

use serde_json::{Map, Value};

use crate::table::codes;

/// Fields that are never shown (wire protocol §5.2).
pub(crate) const SECRET: [&str; 3] = ["password", "totpSecret", "recoveryCodes"];

/// A user record. Fields have the names of the framework's `users` table: `id`, `email`, `name`,
/// `provider`, `password`, `avatar`, `avatarFallback`, `admin`, `language`, `theme`, `createdAt`,
/// `updatedAt`, `lastLogin` (ISO dates), `totpSecret`, `twoFactorEnabled`, `recoveryCodes`, and whatever
/// columns an application added.
#[derive(Clone, PartialEq)]
pub struct User {
    fields: Map<String, Value>,
}

/// What a new user begins with; id and dates are the store's.
#[derive(Clone, Default, PartialEq)]
pub struct NewUser {
    /// Trimmed and lower case.
    pub email: String,
    /// As shown: already escaped.
    pub name: String,
    /// `credentials`, `google`, …
    pub provider: String,
    /// Its hash, for `credentials`.
    pub password: Option<String>,
    /// URL, file name below `/uploads`, or empty.
    pub avatar: String,
    /// `#rrggbb`.
    pub avatar_fallback: String,
    /// Language tag.
    pub language: String,
}

impl User {
    /// A record as a store found it; none without a string `id`.
    #[must_use]
    pub fn from_fields(fields: Map<String, Value>) -> Option<Self> {
        fields.get("id").and_then(Value::as_str).filter(|id| !id.is_empty())?;
        Some(Self { fields })
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.text("id").unwrap_or_default()
    }

    /// A field that is a string.
    #[must_use]
    pub fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field).and_then(Value::as_str)
    }

    /// Any field, secrets among them.
    #[must_use]
    pub fn field(&self, field: &str) -> Option<&Value> {
        self.fields.get(field)
    }

    /// The recovery codes without one of them; none when it is not there.
    pub(crate) fn codes_without(&self, code_hash: &str) -> Option<Vec<String>> {
        let mut codes = codes(self.field("recoveryCodes")?)?;
        let at = codes.iter().position(|code| code == code_hash)?;
        codes.remove(at);
        Some(codes)
    }

    /// What may be shown: everything but the secrets (§5.2).
    #[must_use]
    pub fn shown(&self) -> Map<String, Value> {
        let shown = self.fields.iter().filter(|(name, _)| !SECRET.contains(&name.as_str()));
        shown.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

/// Secrets are not printed.
impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("User").field(&self.shown()).finish()
    }
}

/// Nor here.
impl std::fmt::Debug for NewUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewUser")
            .field("email", &self.email)
            .field("name", &self.name)
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}
