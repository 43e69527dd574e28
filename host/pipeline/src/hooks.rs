//! Hooks: what plugins may stop, change or observe (wire protocol §11).
//!
//! **Order.** A hook's subscriptions run one after the other, each awaited: lower `order` first, then
//! by service name, plugin name and file. The first stop ends the chain.
//!
//! **Isolation.** A hook that traps or outlives its service's `hook_deadline` is counted and logged
//! against its own service and skipped; the call it was watching goes on as if it had said `proceed`.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use luckystack_plugins::{CallContext, Caller, FunctionResolver, HookOutcome, HookStop, Plugin};

use crate::json::{Document, document, write_str};

macro_rules! hooks {
    ($($(#[$doc:meta])* $id:ident = $name:literal $effect:ident;)*) => {
        /// A hook that this host dispatches.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Hook {
            $($(#[$doc])* $id,)*
        }

        impl Hook {
            /// Every hook.
            pub const ALL: &[Hook] = &[$(Hook::$id),*];

            /// Its name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(Hook::$id => $name,)* }
            }

            /// What a subscriber's answer can do.
            pub const fn effect(self) -> Effect {
                match self { $(Hook::$id => Effect::$effect,)* }
            }
        }
    };
}

/// What a subscriber's answer can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Stop what the hook guards.
    Stops,
    /// Stop it, or replace `response`.
    StopsOrReplaces,
    /// Replace `response`.
    Replaces,
    /// Nothing: it observes.
    Observes,
}

hooks! {
    /// A request arrived, before anything else looked at it.
    PreHttpRequest = "preHttpRequest" Stops;
    /// Before the input is validated. QUIRK kept: a stop is ignored (§3.1 stage 12).
    PreApiValidate = "preApiValidate" Observes;
    /// After validation, also when it failed.
    PostApiValidate = "postApiValidate" Observes;
    /// Before the handler runs.
    PreApiExecute = "preApiExecute" Stops;
    /// After the handler ran; not after a timeout.
    PostApiExecute = "postApiExecute" Observes;
    /// Before the reply goes out.
    PreApiRespond = "preApiRespond" StopsOrReplaces;
    /// The last change to a reply.
    TransformApiResponse = "transformApiResponse" Replaces;
    /// The reply as it goes out.
    PostApiRespond = "postApiRespond" Observes;
    /// A call was refused by a route's auth rule.
    ApiAuthRejected = "apiAuthRejected" Observes;
    /// A call was refused by a rate limit.
    RateLimitExceeded = "rateLimitExceeded" Observes;
    /// A request was refused by the origin policy.
    CorsRejected = "corsRejected" Observes;
    /// The host is about to stop.
    PreServerStop = "preServerStop" Observes;
    /// A request without the right CSRF token was refused.
    CsrfMismatch = "csrfMismatch" Observes;
    /// Before a session's life is extended.
    PreSessionRefresh = "preSessionRefresh" Stops;
    /// After it was, or was not.
    PostSessionRefresh = "postSessionRefresh" Observes;
    /// Before a login gets its session.
    PreSessionCreate = "preSessionCreate" Stops;
    /// After it got one.
    PostSessionCreate = "postSessionCreate" Observes;
    /// A session exists.
    SessionCreated = "sessionCreated" Observes;
    /// Before a session ends.
    PreSessionDelete = "preSessionDelete" Stops;
    /// After it ended.
    PostSessionDelete = "postSessionDelete" Observes;
    /// A session was ended.
    SessionRevoked = "sessionRevoked" Observes;
    /// Before credentials are checked.
    PreLogin = "preLogin" Stops;
    /// Somebody is logged in.
    PostLogin = "postLogin" Observes;
    /// Before a user is created.
    PreRegister = "preRegister" Stops;
    /// A user was created.
    PostRegister = "postRegister" Observes;
    /// Before somebody is logged out.
    PreLogout = "preLogout" Stops;
    /// Somebody was logged out.
    PostLogout = "postLogout" Observes;
    /// A login or registration failed.
    LoginFailed = "loginFailed" Observes;
    /// Somebody asked for a new password.
    PasswordResetRequested = "passwordResetRequested" Observes;
    /// Before a password is reset.
    PrePasswordResetCompleted = "prePasswordResetCompleted" Stops;
    /// A password was reset.
    PasswordResetCompleted = "passwordResetCompleted" Observes;
    /// Before a password is changed.
    PrePasswordChanged = "prePasswordChanged" Stops;
    /// A password was changed.
    PasswordChanged = "passwordChanged" Observes;
    /// Before an e-mail address may be changed.
    PreEmailChange = "preEmailChange" Stops;
    /// The new address was asked to confirm.
    PostEmailChangeRequested = "postEmailChangeRequested" Observes;
    /// The address was changed.
    PostEmailChanged = "postEmailChanged" Observes;
    /// Before an account is deleted.
    PreAccountDelete = "preAccountDelete" Stops;
    /// An account was deleted.
    PostAccountDelete = "postAccountDelete" Observes;
    /// Before an e-mail is sent.
    PreEmailSend = "preEmailSend" Stops;
    /// An e-mail was sent, or not.
    PostEmailSend = "postEmailSend" Observes;
    /// A service begins to put a file up.
    OnUploadStart = "onUploadStart" Observes;
    /// A file is up.
    OnUploadComplete = "onUploadComplete" Observes;
    /// Before an uploaded file is served.
    PreAvatarServe = "preAvatarServe" Stops;
    /// An uploaded file was served.
    PostAvatarServe = "postAvatarServe" Observes;
    /// A socket sent a message, before anything else looked at it.
    PreSocketMessage = "preSocketMessage" Stops;
    /// A sync call passed auth, receiver and limits.
    PreSyncAuthorize = "preSyncAuthorize" Stops;
    /// It was not stopped there.
    PostSyncAuthorize = "postSyncAuthorize" Observes;
    /// Before the input is validated.
    PreSyncValidate = "preSyncValidate" Stops;
    /// After validation, also when it failed.
    PostSyncValidate = "postSyncValidate" Observes;
    /// Before the server half runs.
    PreSyncExecute = "preSyncExecute" Stops;
    /// After the server half ran.
    PostSyncExecute = "postSyncExecute" Observes;
    /// Before anything is delivered.
    PreSyncFanout = "preSyncFanout" Stops;
    /// After all of it was.
    PostSyncFanout = "postSyncFanout" Observes;
    /// Before one recipient gets its frame: a stop skips it, or delivers something else to it.
    PreSyncRecipient = "preSyncRecipient" Stops;
    /// Before a chunk of a sync call goes out.
    PreSyncStream = "preSyncStream" Observes;
    /// After it went out.
    PostSyncStream = "postSyncStream" Observes;
    /// An API call by HTTP failed unexpectedly.
    ApiError = "apiError" Observes;
    /// A sync call by HTTP failed unexpectedly.
    SyncError = "syncError" Observes;
    /// A socket is connected.
    OnSocketConnect = "onSocketConnect" Observes;
    /// A socket is gone.
    OnSocketDisconnect = "onSocketDisconnect" Observes;
    /// Before a socket joins a room.
    PreRoomJoin = "preRoomJoin" Stops;
    /// It did.
    PostRoomJoin = "postRoomJoin" Observes;
    /// Before a socket leaves a room.
    PreRoomLeave = "preRoomLeave" Stops;
    /// It did.
    PostRoomLeave = "postRoomLeave" Observes;
    /// A session is at another place of the application.
    OnLocationUpdate = "onLocationUpdate" Observes;
    /// Before others hear how somebody is.
    PrePresenceUpdate = "prePresenceUpdate" Stops;
    /// They heard.
    PostPresenceUpdate = "postPresenceUpdate" Observes;
    /// A session's socket came back in time.
    PostSocketReconnect = "postSocketReconnect" Observes;
    /// A session's sockets did not come back in time.
    PostDisconnectGraceExpired = "postDisconnectGraceExpired" Observes;
}

/// Hooks of the framework that need a part of it which this host does not have yet. Subscribing to
/// one is allowed and warned about.
const NOT_DISPATCHED: &[&str] = &[
    "postHttpRequest",
    "preProxyRequest",
    "proxyRequestGate",
    "postProxyResponse",
    "preCronRun",
    "postCronRun",
    "preErrorNormalize",
    "postErrorNormalize",
];

/// What the host knows of a hook's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It dispatches it.
    Dispatched(Hook),
    /// The framework has it; this host never dispatches it.
    NotDispatched,
    /// Nobody has it.
    Unknown,
}

