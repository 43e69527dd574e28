//! Events of the file system, settled.
//!
//! Folders are watched one by one, not recursively: a plugin's folder may hold `node_modules` and `target`
//! with tens of thousands of folders, each of which would take a watch of the kernel's.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use luckystack_topology::IGNORED;
use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use crate::settle::{Settling, Step};

/// What happened since the last time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// These paths came to rest: written, renamed or removed.
    Paths(Vec<PathBuf>),
    /// Too much at once for the kernel to tell: look at everything.
    Everything,
}

/// Watches folders. Dropping it stops.
#[derive(Debug)]
pub struct Watch {
    watcher: RecommendedWatcher,
    events: mpsc::UnboundedReceiver<notify::Result<Event>>,
    settling: Settling,
    folders: BTreeSet<PathBuf>,
}

/// Why folders cannot be watched.
#[derive(Debug, thiserror::Error)]
#[error(
    "changes of files cannot be watched: {0}\n  help: the kernel's limit on watches may be too low: sysctl fs.inotify.max_user_watches, fs.inotify.max_user_instances"
)]
pub struct WatchError(#[from] notify::Error);

impl Watch {
    /// Starts with no folder.
    ///
    /// # Errors
    /// When the kernel gives no watch.
    pub fn start() -> Result<Self, WatchError> {
        let (send, events) = mpsc::unbounded_channel();
        let watcher = notify::recommended_watcher(move |event| {
            // The receiver is gone only when the watch is.
            let _ = send.send(event);
        })?;
        Ok(Self { watcher, events, settling: Settling::default(), folders: BTreeSet::new() })
    }

    /// Watches exactly these folders from now on. Those that do not exist are passed over.
    ///
    /// # Errors
    /// When the kernel's limit is reached; the folders before are watched.
    pub fn set(&mut self, folders: BTreeSet<PathBuf>) -> Result<(), WatchError> {
        for gone in self.folders.difference(&folders) {
            // It may have been removed, and its watch with it.
            let _ = self.watcher.unwatch(gone);
        }
        let mut watched: BTreeSet<PathBuf> = self.folders.intersection(&folders).cloned().collect();
        let mut failed = None;
        for folder in folders.difference(&self.folders) {
            if !folder.is_dir() {
                continue;
            }
            match self.watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    watched.insert(folder.clone());
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        self.folders = watched;
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Waits for the next changes. Safe to drop at any moment: nothing is lost.
    pub async fn next(&mut self) -> Seen {
        loop {
            let due = self.settling.due();
            let settled = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                event = self.events.recv() => match event {
                    Some(Ok(event)) if event.need_rescan() => return Seen::Everything,
                    Some(Ok(event)) => self.take(&event, Instant::now()),
                    Some(Err(error)) => tracing::warn!(%error, "a watch of the file system failed"),
                    // The watcher lives as long as this does.
                    None => std::future::pending().await,
                },
                () = settled => {
                    let paths = self.settling.take(Instant::now());
                    if !paths.is_empty() {
                        return Seen::Paths(paths);
                    }
                }
            }
        }
    }

    fn take(&mut self, event: &Event, now: Instant) {
        for (path, step) in steps(event) {
            // A folder that went away took its watch with it; should it come back, it is a new one.
            if step == Step::Gone && self.folders.remove(path) {
                let _ = self.watcher.unwatch(path);
            }
            if !is_noise(path) {
                self.settling.step(path, step, now);
            }
        }
    }
}

/// What an event means for each of its paths.
fn steps(event: &Event) -> impl Iterator<Item = (&Path, Step)> {
    event.paths.iter().enumerate().filter_map(|(n, path)| {
        let step = match event.kind {
            EventKind::Create(CreateKind::Folder) => Step::Whole,
            EventKind::Create(_) if is_link(path) => Step::Whole,
            EventKind::Create(_) => Step::Touched,
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => Step::Whole,
            EventKind::Modify(ModifyKind::Name(RenameMode::From)) => Step::Gone,
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Step::Whole,
            // Comes besides the two halves, which may come without it.
            EventKind::Modify(ModifyKind::Name(RenameMode::Both)) if n == 0 => Step::Gone,
            EventKind::Modify(ModifyKind::Name(_)) => Step::Whole,
            EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any) => Step::Touched,
            EventKind::Remove(_) => Step::Gone,
            _ => return None,
        };
        Some((path.as_path(), step))
    })
}

/// A name for content that is there already: nobody is going to write it, or to close it.
fn is_link(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    path.symlink_metadata().is_ok_and(|meta| meta.is_symlink() || (meta.is_file() && meta.nlink() > 1))
}

/// What no build reads: hidden and temporary files, and folders of tools.
fn is_noise(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    name.starts_with('.')
        || name.ends_with('~')
        || name.ends_with(".swp")
        || name.ends_with(".pyc")
        || IGNORED.contains(&name.as_ref())
}

/// A folder and those below it that sources may lie in.
#[must_use]
pub fn tree(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = folder.read_dir() else { continue };
        for entry in entries.flatten() {
            // Links are not followed: a circle of them would never end.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) && !is_noise(&entry.path()) {
                open.push(entry.path());
            }
        }
        found.insert(folder);
    }
    found
}
