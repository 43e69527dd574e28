//! What an issuer says of itself (OpenID Connect Discovery 1.0), cached.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio::sync::Mutex;
use url::Url;

use crate::endpoint::endpoint;
use crate::exchange::ClientAuth;
use crate::fetch::Fetch;

/// Descriptions are asked for anew after this long.
const LIFE: Duration = Duration::from_secs(3600);
/// Whoever comes this soon after a failure shares it, so that logins do not queue up behind a dead issuer.
const FAILURE_LIFE: Duration = Duration::from_secs(2);

/// Endpoints of the configuration, which go over those that are discovered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    pub(crate) authorization: Option<Url>,
    pub(crate) token: Option<Url>,
    pub(crate) userinfo: Option<Url>,
}

/// An issuer, asked when first needed.
pub(crate) struct Discovery {
    /// As configured, without a slash at its end.
    issuer: String,
    address: Url,
    overrides: Overrides,
    known: Mutex<Option<Asked>>,
}

/// What asking brought, and when.
struct Asked {
    answer: Result<Arc<Document>, String>,
    at: Instant,
}

/// What is needed of the description.
#[derive(Debug)]
pub(crate) struct Document {
    /// As the issuer spells itself: what `iss` is compared with.
    pub(crate) issuer: String,
    pub(crate) authorization: Url,
    pub(crate) token: Url,
    pub(crate) userinfo: Option<Url>,
    pub(crate) jwks: Url,
    pub(crate) auth: ClientAuth,
    /// Whether it promises `iss` beside every code (RFC 9207).
    pub(crate) sends_issuer: bool,
    /// Whether it lets people choose an account; issuers that do not say are asked to.
    pub(crate) selects_account: bool,
}

impl Discovery {
    /// An issuer by its configured address.
    pub(crate) fn new(issuer: &str, overrides: Overrides) -> Result<Self, String> {
        let issuer = issuer.trim_end_matches('/').to_owned();
        endpoint(&issuer).map_err(|wrong| format!("`issuer` {wrong}"))?;
        let address = endpoint(&format!("{issuer}/.well-known/openid-configuration"))
            .map_err(|wrong| format!("`issuer` {wrong}"))?;
        if address.query().is_some() {
            return Err("`issuer` must not have a query (?…)".to_owned());
        }
        Ok(Self { issuer, address, overrides, known: Mutex::new(None) })
    }

    /// The description. Several who need to ask wait for one answer.
    pub(crate) async fn document(&self, fetch: &Fetch) -> Result<Arc<Document>, String> {
        let mut known = self.known.lock().await;
        if let Some(Asked { answer, at }) = &*known
            && at.elapsed() < if answer.is_ok() { LIFE } else { FAILURE_LIFE }
        {
            return answer.clone();
        }
        let answer = match fetch.json::<Map<String, Value>>(fetch.get(&self.address)).await {
            Ok(document) => self.read(&document).map(Arc::new),
            Err(error) => Err(error.to_string()),
        };
        let answer = answer.map_err(|why| format!("the description of the issuer {}: {why}", self.issuer));
        *known = Some(Asked { answer: answer.clone(), at: Instant::now() });
        answer
    }

