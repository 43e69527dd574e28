//! `project.toml`: the configuration of a project (wire protocol §12.1), typed and with defaults.
//!
//! The rule: a key exists here only if the host reads it. What the protocol names and the host
//! does not do yet is an unknown key, because a setting that is accepted and ignored is a lie.

mod identity;
mod read;
mod realtime;

pub use identity::{
    AccountStrategy, AppConfig, AuthConfig, BackplaneConfig, BackplaneStore, CookieConfig, EmailConfig,
    LockoutConfig, OAuthProviderConfig, OnConflict, PasswordHash, PasswordPolicyConfig, SameSite,
    SessionConfig, SessionsPerUser, UploadsConfig, UsersConfig,
};

pub use realtime::{PresenceConfig, SocketConfig, SyncConfig, Transports};

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything in `project.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectConfig {
    /// `name`, else `PROJECT_NAME`, else `luckystack`; prefixes every shared key.
    pub name: String,
    /// `default_language` (`en`): the locale of callers that ask for none that exists.
    pub default_language: String,
    /// `[paths]`, already resolved against the project's root.
    pub paths: PathsConfig,
    /// `[listen]`
    pub listen: ListenConfig,
    /// `[tls]`; plain HTTP without it.
    pub tls: Option<TlsConfig>,
    /// `[http]`
    pub http: HttpConfig,
    /// `[rate_limiting]`
    pub rate_limiting: RateLimitConfig,
    /// `[api]`
    pub api: ApiConfig,
    /// `[validation]`
    pub validation: ValidationConfig,
    /// `[engine]`
    pub engine: EngineConfig,
    /// `[app]`
    pub app: AppConfig,
    /// `[backplane]`
    pub backplane: BackplaneConfig,
    /// `[session]`
    pub session: SessionConfig,
    /// `[auth]`
    pub auth: AuthConfig,
    /// `[users]`
    pub users: UsersConfig,
    /// `[oauth.NAME]`, by name.
    pub oauth: BTreeMap<String, OAuthProviderConfig>,
    /// `[email]`
    pub email: EmailConfig,
    /// `[uploads]`
    pub uploads: UploadsConfig,
    /// `[socket]`
    pub socket: SocketConfig,
    /// `[sync]`
    pub sync: SyncConfig,
    /// `[presence]`
    pub presence: PresenceConfig,
}

/// `[paths]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathsConfig {
    /// `plugins` (`plugins`): one folder a service.
    pub plugins: PathBuf,
    /// `functions` (`<plugins>/functions`): the project functions.
    pub functions: PathBuf,
    /// `locales` (`<config dir>/locales`): `*.json`, one a language.
    pub locales: PathBuf,
    /// `public`: static files; none are served without it.
    pub public: Option<PathBuf>,
    /// `cache`: compiled components; the host chooses a private folder without it.
    pub cache: Option<PathBuf>,
    /// `types`: where the types for front ends are written, and kept current with `--dev`.
    pub types: Option<PathBuf>,
    /// `data` (`data`): what must survive a restart: sessions and users, private to this user.
    pub data: PathBuf,
    /// `uploads` (`<data>/uploads`): files served below `/uploads`.
    pub uploads: PathBuf,
}

/// `[listen]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenConfig {
    /// `host` (`127.0.0.1`: nothing is open to a network unless someone says so).
    pub host: String,
    /// `port` (4100); 0 takes any free one.
    pub port: u16,
}

/// `[tls]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// `cert`: PEM file of the certificate chain, already resolved.
    pub cert: PathBuf,
    /// `key`: PEM file of the private key, already resolved.
    pub key: PathBuf,
}

