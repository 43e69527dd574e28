//! Reads the disk: configuration files and the folders of services. The only module that does.
//!
//! The rule: what cannot be read is a finding and not the end; nothing here decides what a file
//! means.

mod discover;
mod language;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

pub use discover::{DiskService, PluginSource, ServiceDir, discover, discover_folder, discover_functions};
pub use language::{IGNORED, Language, MARKERS};

use crate::document::{MAX_FILE_BYTES, too_large};
use crate::finding::{Finding, Place, sort};
use crate::overrides::Overrides;
use crate::topology::{Loaded, SourceFile, parse};

/// Reads and parses a configuration directory: `project.toml`, `deploy.toml` and the presets.
/// Never panics, and collects every finding; a missing `project.toml` or `deploy.toml` is fine.
#[must_use]
pub fn load(config_dir: &Path, overrides: &Overrides) -> Loaded {
    let mut findings = Vec::new();
    let entries = match list(config_dir) {
        Ok(entries) => entries,
        Err(error) => {
            let (code, message, remedy) = if error.kind() == io::ErrorKind::NotFound {
                (
                    "config-dir-missing",
                    "the configuration directory does not exist".to_owned(),
                    "create it with a preset in it, or name the right one with --config",
                )
            } else {
                (
                    "unreadable-directory",
                    format!("the configuration directory cannot be read: {error}"),
                    "check that it is a directory and that this user may read it",
                )
            };
            let finding = Place::whole(config_dir).error(code, message, remedy);
            return Loaded { topology: None, findings: vec![finding] };
        }
    };

    let mut files = Vec::new();
    let mut unreadable = false;
    for path in entries {
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden || path.extension() != Some(OsStr::new("toml")) {
            continue;
        }
        match read(&path) {
            Ok(bytes) => files.push(SourceFile { path, bytes }),
            Err(finding) => {
                unreadable = true;
                findings.push(*finding);
            }
        }
    }
    let mut loaded = parse(config_dir, &files, overrides);
    if unreadable {
        // The file that cannot be read may be the preset that is missed.
        loaded.findings.retain(|finding| finding.code != "no-presets");
        if let Some(topology) = &mut loaded.topology {
            topology.incomplete = true;
        }
    }
    loaded.findings.append(&mut findings);
    sort(&mut loaded.findings);
    loaded
}

/// The entries of a directory, by name.
fn list(dir: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    let mut paths =
        fs::read_dir(dir)?.map(|entry| Ok(dir.join(entry?.file_name()))).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// A file's bytes, never more than a configuration can have.
fn read(path: &Path) -> Result<Vec<u8>, Box<Finding>> {
    let unreadable = |reason: String| {
        Box::new(Place::whole(path).error(
            "unreadable-file",
            format!("the file cannot be read: {reason}"),
            "check that it is a file and that this user may read it",
        ))
    };
    let metadata = fs::metadata(path).map_err(|error| unreadable(error.to_string()))?;
    // Opening a pipe would wait for its writer.
    if !metadata.is_file() {
        return Err(unreadable("it is not a file".to_owned()));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() as u64 > MAX_FILE_BYTES { Err(Box::new(too_large(path))) } else { Ok(bytes) }
}
