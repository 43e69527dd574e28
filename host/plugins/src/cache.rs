//! Compiled code on disk, by content.
//!
//! An entry is named by the SHA-256 of the component together with the engine's settings and this
//! host's version, so a changed host or setting never finds stale code. It holds the native code,
//! which is mapped, not read, and the component's manifest, and it carries a checksum: native code is
//! trusted, so an entry that is damaged in any way is a miss, and one outside the user's private
//! folder is never looked at.

use std::hash::{Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

/// A folder of compiled components.
#[derive(Clone, Debug)]
pub struct Cache {
    dir: PathBuf,
    engine_key: String,
}

/// A component found in the cache, or made and put there.
pub(crate) struct Entry {
    pub(crate) component: Component,
    pub(crate) manifest: Option<String>,
    pub(crate) hit: bool,
}

/// Why a folder cannot be the cache.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot hold compiled code: {reason}", dir.display())]
pub struct CacheError {
    dir: PathBuf,
    reason: String,
}

impl Cache {
    /// Opens (and makes) the folder. It must belong to this process's user and be closed to others.
    pub fn open(dir: &Path, engine: &Engine) -> Result<Cache, CacheError> {
        let fail = |reason: String| CacheError { dir: dir.to_owned(), reason };
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(|error| fail(format!("it cannot be made: {error}")))?;
        let meta = std::fs::symlink_metadata(dir).map_err(|error| fail(error.to_string()))?;
        if !meta.is_dir() {
            return Err(fail("it is not a folder".into()));
        }
        let user = rustix::process::geteuid().as_raw();
        if meta.uid() != user {
            return Err(fail(format!("it belongs to user {}, the host runs as {user}", meta.uid())));
        }
        if meta.permissions().mode() & 0o077 != 0 {
            std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700)).map_err(|error| {
                fail(format!("others may write to it, and that cannot be changed: {error}"))
            })?;
        }
        Ok(Cache { dir: dir.to_owned(), engine_key: engine_key(engine) })
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn path(&self, sha256: &str, extension: &str) -> PathBuf {
        self.dir.join(format!("{}-{}.{extension}", &sha256[..32], self.engine_key))
    }

    /// The compiled form of `bytes`: mapped from the cache, or compiled and stored there. Storing is
    /// best effort: a full disk costs the next start time, not this one its work.
    pub(crate) fn load(&self, engine: &Engine, sha256: &str, bytes: &[u8]) -> wasmtime::Result<Entry> {
        if let Some(entry) = self.find(engine, sha256) {
            return Ok(entry);
        }
        let component = Component::from_binary(engine, bytes)?;
        let code = component.serialize()?;
        if let Err(error) = self.store(sha256, &code) {
            tracing::warn!(dir = %self.dir.display(), %error, "compiled code was not cached");
            return Ok(Entry { component, manifest: None, hit: false });
        }
        // The mapped file is shared with the page cache; the copy just compiled is not.
        Ok(match self.find(engine, sha256) {
            Some(entry) => Entry { hit: false, ..entry },
            None => Entry { component, manifest: None, hit: false },
        })
    }

    /// What is stored of a component, if it is whole.
    pub(crate) fn find(&self, engine: &Engine, sha256: &str) -> Option<Entry> {
        let code = self.path(sha256, "cwasm");
        let expected = std::fs::read_to_string(self.path(sha256, "sum")).ok()?;
        let stored = std::fs::read(&code).ok()?;
        if hex(&Sha256::digest(&stored)) != expected.trim() {
            tracing::warn!(file = %code.display(), "a damaged entry of the compile cache is made anew");
            return None;
        }
        drop(stored);
        let component = deserialize(engine, &code).ok()?;
        Some(Entry { component, manifest: self.manifest(sha256), hit: true })
    }

    /// The manifest of a component whose code may not be stored.
    pub(crate) fn manifest(&self, sha256: &str) -> Option<String> {
        std::fs::read_to_string(self.path(sha256, "manifest.json")).ok()
    }

    fn store(&self, sha256: &str, code: &[u8]) -> std::io::Result<()> {
        self.write(&self.path(sha256, "cwasm"), code)?;
        self.write(&self.path(sha256, "sum"), hex(&Sha256::digest(code)).as_bytes())
    }

    /// Keeps a component's manifest beside its code.
    pub(crate) fn store_manifest(&self, sha256: &str, manifest: &str) {
        if let Err(error) = self.write(&self.path(sha256, "manifest.json"), manifest.as_bytes()) {
            tracing::warn!(dir = %self.dir.display(), %error, "a manifest was not cached");
        }
    }

    /// Writes whole or not at all: other hosts may share the folder.
    fn write(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        static COUNTER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let unique = COUNTER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let temporary = self.dir.join(format!(".{}-{unique}.tmp", std::process::id()));
        let written = std::fs::File::create_new(&temporary)
            .and_then(|mut file| file.write_all(bytes))
            .and_then(|()| std::fs::rename(&temporary, path));
        if written.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        written
    }
}

#[expect(unsafe_code, reason = "the only way to map compiled code; see the safety comment")]
fn deserialize(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file was written by this user's host into a folder closed to everybody else, its
    // checksum has just been compared, and wasmtime itself refuses code of another version or setting.
    unsafe { Component::deserialize_file(engine, path) }
}

/// What besides its content decides a component's compiled form.
fn engine_key(engine: &Engine) -> String {
    struct Sha(Sha256);
    impl Hasher for Sha {
        fn finish(&self) -> u64 {
            0
        }
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
    }
    let mut sha = Sha(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut sha);
    sha.0.update(env!("CARGO_PKG_VERSION"));
    hex(&sha.0.finalize())[..16].to_owned()
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)] as char, DIGITS[usize::from(byte & 15)] as char])
        .collect()
}
