//! Whether a component still says what its sources say.
//!
//! After a build, the exact list of its inputs (the compiler's own dependency information, which knows
//! path dependencies and included files too) is kept in a *record* beside the intermediate results.
//! A component is fresh when none of these inputs is as new as the moment its build began. The rule:
//! when in doubt, stale; building once too often costs seconds, serving old code costs trust.
//!
//! Reading a record and the times of a few dozen files takes well under a millisecond and starts no
//! process, so that every plugin can be looked at on every start.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::language::{self, BuildRequest, Language};

/// The state of a component in relation to its sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Freshness {
    /// There is no component.
    Missing,
    /// There is one, but it does not stand for the sources.
    Stale(Staleness),
    /// Building would yield the same component.
    Fresh,
}

/// Why a component does not stand for its sources.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Staleness {
    /// It was not built here, or what was known of its build is gone.
    Unknown,
    /// It was built with other settings, by another version of the host.
    Settings,
    /// This input is as new as the component or newer.
    Changed(PathBuf),
    /// This input is gone.
    Gone(PathBuf),
}

/// What is known of the last successful build of one source folder.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The settings it was built with.
    settings: String,
    /// Every file that went into it.
    inputs: Vec<PathBuf>,
    /// The lock file and the hash of its content: tools rewrite it while they build, so its time says
    /// nothing.
    lock: Option<(PathBuf, String)>,
}

/// Tells whether `component` stands for the sources of `request`.
///
/// # Errors
/// When the source folder itself cannot be read.
pub fn freshness(request: &BuildRequest, component: &Path) -> io::Result<Freshness> {
    // A missing source folder is a mistake of the caller, not a stale component.
    let dir = fs::canonicalize(&request.dir)?;
    let built = match fs::metadata(component).and_then(|meta| meta.modified()) {
        Ok(built) => built,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Freshness::Missing),
        Err(error) => return Err(error),
    };
    let Some(record) = Record::read(request, &dir) else {
        return Ok(Freshness::Stale(Staleness::Unknown));
    };
    Ok(match record.staleness(request, built) {
        Some(staleness) => Freshness::Stale(staleness),
        None => Freshness::Fresh,
    })
}

impl Record {
    /// A record of a build that read `inputs` and whose dependencies `lock` fixes.
    pub(crate) fn new(language: Language, inputs: Vec<PathBuf>, lock: Option<PathBuf>) -> Self {
        let lock = lock.and_then(|path| hash(&path).ok().map(|hash| (path, hash)));
        Self { settings: language::settings(language), inputs, lock }
    }

    /// Keeps the record of a request's build.
    pub(crate) fn write(&self, request: &BuildRequest) -> io::Result<()> {
        let target_dir = &request.target_dir;
        let path = record_path(target_dir, &fs::canonicalize(&request.dir)?, request.language);
        let text = serde_json::to_vec(self)?;
        fs::create_dir_all(records(target_dir))?;
        let mut file = tempfile::NamedTempFile::new_in(records(target_dir))?;
        io::Write::write_all(&mut file, &text)?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// A damaged or unreadable record is none.
    fn read(request: &BuildRequest, dir: &Path) -> Option<Self> {
        let text = fs::read(record_path(&request.target_dir, dir, request.language)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    fn staleness(&self, request: &BuildRequest, built: SystemTime) -> Option<Staleness> {
        if self.settings != language::settings(request.language) {
            return Some(Staleness::Settings);
        }
        if let Some((path, known)) = &self.lock {
            match hash(path) {
                Ok(found) if found == *known => {}
                Ok(_) => return Some(Staleness::Changed(path.clone())),
                Err(_) => return Some(Staleness::Gone(path.clone())),
            }
        }
        // Files that count as soon as they appear, although the last build did not know them.
        let appeared = language::own_files(request).into_iter().filter(|path| path.exists());
        for path in self.inputs.iter().cloned().chain(appeared) {
            match fs::metadata(&path).and_then(|meta| meta.modified()) {
                Ok(modified) if modified < built => {}
                Ok(_) => return Some(Staleness::Changed(path)),
                Err(_) => return Some(Staleness::Gone(path)),
            }
        }
        None
    }
}

/// The present moment on the clock of the file system that holds `target_dir`. The operating system
/// stamps files with a coarser clock than the one programs read; comparing both would miss a source
/// saved within the same tick.
pub(crate) fn now_on_disk(target_dir: &Path) -> io::Result<SystemTime> {
    fs::create_dir_all(records(target_dir))?;
    tempfile::NamedTempFile::new_in(records(target_dir))?.as_file().metadata()?.modified()
}

fn records(target_dir: &Path) -> PathBuf {
    target_dir.join("luckystack")
}

/// The files that went into the last successful build of a request, as far as one is known.
pub fn inputs(request: &BuildRequest) -> Vec<PathBuf> {
    let dir = fs::canonicalize(&request.dir).unwrap_or_else(|_| request.dir.clone());
    Record::read(request, &dir).map(|record| record.inputs).unwrap_or_default()
}

/// The folder's path is part of the name: packages of different services may share a name. So is the
/// language: a folder may hold several.
fn record_path(target_dir: &Path, dir: &Path, language: Language) -> PathBuf {
    let digest = Sha256::digest(dir.as_os_str().as_encoded_bytes());
    let short: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    records(target_dir).join(format!("{name}-{}-{short}.json", language.key()))
}

fn hash(path: &Path) -> io::Result<String> {
    Ok(Sha256::digest(fs::read(path)?).iter().map(|byte| format!("{byte:02x}")).collect())
}

impl fmt::Display for Staleness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("it was not built here from these sources"),
            Self::Settings => f.write_str("the host's build settings changed"),
            Self::Changed(path) => write!(f, "{} changed", path.display()),
            Self::Gone(path) => write!(f, "{} is gone", path.display()),
        }
    }
}
