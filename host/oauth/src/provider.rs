//! Providers: those that the host knows, and any OpenID Connect issuer.

use luckystack_topology::OAuthProviderConfig;

/// One provider with everything that makes it active.
#[derive(Clone)]
pub struct ProviderSetup {
    /// Its name in paths and in user records: `google`.
    pub name: String,
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: String,
    /// What the configuration says of it; `client_id` and `client_secret` in it are not looked at. For
    /// microsoft, `tenant` is also where `MICROSOFT_TENANT_ID` goes.
    pub config: OAuthProviderConfig,
}

/// Who somebody is, as the provider says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The provider's name.
    pub provider: String,
    /// The provider's own id of the person.
    pub subject: String,
    /// E-mail, trimmed and lower case; never empty.
    pub email: String,
    /// Whether the provider vouches for the e-mail.
    pub email_verified: bool,
    /// Display name, as the provider wrote it, without control characters and at most 191 characters long;
    /// may be empty. It is not escaped.
    pub name: String,
    /// Picture: an `http` or `https` URL, a `data:image/…;base64,` URI, or empty.
    pub avatar: String,
}

/// Names of the providers that need no section: google, github, discord, facebook, microsoft.
#[must_use]
pub fn known_providers() -> &'static [&'static str] {
    &["google", "github", "discord", "facebook", "microsoft"]
}

/// Secrets are not printed.
impl std::fmt::Debug for ProviderSetup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProviderSetup").field("name", &self.name).finish_non_exhaustive()
    }
}
