//! What a provider says of somebody, made fit for use.
//!
//! The rule kept here: an e-mail is verified when the provider says so of that very e-mail, and of
//! everything else that is only shown no more is kept than can be shown safely.

#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use url::Url;

use crate::fetch::{Fetch, MAX_BODY};
use crate::provider::Profile;

/// Names are cut there, in characters, as the framework's `nameMaxLength` does.
const MAX_NAME: usize = 191;
/// RFC 5321, in bytes.
const MAX_EMAIL: usize = 254;
/// OpenID Connect Core §2, in bytes.
const MAX_SUBJECT: usize = 255;
/// Addresses of pictures, in bytes.
const MAX_ADDRESS: usize = 2048;
/// Pictures that are kept as they are, in bytes (§5.6).
const MAX_PHOTO: usize = 200 << 10;

/// How a provider's answer is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Standard claims (OpenID Connect Core §5.1), with `id` where there is no `sub`.
    Standard,
    GitHub,
    Discord,
    Facebook,
    Microsoft,
}

/// Where and with what a profile is asked for.
pub(crate) struct Source<'a> {
    pub(crate) provider: &'a str,
    pub(crate) url: &'a Url,
    pub(crate) reader: Reader,
    pub(crate) access_token: &'a str,
}

/// As it was written.
#[derive(Default)]
struct Raw {
    subject: Option<String>,
    email: Option<String>,
    verified: bool,
    name: String,
    avatar: String,
}

impl Source<'_> {
    /// Asks for the profile.
    pub(crate) async fn profile(&self, fetch: &Fetch) -> Result<Profile, String> {
        let answer = self.claims(fetch).await?;
        let raw = match self.reader {
            Reader::Standard => Raw::standard(&answer),
            Reader::GitHub => self.github(fetch, &answer).await,
            Reader::Discord => Raw::discord(&answer),
            Reader::Facebook => Raw::facebook(&answer),
            Reader::Microsoft => self.microsoft(fetch, &answer).await,
        };
        raw.finish(self.provider)
    }

    /// What the endpoint answers.
    pub(crate) async fn claims(&self, fetch: &Fetch) -> Result<Map<String, Value>, String> {
        let mut url = self.url.clone();
        if self.reader == Reader::Facebook && url.query().is_none() {
            url.set_query(Some("fields=id,name,email,picture.type(large)"));
        }
        let request = fetch.get(&url).bearer_auth(self.access_token);
        fetch.json(request).await.map_err(|error| error.to_string())
    }

    /// An address below the endpoint's.
    fn below(&self, segments: &[&str]) -> Option<Url> {
        let mut url = self.url.clone();
        url.path_segments_mut().ok()?.pop_if_empty().extend(segments);
        Some(url)
    }

    /// The e-mail that people show may be any of theirs; whether GitHub verified it stands in the list of
    /// all, which is also where the e-mail of those stands who show none.
    async fn github(&self, fetch: &Fetch, answer: &Map<String, Value>) -> Raw {
        let mut raw = Raw {
            subject: id(answer.get("id")),
            email: text(answer, "email"),
            name: text(answer, "login").unwrap_or_default(),
            avatar: text(answer, "avatar_url").unwrap_or_default(),
            verified: false,
        };
        let Some(url) = self.below(&["emails"]) else { return raw };
        let request = fetch.get(&url).bearer_auth(self.access_token);
        match fetch.json::<Vec<Map<String, Value>>>(request).await {
            Ok(emails) => raw.choose_email(&emails),
            Err(error) => tracing::debug!(provider = self.provider, %error, "no list of e-mails"),
        }
        raw
    }

    async fn microsoft(&self, fetch: &Fetch, answer: &Map<String, Value>) -> Raw {
        Raw {
            subject: id(answer.get("id")),
            email: text(answer, "mail"),
            // Administrators of any tenant write what they like into `mail`.
            verified: false,
            name: text(answer, "displayName").unwrap_or_default(),
            avatar: self.photo(fetch).await.unwrap_or_default(),
        }
    }

    /// The picture, if there is one that is small enough.
    async fn photo(&self, fetch: &Fetch) -> Option<String> {
        let url = self.below(&["photo", "$value"])?;
        let request = fetch.get(&url).bearer_auth(self.access_token).header("accept", "image/*");
        let photo = match fetch.send(request, MAX_PHOTO).await {
            Ok(photo) if photo.status.is_success() => photo,
            Ok(_) => return None,
            Err(error) => {
                tracing::debug!(provider = self.provider, %error, "no photo");
                return None;
            }
        };
        let kind = photo.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let known = matches!(&*kind, "image/jpeg" | "image/png" | "image/gif" | "image/webp");
        (known && !photo.body.is_empty())
            .then(|| format!("data:{kind};base64,{}", STANDARD.encode(&photo.body)))
    }
}

/// The profile of somebody of whom an ID token and perhaps the userinfo endpoint spoke. What the endpoint
/// says goes over the token; e-mail and its flag come from one of them, never one from each.
pub(crate) fn of_claims(
    provider: &str,
    mut token: Map<String, Value>,
    userinfo: Option<Map<String, Value>>,
) -> Result<Profile, String> {
    if let Some(mut userinfo) = userinfo {
        userinfo.remove("sub");
        if text(&userinfo, "email").is_some() {
            token.remove("email");
            token.remove("email_verified");
        } else {
            userinfo.remove("email");
            userinfo.remove("email_verified");
        }
        token.extend(userinfo);
    }
    Raw::standard(&token).finish(provider)
}

