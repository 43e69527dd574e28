//! What exists and who owns it: names of routes and services, presets, project and deploy
//! configuration, and every rule that these must obey before a host starts.
//!
//! The rule of this crate: it is pure. No clock, no network, no environment; whatever it needs
//! comes in as an argument, and only the `load` module reads the disk. Everything that a person
//! wrote wrongly becomes a [`Finding`] with file, line, key and remedy, all of them at once, never
//! a panic and never the first one only.
//!
//! ```
//! use luckystack_topology::{Overrides, SourceFile, parse, validate, DiskService};
//!
//! let loaded = parse(
//!     "presets".as_ref(),
//!     &[SourceFile::new("presets/fleet.toml", "services = [\"system\", \"vehicles\"]\n")],
//!     &Overrides::default(),
//! );
//! let topology = loaded.topology.expect("a readable configuration");
//! assert_eq!(topology.preset_of("vehicles"), Some("fleet"));
//!
//! let on_disk = [DiskService { name: "vehicle".into(), dir: "plugins/vehicle".into() }];
//! let findings = validate(&topology, &on_disk, &|_| None);
//! let unknown = findings.iter().find(|f| f.code == "preset-references-unknown-service").unwrap();
//! assert_eq!((unknown.file.to_str(), unknown.line), (Some("presets/fleet.toml"), Some(1)));
//! assert!(unknown.remedy.contains("did you mean `vehicle`?"));
//! ```
#![warn(missing_docs)]

mod deploy;
mod document;
mod finding;
mod grants;
mod load;
mod names;
mod overrides;
mod preset;
mod project;
mod reader;
mod settings;
mod suggest;
mod topology;
mod units;
mod validate;

pub use deploy::{Cidr, CustomRoute, Deploy, Development, Environment, Resource, ResourceKind, Routing};
pub use finding::{Finding, Severity};
pub use grants::{Grants, HostPattern, HttpGrant, HttpScheme, KeyValueGrant, is_public_address};
pub use load::{
    DiskService, IGNORED, Language, MARKERS, PluginSource, ServiceDir, discover, discover_folder,
    discover_functions, load,
};
pub use names::{
    FUNCTIONS, MAX_SEGMENT_LEN, MAX_SERVICE_DEPTH, Method, NameError, ParsedName, Prefix, RESERVED_SERVICES,
    RouteKind, RouteName, SYSTEM, is_version_token, parse_transport_name, validate_leaf_name,
    validate_service_name,
};
pub use overrides::{Overrides, SET_ENV_PREFIX};
pub use preset::Preset;
pub use project::{
    AccountStrategy, ApiConfig, AppConfig, AuthConfig, BackplaneConfig, BackplaneStore, CookieConfig,
    CorsConfig, EmailConfig, EngineConfig, HealthHashConfig, HealthHashMode, HttpConfig, ListenConfig,
    LockoutConfig, OAuthProviderConfig, OnConflict, OnStoreError, PasswordHash, PasswordPolicyConfig,
    PathsConfig, PresenceConfig, ProjectConfig, RateLimitConfig, RateLimitStore, RuntimeMode, SameSite,
    SecurityHeaders, SessionConfig, SessionsPerUser, SocketConfig, StreamConfig, SyncConfig, TlsConfig,
    Transports, UploadsConfig, UsersConfig, ValidationConfig,
};
pub use settings::{InstancePolicy, ServiceSettings};
pub use topology::{Loaded, Selection, SourceFile, Topology, UnknownPreset, parse};
pub use units::{format_size, parse_size};
pub use validate::validate;
