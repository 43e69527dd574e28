//! Names of services and routes, and the two grammars that they have (wire protocol §1.1, §1.2, §1.4).
//!
//! What arrives from a client is read permissively: any non-empty segments with a version at the
//! end are a name, and a name that nobody registered is simply not found. What a manifest or a
//! configuration file declares is checked strictly, because nobody should be able to register a
//! name that a client, a URL or a file system would bend.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// The service that owns the root: plugins that lie directly in the plugins folder (§1.1).
pub const SYSTEM: &str = "system";

/// The folder of project functions; not a service.
pub const FUNCTIONS: &str = "functions";

/// Longest segment of a service or route name, in bytes. Long enough for any name that a person
/// types, short enough that a name can stand in a log line, a metric label and a Redis key.
pub const MAX_SEGMENT_LEN: usize = 128;

/// Most segments that a service name may have. Nested pages deeper than this do not occur; a bound
/// keeps a hostile manifest from filling the route map with one name.
pub const MAX_SERVICE_DEPTH: usize = 16;

/// First segments that no service may have, each with the reason.
pub const RESERVED_SERVICES: &[(&str, &str)] = &[
    (FUNCTIONS, "it is the folder of the project functions"),
    ("api", "it is the prefix of API routes"),
    ("sync", "it is the prefix of sync routes"),
    ("socket.io", "it is the path of the socket transport"),
    ("_host", "it is the host's own namespace"),
    ("target", "it is the build folder of cargo"),
    ("node_modules", "it is the package folder of npm"),
];

/// What a route is: which export of a component answers it (§1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouteKind {
    /// Answers `api/…` over HTTP and sockets.
    Api,
    /// The server half of a sync route.
    SyncServer,
    /// The per-recipient half of a sync route.
    SyncClient,
}

/// The transport prefix of a full route name (§1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prefix {
    /// `api`
    Api,
    /// `sync`
    Sync,
}

/// The HTTP method of an API route (§1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads.
    Get,
    /// Everything that no other rule claims.
    Post,
    /// Changes.
    Put,
    /// Removes.
    Delete,
}

/// A route as a manifest declares it: strict, with a numeric version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteName<'a> {
    /// The whole service, with its slashes: `admin/users`.
    pub service: &'a str,
    /// The leaf: `getAll`.
    pub name: &'a str,
    /// The number behind the `v`.
    pub version: u32,
}

/// A name as it came from a client, split and normalised (§1.2). Borrows from the input wherever
/// the input is already in its normal form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedName<'a> {
    /// `api/vehicles/getAll/v1`: the key of the route map.
    pub full: Cow<'a, str>,
    service: Range<usize>,
    version: Range<usize>,
}

/// Why a name is not one. The message names the rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was left after trimming.
    #[error("the name is empty")]
    Empty,
    /// Two slashes in a row, or a slash at an edge of a strict name.
    #[error("the name has an empty segment (`//`)")]
    EmptySegment,
    /// A transport name has fewer than service, name and version.
    #[error("the name needs at least a service, a name and a version: `<service>/<name>/v<N>`")]
    TooShort,
    /// A transport name does not end with `v<N>`.
    #[error("the name must end with a version such as `v1`")]
    NoVersion,
    /// A strict segment has another character, or begins with something else than a letter.
    #[error("`{segment}` must begin with a letter and hold only A-Z a-z 0-9 `_` `-`")]
    Charset {
        /// The segment at fault.
        segment: String,
    },
    /// A leaf name with a slash.
    #[error("a route name holds no slash; what stands before the last slash belongs to the service")]
    SlashInLeaf,
    /// The first segment is one of [`RESERVED_SERVICES`].
    #[error("`{name}` is reserved: {reason}")]
    Reserved {
        /// The reserved word.
        name: &'static str,
        /// Why it is reserved.
        reason: &'static str,
    },
    /// A segment is longer than [`MAX_SEGMENT_LEN`].
    #[error("a segment is {len} bytes long; at most {MAX_SEGMENT_LEN} are allowed")]
    TooLong {
        /// Its length.
        len: usize,
    },
    /// A service has more segments than [`MAX_SERVICE_DEPTH`].
    #[error("the service has {depth} segments; at most {MAX_SERVICE_DEPTH} are allowed")]
    TooDeep {
        /// Its number of segments.
        depth: usize,
    },
}

