//! Files to make and files to change, all of them or none.
//!
//! The rules: no existing file is ever overwritten, and a change that fails halfway is taken back.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::ScaffoldError;

/// What is going to be written.
#[derive(Debug, Default)]
pub(super) struct Changes {
    new: Vec<(PathBuf, String)>,
    edits: Vec<Edit>,
}

#[derive(Debug)]
struct Edit {
    file: PathBuf,
    before: String,
    after: String,
}

impl Changes {
    /// A file that must not exist yet.
    pub(super) fn create(&mut self, file: PathBuf, text: String) -> Result<(), ScaffoldError> {
        if file.symlink_metadata().is_ok() {
            return Err(ScaffoldError::Exists(file));
        }
        self.new.push((file, text));
        Ok(())
    }

    /// A file that is made only where there is none, such as a `package.json`.
    pub(super) fn create_if_missing(&mut self, file: PathBuf, text: String) {
        if file.symlink_metadata().is_err() {
            self.new.push((file, text));
        }
    }

    /// Changes the text of a file; `change` answers with the new text. A second change of the same file
    /// sees the first.
    pub(super) fn edit(
        &mut self,
        file: &Path,
        change: impl FnOnce(&str) -> Result<String, ScaffoldError>,
    ) -> Result<(), ScaffoldError> {
        if let Some((_, text)) = self.new.iter_mut().find(|(made, _)| made == file) {
            *text = change(text)?;
            return Ok(());
        }
        if let Some(edit) = self.edits.iter_mut().find(|edit| edit.file == file) {
            edit.after = change(&edit.after)?;
            return Ok(());
        }
        let before = fs::read_to_string(file).map_err(ScaffoldError::io("read", file))?;
        let after = change(&before)?;
        self.edits.push(Edit { file: file.to_owned(), before, after });
        Ok(())
    }

    /// Writes everything, and answers with the files made and the files changed. After a failure
    /// everything is as it was.
    pub(super) fn write(self) -> Result<(Vec<PathBuf>, Vec<PathBuf>), ScaffoldError> {
        let mut undo = Undo::default();
        for (file, text) in &self.new {
            undo.make_folder(file.parent().unwrap_or(Path::new(".")))?;
            let mut made = match fs::File::create_new(file) {
                Ok(made) => made,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    return Err(ScaffoldError::Exists(file.clone()));
                }
                Err(error) => return Err(ScaffoldError::io("create", file)(error)),
            };
            undo.files.push(file.clone());
            made.write_all(text.as_bytes()).map_err(ScaffoldError::io("write", file))?;
        }
        for edit in &self.edits {
            replace(&edit.file, &edit.before, &edit.after)?;
            undo.edits.push((edit.file.clone(), edit.before.clone(), edit.after.clone()));
        }
        undo.keep();
        Ok((
            self.new.into_iter().map(|(file, _)| file).collect(),
            self.edits.into_iter().map(|edit| edit.file).collect(),
        ))
    }
}

/// Puts `after` in the place of `before`, atomically; refused when the file says something else by now.
pub(super) fn replace(file: &Path, before: &str, after: &str) -> Result<(), ScaffoldError> {
    let changed = || io::Error::other("the file was changed meanwhile; try again");
    // Through a link, so that the link stays one.
    let place = fs::canonicalize(file).map_err(ScaffoldError::io("read", file))?;
    let write = || -> io::Result<()> {
        let dir = place.parent().unwrap_or(Path::new("."));
        let permissions = fs::metadata(&place)?.permissions();
        let mut made = tempfile::Builder::new().prefix(".saving-").suffix(".tmp").tempfile_in(dir)?;
        made.write_all(after.as_bytes())?;
        made.as_file().set_permissions(permissions)?;
        if fs::read(&place)? != before.as_bytes() {
            return Err(changed());
        }
        made.persist(&place).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(ScaffoldError::io("write", file))
}

/// Takes back what was done, unless told to keep it.
#[derive(Default)]
struct Undo {
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
    edits: Vec<(PathBuf, String, String)>,
}

impl Undo {
    fn make_folder(&mut self, folder: &Path) -> Result<(), ScaffoldError> {
        let missing: Vec<PathBuf> = folder
            .ancestors()
            .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
            .map(Path::to_owned)
            .collect();
        fs::create_dir_all(folder).map_err(ScaffoldError::io("create", folder))?;
        self.folders.extend(missing.into_iter().rev());
        Ok(())
    }

    fn keep(mut self) {
        self.folders.clear();
        self.files.clear();
        self.edits.clear();
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        for (file, before, after) in self.edits.drain(..).rev() {
            if let Err(error) = replace(&file, &after, &before) {
                tracing::warn!("{error}");
            }
        }
        for file in self.files.drain(..).rev() {
            let _ = fs::remove_file(file);
        }
        // Those that hold something by now stay.
        for folder in self.folders.drain(..).rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}
