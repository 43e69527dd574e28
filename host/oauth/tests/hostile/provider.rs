//! A provider on loopback that is honest until a test tells it otherwise.
//!
//! It gives out codes for the authorization URLs that it is shown, and takes each once, with the right
//! redirect address, PKCE verifier and client secret.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use luckystack_backplane::{Keys, Memory};
use luckystack_oauth::{Begun, Callback, Completed, OAuth, OAuthError, ProviderSetup};
use luckystack_topology::OAuthProviderConfig;
use parking_lot::Mutex;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RsaKeyPair, RsaPublicKeyComponents,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

pub const CLIENT: &str = "the-client";
/// It has what needs encoding in a header.
pub const SECRET: &str = "s3cret:+%";
pub const SUBJECT: &str = "248289761001";
pub const ACCESS_TOKEN: &str = "an-access-token";
pub const BASE: &str = "https://app.example.com";

type Change = Box<dyn Fn(&mut Value) + Send + Sync>;
type Forge = Box<dyn Fn(&Value) -> String + Send + Sync>;

/// A running provider; it ends with its test's runtime.
pub struct Provider {
    url: String,
    shared: Arc<Shared>,
}

struct Shared {
    url: String,
    script: Mutex<Script>,
    grants: Mutex<HashMap<String, Grant>>,
    /// How many codes it gave out.
    codes: AtomicUsize,
    requests: Mutex<Vec<Seen>>,
}

/// What it does.
struct Script {
    signer: Signer,
    listed: Vec<Value>,
    /// Makes the token, instead of the signer.
    forge: Option<Forge>,
    discovery: Vec<Change>,
    claims: Vec<Change>,
    userinfo: Vec<Change>,
    routes: HashMap<String, Reply>,
}

/// A request that it got.
#[derive(Clone, Debug)]
pub struct Seen {
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: String,
}

