//! From the compiler's core module to a component in its place: encoded, validated, written atomically.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use wit_component::ComponentEncoder;

use crate::error::BuildError;
use crate::freshness::Record;
use crate::language::BuildRequest;

/// Makes a component of a core module that carries its world in a custom section (as wit-bindgen's
/// output does), and validates it.
pub(crate) fn encode(module: &[u8]) -> Result<Vec<u8>, String> {
    ComponentEncoder::default()
        .module(module)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|error| format!("{error:#}"))
}

/// Puts `bytes` at `path`, so that a reader sees the old file or the new one and nothing between.
///
/// `modified` becomes the file's modification time: the moment the build *began*, so that a source
/// saved while it ran is newer than the component. Returns whether the bytes differ from the old ones;
/// the same bytes are not written again, which spares a watcher a swap for nothing.
pub(crate) fn write(path: &Path, bytes: &[u8], modified: SystemTime) -> io::Result<bool> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        File::options().write(true).open(path)?.set_modified(modified)?;
        return Ok(false);
    }
    let dir = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    // A name that no folder scan takes for a component, readable as the umask says.
    let mut file = tempfile::Builder::new()
        .prefix(".building-")
        .suffix(".tmp")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(dir)?;
    file.write_all(bytes)?;
    file.as_file().set_modified(modified)?;
    file.as_file().sync_data()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(true)
}

/// The last step of a build: puts the component in its place and keeps the list of what went into it.
/// `inputs` are existing files; `began` is [`crate::freshness::now_on_disk`] before any of them was read.
pub(crate) fn install(
    request: &BuildRequest,
    bytes: &[u8],
    began: SystemTime,
    inputs: Vec<PathBuf>,
) -> Result<(PathBuf, bool), BuildError> {
    let path = request.component()?;
    let changed = write(&path, bytes, began).map_err(BuildError::io(&request.name, "write", &path))?;
    Record::new(request.language, inputs, None).write(request).map_err(BuildError::io(
        &request.name,
        "keep the list of inputs in",
        &request.target_dir,
    ))?;
    Ok((path, changed))
}
