//! Handler files of TypeScript, JavaScript and Python: what their names say (wire protocol §1.1), and the
//! text that a new one has.
//!
//! ```text
//! _api/getAll_v1.ts
//! _sync/move_server_v1.py   _sync/move_client_v1.py
//! _hooks/preApiExecute.ts
//! ```

use std::path::Path;

use luckystack_topology::{Language, Method, Prefix, validate_leaf_name, validate_service_name};

use super::error::FileRule;
use super::hooks::{HOOKS, nearest};
use super::target::{Kind, Target};
use super::template::fill;

/// Highest version that a manifest can say.
pub(super) const MAX_VERSION: u32 = 1_000_000;

/// What a handler file is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Handler {
    Route { kind: Kind, target: Target },
    Hook(String),
}

/// How a handler file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    TypeScript,
    JavaScript,
    Python,
}

impl Dialect {
    /// By the file's name; none for files that hold no handler, such as tests.
    pub(super) fn of(file: &Path) -> Option<Self> {
        let name = file.file_name()?.to_str()?;
        if Language::Python.owns(file) {
            // `__init__.py` and helpers that begin with `_` are Python's own.
            return (!name.starts_with(['_', '.'])).then_some(Self::Python);
        }
        if !Language::TypeScript.owns(file) || name.starts_with('.') {
            return None;
        }
        Some(if name.ends_with("ts") || name.ends_with("tsx") { Self::TypeScript } else { Self::JavaScript })
    }

    /// What the names of new files end with.
    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::TypeScript => "ts",
            Self::JavaScript => "js",
            Self::Python => "py",
        }
    }
}

impl Handler {
    /// Reads a file's name. `marker` is its folder's, `page` the service or the page below it that the
    /// folder belongs to. None for a folder whose files have no template.
    pub(super) fn read(marker: &str, stem: &str, page: &str) -> Result<Option<Self>, FileRule> {
        match marker {
            "_hooks" if HOOKS.contains(&stem) => Ok(Some(Self::Hook(stem.to_owned()))),
            "_hooks" => {
                Err(FileRule::NoHook { name: stem.to_owned(), nearest: nearest(stem).map(str::to_owned) })
            }
            "_api" => {
                let (name, version) = versioned("_api", stem)?;
                let target = target(page, name, version)?;
                Ok(Some(Self::Route { kind: Kind::Api, target }))
            }
            "_sync" => {
                let (rest, version) = versioned("_sync", stem)?;
                let halves = [("_server", Kind::SyncServer), ("_client", Kind::SyncClient)];
                let found = halves.iter().find_map(|(end, kind)| Some((rest.strip_suffix(end)?, *kind)));
                let Some((name, kind)) = found else {
                    return Err(FileRule::NoHalf { name: rest.to_owned(), version });
                };
                let target = target(page, name, version)?;
                Ok(Some(Self::Route { kind, target }))
            }
            _ => Ok(None),
        }
    }

    /// The text of a new file. `paired` is the name of the server half's file that a client half is for.
    pub(super) fn text(&self, dialect: Dialect, paired: Option<&str>) -> String {
        use Dialect::{JavaScript, Python, TypeScript};
        let (kind, target) = match self {
            Self::Route { kind, target } => (*kind, target),
            Self::Hook(hook) => {
                let template = match dialect {
                    TypeScript => include_str!("templates/ts_hook.ts.txt"),
                    JavaScript => include_str!("templates/js_hook.js.txt"),
                    Python => include_str!("templates/py_hook.py.txt"),
                };
                return fill(template, &[("hook", hook.as_str())]);
            }
        };
        let template = match (kind, dialect) {
            (Kind::Api, TypeScript) => include_str!("templates/ts_api.ts.txt"),
            (Kind::Api, JavaScript) => include_str!("templates/js_api.js.txt"),
            (Kind::Api, Python) => include_str!("templates/py_api.py.txt"),
            (Kind::SyncServer, TypeScript) => include_str!("templates/ts_sync_server.ts.txt"),
            (Kind::SyncServer, JavaScript) => include_str!("templates/js_sync_server.js.txt"),
            (Kind::SyncServer, Python) => include_str!("templates/py_sync_server.py.txt"),
            (Kind::SyncClient, TypeScript) if paired.is_some() => {
                include_str!("templates/ts_sync_client_paired.ts.txt")
            }
            (Kind::SyncClient, TypeScript) => include_str!("templates/ts_sync_client.ts.txt"),
            (Kind::SyncClient, JavaScript) => include_str!("templates/js_sync_client.js.txt"),
            (Kind::SyncClient, Python) => include_str!("templates/py_sync_client.py.txt"),
        };
        let prefix = if kind == Kind::Api { Prefix::Api } else { Prefix::Sync };
        let (route, method) = (target.full(prefix), Method::infer(&target.name));
        let values = [
            ("route", route.as_str()),
            ("method", method.as_str()),
            ("service", target.service.as_str()),
            ("server", paired.unwrap_or_default()),
        ];
        fill(template, &values)
    }
}

