//! `luckystack:plugin/accounts`: user records, passwords, e-mail addresses.
//!
//! The rule: a service with the grant is trusted with every account, and a service without it does not
//! load. What a record may hold and which passwords do is decided behind [`AccountAccess`].

use std::sync::Arc;

use luckystack_plugins::capability::{Grant, Interface};
use luckystack_plugins::{Capability, HandlerError, HostState};
use luckystack_topology::ServiceSettings;
use serde_json::{Map, Value};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, WasmList};

use crate::access::{self, Answer, to_its_end};
use crate::json;

/// What the fields of one change may hold as JSON: a record is copied into each of the user's sessions.
pub const MAX_CHANGE_BYTES: usize = 64 << 10;

/// The accounts of the host. Errors carry the framework's reasons, such as `login.wrongPassword`.
pub trait AccountAccess: Send + Sync + 'static {
    /// The user record without its secrets.
    fn get<'a>(&'a self, user_id: &'a str) -> Answer<'a, Option<Map<String, Value>>>;
    /// Sets fields (null removes one) of a record, and alike in all sessions of the user:
    /// `account.fieldNotAllowed` for those that are not the application's. The record as shown.
    fn update<'a>(&'a self, user_id: &'a str, changes: Map<String, Value>) -> Answer<'a, Map<String, Value>>;
    /// Whether that is the user's password: `login.wrongPassword`.
    fn check_password<'a>(&'a self, user_id: &'a str, password: &'a str) -> Answer<'a, ()>;
    /// Sets a password, with `current` only if that is right; ends the user's sessions but `keep`.
    fn change_password<'a>(
        &'a self,
        user_id: &'a str,
        current: Option<&'a str>,
        new: &'a str,
        keep: Option<&'a str>,
    ) -> Answer<'a, ()>;
    /// Sends a link for a new password, if the e-mail has an account.
    fn request_password_reset<'a>(&'a self, email: &'a str, ip: &'a str) -> Answer<'a, ()>;
    /// Sets a password with the token of such a link.
    fn complete_password_reset<'a>(&'a self, token: &'a str, new: &'a str) -> Answer<'a, ()>;
    /// Sends a link that confirms a new e-mail address.
    fn request_email_change<'a>(&'a self, user_id: &'a str, email: &'a str) -> Answer<'a, ()>;
    /// Changes the e-mail address with the token of such a link.
    fn confirm_email_change<'a>(&'a self, token: &'a str) -> Answer<'a, ()>;
    /// Deletes the user and ends all sessions.
    fn delete<'a>(&'a self, user_id: &'a str) -> Answer<'a, ()>;
}

/// The capability.
#[derive(Clone)]
pub struct Accounts {
    /// None on a host without login.
    accounts: Option<Arc<dyn AccountAccess>>,
}

impl Accounts {
    /// Accounts are found in `accounts`; without it every function fails with `auth.disabled`.
    #[must_use]
    pub fn new(accounts: Option<Arc<dyn AccountAccess>>) -> Self {
        Accounts { accounts }
    }

    /// The accounts, for a call.
    fn open(&self, store: &StoreContextMut<'_, HostState>) -> Result<Arc<dyn AccountAccess>, HandlerError> {
        if store.data().call().is_none() {
            return Err(HandlerError::new("account.unavailable", 500));
        }
        self.accounts.clone().ok_or_else(access::no_login)
    }
}

impl Capability for Accounts {
    fn name(&self) -> &'static str {
        "accounts"
    }

    fn provides(&self, interface: Interface<'_>) -> bool {
        interface.name == "luckystack:plugin/accounts"
    }

    fn link(&self, linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        let mut instance = linker.instance("luckystack:plugin/accounts@0.1.0")?;
        let own = self.clone();
        instance.func_wrap_async("get", move |store, (id,): (String,)| {
            let accounts = own.open(&store);
            Box::new(async move {
                Ok((match accounts {
                    Ok(accounts) => accounts.get(&id).await.map(|record| record.map(text)),
                    Err(error) => Err(error),
                },))
            })
        })?;
        let own = self.clone();
        instance.func_wrap_async("update", move |store, (id, fields): (String, WasmList<u8>)| {
            let change = own.open(&store).and_then(|accounts| {
                // Still in the guest's memory: what is too large is refused before it costs the host anything.
                Ok((accounts, changes(fields.as_le_slice(&store))?))
            });
            Box::new(async move {
                Ok((match change {
                    Ok((accounts, changes)) => {
                        to_its_end(async move { accounts.update(&id, changes).await }).await.map(text)
                    }
                    Err(error) => Err(error),
                },))
            })
        })?;

        /// Defines a function that answers nothing but that it worked.
        macro_rules! define {
            ($name:literal, ($($argument:ident: $type:ty),+), $accounts:ident => $act:expr) => {
                let own = self.clone();
                instance.func_wrap_async($name, move |store, ($($argument,)+): ($($type,)+)| {
                    let accounts = own.open(&store);
                    Box::new(async move {
                        Ok((match accounts {
                            Ok($accounts) => to_its_end(async move { $act.await }).await,
                            Err(error) => Err(error),
                        },))
                    })
                })?;
            };
        }
        define!("check-password", (id: String, password: String),
            accounts => accounts.check_password(&id, &password));
        define!("change-password", (id: String, current: Option<String>, new: String, keep: Option<String>),
            accounts => accounts.change_password(&id, current.as_deref(), &new, keep.as_deref()));
        define!("request-password-reset", (email: String, ip: String),
            accounts => accounts.request_password_reset(&email, &ip));
        define!("complete-password-reset", (token: String, new: String),
            accounts => accounts.complete_password_reset(&token, &new));
        define!("request-email-change", (id: String, email: String),
            accounts => accounts.request_email_change(&id, &email));
        define!("confirm-email-change", (token: String), accounts => accounts.confirm_email_change(&token));
        define!("delete", (id: String), accounts => accounts.delete(&id));
        Ok(())
    }

    fn grant(&self, service: &str, settings: &ServiceSettings) -> Grant {
        if settings.grants.accounts {
            return Grant::Granted;
        }
        Grant::Missing(format!("add `accounts = true` under [service.{service}.grants] in the preset"))
    }
}

fn changes(text: &[u8]) -> Result<Map<String, Value>, HandlerError> {
    if text.len() > MAX_CHANGE_BYTES {
        return Err(json::with_param(
            HandlerError::new("account.tooLarge", 413),
            "maxBytes",
            &MAX_CHANGE_BYTES,
        ));
    }
    json::object(text).map_err(|why| {
        tracing::debug!(%why, "account fields are no JSON object");
        HandlerError::new("account.invalidFields", 400)
    })
}

fn text(record: Map<String, Value>) -> Vec<u8> {
    Value::Object(record).to_string().into_bytes()
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accounts").field("login", &self.accounts.is_some()).finish()
    }
}