/// An answer of a path, instead of the honest one.
#[derive(Clone)]
pub enum Reply {
    Json(u16, Value),
    Bytes(&'static str, Vec<u8>),
    /// To a path of its own.
    Redirect(&'static str),
    /// Honest, with this many spaces before it.
    Padded(usize),
    /// None.
    Silence,
}

struct Grant {
    nonce: Option<String>,
    challenge: String,
    redirect_uri: String,
}

/// A key and how it signs.
#[derive(Clone)]
pub struct Signer {
    pub kid: &'static str,
    pub algorithm: Algorithm,
    key: EncodingKey,
    /// As it is published.
    pub jwk: Value,
    /// What a verifier holds of it.
    pub public: Vec<u8>,
}

impl Signer {
    pub fn p256(kid: &'static str) -> Signer {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        let public = pair.public_key().as_ref().to_vec();
        let part = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&public[range]);
        let jwk = json!({
            "kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "x": part(1..33), "y": part(33..65),
        });
        let key = EncodingKey::from_ec_der(document.as_ref());
        Signer { kid, algorithm: Algorithm::ES256, key, jwk, public }
    }

    /// Always the same key: making one takes long.
    pub fn rsa(kid: &'static str, algorithm: Algorithm) -> Signer {
        let der = include_bytes!("../keys/rsa-2048.der");
        let pair = RsaKeyPair::from_der(der).unwrap();
        let parts = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
        let jwk = json!({
            "kty": "RSA", "kid": kid, "n": URL_SAFE_NO_PAD.encode(&parts.n), "e": URL_SAFE_NO_PAD.encode(&parts.e),
        });
        Signer { kid, algorithm, key: EncodingKey::from_rsa_der(der), jwk, public: parts.n }
    }

    pub fn sign(&self, claims: &Value) -> String {
        let header = json!({"alg": format!("{:?}", self.algorithm), "typ": "JWT", "kid": self.kid});
        self.sign_with(&header, claims)
    }

    pub fn sign_with(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let signature = crypto::sign(message.as_bytes(), &self.key, self.algorithm).unwrap();
        format!("{message}.{signature}")
    }
}

/// Header and payload, ready to be signed.
pub fn message(header: &Value, claims: &Value) -> String {
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    format!("{}.{}", encode(header), encode(claims))
}

/// Signed as with a secret.
pub fn hmac(kid: &str, secret: &[u8], claims: &Value) -> String {
    let message = message(&json!({"alg": "HS256", "typ": "JWT", "kid": kid}), claims);
    let key = EncodingKey::from_secret(secret);
    format!("{message}.{}", crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap())
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// What the browser is sent back with.
#[derive(Clone, Debug, Default)]
pub struct Returned {
    pub code: String,
    pub state: String,
    pub error: String,
    pub issuer: String,
}

impl Returned {
    pub fn with<'a>(&'a self, nonce: &'a str) -> Callback<'a> {
        Callback { code: &self.code, state: &self.state, error: &self.error, issuer: &self.issuer, nonce }
    }
}

impl Provider {
    pub async fn start() -> Provider {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let signer = Signer::p256("first");
        let script = Script {
            listed: vec![signer.jwk.clone()],
            signer,
            forge: None,
            discovery: Vec::new(),
            claims: Vec::new(),
            userinfo: Vec::new(),
            routes: HashMap::new(),
        };
        let shared = Arc::new(Shared {
            url: url.clone(),
            script: Mutex::new(script),
            grants: Mutex::default(),
            codes: AtomicUsize::new(0),
            requests: Mutex::default(),
        });
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                let service = service_fn(move |request| answer(Arc::clone(&shared), request));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Provider { url, shared }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Changes its description.
    pub fn discovery(&self, change: impl Fn(&mut Value) + Send + Sync + 'static) {
        self.shared.script.lock().discovery.push(Box::new(change));
    }

    /// Changes the claims of its ID tokens.
    pub fn claims(&self, change: impl Fn(&mut Value) + Send + Sync + 'static) {
        self.shared.script.lock().claims.push(Box::new(change));
    }

    /// Changes what its userinfo endpoint says.
    pub fn userinfo(&self, change: impl Fn(&mut Value) + Send + Sync + 'static) {
        self.shared.script.lock().userinfo.push(Box::new(change));
    }

    /// Answers a path in another way.
    pub fn route(&self, path: &str, reply: Reply) {
        self.shared.script.lock().routes.insert(path.to_owned(), reply);
    }

    /// Makes ID tokens in another way.
    pub fn forge(&self, forge: impl Fn(&Value) -> String + Send + Sync + 'static) {
        self.shared.script.lock().forge = Some(Box::new(forge));
    }

    /// Signs with another key, and publishes these.
    pub fn sign_with(&self, signer: &Signer, listed: &[&Signer]) {
        let mut script = self.shared.script.lock();
        script.signer = signer.clone();
        script.listed = listed.iter().map(|signer| signer.jwk.clone()).collect();
    }

    /// The key that it signs with.
    pub fn signer(&self) -> Signer {
        self.shared.script.lock().signer.clone()
    }

    /// Requests for a path so far.
    pub fn seen(&self, path: &str) -> Vec<Seen> {
        self.shared.requests.lock().iter().filter(|seen| seen.path == path).cloned().collect()
    }

    /// Somebody logs in at the place where the browser was sent.
    pub fn authorize(&self, location: &str) -> Returned {
        let query: HashMap<String, String> =
            Url::parse(location).unwrap().query_pairs().into_owned().collect();
        assert_eq!(query["client_id"], CLIENT);
        assert_eq!(query["response_type"], "code");
        assert_eq!(query["code_challenge_method"], "S256");
        let number = self.shared.codes.fetch_add(1, Ordering::Relaxed);
        let code = format!("code-{number}-of-{}", self.url);
        let grant = Grant {
            nonce: query.get("nonce").cloned(),
            challenge: query["code_challenge"].clone(),
            redirect_uri: query["redirect_uri"].clone(),
        };
        self.shared.grants.lock().insert(code.clone(), grant);
        Returned { code, state: query["state"].clone(), error: String::new(), issuer: String::new() }
    }
}

impl Shared {
    fn description(&self) -> Value {
        let url = &self.url;
        let mut document = json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "userinfo_endpoint": format!("{url}/userinfo"),
            "jwks_uri": format!("{url}/jwks"),
        });
        self.script.lock().discovery.iter().for_each(|change| change(&mut document));
        document
    }

    /// The code is taken out: it works once.
    fn exchange(&self, seen: &Seen) -> Result<Value, &'static str> {
        let form: HashMap<String, String> = match serde_json::from_str(&seen.body) {
            Ok(json) => json,
            Err(_) => url::form_urlencoded::parse(seen.body.as_bytes()).into_owned().collect(),
        };
        let field = |key: &str| form.get(key).map(String::as_str).unwrap_or_default();
        let basic = format!("Basic {}", STANDARD.encode("the-client:s3cret%3A%2B%25"));
        let authorized = match seen.headers.get("authorization") {
            Some(header) => *header == basic && !form.contains_key("client_secret"),
            None => field("client_id") == CLIENT && field("client_secret") == SECRET,
        };
        if !authorized {
            return Err("invalid_client");
        }
        let grant = self.grants.lock().remove(field("code")).ok_or("invalid_grant")?;
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, field("code_verifier").as_bytes()));
        if field("grant_type") != "authorization_code"
            || field("redirect_uri") != grant.redirect_uri
            || challenge != grant.challenge
        {
            return Err("invalid_grant");
        }
        let script = self.script.lock();
        let half = &digest(&SHA256, ACCESS_TOKEN.as_bytes()).as_ref()[..16].to_vec();
        let mut claims = json!({
            "iss": self.url, "sub": SUBJECT, "aud": CLIENT, "exp": now() + 300, "iat": now(),
            "nonce": grant.nonce, "at_hash": URL_SAFE_NO_PAD.encode(half),
        });
        script.claims.iter().for_each(|change| change(&mut claims));
        let id_token = match &script.forge {
            Some(forge) => forge(&claims),
            None => script.signer.sign(&claims),
        };
        Ok(json!({"access_token": ACCESS_TOKEN, "token_type": "Bearer", "id_token": id_token}))
    }

    fn honest(&self, seen: &Seen) -> (StatusCode, Value) {
        let last = seen.path.rsplit('/').next().unwrap();
        match last {
            "openid-configuration" => (StatusCode::OK, self.description()),
            "jwks" => (StatusCode::OK, json!({"keys": self.script.lock().listed})),
            "token" => match self.exchange(seen) {
                Ok(tokens) => (StatusCode::OK, tokens),
                Err(error) => (StatusCode::BAD_REQUEST, json!({"error": error})),
            },
            "userinfo" => {
                if seen.headers.get("authorization").is_none_or(|bearer| bearer != "Bearer an-access-token") {
                    return (StatusCode::UNAUTHORIZED, json!({"error": "invalid_token"}));
                }
                let mut person = json!({
                    "sub": SUBJECT, "email": "  Jane.Doe@Example.COM ", "email_verified": true,
                    "name": "Jane Doe", "picture": "https://pictures.example.com/jane.png",
                });
                self.script.lock().userinfo.iter().for_each(|change| change(&mut person));
                (StatusCode::OK, person)
            }
            _ => (StatusCode::NOT_FOUND, json!({"error": "not_found"})),
        }
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let seen = Seen {
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    shared.requests.lock().push(seen.clone());
    let reply = shared.script.lock().routes.get(&seen.path).cloned();
    let json = |status: StatusCode, body: String| {
        let response = Response::builder().status(status).header("content-type", "application/json");
        response.body(Full::new(Bytes::from(body))).unwrap()
    };
    Ok(match reply {
        None => {
            let (status, body) = shared.honest(&seen);
            json(status, body.to_string())
        }
        Some(Reply::Padded(spaces)) => {
            let (status, body) = shared.honest(&seen);
            json(status, format!("{}{body}", " ".repeat(spaces)))
        }
        Some(Reply::Json(status, body)) => json(StatusCode::from_u16(status).unwrap(), body.to_string()),
        Some(Reply::Bytes(kind, body)) => {
            Response::builder().header("content-type", kind).body(Full::new(body.into())).unwrap()
        }
        Some(Reply::Redirect(path)) => {
            let to = format!("{}{path}", shared.url);
            // 307: whoever follows sends the body again.
            Response::builder().status(307).header("location", to).body(Full::default()).unwrap()
        }
        Some(Reply::Silence) => std::future::pending().await,
    })
}

/// An issuer that is set up under a name.
pub fn issuer(name: &str, provider: &Provider) -> ProviderSetup {
    setup(name, OAuthProviderConfig { issuer: Some(provider.url().to_owned()), ..Default::default() })
}

/// A provider whose endpoints are set up one by one.
pub fn plain(name: &str, provider: &Provider, userinfo: &str) -> ProviderSetup {
    let at = |path: &str| Some(format!("{}{path}", provider.url()));
    setup(
        name,
        OAuthProviderConfig {
            authorization_url: at("/authorize"),
            token_url: at("/token"),
            userinfo_url: at(userinfo),
            ..Default::default()
        },
    )
}

pub fn setup(name: &str, config: OAuthProviderConfig) -> ProviderSetup {
    ProviderSetup {
        name: name.to_owned(),
        client_id: CLIENT.to_owned(),
        client_secret: SECRET.to_owned(),
        config,
    }
}

pub fn try_app(setups: Vec<ProviderSetup>) -> Result<OAuth, String> {
    OAuth::new(setups, BASE, Duration::from_secs(600), Arc::new(Memory::new()), Keys::new("app"))
}

pub fn app(setups: Vec<ProviderSetup>) -> OAuth {
    try_app(setups).unwrap()
}

/// A login from its beginning to its end.
pub async fn login(app: &OAuth, name: &str, provider: &Provider) -> Result<Completed, OAuthError> {
    let begun = app.begin(name, None).await.unwrap();
    finish(app, name, provider, &begun).await
}

/// The rest of a login that has begun.
pub async fn finish(
    app: &OAuth,
    name: &str,
    provider: &Provider,
    begun: &Begun,
) -> Result<Completed, OAuthError> {
    let returned = provider.authorize(&begun.location);
    app.complete(name, returned.with(&begun.nonce)).await
}

/// Asserts that a login failed for this reason, and that the message explains it and gives nothing away.
#[track_caller]
pub fn assert_refused(result: Result<Completed, OAuthError>, reason: &str, says: &str) {
    let error = result.expect_err("the login must fail");
    let message = error.to_string();
    assert_eq!(error.reason(), reason, "{message}");
    assert!(message.contains(says), "{message}");
    for secret in [SECRET, ACCESS_TOKEN, "-of-http", "eyJ"] {
        assert!(!format!("{message} {error:?}").contains(secret), "{message}");
    }
}
