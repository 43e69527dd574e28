//! Accounts kept by a plugin: the service that `users.component` names (WIT `user-store`).
//!
//! The rule: what a plugin answers is checked before it is believed. A record is a JSON object with the id
//! that was asked for, or the store has failed; and the only failure that a plugin can name is a taken e-mail.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Instant;

use futures::future::BoxFuture;
use luckystack_plugins::{
    CallContext, CallError, Caller, FunctionResolver, HandlerError, Plugin, Transport, UserAnswer,
    UserRequest,
};
use serde_json::{Map, Value, json};

use crate::{Answer, NewUser, User, UserError, UserStore};

/// The code by which a plugin says that an e-mail is taken.
const EMAIL_TAKEN: &str = "users.emailTaken";

/// Whoever answers for the plugin that keeps the accounts.
pub trait UserComponent: Send + Sync + 'static {
    /// Asks it.
    fn ask(&self, request: UserRequest) -> BoxFuture<'_, Result<UserAnswer, UserError>>;
    /// Whether it is there and works.
    fn is_up(&self) -> bool;
}

/// The store.
pub struct ComponentUsers {
    component: Arc<dyn UserComponent>,
}

/// Finds the live plugin, if there is one.
type Find = dyn Fn() -> Option<Arc<Plugin>> + Send + Sync;

/// The plugin of a service, as it is when it is asked: a swap changes who answers the next question.
pub struct LivePlugin {
    service: String,
    find: Box<Find>,
    functions: Option<Arc<dyn FunctionResolver>>,
    caller: Caller,
}

// ---------------------------------------------------------------------------------------------
// LivePlugin

impl LivePlugin {
    /// The plugin that keeps the accounts in `service`. `find` looks it up among those that are live: the one
    /// whose manifest says `userStore`.
    pub fn new(
        service: impl Into<String>,
        find: impl Fn() -> Option<Arc<Plugin>> + Send + Sync + 'static,
    ) -> Self {
        let caller = Caller {
            session: None,
            ip: "unknown".into(),
            language: "en".into(),
            request_id: "users".into(),
            traceparent: None,
            transport: Transport::Http,
        };
        LivePlugin { service: service.into(), find: Box::new(find), functions: None, caller }
    }

    /// Lets the plugin call functions.
    #[must_use]
    pub fn with_functions(mut self, functions: Arc<dyn FunctionResolver>) -> Self {
        self.functions = Some(functions);
        self
    }

    async fn call(&self, request: UserRequest) -> Result<UserAnswer, UserError> {
        let Some(plugin) = (self.find)() else {
            return Err(UserError::Store(format!(
                "no live plugin of the service {} keeps users; it needs the export user-store, and userStore in \
                 its manifest",
                self.service
            )));
        };
        let deadline = Instant::now() + plugin.service().settings().deadline;
        let route = format!("user-store/{}", request.name());
        let mut call = CallContext::new(route.into(), self.caller.clone(), deadline);
        call.functions.clone_from(&self.functions);
        let answer = plugin.call_user_store(Arc::new(call), request).await;
        answer.map_err(|error| self.unanswered(&error))?.map_err(|error| self.refused(error))
    }

    fn unanswered(&self, error: &CallError) -> UserError {
        UserError::Store(format!("the service {}: {error}", self.service))
    }

    fn refused(&self, error: HandlerError) -> UserError {
        if error.error_code == EMAIL_TAKEN {
            return UserError::EmailTaken;
        }
        UserError::Store(format!("the service {} answered {}", self.service, error.error_code))
    }
}

impl UserComponent for LivePlugin {
    fn ask(&self, request: UserRequest) -> BoxFuture<'_, Result<UserAnswer, UserError>> {
        Box::pin(self.call(request))
    }

    fn is_up(&self) -> bool {
        (self.find)().is_some_and(|plugin| plugin.service().degraded().is_none())
    }
}

// ---------------------------------------------------------------------------------------------
// ComponentUsers