impl Hook {
    /// Looks a name up.
    pub fn find(name: &str) -> Known {
        match Hook::ALL.iter().find(|hook| hook.name() == name) {
            Some(hook) => Known::Dispatched(*hook),
            None if NOT_DISPATCHED.contains(&name) => Known::NotDispatched,
            None => Known::Unknown,
        }
    }
}

/// One plugin's subscription to one hook.
#[derive(Clone, Debug)]
pub struct Subscription {
    pub(crate) hook: Hook,
    pub(crate) order: i32,
    pub(crate) plugin: Arc<Plugin>,
    /// The payload fields wanted; all when none.
    pub(crate) fields: Option<Box<[String]>>,
    /// Full names, or prefixes ending in `/`; all routes when none.
    pub(crate) routes: Option<Box<[String]>>,
}

impl Subscription {
    fn wants_route(&self, route: &str) -> bool {
        self.routes.as_ref().is_none_or(|routes| {
            routes.iter().any(|wanted| match wanted.ends_with('/') {
                true => route.starts_with(wanted.as_str()),
                false => route == wanted,
            })
        })
    }
}

/// All subscriptions of the loaded plugins, in the order they run.
#[derive(Debug, Default)]
pub struct HookTable(Vec<Box<[Subscription]>>);

impl HookTable {
    /// Sorts subscriptions by hook and order.
    pub fn new(subscriptions: impl IntoIterator<Item = Subscription>) -> Self {
        let mut all: Vec<_> = subscriptions.into_iter().collect();
        all.sort_by(|a, b| {
            let key = |s: &Subscription| {
                (s.order, s.plugin.service().name().clone(), s.plugin.manifest().name.clone())
            };
            key(a).cmp(&key(b)).then_with(|| a.plugin.file().cmp(b.plugin.file()))
        });
        let of = |hook: Hook| all.iter().filter(|s| s.hook == hook).cloned().collect();
        HookTable(Hook::ALL.iter().map(|hook| of(*hook)).collect())
    }

