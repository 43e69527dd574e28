//! What a user says of himself.

use luckystack::prelude::*;
use luckystack::serde_json::Map;

use crate::Me;

/// Longest name, in characters, before it is escaped.
const MAX_NAME: usize = 100;
/// Longest language tag that is one.
const MAX_LANGUAGE: usize = 35;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Profile {
    #[serde(default)]
    name: Option<String>,
    /// A language tag such as `en` or `pt-BR`.
    #[serde(default)]
    language: Option<String>,
    #[serde(default)]
    theme: Option<Theme>,
}

#[derive(Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Theme {
    Light,
    Dark,
}

/// Changes name, language or theme of the caller; what is not given stays.
#[api(method = "POST", login = true, rate_limit = 20)]
pub(crate) fn update_user(ctx: &Ctx, input: Profile) -> Result<Value, HandlerError> {
    let me = Me::of(ctx)?;
    let mut changes = Map::new();
    if let Some(name) = &input.name {
        let name = name.trim();
        if name.is_empty() {
            return Err(error!("profile.nameEmpty"));
        }
        if name.chars().count() > MAX_NAME {
            return Err(error!("profile.nameTooLong", max = MAX_NAME));
        }
        changes.insert("name".into(), escaped(name).into());
    }
    if let Some(language) = input.language {
        if !is_language(&language) {
            return Err(error!("profile.invalidLanguage"));
        }
        changes.insert("language".into(), language.into());
    }
    if let Some(theme) = input.theme {
        changes.insert("theme".into(), json!(theme));
    }
    if changes.is_empty() {
        return Err(error!("profile.nothingToChange"));
    }
    accounts::update(&me.id, &changes)
}

/// As the framework stores names: whoever shows one does not need to escape it again.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Letters, then parts of letters and digits: the shape of a tag, whatever languages there are.
fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let primary = parts.next().unwrap_or_default();
    tag.len() <= MAX_LANGUAGE
        && (2..=3).contains(&primary.len())
        && primary.bytes().all(|byte| byte.is_ascii_lowercase())
        && parts.all(|part| (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use luckystack::testing::{self, AccountAct};

    use crate::PLUGIN;

    fn update(input: &Value) -> Result<Value, HandlerError> {
        testing::account(&json!({ "id": "u1", "name": "Ada", "email": "ada@example.com" }));
        let call = testing::call().user(&json!({ "id": "u1" })).route("api/system/updateUser/v1");
        testing::call_route(&PLUGIN, call.build(), input).map(|answer| answer["result"].clone())
    }

    #[test]
    fn what_is_given_changes_and_the_rest_stays() {
        let user = update(&json!({ "name": "  Ada <b>&\"'Lovelace  ", "theme": "dark" })).unwrap();
        let name = "Ada &lt;b&gt;&amp;&quot;&#39;Lovelace";
        let expected = json!({ "id": "u1", "name": name, "email": "ada@example.com", "theme": "dark" });
        assert_eq!(user, expected);
        let fields = json!({ "name": name, "theme": "dark" });
        assert_eq!(testing::account_acts(), [AccountAct::Update { id: "u1".into(), fields }]);
        assert_eq!(update(&json!({ "language": "pt-BR" })).unwrap()["language"], "pt-BR");
    }

    #[test]
    fn a_profile_that_will_not_do_changes_nothing() {
        for (input, code) in [
            (json!({}), "profile.nothingToChange"),
            (json!({ "name": " \t" }), "profile.nameEmpty"),
            (json!({ "name": "x".repeat(101) }), "profile.nameTooLong"),
            (json!({ "name": "Ada", "language": "English" }), "profile.invalidLanguage"),
            (json!({ "theme": "solarized" }), "api.invalidInputType"),
            (json!({ "name": 5 }), "api.invalidInputType"),
        ] {
            assert_eq!(update(&input).unwrap_err().code(), code, "{input}");
        }
        assert!(testing::account_acts().is_empty());
        assert!(update(&json!({ "name": "ä".repeat(100) })).is_ok(), "a limit is in characters");
    }

    #[test]
    fn a_language_is_a_tag() {
        for tag in ["en", "nl", "fil", "pt-BR", "zh-Hant-TW", "de-1996"] {
            assert!(is_language(tag), "{tag}");
        }
        for tag in ["", "e", "EN", "engl", "en_US", "en-", "-en", "en-x", "en-<b>", "../en", "en-abcdefghi"] {
            assert!(!is_language(tag), "{tag}");
        }
    }
}