impl ComponentUsers {
    /// Accounts that `component` keeps.
    pub fn new(component: impl UserComponent) -> Self {
        ComponentUsers { component: Arc::new(component) }
    }

    /// Asks for a record; `id` is what it must have, where that is known.
    async fn record(&self, request: UserRequest, id: Option<&str>) -> Result<Option<User>, UserError> {
        let operation = request.name();
        let text = match self.component.ask(request).await? {
            UserAnswer::Record(None) => return Ok(None),
            UserAnswer::Record(Some(text)) => text,
            UserAnswer::Done(_) => return Err(wrong(operation, "no record")),
        };
        // The text holds secrets, and so may what is said about it: only its place is told.
        let record: Map<String, Value> = serde_json::from_slice(&text).map_err(|error| {
            wrong(operation, &format!("something else than a JSON object (column {})", error.column()))
        })?;
        let user = User::from_fields(record).ok_or_else(|| wrong(operation, "a record without an `id`"))?;
        if id.is_some_and(|id| id != user.id()) {
            return Err(wrong(operation, "another user's record"));
        }
        Ok(Some(user))
    }

    async fn done(&self, request: UserRequest) -> Result<bool, UserError> {
        let operation = request.name();
        match self.component.ask(request).await? {
            UserAnswer::Done(done) => Ok(done),
            UserAnswer::Record(_) => Err(wrong(operation, "a record")),
        }
    }
}

fn wrong(operation: &str, answer: &str) -> UserError {
    UserError::Store(format!("the plugin that keeps users answered `{operation}` with {answer}"))
}

impl UserStore for ComponentUsers {
    fn by_id<'a>(&'a self, id: &'a str) -> Answer<'a, Option<User>> {
        Box::pin(self.record(UserRequest::ById { id: id.to_owned() }, Some(id)))
    }

    fn by_email<'a>(&'a self, email: &'a str, provider: Option<&'a str>) -> Answer<'a, Option<User>> {
        let (email, provider) = (email.to_owned(), provider.map(str::to_owned));
        Box::pin(self.record(UserRequest::ByEmail { email, provider }, None))
    }

    fn create(&self, user: NewUser, unique_email: bool) -> Answer<'_, User> {
        Box::pin(async move {
            let user = fields_of(user).to_string().into();
            let created = self.record(UserRequest::Create { user, unique_email }, None).await?;
            created.ok_or_else(|| wrong("create", "nothing"))
        })
    }

    fn update<'a>(&'a self, id: &'a str, changes: Map<String, Value>) -> Answer<'a, Option<User>> {
        let changes = Value::Object(changes).to_string().into();
        Box::pin(self.record(UserRequest::Update { id: id.to_owned(), changes }, Some(id)))
    }

    fn spend_recovery_code<'a>(&'a self, id: &'a str, code_hash: &'a str) -> Answer<'a, bool> {
        let (id, code_hash) = (id.to_owned(), code_hash.to_owned());
        Box::pin(self.done(UserRequest::SpendRecoveryCode { id, code_hash }))
    }

    fn delete<'a>(&'a self, id: &'a str) -> Answer<'a, bool> {
        Box::pin(self.done(UserRequest::Delete { id: id.to_owned() }))
    }

    fn is_up(&self) -> BoxFuture<'_, bool> {
        Box::pin(std::future::ready(self.component.is_up()))
    }

    /// The plugin belongs to the host: nothing is open here.
    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// A new user by the names of the framework's table.
fn fields_of(user: NewUser) -> Value {
    json!({
        "email": user.email,
        "name": user.name,
        "provider": user.provider,
        "password": user.password,
        "avatar": user.avatar,
        "avatarFallback": user.avatar_fallback,
        "language": user.language,
    })
}

impl std::fmt::Debug for ComponentUsers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ComponentUsers").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for LivePlugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LivePlugin").field("service", &self.service).finish_non_exhaustive()
    }
}