    /// Who subscribed, in the order they run.
    pub fn subscriptions(&self, hook: Hook) -> &[Subscription] {
        self.0.get(hook as usize).map_or(&[], |subscriptions| subscriptions)
    }

    /// Whether anybody subscribed. Hot: asked before a payload is made.
    pub fn any(&self, hook: Hook) -> bool {
        !self.subscriptions(hook).is_empty()
    }

    /// Whether anybody subscribed for that route.
    pub fn wants(&self, hook: Hook, route: &str) -> bool {
        self.subscriptions(hook).iter().any(|subscription| subscription.wants_route(route))
    }
}

/// A value in a hook's payload.
#[derive(Clone, Copy, Debug)]
pub enum Field<'a> {
    /// A string.
    Str(&'a str),
    /// JSON text.
    Json(&'a [u8]),
    /// A whole number.
    Num(u64),
    /// Milliseconds with three decimals.
    Millis(f64),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
}

impl<'a> Field<'a> {
    /// The string, or null.
    pub fn str_or_null(text: Option<&'a str>) -> Self {
        text.map_or(Field::Null, Field::Str)
    }
}

/// A hook's payload: named values, written as JSON only for the subscribers there are.
pub type Payload<'a> = [(&'a str, Field<'a>)];

fn write_payload(payload: &Payload<'_>, wanted: Option<&[String]>, replaced: Option<&Bytes>) -> Bytes {
    use std::io::Write;
    let mut out = Vec::with_capacity(128);
    out.push(b'{');
    for (name, value) in payload {
        if wanted.is_some_and(|wanted| !wanted.iter().any(|field| field == name)) {
            continue;
        }
        if out.len() > 1 {
            out.push(b',');
        }
        write_str(&mut out, name);
        out.push(b':');
        let value = match replaced {
            Some(json) if *name == "response" => &Field::Json(json),
            _ => value,
        };
        match value {
            Field::Str(text) => write_str(&mut out, text),
            Field::Json(json) => out.extend_from_slice(json),
            Field::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
            Field::Null => out.extend_from_slice(b"null"),
            // Writing to a vector cannot fail.
            Field::Num(number) => drop(write!(out, "{number}")),
            Field::Millis(millis) => drop(write!(out, "{millis:.3}")),
        }
    }
    out.push(b'}');
    out.into()
}

/// What a hook's subscribers decided together.
#[derive(Debug, Default)]
pub struct Decision {
    /// The first stop, where the hook can stop.
    pub stop: Option<HookStop>,
    /// The last replacement of `response`, where the hook can replace it.
    pub replaced: Option<Bytes>,
}

impl HookTable {
    /// Runs a hook's subscribers in order, for a call of `route`.
    pub async fn dispatch(
        &self,
        hook: Hook,
        route: &Arc<str>,
        caller: &Caller,
        functions: &Arc<dyn FunctionResolver>,
        payload: &Payload<'_>,
    ) -> Decision {
        let mut decision = Decision::default();
        let stops = matches!(hook.effect(), Effect::Stops | Effect::StopsOrReplaces);
        let replaces = matches!(hook.effect(), Effect::Replaces | Effect::StopsOrReplaces);
        for subscription in self.subscriptions(hook) {
            if !subscription.wants_route(route) {
                continue;
            }
            let payload = write_payload(payload, subscription.fields.as_deref(), decision.replaced.as_ref());
            let plugin = &subscription.plugin;
            let deadline = Instant::now() + plugin.service().settings().hook_deadline;
            let mut context = CallContext::new(Arc::clone(route), caller.clone(), deadline);
            context.functions = Some(Arc::clone(functions));
            match plugin.handle_hook(Arc::new(context), hook.name(), payload).await {
                Ok(HookOutcome::Stop(stop)) if stops => {
                    decision.stop = Some(stop);
                    break;
                }
                Ok(HookOutcome::Replace(json)) if replaces => {
                    if matches!(document(&json), Ok(Document::Object(_))) {
                        decision.replaced = Some(json.into());
                    } else {
                        tracing::warn!(
                            hook = hook.name(), %route, plugin = %plugin.manifest().name,
                            "a hook's replacement was dropped: `response` must be a JSON object"
                        );
                    }
                }
                // Anything else goes on; a failure was counted and logged where it happened.
                Ok(_) | Err(_) => {}
            }
        }
        decision
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A guest's macro cannot depend on the host, so the list stands twice.
    #[test]
    fn the_rust_sdk_knows_the_same_hooks() {
        let sdk = include_str!("../../../sdk/rust/macros/src/names.rs");
        let list = sdk.split("const HOOKS").nth(1).and_then(|rest| rest.split("];").next()).unwrap();
        let names: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
        assert!(names.len() > 50);
        let unknown: Vec<_> =
            names.iter().filter(|name| matches!(Hook::find(name), Known::Unknown)).collect();
        assert_eq!(unknown, Vec::<&&str>::new());
    }

    #[test]
    fn a_subscriber_gets_the_fields_it_asked_for_and_no_others() {
        let payload: &Payload<'_> = &[
            ("routeName", Field::Str("api/a/\"b\"/v1")),
            ("result", Field::Json(b"[1]")),
            ("n", Field::Num(3)),
        ];
        let all = write_payload(payload, None, None);
        assert_eq!(all, r#"{"routeName":"api/a/\"b\"/v1","result":[1],"n":3}"#);
        let some = write_payload(payload, Some(&["n".to_owned()]), None);
        assert_eq!(some, r#"{"n":3}"#);
    }

    #[test]
    fn later_subscribers_see_what_earlier_ones_replaced() {
        let payload: &Payload<'_> = &[("response", Field::Json(b"{}"))];
        let replaced = Bytes::from_static(b"{\"a\":1}");
        assert_eq!(write_payload(payload, None, Some(&replaced)), r#"{"response":{"a":1}}"#);
    }

    #[test]
    fn every_hook_of_the_framework_is_known_once() {
        let mut names: Vec<_> =
            Hook::ALL.iter().map(|hook| hook.name()).chain(NOT_DISPATCHED.iter().copied()).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert_eq!(Hook::find("preApiExecute"), Known::Dispatched(Hook::PreApiExecute));
        assert_eq!(Hook::find("preLogin"), Known::Dispatched(Hook::PreLogin));
        assert_eq!(Hook::find("preRoomJoin"), Known::Dispatched(Hook::PreRoomJoin));
        assert_eq!(Hook::find("preCronRun"), Known::NotDispatched);
        assert_eq!(Hook::find("preApiExecut"), Known::Unknown);
    }
}
