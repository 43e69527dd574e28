//! `/uploads/<id>.<ext>`: files that services put up (wire protocol §6.2).
//!
//! The rule: a name is an id and a known ending, or it is not asked of the disk at all.

use std::path::PathBuf;
use std::sync::OnceLock;

use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue, StatusCode};
use luckystack_topology::ProjectConfig;
use serde_json::json;

use crate::access::Gate;
use crate::answer::Answer;
use crate::static_files::StaticFiles;

/// Where they are.
pub(crate) const PREFIX: &str = "/uploads/";
/// Longest id.
const MAX_ID: usize = 128;
/// For a day (§6.2): a new picture has the name of the old one, so not for longer.
const KEPT: HeaderValue = HeaderValue::from_static("public, max-age=86400");

/// The folder of uploaded files, which the first upload creates.
#[derive(Debug)]
pub(crate) struct Uploads {
    folder: PathBuf,
    formats: Vec<String>,
    files: OnceLock<StaticFiles>,
}

impl Uploads {
    pub(crate) fn new(project: &ProjectConfig) -> Self {
        Self {
            folder: project.paths.uploads.clone(),
            formats: project.uploads.formats.clone(),
            files: OnceLock::new(),
        }
    }

    /// Serves what follows [`PREFIX`]: the first configured format of that id which exists.
    pub(crate) async fn serve(&self, name: &str, headers: &HeaderMap, gate: &Gate) -> Answer {
        let missing = || Answer::text(StatusCode::NOT_FOUND, "File not found");
        let Some(id) = id(name) else { return missing() };
        let route = format!("{PREFIX}{name}");
        let asked = || json!({ "routePath": route, "fileId": id });
        if gate.hooks.ask_with("preAvatarServe", asked).await.is_some() {
            return missing();
        }
        let Some(files) = self.files() else { return missing() };
        for format in &self.formats {
            if let Some(answer) = files.file(&format!("{id}.{format}"), headers).await {
                gate.tell("postAvatarServe", || {
                    let content_type = answer.content_type.as_ref().and_then(|value| value.to_str().ok());
                    json!({
                        "routePath": route,
                        "fileId": id,
                        "extension": format,
                        "contentType": content_type,
                    })
                });
                return answer.with(CACHE_CONTROL, KEPT);
            }
        }
        missing()
    }

    fn files(&self) -> Option<&StaticFiles> {
        if let Some(files) = self.files.get() {
            return Some(files);
        }
        let opened = StaticFiles::open(&self.folder).ok()?;
        Some(self.files.get_or_init(|| opened))
    }
}

/// The id of `<id>.<ext>`.
fn id(name: &str) -> Option<&str> {
    let (id, ending) = name.split_once('.')?;
    let is_id = (1..=MAX_ID).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let is_ending =
        (1..=8).contains(&ending.len()) && ending.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_id && is_ending).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::id;

    #[test]
    fn only_an_id_and_an_ending_are_a_name() {
        assert_eq!(id("u-1_A.webp"), Some("u-1_A"));
        for bad in [
            "",
            ".webp",
            "a",
            "a.",
            "a.b.webp",
            "../a.webp",
            "a/b.webp",
            "..\\a.webp",
            "a\0.webp",
            "ä.webp",
            "%2e%2e.webp",
            "a.webp/",
            "a b.webp",
            "a.w~p",
            &format!("{}.webp", "a".repeat(129)),
        ] {
            assert_eq!(id(bad), None, "{bad:?}");
        }
    }
}
