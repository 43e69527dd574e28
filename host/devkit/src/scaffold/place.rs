//! The folder that a handler goes to.
//!
//! The rule: a plugin that is there keeps the name of its component. A second language beside
//! TypeScript, Python or C sources would change it, so it gets a folder of its own, `_py` beside
//! `vehicles/_api`; only a cargo package, which brings its own name, shares its folder.

use std::path::{Path, PathBuf};

use luckystack_topology::{Language, PluginSource, SYSTEM, ServiceDir, Topology, discover};

use super::What;
use super::error::ScaffoldError;
use super::target::Target;

/// Where a handler goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The folder of the plugin's sources.
    pub(super) dir: PathBuf,
    /// Whether the plugin is there already.
    pub(super) exists: bool,
    /// Name of a new plugin, unique within the service.
    pub(super) plugin: String,
}

pub(super) fn find(
    topology: &Topology,
    target: &Target,
    what: What,
    language: Language,
) -> Result<Place, ScaffoldError> {
    let plugins = &topology.project.paths.plugins;
    let service = target.service.as_str();
    let is_system = service == SYSTEM;
    let dir = if is_system { plugins.clone() } else { plugins.join(service) };
    let occupied = dir.symlink_metadata().is_ok()
        && !std::fs::read_dir(&dir).is_ok_and(|mut entries| entries.next().is_none());
    if what == What::Service {
        if occupied {
            return Err(ScaffoldError::ServiceExists { service: service.to_owned(), dir, language });
        }
        return Ok(Place { dir, exists: false, plugin: service.to_owned() });
    }
    if !is_system && !dir.is_dir() {
        return Err(ScaffoldError::NoService {
            service: service.to_owned(),
            plugins: plugins.clone(),
            language,
        });
    }
    let (services, _) = discover(topology);
    let found = services.into_iter().find(|found| found.service == service);
    choose(&dir, target, language, found.as_ref())
}

fn choose(
    dir: &Path,
    target: &Target,
    language: Language,
    found: Option<&ServiceDir>,
) -> Result<Place, ScaffoldError> {
    let service = target.service.as_str();
    let sources: &[PluginSource] = found.map_or(&[], |found| &found.sources);
    let same: Vec<&PluginSource> = sources.iter().filter(|source| source.language == language).collect();
    let own = same.iter().find(|source| source.dir == dir);
    match (&same[..], own) {
        ([only], _) | (_, Some(only)) => {
            return Ok(Place { dir: only.dir.clone(), exists: true, plugin: only.name.clone() });
        }
        ([], None) => {}
        _ => {
            return Err(ScaffoldError::SeveralPlugins {
                service: service.to_owned(),
                language,
                dirs: same.iter().map(|source| source.dir.clone()).collect(),
            });
        }
    }
    let beside: Vec<Language> =
        sources.iter().filter(|source| source.dir == dir).map(|source| source.language).collect();
    let scripts = matches!(language, Language::TypeScript | Language::Python);
    let shares = if scripts {
        beside.iter().all(|other| *other == Language::Rust)
    } else {
        beside.is_empty() && service != SYSTEM
    };
    let plugin = if beside.is_empty() { service.to_owned() } else { format!("{service}-{}", language.key()) };
    // A component of that name which nothing here builds would be overwritten.
    let taken = found.is_some_and(|found| {
        found.components.iter().any(|path| path.file_stem().is_some_and(|stem| *stem == *plugin))
    });
    if shares && !taken {
        return Ok(Place { dir: dir.to_owned(), exists: false, plugin });
    }
    Ok(Place {
        dir: dir.join(format!("_{}", language.key())),
        exists: false,
        plugin: format!("{service}-{}", language.key()),
    })
}