/// `[http]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpConfig {
    /// `request_body_max_bytes` (1 MiB, §12.1); beyond it 413.
    pub request_body_max_bytes: u64,
    /// `health_endpoint` (`/_health`)
    pub health_endpoint: String,
    /// `live_endpoint` (`/livez`)
    pub live_endpoint: String,
    /// `ready_endpoint` (`/readyz`)
    pub ready_endpoint: String,
    /// `trust_proxy` (false): whether `X-Forwarded-For` and `X-Real-IP` say who calls (§3.3).
    pub trust_proxy: bool,
    /// `trusted_proxy_hop_count` (1): which entry of `X-Forwarded-For` counts, from the right.
    pub trusted_proxy_hop_count: u32,
    /// `max_header_bytes` (16 KiB, what Node allows): beyond it 431.
    pub max_header_bytes: u64,
    /// `header_read_timeout` (10 s): a head fits in one packet; who needs longer holds a slot.
    pub header_read_timeout: Duration,
    /// `body_read_timeout` (30 s): 1 MiB at 35 KB/s, a poor mobile connection.
    pub body_read_timeout: Duration,
    /// `write_timeout` (30 s): how long a client may take no byte of an answer that is ready.
    pub write_timeout: Duration,
    /// `keep_alive_timeout` (75 s): longer than the 60 s for which common proxies keep idle
    /// connections, so that the proxy, which can retry, is the one that closes.
    pub keep_alive_timeout: Duration,
    /// `max_requests_per_second_per_connection` (10 000; `None` for `false`): a proxy sends the
    /// requests of many clients over one connection, so it must not be small; one connection that
    /// floods could send several times as many.
    pub max_requests_per_second_per_connection: Option<u32>,
    /// `max_connections` (10 000): at some 10 KB each, 100 MB; the next one waits in the backlog.
    pub max_connections: u32,
    /// `drain_timeout` (10 s, §6.3): how long calls in flight may take to finish at shutdown.
    pub drain_timeout: Duration,
    /// `host_state`: whether `/_host` tells what is loaded. On with `--dev` and off without it when absent.
    pub host_state: Option<bool>,
    /// `session_cookie_*`, `accept_bearer_in_cookie_mode`
    pub cookie: CookieConfig,
    /// `test_reset_endpoint` (`/_test/reset`, §6.2)
    pub test_reset_endpoint: String,
    /// `[http.cors]`
    pub cors: CorsConfig,
    /// `[http.security_headers]`
    pub security_headers: SecurityHeaders,
    /// `[http.stream]`
    pub stream: StreamConfig,
    /// `[http.health_hash]`
    pub health_hash: HealthHashConfig,
}

/// `[http.cors]`, defaults of §5.8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorsConfig {
    /// `allowed_methods`
    pub allowed_methods: Vec<String>,
    /// `allowed_headers`
    pub allowed_headers: Vec<String>,
    /// `exposed_headers`
    pub exposed_headers: Vec<String>,
    /// `credentials` (true)
    pub credentials: bool,
    /// `allowed_origins`: lower-case `scheme://host[:port]` without default ports, as an origin is
    /// compared (§5.8), whatever way they were written.
    pub allowed_origins: Vec<String>,
    /// `allow_localhost` (false): `localhost`, `127.0.0.1` and `[::1]` at any port.
    pub allow_localhost: bool,
}

/// `[http.security_headers]`, defaults of §5.8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityHeaders {
    /// `frame_options`: `X-Frame-Options` (`SAMEORIGIN`)
    pub frame_options: String,
    /// `referrer_policy`: `Referrer-Policy` (`no-referrer`)
    pub referrer_policy: String,
    /// `xss_protection`: `X-XSS-Protection` (`0`)
    pub xss_protection: String,
    /// `content_type_options`: `X-Content-Type-Options` (`nosniff`)
    pub content_type_options: String,
}

/// `[http.stream]`, how a request asks for server-sent events (§3.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamConfig {
    /// `query_param` (`stream`)
    pub query_param: String,
    /// `enabled_value` (`true`)
    pub enabled_value: String,
    /// `connected_comment` (`: connected`), the first line of a stream.
    pub connected_comment: String,
}

