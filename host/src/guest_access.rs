//! What services reach of sessions, accounts and uploads: the identity behind the capabilities.
//!
//! Capabilities are made before the front door is open (plugins load first), so it is put in later.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use luckystack_capabilities::accounts::AccountAccess;
use luckystack_capabilities::session::SessionAccess;
use luckystack_capabilities::uploads::{FileUploads, Upload, UploadStore, content_type};
use luckystack_capabilities::{Answer, Options};
use luckystack_identity::{AccountError, Identity};
use luckystack_plugins::{HandlerError, Session};
use luckystack_sessions::{Hooks, SessionError};
use luckystack_topology::ProjectConfig;
use serde_json::{Map, Value, json};

/// The front door, once it is open.
#[derive(Default)]
pub(crate) struct Door {
    identity: OnceLock<Identity>,
    hooks: OnceLock<Arc<dyn Hooks>>,
}

impl Door {
    /// Opens it; the first time counts.
    pub(crate) fn open(&self, identity: Identity) {
        let _ = self.identity.set(identity);
    }

    /// Lets plugins hear of uploads.
    pub(crate) fn announce_to(&self, hooks: Arc<dyn Hooks>) {
        let _ = self.hooks.set(hooks);
    }

    fn identity(&self) -> Result<&Identity, HandlerError> {
        self.identity.get().ok_or_else(|| HandlerError::new("auth.unavailable", 503))
    }

    fn tell(&self, hook: &'static str, payload: impl FnOnce() -> Value) {
        if let Some(hooks) = self.hooks.get() {
            hooks.tell_with(hook, payload);
        }
    }
}

/// What the capabilities of this project stand on.
pub(crate) fn options(project: &ProjectConfig, door: &Arc<Door>) -> Options {
    let files = FileUploads::new(
        PathBuf::from(&project.paths.uploads),
        project.uploads.max_bytes,
        project.uploads.formats.clone(),
    );
    let mut options = Options {
        uploads: Some(Arc::new(Announced { files, door: Arc::clone(door) })),
        ..Options::default()
    };
    if project.auth.enabled {
        options.sessions = Some(Arc::clone(door) as _);
        options.accounts = Some(Arc::clone(door) as _);
    }
    options
}

fn failed(error: &luckystack_backplane::BackplaneError) -> HandlerError {
    tracing::error!(%error, "a session was asked for in vain");
    HandlerError::new("session.unavailable", 503)
}

fn refused(error: SessionError) -> HandlerError {
    match error {
        SessionError::Vetoed(code) => HandlerError::new(code, 403),
        SessionError::OtherUser => HandlerError::new("session.fieldNotAllowed", 403),
        SessionError::Store(error) => failed(&error),
    }
}

fn account(error: AccountError) -> HandlerError {
    HandlerError::new(error.code, error.http_status)
}

impl SessionAccess for Door {
    fn get<'a>(&'a self, token: &'a str) -> Answer<'a, Option<Arc<Session>>> {
        Box::pin(async move { self.identity()?.sessions().peek(token).await.map_err(|error| failed(&error)) })
    }

    fn update<'a>(
        &'a self,
        token: &'a str,
        change: &'a mut (dyn FnMut(&mut Map<String, Value>) + Send),
    ) -> Answer<'a, Option<Arc<Session>>> {
        Box::pin(async move { self.identity()?.sessions().update(token, change).await.map_err(refused) })
    }

    fn end<'a>(&'a self, token: &'a str) -> Answer<'a, bool> {
        Box::pin(async move {
            let identity = self.identity()?;
            let was_live = identity.sessions().peek(token).await.map_err(|error| failed(&error))?.is_some();
            Ok(was_live && identity.logout(token).await)
        })
    }
}

impl AccountAccess for Door {
    fn get<'a>(&'a self, user_id: &'a str) -> Answer<'a, Option<Map<String, Value>>> {
        Box::pin(async move { self.identity()?.user(user_id).await.map_err(account) })
    }

    fn update<'a>(&'a self, user_id: &'a str, changes: Map<String, Value>) -> Answer<'a, Map<String, Value>> {
        Box::pin(async move { self.identity()?.update_user(user_id, changes).await.map_err(account) })
    }

    fn check_password<'a>(&'a self, user_id: &'a str, password: &'a str) -> Answer<'a, ()> {
        Box::pin(async move { self.identity()?.verify_password(user_id, password).await.map_err(account) })
    }

    fn change_password<'a>(
        &'a self,
        user_id: &'a str,
        current: Option<&'a str>,
        new: &'a str,
        keep: Option<&'a str>,
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            self.identity()?.change_password(user_id, current, new, keep).await.map_err(account)
        })
    }

    fn request_password_reset<'a>(&'a self, email: &'a str, ip: &'a str) -> Answer<'a, ()> {
        Box::pin(async move { self.identity()?.request_password_reset(email, ip).await.map_err(account) })
    }

    fn complete_password_reset<'a>(&'a self, token: &'a str, new: &'a str) -> Answer<'a, ()> {
        Box::pin(async move { self.identity()?.complete_password_reset(token, new).await.map_err(account) })
    }

    fn request_email_change<'a>(&'a self, user_id: &'a str, email: &'a str) -> Answer<'a, ()> {
        Box::pin(async move { self.identity()?.request_email_change(user_id, email).await.map_err(account) })
    }

    fn confirm_email_change<'a>(&'a self, token: &'a str) -> Answer<'a, ()> {
        Box::pin(async move { self.identity()?.confirm_email_change(token).await.map_err(account) })
    }

    fn delete<'a>(&'a self, user_id: &'a str) -> Answer<'a, ()> {
        Box::pin(async move { self.identity()?.delete_account(user_id).await.map_err(account) })
    }
}

/// Uploads between their hooks (§11).
struct Announced {
    files: FileUploads,
    door: Arc<Door>,
}

impl UploadStore for Announced {
    fn max_bytes(&self) -> u64 {
        self.files.max_bytes()
    }

    fn put(&self, upload: Upload) -> Answer<'_, ()> {
        Box::pin(async move {
            // `<user id>.<format>` is where the session object says that an avatar is (§5.2).
            let is_avatar = upload.name.split('.').next() == upload.user_id.as_deref();
            let kind = if is_avatar { "avatar" } else { &*upload.service };
            let event = |name: &str| {
                json!({
                    "userId": upload.user_id,
                    "sizeBytes": upload.data.len(),
                    "uploadKind": kind,
                    "contentType": content_type(name),
                    "fileName": name,
                })
            };
            let (begun, done) = (event(&upload.name), event(&upload.name));
            self.door.tell("onUploadStart", || begun);
            self.files.put(upload).await?;
            self.door.tell("onUploadComplete", || done);
            Ok(())
        })
    }

    fn remove<'a>(&'a self, name: &'a str) -> Answer<'a, bool> {
        self.files.remove(name)
    }
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").field("open", &self.identity.get().is_some()).finish_non_exhaustive()
    }
}