fn target(page: &str, name: &str, version: u32) -> Result<Target, FileRule> {
    let broken = |name: &str, what| {
        let name = name.to_owned();
        move |rule| FileRule::Name { name, what, rule }
    };
    validate_service_name(page).map_err(broken(page, "a page"))?;
    validate_leaf_name(name).map_err(broken(name, "a handler"))?;
    let service = page.split('/').next().unwrap_or(page).to_owned();
    Ok(Target { service, page: page.to_owned(), name: name.to_owned(), version })
}

/// `getAll_v1` → `getAll`, 1
fn versioned<'s>(marker: &'static str, stem: &'s str) -> Result<(&'s str, u32), FileRule> {
    let Some((name, digits)) = stem
        .rsplit_once("_v")
        .filter(|(_, digits)| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
    else {
        let expected = if marker == "_sync" { format!("{stem}_server_v1") } else { format!("{stem}_v1") };
        return Err(FileRule::NoVersion { marker, expected });
    };
    let version = digits.parse().ok().filter(|version| *version <= MAX_VERSION);
    // A name that is spelled in two ways would be two files for one route.
    let plain = digits.len() == 1 || !digits.starts_with('0');
    match version.filter(|_| plain) {
        Some(version) => Ok((name, version)),
        None => Err(FileRule::Version(format!("v{digits}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_name_says_its_route() {
        let read = |marker, stem| Handler::read(marker, stem, "vehicles/reports");
        let Ok(Some(Handler::Route { kind, target })) = read("_sync", "move_card_client_v12") else {
            panic!()
        };
        assert_eq!(
            (kind, target.full(Prefix::Sync).as_str()),
            (Kind::SyncClient, "sync/vehicles/reports/move_card/v12")
        );
        assert_eq!(read("_hooks", "preApiExecute").unwrap(), Some(Handler::Hook("preApiExecute".to_owned())));
        assert_eq!(read("_functions", "geo").unwrap(), None);
    }

    #[test]
    fn a_name_that_is_none_is_refused_with_its_rule() {
        let cases = [
            ("_api", "getAll", "ends with its version: `getAll_v1`"),
            ("_api", "getAll_vx", "ends with its version"),
            ("_api", "getAll_v01", "`v01` is no version"),
            ("_api", "getAll_v99999999999", "is no version"),
            ("_api", "1st_v1", "must begin with a letter"),
            ("_api", "get all_v1", "must begin with a letter and hold only"),
            ("_api", "_v1", "the name is empty"),
            ("_sync", "move", "`move_server_v1`"),
            ("_sync", "move_v2", "`move_server_v2` or `move_client_v2`"),
            ("_hooks", "preApiExcute", "did you mean `preApiExecute`?"),
            ("_hooks", "onFire", "is called as its hook is"),
        ];
        for (marker, stem, rule) in cases {
            let error = Handler::read(marker, stem, "vehicles").unwrap_err().to_string();
            assert!(error.contains(rule), "{marker}/{stem}: {error}");
        }
    }

    #[test]
    fn tests_and_helpers_are_no_handlers() {
        for name in
            ["a_v1.test.ts", "a_v1.d.ts", "test_a_v1.py", "__init__.py", "_helper.py", "a.txt", ".a_v1.ts"]
        {
            assert_eq!(Dialect::of(Path::new(name)), None, "{name}");
        }
        assert_eq!(Dialect::of(Path::new("a_v1.mts")), Some(Dialect::TypeScript));
        assert_eq!(Dialect::of(Path::new("a_v1.mjs")), Some(Dialect::JavaScript));
        assert_eq!(Dialect::of(Path::new("a_v1.py")), Some(Dialect::Python));
    }
}