/// `[http.health_hash]`, how `/_health` hashes synchronised values (§6.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthHashConfig {
    /// `mode` (`hmac`)
    pub mode: HealthHashMode,
    /// `salt` (`@bootUuid`: the boot uuid itself)
    pub salt: String,
}

/// How `/_health` hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HealthHashMode {
    /// HMAC-SHA256 keyed with the salt.
    Hmac,
    /// SHA-256 of the value alone.
    Plain,
}

/// `[rate_limiting]` (§3.3)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimitConfig {
    /// `enabled` (true)
    pub enabled: bool,
    /// `default_api_limit` (60; `None` for `false`): calls a window to a route that sets none.
    pub default_api_limit: Option<u32>,
    /// `default_ip_limit` (100; `None` for `false`): calls a window from one address.
    pub default_ip_limit: Option<u32>,
    /// `window` (60 s)
    pub window: Duration,
    /// `skip_loopback_in_dev` (false)
    pub skip_loopback_in_dev: bool,
    /// `max_keys` (50 000): counters kept in memory at once.
    pub max_keys: u32,
    /// `store` (`memory`); `redis` counts for all hosts together.
    pub store: RateLimitStore,
    /// `redis_key_prefix` (`rate-limit`): what its keys begin with, behind the project's name.
    pub redis_key_prefix: String,
    /// `on_store_error` (`memory`): what is done while Redis does not answer.
    pub on_store_error: OnStoreError,
    /// `[rate_limiting.auth]`
    pub auth: LockoutConfig,
}

/// Where calls are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateLimitStore {
    /// In each host by itself.
    Memory,
    /// In the Redis server of the backplane.
    Redis,
}

/// What becomes of calls that cannot be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnStoreError {
    /// They are counted in memory.
    Memory,
    /// They are refused.
    Deny,
}

/// `[api]`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApiConfig {
    /// `request_timeout` (`false`): wall clock of a whole call, hooks included; each service's own
    /// deadline holds beside it.
    pub request_timeout: Option<Duration>,
}

/// `[validation]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidationConfig {
    /// `runtime_mode` (`enforce`)
    pub runtime_mode: RuntimeMode,
}

/// Whether inputs are validated when a call comes in (§3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RuntimeMode {
    /// Invalid input is refused.
    Enforce,
    /// Input reaches the handler as it came.
    Off,
}

/// `[engine]`: bounds of the WebAssembly engine, shared by all services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineConfig {
    /// `max_instances` (512): live instances of all services. Their reserved address space is what
    /// the pool costs, and sixteen services at full default concurrency need as many.
    pub max_instances: u32,
    /// `max_memory` (256 MiB): the largest `memory` that a service may be given; every slot of the
    /// pool must be able to hold it.
    pub max_memory: u64,
    /// `wasm_stack` (512 KiB): deep enough for interpreters in JavaScript and Python guests,
    /// shallow enough that endless recursion is noticed at once.
    pub wasm_stack: u64,
    /// `epoch_tick` (2 ms): how late a deadline may be noticed. Measured settings are 1 to 5 ms.
    pub epoch_tick: Duration,
}

// ---------------------------------------------------------------------------------------------

impl ProjectConfig {
    /// The configuration of a project that writes none.
    #[must_use]
    pub fn defaults(config_dir: &Path, root: &Path) -> Self {
        let plugins = resolve(root, Path::new("plugins"));
        let data = resolve(root, Path::new("data"));
        Self {
            name: "luckystack".to_owned(),
            default_language: "en".to_owned(),
            paths: PathsConfig {
                types: None,
                functions: plugins.join(crate::names::FUNCTIONS),
                plugins,
                locales: config_dir.join("locales"),
                public: None,
                cache: None,
                uploads: data.join("uploads"),
                data,
            },
            listen: ListenConfig::default(),
            tls: None,
            http: HttpConfig::default(),
            rate_limiting: RateLimitConfig::default(),
            api: ApiConfig::default(),
            validation: ValidationConfig { runtime_mode: RuntimeMode::Enforce },
            engine: EngineConfig::default(),
            app: AppConfig::default(),
            backplane: BackplaneConfig { store: None, url: None },
            session: SessionConfig::default(),
            auth: AuthConfig::default(),
            users: UsersConfig::default(),
            oauth: BTreeMap::new(),
            email: EmailConfig::default(),
            uploads: UploadsConfig::default(),
            socket: SocketConfig::default(),
            sync: SyncConfig::default(),
            presence: PresenceConfig::default(),
        }
    }
}

