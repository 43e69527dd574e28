//! Keeps plugins apart that share a target folder.
//!
//! Cargo identifies a package within a target folder by its name, its version and its path *relative
//! to the workspace*. Two workspaces that each have, say, a package `handlers` at their top are the
//! same to it: it would find the second one already built, and serve the first one's code under its
//! name. So each such package has an owner, the workspace that built it last, and what another
//! workspace left behind is cleaned away before a build.
//!
//! The order matters to a build that is killed: clean, then take over, then build. Whatever lies under
//! an owner's name is then that owner's, at every moment. And a build has its turn ([`turn`]) until it
//! has read its results, or another one, of this host or of a second, could replace them under it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::progress::{Event, Progress};

/// A package that cargo identifies by a relative path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Local {
    /// Its name.
    pub(crate) name: String,
    /// Cargo's identifier.
    pub(crate) id: String,
    /// Its folder, relative to the workspace.
    pub(crate) path: PathBuf,
}

/// Waits until no other build uses the target folder. The turn ends when the file is dropped.
///
/// Nothing runs less in parallel for it: cargo itself lets one build at a time into a target folder.
pub(crate) async fn turn(target_dir: &Path, progress: &dyn Progress) -> io::Result<File> {
    fs::create_dir_all(folder(target_dir))?;
    let file = File::create(folder(target_dir).join(".turn"))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let text = format!("waiting for another build in {}", target_dir.display());
    progress.event(Event::Output { text: &text });
    // Should this future be dropped meanwhile, the thread drops the file as soon as it has its turn.
    tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await.map_err(io::Error::other)?
}

/// Those of `packages` that another workspace than `workspace` owns.
pub(crate) fn foreign<'a>(target_dir: &Path, workspace: &Path, packages: &'a [Local]) -> Vec<&'a Local> {
    let ours = workspace.as_os_str().as_encoded_bytes();
    packages
        .iter()
        .filter(|package| fs::read(file(target_dir, package)).is_ok_and(|owner| owner != ours))
        .collect()
}

/// Makes `workspace` the owner of `packages`.
pub(crate) fn take(target_dir: &Path, workspace: &Path, packages: &[Local]) -> io::Result<()> {
    fs::create_dir_all(folder(target_dir))?;
    for package in packages {
        let file = file(target_dir, package);
        fs::write(&file, workspace.as_os_str().as_encoded_bytes())
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))?;
    }
    Ok(())
}

fn folder(target_dir: &Path) -> PathBuf {
    target_dir.join("luckystack").join("owners")
}

fn file(target_dir: &Path, package: &Local) -> PathBuf {
    let digest = Sha256::digest(package.path.as_os_str().as_encoded_bytes());
    let short: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    folder(target_dir).join(format!("{}-{short}", package.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Quiet;

    #[tokio::test]
    async fn builds_in_one_target_folder_take_turns() {
        let target = tempfile::tempdir().unwrap();
        let first = turn(target.path(), &Quiet).await.unwrap();
        let second = turn(target.path(), &Quiet);
        tokio::pin!(second);
        let waiting = is_waiting(second.as_mut()).await;
        assert!(waiting, "the second build has its turn while the first one has not ended");
        drop(first);
        second.await.unwrap();
    }

    /// Whether a future that was polled once has to wait.
    async fn is_waiting(mut future: std::pin::Pin<&mut impl Future>) -> bool {
        std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context).is_pending()))
            .await
    }

    #[test]
    fn a_package_is_foreign_while_another_workspace_owns_it() {
        let target = tempfile::tempdir().unwrap();
        let target = target.path();
        let local =
            |name: &str, path: &str| Local { name: name.into(), id: String::new(), path: path.into() };
        let packages = [local("handlers", ""), local("model", "model")];
        let (first, second) = (Path::new("/plugins/first"), Path::new("/plugins/second"));

        assert!(foreign(target, first, &packages).is_empty());
        take(target, first, &packages).unwrap();
        assert!(foreign(target, first, &packages).is_empty());
        assert_eq!(foreign(target, second, &packages), [&packages[0], &packages[1]]);
        assert!(foreign(target, second, &[local("handlers", "other"), local("other", "")]).is_empty());
        take(target, second, &packages[..1]).unwrap();
        assert_eq!(foreign(target, second, &packages), [&packages[1]]);
        assert_eq!(foreign(target, first, &packages), [&packages[0]]);
    }
}