// ---------------------------------------------------------------------------------------------
// Prefix, RouteKind, Method

impl Prefix {
    /// `"api"` or `"sync"`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Sync => "sync",
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl RouteKind {
    /// The name that a manifest uses: `api`, `sync-server`, `sync-client`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::SyncServer => "sync-server",
            Self::SyncClient => "sync-client",
        }
    }

    /// The prefix under which this kind of route is called; both halves of a sync share theirs.
    #[must_use]
    pub const fn prefix(self) -> Prefix {
        match self {
            Self::Api => Prefix::Api,
            Self::SyncServer | Self::SyncClient => Prefix::Sync,
        }
    }
}

impl fmt::Display for RouteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Method {
    /// `"GET"`, `"POST"`, `"PUT"` or `"DELETE"`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    /// The method that a route has when it declares none, from a leaf or a full name (§1.4).
    ///
    /// ```
    /// use luckystack_topology::Method;
    /// assert_eq!(Method::infer("api/vehicles/getAll/v1"), Method::Get);
    /// assert_eq!(Method::infer("removeOld"), Method::Delete);
    /// assert_eq!(Method::infer("listen"), Method::Get); // a plain prefix test, on purpose
    /// ```
    #[must_use]
    pub fn infer(name: &str) -> Self {
        const RULES: [(&str, Method); 8] = [
            ("get", Method::Get),
            ("fetch", Method::Get),
            ("list", Method::Get),
            ("delete", Method::Delete),
            ("remove", Method::Delete),
            ("update", Method::Put),
            ("edit", Method::Put),
            ("patch", Method::Put),
        ];
        let mut segments = name.rsplit('/');
        let last = segments.next().unwrap_or("");
        let leaf = if is_version_token(last) { segments.next().unwrap_or(last) } else { last };
        RULES
            .iter()
            .find(|(prefix, _)| {
                leaf.as_bytes()
                    .get(..prefix.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
            })
            .map_or(Self::Post, |(_, method)| *method)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// ---------------------------------------------------------------------------------------------
// RouteName

impl<'a> RouteName<'a> {
    /// Checks both halves strictly.
    ///
    /// # Errors
    /// Names the rule that the service or the leaf breaks.
    pub fn try_new(service: &'a str, name: &'a str, version: u32) -> Result<Self, NameError> {
        validate_service_name(service)?;
        validate_leaf_name(name)?;
        Ok(Self { service, name, version })
    }

    /// The full name, as the route map keys it: `api/vehicles/getAll/v1`.
    #[must_use]
    pub fn full(&self, prefix: Prefix) -> String {
        format!("{prefix}/{}/{}/v{}", self.service, self.name, self.version)
    }

    /// The first segment of the service: what presets, bindings and the router go by.
    #[must_use]
    pub fn service_key(&self) -> &'a str {
        self.service.split('/').next().unwrap_or(self.service)
    }
}

// ---------------------------------------------------------------------------------------------
// ParsedName

impl<'a> ParsedName<'a> {
    /// The first segment: the service key.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.full[self.service.clone()]
    }

    /// Everything between service key and version, slashes included (`users/list` for a page
    /// nested in `admin`).
    #[must_use]
    pub fn name(&self) -> &str {
        &self.full[self.service.end + 1..self.version.start - 1]
    }

    /// The version token with its `v`. Its digits may exceed every integer type.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.full[self.version.clone()]
    }

    /// The same name, owning its text.
    #[must_use]
    pub fn into_owned(self) -> ParsedName<'static> {
        ParsedName { full: Cow::Owned(self.full.into_owned()), service: self.service, version: self.version }
    }
}

