//! `luckystack:plugin/uploads`: files that everybody may read at `/uploads/<name>` (wire protocol §6.2).
//!
//! The rule: a name is an id and a format that the project allows, so that it is a file in one folder and
//! nothing else; and a file is there as a whole or not at all.

mod files;

use std::sync::Arc;

use luckystack_plugins::capability::{Grant, Interface};
use luckystack_plugins::{Capability, HandlerError, HostState};
use luckystack_topology::ServiceSettings;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, WasmList};

use crate::access::{Answer, to_its_end};
use crate::json;

pub use self::files::FileUploads;

/// Longest id of a file.
const MAX_ID: usize = 128;

/// A file to be put up.
#[derive(Clone, PartialEq, Eq)]
pub struct Upload {
    /// The service that puts it up.
    pub service: Arc<str>,
    /// The user on whose behalf, if anybody is signed in.
    pub user_id: Option<String>,
    /// `<id>.<format>`, as the guest gave it.
    pub name: String,
    /// Its content.
    pub data: Vec<u8>,
}

/// Where uploaded files are kept.
pub trait UploadStore: Send + Sync + 'static {
    /// The largest file: what is larger is refused before it is copied out of the guest.
    fn max_bytes(&self) -> u64;
    /// Puts a file up, or replaces it, as a whole: `uploads.invalidName`, `uploads.tooLarge` (413).
    fn put(&self, upload: Upload) -> Answer<'_, ()>;
    /// Takes a file down; whether it was there.
    fn remove<'a>(&'a self, name: &'a str) -> Answer<'a, bool>;
}

/// Whether `name` can be the name of an uploaded file: an id of 1 to 128 letters, digits, `-` and `_`, a dot,
/// and one of the `formats`. Such a name is never a path, hidden, or special to a file system.
#[must_use]
pub fn valid_name(name: &str, formats: &[String]) -> bool {
    name.split_once('.').is_some_and(|(id, format)| {
        (1..=MAX_ID).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && formats.iter().any(|known| known == format)
    })
}

/// The media type that a file of this name is served as; none for a format that nobody knows.
#[must_use]
pub fn content_type(name: &str) -> Option<&'static str> {
    Some(match name.rsplit_once('.')?.1 {
        "webp" => "image/webp",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "avif" => "image/avif",
        _ => return None,
    })
}

/// The error of a name that is none.
pub(crate) fn invalid_name() -> HandlerError {
    HandlerError::new("uploads.invalidName", 400)
}

/// The error of a file that is too large.
pub(crate) fn too_large(max_bytes: u64) -> HandlerError {
    json::with_param(HandlerError::new("uploads.tooLarge", 413), "maxBytes", &max_bytes)
}

/// The capability.
#[derive(Clone)]
pub struct Uploads {
    store: Option<Arc<dyn UploadStore>>,
}

/// Who puts a file up.
struct By {
    store: Arc<dyn UploadStore>,
    service: Arc<str>,
    user_id: Option<String>,
}

impl Uploads {
    /// Files go to `store`; without one nothing can be put up.
    #[must_use]
    pub fn new(store: Option<Arc<dyn UploadStore>>) -> Self {
        Uploads { store }
    }

    fn open(&self, store: &StoreContextMut<'_, HostState>) -> Result<By, HandlerError> {
        let state = store.data();
        match (state.call(), &self.store) {
            (Some(call), Some(store)) => Ok(By {
                store: Arc::clone(store),
                service: Arc::clone(state.service.name()),
                user_id: call.caller.session.as_ref().map(|session| session.user_id.clone()),
            }),
            _ => Err(HandlerError::new("uploads.unavailable", 500)),
        }
    }
}

impl Capability for Uploads {
    fn name(&self) -> &'static str {
        "uploads"
    }

    fn provides(&self, interface: Interface<'_>) -> bool {
        interface.name == "luckystack:plugin/uploads"
    }

    fn link(&self, linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        let mut instance = linker.instance("luckystack:plugin/uploads@0.1.0")?;
        let own = self.clone();
        instance.func_wrap_async("put", move |store, (name, data): (String, WasmList<u8>)| {
            let upload = own.open(&store).and_then(|by| {
                // Still in the guest's memory.
                let data: &[u8] = data.as_le_slice(&store);
                let max = by.store.max_bytes();
                if data.len() as u64 > max {
                    return Err(too_large(max));
                }
                let data = data.to_vec();
                Ok((by.store, Upload { service: by.service, user_id: by.user_id, name, data }))
            });
            Box::new(async move {
                Ok((match upload {
                    Ok((store, upload)) => to_its_end(async move { store.put(upload).await }).await,
                    Err(error) => Err(error),
                },))
            })
        })?;
        let own = self.clone();
        instance.func_wrap_async("remove", move |store, (name,): (String,)| {
            let by = own.open(&store);
            Box::new(async move {
                Ok((match by {
                    Ok(By { store, .. }) => to_its_end(async move { store.remove(&name).await }).await,
                    Err(error) => Err(error),
                },))
            })
        })
    }

    fn grant(&self, service: &str, settings: &ServiceSettings) -> Grant {
        if settings.grants.uploads {
            return Grant::Granted;
        }
        Grant::Missing(format!("add `uploads = true` under [service.{service}.grants] in the preset"))
    }
}

impl std::fmt::Debug for Uploads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Uploads").field("store", &self.store.is_some()).finish()
    }
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload")
            .field("service", &self.service)
            .field("name", &self.name)
            .field("bytes", &self.data.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_an_id_and_a_format_of_the_project() {
        let formats = ["webp".to_owned(), "png".to_owned()];
        let long = "x".repeat(128);
        for name in ["a.webp", "A-b_9.png", &format!("{long}.webp")] {
            assert!(valid_name(name, &formats), "{name}");
        }
        let too_long = format!("{long}x.webp");
        for name in [
            "",
            ".",
            "..",
            ".webp",
            "a",
            "a.",
            "a.jpg",
            "a.WEBP",
            "a.webp.png",
            "a..webp",
            "../a.webp",
            "a/b.webp",
            "a\\b.webp",
            "/a.webp",
            "a .webp",
            "a\0.webp",
            "ä.webp",
            "a.webp\n",
            "a%2f.webp",
            "C:a.webp",
            &too_long,
        ] {
            assert!(!valid_name(name, &formats), "{name:?}");
        }
        assert!(!valid_name("a.webp", &[]), "no format is allowed");
    }
}
