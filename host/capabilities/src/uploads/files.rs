//! Uploaded files in a folder.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use luckystack_plugins::HandlerError;
use parking_lot::RwLock;

use super::{Upload, UploadStore, invalid_name, too_large, valid_name};
use crate::access::Answer;

/// A folder of uploaded files, one a name. It is made when the first file is put up.
///
/// A file is written beside its place under a name that is never served, made durable, and moved over the
/// old one: who reads meanwhile gets the old or the new one, whole.
#[derive(Debug)]
pub struct FileUploads {
    dir: PathBuf,
    rules: RwLock<Rules>,
}

#[derive(Clone, Debug)]
struct Rules {
    max_bytes: u64,
    formats: Arc<[String]>,
}

impl FileUploads {
    /// Keeps files in `dir`: of these formats (`webp`), each at most `max_bytes` long.
    pub fn new(dir: impl Into<PathBuf>, max_bytes: u64, formats: impl Into<Arc<[String]>>) -> Self {
        FileUploads { dir: dir.into(), rules: RwLock::new(Rules { max_bytes, formats: formats.into() }) }
    }

    /// Applies a changed configuration from now on. Files that are there stay.
    pub fn reconfigure(&self, max_bytes: u64, formats: impl Into<Arc<[String]>>) {
        *self.rules.write() = Rules { max_bytes, formats: formats.into() };
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Formats that can be put up, in the project's order.
    #[must_use]
    pub fn formats(&self) -> Arc<[String]> {
        Arc::clone(&self.rules.read().formats)
    }

    /// Where the file of this name is, if it is there; none for what is no name.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        valid_name(name, &self.formats()).then(|| self.dir.join(name))
    }
}

impl UploadStore for FileUploads {
    fn max_bytes(&self) -> u64 {
        self.rules.read().max_bytes
    }

    fn put(&self, upload: Upload) -> Answer<'_, ()> {
        let max_bytes = self.max_bytes();
        let path = self.path(&upload.name);
        Box::pin(async move {
            let Some(path) = path else { return Err(invalid_name()) };
            if upload.data.len() as u64 > max_bytes {
                return Err(too_large(max_bytes));
            }
            let dir = self.dir.clone();
            blocking(&upload.name, move || write(&dir, &path, &upload.data)).await
        })
    }

    fn remove<'a>(&'a self, name: &'a str) -> Answer<'a, bool> {
        let path = self.path(name);
        Box::pin(async move {
            let Some(path) = path else { return Err(invalid_name()) };
            blocking(name, move || match std::fs::remove_file(path) {
                Ok(()) => Ok(true),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                Err(error) => Err(error),
            })
            .await
        })
    }
}

fn write(dir: &Path, path: &Path, data: &[u8]) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".upload-");
    #[cfg(unix)]
    {
        // Readable by a web server in front, as files that were simply written would be.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o644));
    }
    let mut file = builder.tempfile_in(dir)?;
    file.write_all(data)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Files are slow: their work is done off the async threads.
async fn blocking<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, HandlerError> {
    let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
    done.map_err(|error| {
        tracing::error!(name, %error, "the folder of uploads failed; check paths.uploads, its rights and its disk");
        HandlerError::new("uploads.failed", 500)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(name: &str, data: &[u8]) -> Upload {
        Upload { service: "system".into(), user_id: None, name: name.to_owned(), data: data.to_vec() }
    }

    fn uploads(dir: &Path) -> FileUploads {
        FileUploads::new(dir, 10, ["webp".to_owned()])
    }

    fn files(dir: &Path) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[tokio::test]
    async fn a_file_is_put_up_replaced_and_taken_down() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("data/uploads");
        let uploads = uploads(&dir);
        assert!(!uploads.remove("u1.webp").await.unwrap(), "nothing is there, not even the folder");
        uploads.put(upload("u1.webp", b"first")).await.unwrap();
        assert_eq!(std::fs::read(uploads.path("u1.webp").unwrap()).unwrap(), b"first");
        uploads.put(upload("u1.webp", b"second")).await.unwrap();
        assert_eq!(std::fs::read(dir.join("u1.webp")).unwrap(), b"second");
        assert_eq!(files(&dir), ["u1.webp"], "nothing is left beside it");
        assert!(uploads.remove("u1.webp").await.unwrap());
        assert!(!uploads.remove("u1.webp").await.unwrap());
    }

    #[tokio::test]
    async fn what_is_too_large_or_no_name_leaves_the_folder_as_it_was() {
        let home = tempfile::tempdir().unwrap();
        let uploads = uploads(home.path());
        let error = uploads.put(upload("u1.webp", b"01234567890")).await.unwrap_err();
        assert_eq!((&*error.error_code, error.http_status), ("uploads.tooLarge", Some(413)));
        for name in ["../u1.webp", "u1.png", ".webp", "a/../b.webp"] {
            let error = uploads.put(upload(name, b"x")).await.unwrap_err();
            assert_eq!((&*error.error_code, error.http_status), ("uploads.invalidName", Some(400)));
            assert_eq!(uploads.remove(name).await.unwrap_err().error_code, "uploads.invalidName");
        }
        assert_eq!(files(home.path()), [""; 0]);
    }

    #[tokio::test]
    async fn a_changed_configuration_holds_from_then_on() {
        let home = tempfile::tempdir().unwrap();
        let uploads = uploads(home.path());
        uploads.reconfigure(100, ["png".to_owned()]);
        uploads.put(upload("u1.png", &[0; 100])).await.unwrap();
        assert_eq!(uploads.put(upload("u1.webp", b"x")).await.unwrap_err().error_code, "uploads.invalidName");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_link_in_the_folder_is_replaced_and_not_followed() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("uploads");
        std::fs::create_dir(&dir).unwrap();
        let victim = home.path().join("victim");
        std::fs::write(&victim, "untouched").unwrap();
        std::os::unix::fs::symlink(&victim, dir.join("u1.webp")).unwrap();
        uploads(&dir).put(upload("u1.webp", b"new")).await.unwrap();
        assert_eq!(std::fs::read(&victim).unwrap(), b"untouched");
        assert_eq!(std::fs::read(dir.join("u1.webp")).unwrap(), b"new");
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_made_is_an_error_of_the_host() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = uploads(&file.join("uploads")).put(upload("u1.webp", b"x")).await.unwrap_err();
        assert_eq!((&*error.error_code, error.http_status), ("uploads.failed", Some(500)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_reads_while_files_are_replaced_gets_a_whole_one() {
        let home = tempfile::tempdir().unwrap();
        let uploads = Arc::new(FileUploads::new(home.path(), 1 << 20, ["webp".to_owned()]));
        uploads.put(upload("u1.webp", &[0; 100_000])).await.unwrap();
        let writer = Arc::clone(&uploads);
        let writing = tokio::spawn(async move {
            for round in 1..=50 {
                writer.put(upload("u1.webp", &[round; 100_000])).await.unwrap();
            }
        });
        let path = uploads.path("u1.webp").unwrap();
        while !writing.is_finished() {
            let read = tokio::fs::read(&path).await.unwrap();
            assert_eq!(read.len(), 100_000);
            assert!(read.iter().all(|byte| *byte == read[0]));
        }
        writing.await.unwrap();
    }
}
