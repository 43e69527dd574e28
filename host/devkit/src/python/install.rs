//! The toolchain: a virtual environment of the host's own, with componentize-py in it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::COMPONENTIZE;
use crate::error::{Attempt, MissingToolchain};
use crate::install::{Step, is_debian, is_root, on_path, path, run, toolchains};
use crate::progress::Progress;

/// What the error calls the missing thing.
const MISSING: &str = "Python 3.10 or later with its module venv, and componentize-py";

/// Programs that may be a Python, newest first: its messages are the best.
const NAMES: [&str; 6] = ["python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python3"];

/// Prints where it is when it can be used.
const PROBE: &str = "import sys\n\
    version = '%d.%d' % sys.version_info[:2]\n\
    if sys.version_info < (3, 10): sys.exit('it is Python ' + version + '; 3.10 is the oldest that works')\n\
    try: import ensurepip, venv\n\
    except ImportError: sys.exit('its modules venv and ensurepip are not installed')\n\
    print(sys.executable)";

/// What it takes to build Python plugins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PythonToolchain {
    /// The virtual environment.
    environment: PathBuf,
}

impl PythonToolchain {
    /// Looks for the virtual environment that [`Self::find_or_install`] makes, without changing anything.
    ///
    /// # Errors
    /// When there is none; the error says what was looked at and which commands install one.
    pub async fn find() -> Result<Self, MissingToolchain> {
        let environment = place();
        match look(&environment) {
            Ok(()) => Ok(Self { environment }),
            Err(result) => {
                let mut tried = vec![Attempt { what: environment.display().to_string(), result }];
                let base = base(&mut tried).await;
                Err(missing(&environment, base.as_deref(), tried))
            }
        }
    }

    /// Looks for a toolchain and installs what is missing: Python's own packages as root on Debian, then a
    /// virtual environment in the host's own folder.
    ///
    /// # Errors
    /// When there is none afterwards; the error holds everything that was tried.
    pub async fn find_or_install(progress: &dyn Progress) -> Result<Self, MissingToolchain> {
        let environment = place();
        if look(&environment).is_ok() {
            return Ok(Self { environment });
        }
        let mut tried = Vec::new();
        // A virtual environment knows its own path and cannot be made elsewhere: one process at a time.
        let _alone = match alone(&environment).await {
            Ok(lock) => lock,
            Err(error) => {
                tried.push(Attempt { what: environment.display().to_string(), result: error.to_string() });
                return Err(missing(&environment, None, tried));
            }
        };
        if look(&environment).is_ok() {
            return Ok(Self { environment });
        }
        let mut found = base(&mut tried).await;
        if found.is_none() && is_debian(&path()) {
            if is_root() {
                for step in Step::debian(&debian()) {
                    tried.extend(run(&step, progress).await);
                }
                found = base(&mut tried).await;
            } else {
                let result = "not run: it needs root".to_owned();
                tried.push(Attempt { what: "apt-get install".to_owned(), result });
            }
        }
        let Some(python) = found else { return Err(missing(&environment, None, tried)) };
        for step in steps(&python, &environment) {
            if let Some(failed) = run(&step, progress).await {
                tried.push(failed);
                return Err(missing(&environment, Some(&python), tried));
            }
        }
        match look(&environment) {
            Ok(()) => Ok(Self { environment }),
            Err(result) => {
                tried.push(Attempt { what: environment.display().to_string(), result });
                Err(missing(&environment, Some(&python), tried))
            }
        }
    }

    /// Its Python.
    pub(crate) fn python(&self) -> PathBuf {
        python_in(&self.environment)
    }

    /// Its componentize-py.
    pub(crate) fn componentize(&self) -> PathBuf {
        self.environment.join("bin").join("componentize-py")
    }
}

/// The folder of the virtual environment.
fn place() -> PathBuf {
    toolchains().join(format!("py-componentize-{COMPONENTIZE}"))
}

fn python_in(environment: &Path) -> PathBuf {
    environment.join("bin").join("python")
}

