//! Static files and the fallback to the single-page application (wire protocol §6.2).
//!
//! The rule: nothing outside the folder is ever read. Names are checked before the disk is asked, and
//! what the disk then resolves, links included, must still lie inside the folder's real path.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::answer::Answer;
use crate::body::{Content, FileContent};
use crate::error::HttpError;

/// Files up to this size are read at once; larger ones are sent piece by piece.
const AT_ONCE: u64 = 64 * 1024;

/// Endings that the root of the folder serves.
const ROOT_ENDINGS: [&str; 8] = ["png", "jpg", "jpeg", "gif", "svg", "html", "css", "js"];

/// A folder of static files.
#[derive(Debug, Clone)]
pub(crate) struct StaticFiles {
    root: PathBuf,
}

/// What a path asks of the folder.
#[derive(Debug, PartialEq, Eq)]
enum Wanted<'a> {
    /// This file below the folder.
    File(&'a str),
    /// The application's page.
    Index,
    /// Nothing that is served.
    Nothing,
}

/// A file that was found.
enum Found {
    /// The client has it already.
    Same { etag: HeaderValue },
    /// Its bytes.
    Small { etag: HeaderValue, bytes: Bytes },
    /// An open file.
    Large { etag: HeaderValue, file: std::fs::File, len: u64 },
}

impl StaticFiles {
    pub(crate) fn open(folder: &Path) -> Result<Self, HttpError> {
        let error = |source| HttpError::Public { path: folder.to_owned(), source };
        let root = folder.canonicalize().map_err(error)?;
        if !root.is_dir() {
            return Err(error(std::io::ErrorKind::NotADirectory.into()));
        }
        Ok(Self { root })
    }

    /// Serves a decoded path.
    pub(crate) async fn serve(&self, path: &str, headers: &HeaderMap) -> Answer {
        let name = match wanted(path) {
            Wanted::File(name) => name,
            Wanted::Index => "index.html",
            Wanted::Nothing => return Answer::not_found(),
        };
        self.file(name, headers).await.unwrap_or_else(Answer::not_found)
    }

    /// The folder's own icon, if it has one.
    pub(crate) async fn favicon(&self, headers: &HeaderMap) -> Option<Answer> {
        self.file("favicon.ico", headers).await
    }

    /// A file of the folder, by its path below it.
    pub(crate) async fn file(&self, name: &str, headers: &HeaderMap) -> Option<Answer> {
        if !is_safe(name) {
            return None;
        }
        let content_type = HeaderValue::from_static(content_type(name));
        let page = name.ends_with(".html");
        let root = self.root.clone();
        let name = name.to_owned();
        let known = headers.get(IF_NONE_MATCH).cloned();
        let found = tokio::task::spawn_blocking(move || find(&root, &name, known.as_ref())).await.ok()??;
        let (etag, mut answer) = match found {
            Found::Same { etag } => (etag, Answer::empty(StatusCode::NOT_MODIFIED)),
            Found::Small { etag, bytes } => (etag, Answer::bytes(StatusCode::OK, content_type, bytes)),
            Found::Large { etag, file, len } => {
                let mut answer = Answer::empty(StatusCode::OK);
                answer.content_type = Some(content_type);
                answer.content = Content::File(FileContent::new(tokio::fs::File::from_std(file), len));
                (etag, answer)
            }
        };
        if page {
            // The page names the assets of its build; an old one would ask for files that are gone.
            answer = answer.with(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        Some(answer.with(ETAG, etag))
    }
}

/// Reads the rules of §6.2, in their order.
fn wanted(path: &str) -> Wanted<'_> {
    let Some(name) = path.strip_prefix('/') else { return Wanted::Nothing };
    let leaf = name.rsplit('/').next().unwrap_or(name);
    // As `path.extname`: the ending after the last dot that does not begin the name.
    let ending = leaf.rfind('.').filter(|at| *at > 0).map(|at| &leaf[at + 1..]);
    if name == "server.js" || ending == Some("map") {
        return Wanted::Nothing;
    }
    if name.starts_with("assets/") {
        return Wanted::File(name);
    }
    match ending {
        Some(ending) if !name.contains('/') && ROOT_ENDINGS.contains(&ending) => Wanted::File(name),
        Some(_) => Wanted::Nothing,
        None => Wanted::Index,
    }
}

/// Whether every segment is an ordinary, visible name: no `..`, nothing hidden, no separator of
/// another system, nothing that ends a string.
fn is_safe(name: &str) -> bool {
    name.split('/').all(|segment| !segment.is_empty() && !segment.starts_with('.'))
        && !name.contains(['\\', '\0', ':'])
}

/// Finds a file. Blocking.
fn find(root: &Path, name: &str, known: Option<&HeaderValue>) -> Option<Found> {
    use std::io::Read;

    let real = root.join(name).canonicalize().ok()?;
    if !real.starts_with(root) {
        return None;
    }
    // Asked before opening: opening a pipe would wait for its other end.
    if !std::fs::metadata(&real).ok()?.is_file() {
        return None;
    }
    let mut file = std::fs::File::open(&real).ok()?;
    let metadata = file.metadata().ok()?;
    let len = metadata.len();
    let changed = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let stamp = changed.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let etag = HeaderValue::try_from(format!("W/\"{len:x}-{stamp:x}\"")).ok()?;
    if known.is_some_and(|known| matches_etag(known, &etag)) {
        return Some(Found::Same { etag });
    }
    if len > AT_ONCE {
        return Some(Found::Large { etag, file, len });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or_default());
    (&mut file).take(AT_ONCE).read_to_end(&mut bytes).ok()?;
    Some(Found::Small { etag, bytes: bytes.into() })
}

/// Whether `If-None-Match` names this tag, by weak comparison.
fn matches_etag(known: &HeaderValue, etag: &HeaderValue) -> bool {
    let (Ok(known), Ok(etag)) = (known.to_str(), etag.to_str()) else { return false };
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    known.split(',').any(|tag| tag.trim() == "*" || bare(tag) == bare(etag))
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "ttf" => "font/ttf",
        "otf" => "font/otf",
        "mp3" => "audio/mpeg",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "wasm" => "application/wasm",
        "pdf" => "application/pdf",
        "xml" => "application/xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;