    fn read(&self, document: &Map<String, Value>) -> Result<Document, String> {
        let text = |key: &str| document.get(key).and_then(Value::as_str);
        let list = |key: &str| {
            let values = document.get(key)?.as_array()?;
            Some(values.iter().filter_map(Value::as_str).collect::<Vec<_>>())
        };
        let issuer = text("issuer").ok_or("it has no `issuer`")?;
        // The configuration drops a slash at the end, which some issuers have; nothing else may differ.
        if issuer.strip_suffix('/').unwrap_or(issuer) != self.issuer {
            return Err("it is that of another issuer".to_owned());
        }
        let optional = |over: &Option<Url>, key: &str| match (over, text(key)) {
            (Some(url), _) => Ok(Some(url.clone())),
            (None, Some(address)) => endpoint(address).map(Some).map_err(|wrong| format!("`{key}` {wrong}")),
            (None, None) => Ok(None),
        };
        let needed =
            |over: &Option<Url>, key: &str| optional(over, key)?.ok_or_else(|| format!("it has no `{key}`"));
        // Discovery §3: without the list, basic is what is supported.
        let methods = list("token_endpoint_auth_methods_supported");
        let auth = match methods {
            None => ClientAuth::Basic,
            Some(methods) if methods.contains(&"client_secret_basic") => ClientAuth::Basic,
            Some(methods) if methods.contains(&"client_secret_post") => ClientAuth::Post,
            Some(_) => {
                return Err("it takes neither client_secret_basic nor client_secret_post".to_owned());
            }
        };
        Ok(Document {
            issuer: issuer.to_owned(),
            authorization: needed(&self.overrides.authorization, "authorization_endpoint")?,
            token: needed(&self.overrides.token, "token_endpoint")?,
            userinfo: optional(&self.overrides.userinfo, "userinfo_endpoint")?,
            jwks: needed(&None, "jwks_uri")?,
            auth,
            sends_issuer: document.get("authorization_response_iss_parameter_supported")
                == Some(&Value::Bool(true)),
            selects_account: list("prompt_values_supported")
                .is_none_or(|prompts| prompts.contains(&"select_account")),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Discovery, Document, Overrides};
    use crate::exchange::ClientAuth;

    fn read(change: impl FnOnce(&mut Value)) -> Result<Document, String> {
        let discovery = Discovery::new("https://id.example.com/realm/", Overrides::default()).unwrap();
        assert_eq!(
            discovery.address.as_str(),
            "https://id.example.com/realm/.well-known/openid-configuration"
        );
        let mut document = json!({
            "issuer": "https://id.example.com/realm",
            "authorization_endpoint": "https://id.example.com/authorize",
            "token_endpoint": "https://id.example.com/token",
            "jwks_uri": "https://id.example.com/jwks",
        });
        change(&mut document);
        discovery.read(document.as_object().unwrap())
    }

    #[test]
    fn a_description_has_defaults() {
        let document = read(|_| {}).unwrap();
        assert_eq!((document.auth, document.userinfo), (ClientAuth::Basic, None));
        assert!(!document.sends_issuer);
        assert!(document.selects_account);
    }

    #[test]
    fn a_description_is_that_of_the_configured_issuer() {
        for other in [
            "https://id.example.com/",
            "https://id.example.com/realm//",
            "https://id.example.com/Realm",
            "https://evil.example.com/realm",
        ] {
            assert!(read(|document| document["issuer"] = other.into()).is_err(), "{other}");
        }
        let slashed = read(|document| document["issuer"] = "https://id.example.com/realm/".into());
        assert_eq!(slashed.unwrap().issuer, "https://id.example.com/realm/");
    }

    #[test]
    fn discovered_endpoints_are_https() {
        for key in ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"] {
            let error = read(|document| document[key] = "http://id.example.com/".into()).unwrap_err();
            assert!(error.contains(key), "{error}");
        }
    }

    #[test]
    fn the_client_authenticates_as_the_issuer_asks() {
        let auth = |methods: Value| {
            read(|document| document["token_endpoint_auth_methods_supported"] = methods)
                .map(|document| document.auth)
        };
        assert_eq!(auth(json!(["client_secret_post"])).unwrap(), ClientAuth::Post);
        assert_eq!(auth(json!(["client_secret_post", "client_secret_basic"])).unwrap(), ClientAuth::Basic);
        assert!(auth(json!(["private_key_jwt"])).is_err());
    }

    #[test]
    fn the_configuration_goes_over_what_is_discovered() {
        let url = |text: &str| Some(text.parse().unwrap());
        let overrides = Overrides {
            authorization: url("https://a.example.com/"),
            token: url("https://t.example.com/"),
            userinfo: url("https://u.example.com/"),
        };
        let discovery = Discovery::new("https://id.example.com", overrides).unwrap();
        let document = json!({"issuer": "https://id.example.com", "jwks_uri": "https://id.example.com/jwks"});
        let document = discovery.read(document.as_object().unwrap()).unwrap();
        assert_eq!(document.authorization.as_str(), "https://a.example.com/");
        assert_eq!(document.token.as_str(), "https://t.example.com/");
        assert_eq!(document.userinfo.unwrap().as_str(), "https://u.example.com/");
    }
}
