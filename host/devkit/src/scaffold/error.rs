//! Why nothing was scaffolded, each with what to do instead.

use std::fmt;
use std::io;
use std::path::PathBuf;

use luckystack_topology::{Language, NameError, UnknownPreset};

/// Why a file was not made. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScaffoldError {
    /// A name breaks a rule.
    #[error("`{name}` cannot be the name of {what}: {rule}")]
    Name {
        /// The name.
        name: String,
        /// What it was to name, such as `a service`.
        what: &'static str,
        /// The rule that it breaks.
        rule: NameError,
    },

    /// The parts of a name do not fit the command.
    #[error("`{name}`: {problem}")]
    Target {
        /// The name.
        name: String,
        /// What does not fit, and what to write instead.
        problem: String,
    },

    /// A handler file whose name says no route or hook.
    #[error("{}: {rule}", file.display())]
    FileName {
        /// The file.
        file: PathBuf,
        /// The rule that its name breaks.
        rule: FileRule,
    },

    /// There is no such service.
    #[error(
        "there is no service `{service}` in {}; make it with\n    luckystack-host new service {service} --lang {}",
        plugins.display(), language.key()
    )]
    NoService {
        /// Its name.
        service: String,
        /// The folder of plugins.
        plugins: PathBuf,
        /// The language that was asked for.
        language: Language,
    },

    /// The service is there already.
    #[error(
        "the service `{service}` exists: {}; add a handler to it with\n    luckystack-host new api {service}/NAME --lang {}",
        dir.display(), language.key()
    )]
    ServiceExists {
        /// Its name.
        service: String,
        /// Its folder.
        dir: PathBuf,
        /// The language that was asked for.
        language: Language,
    },

    /// The service has several plugins in the language, and a handler could go to any.
    #[error(
        "`{service}` has {} plugins in {language}: {}; write the handler in the one that you mean",
        dirs.len(), Listed(dirs)
    )]
    SeveralPlugins {
        /// The service.
        service: String,
        /// The language.
        language: Language,
        /// Their folders.
        dirs: Vec<PathBuf>,
    },

    /// A file that would be made is there already.
    #[error("{} exists and is not overwritten; choose another name or version, or remove it", .0.display())]
    Exists(PathBuf),

    /// The place in a file where something must be added was not found.
    #[error("{}: {problem}", file.display())]
    NoPlace {
        /// The file.
        file: PathBuf,
        /// What was looked for, and what to write by hand.
        problem: String,
    },

    /// A preset was named that does not exist.
    #[error(transparent)]
    Preset(#[from] UnknownPreset),

    /// A file or folder could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was being done, such as `write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// The rule that a handler file's name breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileRule {
    /// No version at the end.
    #[error("a file in `{marker}` ends with its version: `{expected}`")]
    NoVersion {
        /// The folder's name.
        marker: &'static str,
        /// What the name could be.
        expected: String,
    },
    /// A version that no manifest can say.
    #[error("`{0}` is no version: it is `v` and a number from 0 to 1000000")]
    Version(String),
    /// Neither half of a sync route.
    #[error(
        "a file in `_sync` says which half it is: `{name}_server_v{version}` or `{name}_client_v{version}`"
    )]
    NoHalf {
        /// What stands before the version.
        name: String,
        /// The version.
        version: u32,
    },
    /// The leaf or the page is no name.
    #[error("`{name}` cannot be the name of {what}: {rule}")]
    Name {
        /// The name.
        name: String,
        /// What it names.
        what: &'static str,
        /// The rule that it breaks.
        rule: NameError,
    },
    /// The framework has no such hook.
    #[error("there is no hook `{name}`{}", hint(nearest.as_deref()))]
    NoHook {
        /// The name.
        name: String,
        /// The hook that was probably meant.
        nearest: Option<String>,
    },
}

fn hint(nearest: Option<&str>) -> String {
    match nearest {
        Some(hook) => format!("; did you mean `{hook}`?"),
        None => "; a file in `_hooks` is called as its hook is, such as `preApiExecute`".to_owned(),
    }
}

struct Listed<'a>(&'a [PathBuf]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths: Vec<String> = self.0.iter().map(|path| path.display().to_string()).collect();
        f.write_str(&paths.join(", "))
    }
}

impl ScaffoldError {
    /// The failure of a file operation, for `map_err`.
    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