impl Raw {
    fn standard(answer: &Map<String, Value>) -> Raw {
        Raw {
            subject: id(answer.get("sub")).or_else(|| id(answer.get("id"))),
            email: text(answer, "email"),
            verified: is_true(answer.get("email_verified")),
            name: text(answer, "name").or_else(|| text(answer, "preferred_username")).unwrap_or_default(),
            avatar: text(answer, "picture").unwrap_or_default(),
        }
    }

    fn discord(answer: &Map<String, Value>) -> Raw {
        let subject = id(answer.get("id"));
        // Both become parts of an address.
        let plain = |part: &&str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let picture = text(answer, "avatar");
        let avatar = match (subject.as_deref().filter(plain), picture.as_deref().filter(plain)) {
            (Some(subject), Some(picture)) => {
                let kind = if picture.starts_with("a_") { "gif" } else { "png" };
                format!("https://cdn.discordapp.com/avatars/{subject}/{picture}.{kind}")
            }
            _ => String::new(),
        };
        Raw {
            subject,
            email: text(answer, "email"),
            verified: is_true(answer.get("verified")),
            name: text(answer, "username").unwrap_or_default(),
            avatar,
        }
    }

    fn facebook(answer: &Map<String, Value>) -> Raw {
        let picture = answer.get("picture").and_then(|picture| picture.pointer("/data/url"));
        Raw {
            subject: id(answer.get("id")),
            email: text(answer, "email"),
            // It hands out none that it did not verify.
            verified: true,
            name: text(answer, "name").unwrap_or_default(),
            avatar: picture.and_then(Value::as_str).unwrap_or_default().to_owned(),
        }
    }

    /// The shown e-mail with its flag from the list; without one the primary, if it is verified.
    fn choose_email(&mut self, emails: &[Map<String, Value>]) {
        let verified = |entry: &&Map<String, Value>| is_true(entry.get("verified"));
        match &self.email {
            Some(shown) => {
                self.verified = emails
                    .iter()
                    .filter(verified)
                    .any(|entry| text(entry, "email").is_some_and(|email| email.eq_ignore_ascii_case(shown)));
            }
            None => {
                let primary = |entry: &&Map<String, Value>| is_true(entry.get("primary"));
                self.email = emails.iter().filter(verified).find(primary).and_then(|e| text(e, "email"));
                self.verified = self.email.is_some();
            }
        }
    }

    fn finish(self, provider: &str) -> Result<Profile, String> {
        let is_id = |subject: &String| {
            !subject.is_empty() && subject.len() <= MAX_SUBJECT && !subject.contains(char::is_control)
        };
        let subject = self.subject.filter(is_id).ok_or("the provider gave no id of the person")?;
        let email = self.email.ok_or(
            "the provider gave no e-mail; the person may have none, or the scopes do not ask for it",
        )?;
        let email = plausible(&email).ok_or("what the provider gave as e-mail is none")?;
        Ok(Profile {
            provider: provider.to_owned(),
            subject,
            email,
            email_verified: self.verified,
            name: shown(&self.name),
            avatar: picture(&self.avatar).unwrap_or_default(),
        })
    }
}

/// A text that is not blank.
fn text(answer: &Map<String, Value>, key: &str) -> Option<String> {
    answer.get(key).and_then(Value::as_str).filter(|text| !text.trim().is_empty()).map(str::to_owned)
}

/// An id: a text or a whole number.
fn id(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(id) => Some(id.clone()),
        Value::Number(id) if id.is_u64() => Some(id.to_string()),
        _ => None,
    }
}

/// `true`, which some providers write as text.
fn is_true(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(flag)) => flag == "true",
        _ => false,
    }
}

/// An e-mail, trimmed and lower case, if it looks like one.
fn plausible(email: &str) -> Option<String> {
    let email = email.trim();
    let (local, domain) = email.rsplit_once('@')?;
    let dotted = domain.contains('.') && domain.split('.').all(|label| !label.is_empty());
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',' | ';' | '"');
    // Letters such as the Kelvin sign become plain ones in lower case: another mailbox than was verified.
    let turns_plain = |c: char| !c.is_ascii() && c.to_lowercase().any(|lower| lower.is_ascii());
    let fits = email.len() <= MAX_EMAIL
        && !local.is_empty()
        && !local.contains('@')
        && dotted
        && !email.contains(odd)
        && !email.contains(turns_plain);
    fits.then(|| email.to_lowercase())
}

/// A name without what controls terminals and the direction of text.
fn shown(name: &str) -> String {
    let steers = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    name.trim().chars().filter(|c| !steers(*c)).take(MAX_NAME).collect()
}

/// A picture's address, if it can be one.
fn picture(address: &str) -> Option<String> {
    if let Some(rest) = address.strip_prefix("data:image/") {
        let (kind, data) = rest.split_once(";base64,")?;
        let fits = kind.bytes().all(|b| b.is_ascii_alphanumeric() || b"+.-".contains(&b))
            && data.len() <= MAX_PHOTO.div_ceil(3) * 4
            && data.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
        return fits.then(|| address.to_owned());
    }
    if address.len() > MAX_ADDRESS {
        return None;
    }
    let url = Url::parse(address).ok()?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.username().is_empty();
    (is_web && url.password().is_none()).then(|| url.into())
}

const _: () = assert!(MAX_PHOTO < MAX_BODY);