/// A path of the configuration as seen from where the host was started.
pub(crate) fn resolve(root: &Path, path: &Path) -> PathBuf {
    // `./plugins` reads worse than `plugins` in every message, and means the same.
    if root == Path::new(".") { path.to_owned() } else { root.join(path) }
}

impl Default for ListenConfig {
    fn default() -> Self {
        Self { host: Ipv4Addr::LOCALHOST.to_string(), port: 4100 }
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            request_body_max_bytes: 1 << 20,
            health_endpoint: "/_health".to_owned(),
            live_endpoint: "/livez".to_owned(),
            ready_endpoint: "/readyz".to_owned(),
            trust_proxy: false,
            trusted_proxy_hop_count: 1,
            max_header_bytes: 16 << 10,
            header_read_timeout: Duration::from_secs(10),
            body_read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            keep_alive_timeout: Duration::from_secs(75),
            max_requests_per_second_per_connection: Some(10_000),
            max_connections: 10_000,
            drain_timeout: Duration::from_secs(10),
            host_state: None,
            cookie: CookieConfig::default(),
            test_reset_endpoint: "/_test/reset".to_owned(),
            cors: CorsConfig::default(),
            security_headers: SecurityHeaders::default(),
            stream: StreamConfig::default(),
            health_hash: HealthHashConfig::default(),
        }
    }
}

impl Default for CorsConfig {
    fn default() -> Self {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            allowed_methods: owned(&["GET", "POST", "PUT", "DELETE", "OPTIONS"]),
            allowed_headers: owned(&[
                "Content-Type",
                "Authorization",
                "X-Session-Based-Token",
                "X-CSRF-Token",
                "X-Request-Id",
            ]),
            exposed_headers: owned(&["X-Session-Token", "X-Request-Id"]),
            credentials: true,
            allowed_origins: Vec::new(),
            allow_localhost: false,
        }
    }
}

impl Default for SecurityHeaders {
    fn default() -> Self {
        Self {
            frame_options: "SAMEORIGIN".to_owned(),
            referrer_policy: "no-referrer".to_owned(),
            xss_protection: "0".to_owned(),
            content_type_options: "nosniff".to_owned(),
        }
    }
}

impl Default for StreamConfig {
    fn default() -> Self {
        Self {
            query_param: "stream".to_owned(),
            enabled_value: "true".to_owned(),
            connected_comment: ": connected".to_owned(),
        }
    }
}

impl Default for HealthHashConfig {
    fn default() -> Self {
        Self { mode: HealthHashMode::Hmac, salt: "@bootUuid".to_owned() }
    }
}

impl Default for RateLimitConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            default_api_limit: Some(60),
            default_ip_limit: Some(100),
            window: Duration::from_secs(60),
            skip_loopback_in_dev: false,
            max_keys: 50_000,
            store: RateLimitStore::Memory,
            redis_key_prefix: "rate-limit".to_owned(),
            on_store_error: OnStoreError::Memory,
            auth: LockoutConfig::default(),
        }
    }
}

impl Default for ValidationConfig {
    fn default() -> Self {
        Self { runtime_mode: RuntimeMode::Enforce }
    }
}

impl EngineConfig {
    /// Each live instance takes 3 to 4 memory mappings, and Linux gives a process 65 530.
    pub(crate) const MOST_INSTANCES: u32 = 16_000;
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            max_instances: 512,
            max_memory: 256 << 20,
            wasm_stack: 512 << 10,
            epoch_tick: Duration::from_millis(2),
        }
    }
}
