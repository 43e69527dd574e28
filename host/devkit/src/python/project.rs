//! What a plugin's `pyproject.toml` and `requirements.txt` say of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::BuildError;

/// The files that say it; neither has to exist.
pub(super) const FILES: [&str; 2] = ["pyproject.toml", "requirements.txt"];

/// What they say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Project {
    pub(super) version: Option<String>,
    pub(super) description: Option<String>,
    /// Requirements, one a line.
    pub(super) dependencies: Vec<String>,
    /// The `requirements.txt`.
    pub(super) requirements: Option<PathBuf>,
    /// Everything that was read.
    pub(super) files: Vec<PathBuf>,
    /// The text of all `requirements.txt` files.
    pub(super) text: String,
}

#[derive(Deserialize)]
struct Document {
    project: Option<Table>,
}

#[derive(Deserialize)]
struct Table {
    version: Option<String>,
    description: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

impl Project {
    /// Reads them, and the files that a `requirements.txt` includes.
    pub(super) fn read(plugin: &str, dir: &Path) -> Result<Self, BuildError> {
        let [manifest, requirements] = FILES.map(|name| dir.join(name));
        let mut project = Self::default();
        if let Some(text) = read_optional(plugin, &manifest)? {
            let document: Document = toml::from_str(&text).map_err(|error| BuildError::Manifest {
                manifest: manifest.clone(),
                problem: error.to_string(),
            })?;
            if let Some(table) = document.project {
                project.version = table.version;
                project.description = table.description;
                // The SDK is always there, of the host's own version.
                let is_sdk = |line: &String| name_of(line) == "luckystack";
                project.dependencies = table.dependencies.into_iter().filter(|line| !is_sdk(line)).collect();
            }
            project.files.push(manifest);
        }
        if let Some(text) = read_optional(plugin, &requirements)? {
            project.include(plugin, &requirements, text)?;
            project.requirements = Some(requirements);
        }
        Ok(project)
    }

    fn include(&mut self, plugin: &str, path: &Path, text: String) -> Result<(), BuildError> {
        self.files.push(path.to_owned());
        let folder = path.parent().unwrap_or(Path::new("."));
        for line in text.lines() {
            let included = ["-r", "--requirement", "-c", "--constraint"].iter().find_map(|option| {
                line.trim()
                    .strip_prefix(option)?
                    .strip_prefix([' ', '='])
                    .map(|name| folder.join(name.trim()))
            });
            if let Some(included) = included
                && !self.files.contains(&included)
            {
                // Pip explains a file that is not there.
                if let Some(text) = read_optional(plugin, &included)? {
                    self.include(plugin, &included, text)?;
                }
            }
        }
        self.text.push_str(&text);
        Ok(())
    }

    /// Whether it asks for packages.
    pub(super) fn needs_packages(&self) -> bool {
        let is_requirement = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
        !self.dependencies.is_empty() || self.text.lines().any(is_requirement)
    }
}

/// The name in a requirement such as `humanize >= 4; python_version > "3"`.
fn name_of(requirement: &str) -> String {
    let end = requirement.find(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c));
    requirement[..end.unwrap_or(requirement.len())].to_ascii_lowercase()
}

fn read_optional(plugin: &str, path: &Path) -> Result<Option<String>, BuildError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(BuildError::io(plugin, "read", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_come_from_both_files_and_from_those_that_they_include() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!Project::read("p", dir.path()).unwrap().needs_packages());
        let save = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        save(
            "pyproject.toml",
            "[project]\nname = \"p\"\nversion = \"1.2.0\"\ndependencies = [\"luckystack>=0.1\", \"humanize\"]\n",
        );
        save("requirements.txt", "# none\n-r more.txt\n");
        save("more.txt", "tzdata\n");
        let project = Project::read("p", dir.path()).unwrap();
        assert!(project.needs_packages());
        assert_eq!(project.version.as_deref(), Some("1.2.0"));
        assert_eq!(project.dependencies, ["humanize"]);
        let names = ["pyproject.toml", "requirements.txt", "more.txt"].map(|name| dir.path().join(name));
        assert_eq!(project.files, names);
    }

    #[test]
    fn a_broken_pyproject_is_named_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("pyproject.toml"), "[project]\nversion = 1\n").unwrap();
        let error = Project::read("p", dir.path()).unwrap_err().to_string();
        assert!(error.contains("pyproject.toml: ") && error.contains("line 2"), "{error}");
    }
}
