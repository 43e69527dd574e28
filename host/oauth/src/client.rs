//! One active provider, and what a login does with it.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use luckystack_topology::OAuthProviderConfig;
use url::Url;

use crate::discovery::{Discovery, Document, Overrides};
use crate::endpoint::endpoint;
use crate::exchange::{ClientAuth, Exchange, TokenMode, Tokens};
use crate::fetch::Fetch;
use crate::flow::{Callback, OAuthError};
use crate::id_token::{Expected, Unverified};
use crate::keys::KeyCache;
use crate::profile::{Reader, Source, of_claims};
use crate::provider::{Profile, ProviderSetup};
use crate::state::{Fresh, Kept};
use crate::table::{STANDARD_SCOPES, known};

/// A provider with this app as its client.
pub(crate) struct Client {
    pub(crate) name: String,
    id: String,
    secret: String,
    redirect_uri: String,
    scopes: Vec<String>,
    server: Server,
}

/// How much is known of the other side from the start.
enum Server {
    /// OAuth 2 alone: its endpoints, and a reader for its profiles.
    Plain { authorization: Url, token: Url, userinfo: Url, mode: TokenMode, reader: Reader },
    /// OpenID Connect: what it says of itself.
    Issuer { discovery: Box<Discovery>, keys: KeyCache },
}

impl Client {
    /// A provider as set up. The error says what is wrong or missing, without the provider's name.
    pub(crate) fn new(setup: ProviderSetup, callback_base: &str) -> Result<Self, String> {
        let ProviderSetup { name, client_id, client_secret, config } = setup;
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
            return Err("its name must be of letters, digits, dashes and underscores".to_owned());
        }
        if client_id.is_empty() || client_secret.is_empty() {
            return Err("`client_id` and `client_secret` must not be empty".to_owned());
        }
        if config.tenant.is_some() && name != "microsoft" {
            return Err("`tenant` is for microsoft alone; remove it".to_owned());
        }
        let server = match &config.issuer {
            Some(issuer) => {
                let discovery = Box::new(Discovery::new(issuer, overrides(&config)?)?);
                Server::Issuer { discovery, keys: KeyCache::default() }
            }
            None => plain(&name, &config)?,
        };
        let standard = match (&server, known(&name)) {
            (Server::Plain { .. }, Some(known)) => known.scopes,
            _ => STANDARD_SCOPES,
        };
        let scopes =
            config.scopes.unwrap_or_else(|| standard.iter().map(|&scope| scope.to_owned()).collect());
        if matches!(server, Server::Issuer { .. }) && !scopes.iter().any(|scope| scope == "openid") {
            return Err("with an `issuer`, `scopes` must contain \"openid\"".to_owned());
        }
        let redirect_uri = format!("{callback_base}/auth/callback/{name}");
        Ok(Self { name, id: client_id, secret: client_secret, redirect_uri, scopes, server })
    }

    /// Where the browser goes to log in.
    pub(crate) async fn authorization(&self, fetch: &Fetch, fresh: &Fresh) -> Result<Url, OAuthError> {
        let document;
        let (authorization, selects_account, nonce) = match &self.server {
            Server::Plain { authorization, .. } => (authorization, true, None),
            Server::Issuer { discovery, .. } => {
                document = discovery.document(fetch).await.map_err(OAuthError::Discovery)?;
                (&document.authorization, document.selects_account, Some(&fresh.oidc_nonce))
            }
        };
        let mut url = authorization.clone();
        let mut query = url.query_pairs_mut();
        query.append_pair("client_id", &self.id).append_pair("redirect_uri", &self.redirect_uri);
        if !self.scopes.is_empty() {
            query.append_pair("scope", &self.scopes.join(" "));
        }
        query.append_pair("response_type", "code");
        if selects_account {
            query.append_pair("prompt", "select_account");
        }
        query.append_pair("state", &fresh.state);
        query.append_pair("code_challenge", &fresh.challenge).append_pair("code_challenge_method", "S256");
        if let Some(nonce) = nonce {
            query.append_pair("nonce", nonce);
        }
        drop(query);
        Ok(url)
    }

    /// From the code to the person. The state has been spent already.
    pub(crate) async fn login(
        &self,
        fetch: &Fetch,
        callback: &Callback<'_>,
        kept: &Kept,
    ) -> Result<Profile, OAuthError> {
        match &self.server {
            Server::Plain { authorization, token, userinfo, mode, reader } => {
                self.check_origin(authorization, callback.issuer)?;
                let tokens = self.exchange(fetch, callback, kept, token, *mode, ClientAuth::Post).await?;
                let source = Source {
                    provider: &self.name,
                    url: userinfo,
                    reader: *reader,
                    access_token: &tokens.access_token,
                };
                source.profile(fetch).await.map_err(OAuthError::Profile)
            }
            Server::Issuer { discovery, keys } => {
                let document = discovery.document(fetch).await.map_err(OAuthError::TokenExchange)?;
                check_issuer(&document, callback.issuer)?;
                let form = TokenMode::Form;
                let tokens =
                    self.exchange(fetch, callback, kept, &document.token, form, document.auth).await?;
                self.who(fetch, &document, keys, &tokens, &kept.nonce_hash).await.map_err(OAuthError::Profile)
            }
        }
    }

    async fn exchange(
        &self,
        fetch: &Fetch,
        callback: &Callback<'_>,
        kept: &Kept,
        url: &Url,
        mode: TokenMode,
        auth: ClientAuth,
    ) -> Result<Tokens, OAuthError> {
        let exchange = Exchange {
            url,
            mode,
            auth,
            client_id: &self.id,
            client_secret: &self.secret,
            redirect_uri: &self.redirect_uri,
            code: callback.code,
            verifier: kept.code_verifier.as_deref(),
        };
        exchange.run(fetch).await.map_err(OAuthError::TokenExchange)
    }

    /// Checks the ID token and asks the userinfo endpoint, if there is one.
    async fn who(
        &self,
        fetch: &Fetch,
        document: &Document,
        keys: &KeyCache,
        tokens: &Tokens,
        nonce: &str,
    ) -> Result<Profile, String> {
        let token = tokens.id_token.as_deref().ok_or("the issuer sent no ID token")?;
        let token = Unverified::parse(token)?;
        let key =
            keys.find(fetch, &document.jwks, token.kid.as_deref(), token.algorithm, Instant::now()).await?;
        let claims = token.verify(&key)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?;
        let expected = Expected {
            issuer: &document.issuer,
            client_id: &self.id,
            nonce,
            access_token: &tokens.access_token,
            now: now.as_secs_f64(),
        };
        token.check(&claims, &expected)?;
        let subject = claims.subject().ok_or("the ID token names nobody (`sub`)")?.to_owned();
        let userinfo = match &document.userinfo {
            None => None,
            Some(url) => {
                let source = Source {
                    provider: &self.name,
                    url,
                    reader: Reader::Standard,
                    access_token: &tokens.access_token,
                };
                let userinfo = source.claims(fetch).await?;
                if userinfo.get("sub").and_then(serde_json::Value::as_str) != Some(&subject) {
                    return Err("the userinfo endpoint speaks of somebody else (`sub`)".to_owned());
                }
                Some(userinfo)
            }
        };
        of_claims(&self.name, claims.into_map(), userinfo)
    }

    /// Nobody told which issuer a plain provider is; one that names itself is at least at home where the
    /// browser was sent.
    fn check_origin(&self, authorization: &Url, issuer: &str) -> Result<(), OAuthError> {
        if issuer.is_empty() {
            return Ok(());
        }
        match Url::parse(issuer) {
            Ok(issuer) if issuer.origin() == authorization.origin() => Ok(()),
            _ => Err(OAuthError::InvalidState("another issuer sent the code (`iss`)".to_owned())),
        }
    }
}