/// Parses a name that came over a transport (§1.2). Hot path: one scan, and no allocation when the
/// name already carries its prefix and no backslash.
///
/// ```
/// use luckystack_topology::{Prefix, parse_transport_name};
/// let name = parse_transport_name(Prefix::Api, "admin/users/list/v2")?;
/// assert_eq!(name.full, "api/admin/users/list/v2");
/// assert_eq!((name.service(), name.name(), name.version()), ("admin", "users/list", "v2"));
/// # Ok::<(), luckystack_topology::NameError>(())
/// ```
///
/// # Errors
/// Names the rule; the transports answer all of them with `routing.invalidServiceRouteName`.
pub fn parse_transport_name(prefix: Prefix, raw: &str) -> Result<ParsedName<'_>, NameError> {
    let trimmed = raw.trim_matches(is_trimmed);
    let slashed: Cow<'_, str> =
        if trimmed.contains('\\') { Cow::Owned(trimmed.replace('\\', "/")) } else { Cow::Borrowed(trimmed) };
    let stripped: Cow<'_, str> = match slashed {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_matches('/')),
        Cow::Owned(text) => Cow::Owned(text.trim_matches('/').to_owned()),
    };
    if stripped.is_empty() {
        return Err(NameError::Empty);
    }
    if stripped.contains("//") {
        return Err(NameError::EmptySegment);
    }

    let head = prefix.as_str();
    let carries_prefix =
        stripped.strip_prefix(head).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let full = if carries_prefix { stripped } else { Cow::Owned(format!("{head}/{stripped}")) };

    // Behind the prefix: service, at least one middle segment, version.
    let start = (head.len() + 1).min(full.len());
    let rest = &full[start..];
    let (Some(first), Some(last)) = (rest.find('/'), rest.rfind('/')) else {
        return Err(NameError::TooShort);
    };
    if first == last {
        return Err(NameError::TooShort);
    }
    let version = start + last + 1..full.len();
    if !is_version_token(&full[version.clone()]) {
        return Err(NameError::NoVersion);
    }
    Ok(ParsedName { service: start..start + first, version, full })
}

/// `^v\d+$`
#[must_use]
pub fn is_version_token(segment: &str) -> bool {
    segment
        .strip_prefix('v')
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Checks a service name strictly: segments separated by `/`, each `^[A-Za-z][A-Za-z0-9_-]*$`, the
/// first none of [`RESERVED_SERVICES`].
///
/// # Errors
/// Names the rule.
pub fn validate_service_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    let first = name.split('/').next().unwrap_or(name);
    if let Some((name, reason)) = RESERVED_SERVICES.iter().find(|(word, _)| *word == first) {
        return Err(NameError::Reserved { name, reason });
    }
    let depth = name.split('/').count();
    if depth > MAX_SERVICE_DEPTH {
        return Err(NameError::TooDeep { depth });
    }
    name.split('/').try_for_each(validate_segment)
}

/// Checks the leaf of a route name strictly: `^[A-Za-z][A-Za-z0-9_-]*$`, no slash.
///
/// # Errors
/// Names the rule.
pub fn validate_leaf_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.contains('/') {
        return Err(NameError::SlashInLeaf);
    }
    validate_segment(name)
}

fn validate_segment(segment: &str) -> Result<(), NameError> {
    if segment.is_empty() {
        return Err(NameError::EmptySegment);
    }
    if segment.len() > MAX_SEGMENT_LEN {
        return Err(NameError::TooLong { len: segment.len() });
    }
    let valid = segment.starts_with(|c: char| c.is_ascii_alphabetic())
        && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if valid { Ok(()) } else { Err(NameError::Charset { segment: segment.to_owned() }) }
}

/// What JavaScript's `trim` removes, which differs from Rust's in two characters: the client that
/// sent the name was JavaScript, and so was the server that first defined the grammar.
fn is_trimmed(c: char) -> bool {
    (c.is_whitespace() && c != '\u{85}') || c == '\u{FEFF}'
}
