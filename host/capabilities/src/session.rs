//! `luckystack:plugin/session-api`: sessions by token.
//!
//! The rules: a guest reaches the sessions of its caller's user and no others, unless its preset grants
//! `sessions`; and it sets only the fields that its preset declares (`session_fields`), none of them the
//! framework's. A token that is out of reach answers as one that does not exist.

mod fields;

use std::sync::Arc;

use luckystack_plugins::capability::Interface;
use luckystack_plugins::{CallContext, Capability, HandlerError, HostState, Session};
use luckystack_topology::ServiceSettings;
use serde_json::{Map, Value};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, WasmList};

use crate::access::{self, Answer};
use crate::wit;

use self::fields::{Changes, refuse_framework_fields};
pub use self::fields::{FRAMEWORK_FIELDS, MAX_FIELDS_BYTES};

/// The sessions of the host.
pub trait SessionAccess: Send + Sync + 'static {
    /// The live session behind `token`, without extending its life.
    fn get<'a>(&'a self, token: &'a str) -> Answer<'a, Option<Arc<Session>>>;
    /// Changes the session behind `token` and tells its sockets: `change` gets the object (without the
    /// token) and may be called again when somebody else was faster. None when there is no such session.
    fn update<'a>(
        &'a self,
        token: &'a str,
        change: &'a mut (dyn FnMut(&mut Map<String, Value>) + Send),
    ) -> Answer<'a, Option<Arc<Session>>>;
    /// Logs the session out, with its hooks; whether there was one, and none of them refused.
    fn end<'a>(&'a self, token: &'a str) -> Answer<'a, bool>;
}

/// The capability.
pub struct SessionApi {
    /// None on a host without login.
    sessions: Option<Arc<dyn SessionAccess>>,
}

/// A call that asks for a session.
struct Asker {
    sessions: Option<Arc<dyn SessionAccess>>,
    call: Arc<CallContext>,
    settings: Arc<ServiceSettings>,
}

impl SessionApi {
    /// Sessions are found in `sessions`; without it a caller's own is what came with the call.
    #[must_use]
    pub fn new(sessions: Option<Arc<dyn SessionAccess>>) -> Self {
        SessionApi { sessions }
    }
}

impl Capability for SessionApi {
    fn name(&self) -> &'static str {
        "session-api"
    }

    fn provides(&self, interface: Interface<'_>) -> bool {
        interface.name == "luckystack:plugin/session-api"
    }

    fn link(&self, linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        let mut api = linker.instance("luckystack:plugin/session-api@0.1.0")?;
        let sessions = self.sessions.clone();
        api.func_wrap_async("get", move |store, (token,): (String,)| {
            let asker = Asker::of(&store, &sessions);
            Box::new(async move {
                let Some(asker) = asker else { return Ok((None,)) };
                Ok((asker.get(&token).await.map(|session| wit::Session::from(&*session)),))
            })
        })?;
        let sessions = self.sessions.clone();
        api.func_wrap_async("update", move |store, (token, fields): (String, WasmList<u8>)| {
            let asker = Asker::of(&store, &sessions);
            // Still in the guest's memory: what is too large is refused before it costs the host anything.
            let fields =
                asker.as_ref().map(|asker| Changes::read(fields.as_le_slice(&store), &asker.settings));
            Box::new(async move {
                let (Some(asker), Some(fields)) = (asker, fields) else {
                    return Ok((Err(HandlerError::new("session.unavailable", 500)),));
                };
                let session = match fields {
                    Ok(changes) => asker.update(token, changes).await,
                    Err(error) => Err(error),
                };
                Ok((session.map(|session| wit::Session::from(&*session)),))
            })
        })?;
        let sessions = self.sessions.clone();
        api.func_wrap_async("end", move |store, (token,): (String,)| {
            let asker = Asker::of(&store, &sessions);
            Box::new(async move {
                let Some(asker) = asker else { return Ok((false,)) };
                Ok((asker.end(token).await,))
            })
        })
    }

    fn configure(
        &self,
        _service: &str,
        settings: &ServiceSettings,
        _data: &mut luckystack_plugins::type_map::TypeMap,
    ) -> Result<(), String> {
        refuse_framework_fields(&settings.session_fields)
    }
}

impl Asker {
    /// None while no call runs.
    fn of(
        store: &StoreContextMut<'_, HostState>,
        sessions: &Option<Arc<dyn SessionAccess>>,
    ) -> Option<Asker> {
        let state = store.data();
        Some(Asker {
            sessions: sessions.clone(),
            call: Arc::clone(state.call()?),
            settings: Arc::clone(state.service.settings()),
        })
    }

    async fn get(&self, token: &str) -> Option<Arc<Session>> {
        self.reach(token).await.unwrap_or_else(|error| {
            tracing::warn!(route = %self.call.route, error = %error.error_code, "a session could not be read");
            None
        })
    }

    async fn update(&self, token: String, changes: Changes) -> Result<Arc<Session>, HandlerError> {
        let Some(sessions) = self.sessions.clone() else { return Err(access::no_login()) };
        let not_found = || HandlerError::new("session.notFound", 404);
        self.reach(&token).await?.ok_or_else(not_found)?;
        access::to_its_end(async move {
            let mut outcome = Ok(());
            let mut change = |session: &mut Map<String, Value>| outcome = changes.apply(session);
            let session = sessions.update(&token, &mut change).await?;
            outcome?;
            session.ok_or_else(not_found)
        })
        .await
    }

    async fn end(&self, token: String) -> bool {
        let Some(sessions) = self.sessions.clone() else { return false };
        if self.get(&token).await.is_none() {
            return false;
        }
        let ended = access::to_its_end(async move { sessions.end(&token).await }).await;
        ended.unwrap_or_else(|error| {
            tracing::warn!(route = %self.call.route, error = %error.error_code, "a session could not be ended");
            false
        })
    }

    /// The live session behind `token`, if the guest may see it.
    async fn reach(&self, token: &str) -> Result<Option<Arc<Session>>, HandlerError> {
        let own = self.call.caller.session.as_ref();
        let Some(sessions) = &self.sessions else { return Ok(own.filter(|own| own.token == token).cloned()) };
        let everybody = self.settings.grants.sessions;
        if own.is_none() && !everybody {
            return Ok(None);
        }
        let found = sessions.get(token).await?;
        Ok(found.filter(|found| everybody || own.is_some_and(|own| own.user_id == found.user_id)))
    }
}

impl std::fmt::Debug for SessionApi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionApi").field("login", &self.sessions.is_some()).finish()
    }
}