/// RFC 9207 §2.4.
fn check_issuer(document: &Document, issuer: &str) -> Result<(), OAuthError> {
    match issuer {
        "" if document.sends_issuer => {
            Err(OAuthError::InvalidState("the issuer promises to name itself and did not (`iss`)".to_owned()))
        }
        "" => Ok(()),
        issuer if issuer == document.issuer => Ok(()),
        _ => Err(OAuthError::InvalidState("another issuer sent the code (`iss`)".to_owned())),
    }
}

/// A provider without an issuer: known, or described in full.
fn plain(name: &str, config: &OAuthProviderConfig) -> Result<Server, String> {
    let Overrides { authorization, token, userinfo } = overrides(config)?;
    let Some(known) = known(name) else {
        let missing: Vec<&str> = [
            (authorization.is_none(), "`authorization_url`"),
            (token.is_none(), "`token_url`"),
            (userinfo.is_none(), "`userinfo_url`"),
        ]
        .into_iter()
        .filter_map(|(missing, key)| missing.then_some(key))
        .collect();
        let (Some(authorization), Some(token), Some(userinfo)) = (authorization, token, userinfo) else {
            return Err(format!(
                "it is none of the known ones; write its `issuer` if it speaks OpenID Connect, else {} too",
                missing.join(" and ")
            ));
        };
        let (mode, reader) = (TokenMode::Form, Reader::Standard);
        return Ok(Server::Plain { authorization, token, userinfo, mode, reader });
    };
    let tenant = config.tenant.as_deref().unwrap_or("common");
    if tenant.is_empty() || !tenant.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.')) {
        return Err("`tenant` must be an id, a domain, or one of common, organizations, consumers".to_owned());
    }
    let or_known = |over: Option<Url>, address: &str| match over {
        Some(url) => Ok(url),
        None => endpoint(&address.replace("{tenant}", tenant)),
    };
    Ok(Server::Plain {
        authorization: or_known(authorization, known.authorization)?,
        token: or_known(token, known.token)?,
        userinfo: or_known(userinfo, known.userinfo)?,
        mode: known.mode,
        reader: known.reader,
    })
}

/// Endpoints of the configuration.
fn overrides(config: &OAuthProviderConfig) -> Result<Overrides, String> {
    let read = |address: &Option<String>, key: &str| {
        let url = address.as_deref().map(endpoint).transpose();
        url.map_err(|wrong| format!("`{key}` {wrong}"))
    };
    Ok(Overrides {
        authorization: read(&config.authorization_url, "authorization_url")?,
        token: read(&config.token_url, "token_url")?,
        userinfo: read(&config.userinfo_url, "userinfo_url")?,
    })
}
