//! Names: what they may be, and what was probably meant.

use proc_macro2::Span;

/// Hooks of the framework (wire protocol §11).
const HOOKS: &[&str] = &[
    "preHttpRequest",
    "postHttpRequest",
    "preSocketMessage",
    "preApiValidate",
    "postApiValidate",
    "preApiExecute",
    "postApiExecute",
    "preApiRespond",
    "transformApiResponse",
    "postApiRespond",
    "preSyncAuthorize",
    "preSyncValidate",
    "preSyncExecute",
    "postSyncAuthorize",
    "postSyncValidate",
    "postSyncExecute",
    "preSyncFanout",
    "postSyncFanout",
    "preSyncRecipient",
    "preSyncStream",
    "postSyncStream",
    "apiError",
    "syncError",
    "apiAuthRejected",
    "rateLimitExceeded",
    "corsRejected",
    "csrfMismatch",
    "preSessionRefresh",
    "postSessionRefresh",
    "sessionCreated",
    "sessionRevoked",
    "onUploadStart",
    "onUploadComplete",
    "preAvatarServe",
    "postAvatarServe",
    "preServerStop",
    "onSocketConnect",
    "onSocketDisconnect",
    "preRoomJoin",
    "preRoomLeave",
    "postRoomJoin",
    "postRoomLeave",
    "onLocationUpdate",
    "preLogin",
    "postLogin",
    "preRegister",
    "postRegister",
    "preLogout",
    "postLogout",
    "preSessionCreate",
    "postSessionCreate",
    "preSessionDelete",
    "postSessionDelete",
    "passwordResetRequested",
    "prePasswordResetCompleted",
    "passwordResetCompleted",
    "prePasswordChanged",
    "passwordChanged",
    "preEmailChange",
    "postEmailChangeRequested",
    "postEmailChanged",
    "loginFailed",
    "preAccountDelete",
    "postAccountDelete",
    "prePresenceUpdate",
    "postPresenceUpdate",
    "postSocketReconnect",
    "postDisconnectGraceExpired",
    "preProxyRequest",
    "proxyRequestGate",
    "postProxyResponse",
    "preEmailSend",
    "postEmailSend",
    "preCronRun",
    "postCronRun",
    "preErrorNormalize",
    "postErrorNormalize",
];

/// Whether `name` is a leaf name, as the manifest's schema has it.
fn is_leaf(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|first| first.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

const LEAF: &str = "a letter, then letters, digits, `_` and `-`";

/// Checks the leaf name of a route.
pub fn leaf(name: &str, span: Span) -> syn::Result<()> {
    match is_leaf(name) && name.len() <= 128 {
        true => Ok(()),
        false => Err(syn::Error::new(span, format!("`{name}` cannot name a route: use {LEAF}, at most 128"))),
    }
}

/// Checks the name of a service or page: leaf names joined by `/`.
pub fn page(what: &str, name: &str, span: Span) -> syn::Result<()> {
    match name.split('/').all(is_leaf) && name.len() <= 128 {
        true => Ok(()),
        false => Err(syn::Error::new(
            span,
            format!("`{name}` cannot be a {what}: use parts joined by `/`, each {LEAF}, at most 128 in all"),
        )),
    }
}

/// Checks the name of a plugin.
pub fn plugin(name: &str, span: Span) -> syn::Result<()> {
    match is_leaf(name) && name.len() <= 64 {
        true => Ok(()),
        false => Err(syn::Error::new(span, format!("`{name}` cannot name a plugin: use {LEAF}, at most 64"))),
    }
}

/// Checks the name of a function: at least a group and a name.
pub fn function(name: &str, span: Span) -> syn::Result<()> {
    match name.contains('/') && name.split('/').all(is_leaf) && name.len() <= 128 {
        true => Ok(()),
        false => Err(syn::Error::new(
            span,
            format!(
                "`{name}` cannot name a function: use `group/name`, each part {LEAF}, at most 128 in all"
            ),
        )),
    }
}

/// Checks that the framework has this hook.
pub fn hook(name: &str, span: Span) -> syn::Result<()> {
    match HOOKS.contains(&name) {
        true => Ok(()),
        false => Err(unknown("hook", name, HOOKS, span)),
    }
}

/// An error for a word that is none of `known`, with the nearest one or all of them.
pub fn unknown(what: &str, word: &str, known: &[&str], span: Span) -> syn::Error {
    let nearest = known
        .iter()
        .map(|candidate| {
            (strsim::damerau_levenshtein(&word.to_lowercase(), &candidate.to_lowercase()), candidate)
        })
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, candidate)| *distance <= candidate.len().max(6) / 3);
    let hint = match nearest {
        Some((_, candidate)) => format!("did you mean `{candidate}`?"),
        None if known.len() > 12 => "its names are in the wire protocol, §11".to_owned(),
        None => format!(
            "there is {}",
            known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        ),
    };
    syn::Error::new(span, format!("unknown {what} `{word}`; {hint}"))
}

/// `get_all` → `getAll`.
pub fn camel_case(ident: &str) -> String {
    let mut out = String::with_capacity(ident.len());
    for (i, part) in ident.split('_').filter(|part| !part.is_empty()).enumerate() {
        let mut chars = part.chars();
        match chars.next() {
            Some(first) if i > 0 => out.extend(first.to_uppercase()),
            Some(first) => out.push(first),
            None => {}
        }
        out.push_str(chars.as_str());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn function_names_become_route_names() {
        for (ident, name) in
            [("get_all", "getAll"), ("track", "track"), ("_list__x", "listX"), ("getAll", "getAll")]
        {
            assert_eq!(camel_case(ident), name);
        }
    }

    #[test]
    fn names_follow_the_manifests_schema() {
        let span = Span::call_site;
        for good in ["getAll", "a", "list-2", "x_y"] {
            assert!(leaf(good, span()).is_ok(), "{good}");
        }
        for bad in ["", "1st", "a/b", "a b", "é", "_x"] {
            assert!(leaf(bad, span()).is_err(), "{bad}");
            assert!(function(bad, span()).is_err() || bad == "a/b", "{bad}");
        }
        assert!(page("page", "admin/users", span()).is_ok());
        assert!(page("page", "admin//users", span()).is_err());
        assert!(function("geo/distance", span()).is_ok());
        assert!(function("distance", span()).is_err());
        assert!(leaf(&"x".repeat(129), span()).is_err());
    }

    #[test]
    fn an_unknown_word_gets_the_nearest_or_the_list() {
        let message = hook("postApiExecut", Span::call_site()).unwrap_err().to_string();
        assert_eq!(message, "unknown hook `postApiExecut`; did you mean `postApiExecute`?");
        let message = unknown("key", "colour", &["name", "order"], Span::call_site()).to_string();
        assert_eq!(message, "unknown key `colour`; there is `name`, `order`");
    }
}