/// Whether the environment is whole; what is missing otherwise. Starts no program.
fn look(environment: &Path) -> Result<(), String> {
    if !environment.is_dir() {
        return Err("not there".to_owned());
    }
    // A link to the Python that it was made with, which may be gone since.
    if !python_in(environment).is_file() {
        return Err("its Python is gone".to_owned());
    }
    // The record is the last file of a package that pip writes.
    let record = format!("site-packages/componentize_py-{COMPONENTIZE}.dist-info/RECORD");
    let versions = fs::read_dir(environment.join("lib")).into_iter().flatten().flatten();
    let has_package = versions.map(|version| version.path().join(&record)).any(|file| file.is_file());
    match has_package && environment.join("bin").join("componentize-py").is_file() {
        true => Ok(()),
        false => Err(format!("componentize-py {COMPONENTIZE} is not in it")),
    }
}

/// A lock that other processes respect. It ends when the file is dropped.
async fn alone(environment: &Path) -> std::io::Result<File> {
    let lock = environment.with_file_name(format!("py-componentize-{COMPONENTIZE}.lock"));
    tokio::task::spawn_blocking(move || {
        fs::create_dir_all(lock.parent().unwrap_or(Path::new(".")))?;
        let file = File::create(lock)?;
        file.lock().map(|()| file)
    })
    .await
    .map_err(std::io::Error::other)?
}

/// A Python to make the environment with; those that do not fit are added to `tried`.
async fn base(tried: &mut Vec<Attempt>) -> Option<PathBuf> {
    let folders = path();
    let candidates: Vec<PathBuf> = NAMES.iter().filter_map(|name| on_path(&folders, name)).collect();
    if candidates.is_empty() {
        tried.push(Attempt { what: "python3".to_owned(), result: "not on the PATH".to_owned() });
    }
    for candidate in candidates {
        let mut command = Command::new(&candidate);
        command.args(["-I", "-c", PROBE]).kill_on_drop(true);
        let result = match command.output().await {
            Ok(output) if output.status.success() => {
                return Some(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
            }
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        tried.push(Attempt { what: candidate.display().to_string(), result });
    }
    None
}

/// The commands that make the environment.
fn steps(python: &Path, environment: &Path) -> [Step; 2] {
    let (python, environment_text) = (python.display().to_string(), environment.display().to_string());
    let package = format!("componentize-py=={COMPONENTIZE}");
    let pip = ["-m", "pip", "install", "--disable-pip-version-check", "--no-input", &package];
    [
        Step::new(python, &["-m", "venv", "--clear", &environment_text]),
        Step::new(python_in(environment).display().to_string(), &pip),
    ]
}

fn debian() -> [String; 2] {
    ["python3".to_owned(), "python3-venv".to_owned()]
}

/// The error, with the commands that help here.
fn missing(environment: &Path, python: Option<&Path>, tried: Vec<Attempt>) -> MissingToolchain {
    let mut install = Vec::new();
    if let Some(python) = python {
        install.push(steps(python, environment).map(|step| step.to_string()).join(" && "));
    } else {
        if is_debian(&path()) {
            install.push(Step::debian(&debian()).map(|step| format!("sudo {step}")).join(" && "));
        }
        install.push("install Python 3.10 or later (https://www.python.org/downloads/)".to_owned());
    }
    MissingToolchain { missing: MISSING, tried, install }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_counts_when_its_python_and_the_pinned_componentize_py_are_there() {
        let dir = tempfile::tempdir().unwrap();
        let environment = dir.path().join("env");
        assert_eq!(look(&environment).unwrap_err(), "not there");
        let put = |path: String| {
            let path = environment.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        };
        put("bin/componentize-py".to_owned());
        assert_eq!(look(&environment).unwrap_err(), "its Python is gone");
        put("bin/python".to_owned());
        put("lib/python3.11/site-packages/componentize_py-0.1.0.dist-info/RECORD".to_owned());
        assert_eq!(look(&environment).unwrap_err(), format!("componentize-py {COMPONENTIZE} is not in it"));
        put(format!("lib/python3.11/site-packages/componentize_py-{COMPONENTIZE}.dist-info/RECORD"));
        assert_eq!(look(&environment), Ok(()));
    }

    #[test]
    fn without_any_python_the_error_says_how_to_get_one() {
        let error = missing(Path::new("/somewhere"), None, Vec::new());
        assert!(error.to_string().contains("install Python 3.10 or later"), "{error}");
        let error = missing(Path::new("/somewhere"), Some(Path::new("/usr/bin/python3")), Vec::new());
        assert!(error.to_string().contains("/usr/bin/python3 -m venv --clear /somewhere && "), "{error}");
    }
}
