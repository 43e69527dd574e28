//! What is known of providers that need no description (§5.6).

use crate::exchange::TokenMode;
use crate::profile::Reader;

/// A known provider.
pub(crate) struct Known {
    pub(crate) name: &'static str,
    /// `{tenant}` stands for the tenant.
    pub(crate) authorization: &'static str,
    /// Likewise.
    pub(crate) token: &'static str,
    pub(crate) userinfo: &'static str,
    pub(crate) mode: TokenMode,
    pub(crate) scopes: &'static [&'static str],
    pub(crate) reader: Reader,
}

/// In the order in which they are shown.
pub(crate) const TABLE: &[Known] = &[
    Known {
        name: "google",
        authorization: "https://accounts.google.com/o/oauth2/v2/auth",
        token: "https://oauth2.googleapis.com/token",
        userinfo: "https://www.googleapis.com/oauth2/v3/userinfo",
        mode: TokenMode::Json,
        scopes: &[
            "https://www.googleapis.com/auth/userinfo.profile",
            "https://www.googleapis.com/auth/userinfo.email",
        ],
        reader: Reader::Standard,
    },
    Known {
        name: "github",
        authorization: "https://github.com/login/oauth/authorize",
        token: "https://github.com/login/oauth/access_token",
        userinfo: "https://api.github.com/user",
        mode: TokenMode::Json,
        scopes: &["read:user", "user:email"],
        reader: Reader::GitHub,
    },
    Known {
        name: "discord",
        authorization: "https://discord.com/oauth2/authorize",
        token: "https://discord.com/api/oauth2/token",
        userinfo: "https://discord.com/api/users/@me",
        mode: TokenMode::Form,
        scopes: &["identify", "email"],
        reader: Reader::Discord,
    },
    Known {
        name: "facebook",
        authorization: "https://www.facebook.com/v18.0/dialog/oauth",
        token: "https://graph.facebook.com/v18.0/oauth/access_token",
        userinfo: "https://graph.facebook.com/v18.0/me",
        mode: TokenMode::Form,
        scopes: &["public_profile", "email"],
        reader: Reader::Facebook,
    },
    Known {
        name: "microsoft",
        authorization: "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize",
        token: "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
        userinfo: "https://graph.microsoft.com/v1.0/me",
        mode: TokenMode::Form,
        scopes: &["openid", "profile", "email", "User.Read"],
        reader: Reader::Microsoft,
    },
];

/// Scopes of every other provider.
pub(crate) const STANDARD_SCOPES: &[&str] = &["openid", "profile", "email"];

/// The known provider of that name.
pub(crate) fn known(name: &str) -> Option<&'static Known> {
    TABLE.iter().find(|known| known.name == name)
}

#[cfg(test)]
mod tests {
    use super::TABLE;
    use crate::endpoint::endpoint;
    use crate::provider::known_providers;

    #[test]
    fn the_table_and_the_list_of_names_agree() {
        let names: Vec<&str> = TABLE.iter().map(|known| known.name).collect();
        assert_eq!(names, known_providers());
    }

    #[test]
    fn every_address_is_an_endpoint() {
        for known in TABLE {
            for address in [known.authorization, known.token, known.userinfo] {
                assert!(endpoint(&address.replace("{tenant}", "common")).is_ok(), "{address}");
            }
        }
    }
}
