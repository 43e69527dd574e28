//! The topology: every configuration file together, and the questions that a host asks of it.
//!
//! The rule: parsing never stops at a mistake. Whatever could be read is there, whatever could not
//! has its default and a finding; a host starts only when there is no error among the findings.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::deploy::Deploy;
use crate::document::{self, Table};
use crate::finding::{Finding, Place, sort};
use crate::overrides::Overrides;
use crate::preset::{self, Preset};
use crate::project::ProjectConfig;
use crate::settings::ServiceSettings;
use crate::suggest;

/// Everything that the configuration directory says.
#[derive(Debug, Clone)]
pub struct Topology {
    /// `project.toml` with its overrides.
    pub project: ProjectConfig,
    /// The presets by key.
    pub presets: BTreeMap<String, Preset>,
    /// `deploy.toml`, if there is one.
    pub deploy: Option<Deploy>,
    /// The configuration directory.
    pub config_dir: PathBuf,
    /// Its parent: relative paths of the configuration start here.
    pub root: PathBuf,
    /// There is no preset or one could not be read, so what no preset names is unknown.
    pub(crate) incomplete: bool,
    /// Settings of services without a section.
    default_settings: Arc<ServiceSettings>,
    /// The first preset of each service.
    owners: HashMap<String, String>,
}

/// What loading found.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The topology as far as it could be read; `None` when the directory could not.
    pub topology: Option<Topology>,
    /// Everything wrong, in reading order.
    pub findings: Vec<Finding>,
}

/// One configuration file, read.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Its path; the file name says what it is.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What one host loads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The presets, in the order asked for.
    pub presets: Vec<String>,
    /// Their services.
    pub services: BTreeSet<String>,
}

/// A preset was asked for that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no preset {}; {remedy}", suggest::quoted(names.iter().map(String::as_str)))]
pub struct UnknownPreset {
    /// All the names that no preset has.
    pub names: Vec<String>,
    /// The names that there are, with the nearest one first where one is near.
    pub remedy: String,
}

/// The file names in a configuration directory that are no presets.
const PROJECT_FILE: &str = "project.toml";
const DEPLOY_FILE: &str = "deploy.toml";

// ---------------------------------------------------------------------------------------------

/// Parses configuration files that were already read: the pure half of [`load`](crate::load()).
/// Files whose name does not end with `.toml` are not looked at.
#[must_use]
pub fn parse(config_dir: &Path, files: &[SourceFile], overrides: &Overrides) -> Loaded {
    let mut findings = Vec::new();
    let root = root_of(config_dir);
    let named = |name: &str| files.iter().find(|file| file.name() == name);

    let mut project_table = match named(PROJECT_FILE) {
        Some(file) => document::parse(&file.path, &file.bytes, &mut findings),
        None => None,
    }
    .unwrap_or_else(|| Table::empty(&config_dir.join(PROJECT_FILE)));
    overrides.apply(&mut project_table, &mut findings);
    let project =
        ProjectConfig::read(&project_table, config_dir, &root, overrides.project_name(), &mut findings);

    let deploy = named(DEPLOY_FILE).and_then(|file| {
        let table = document::parse(&file.path, &file.bytes, &mut findings)?;
        Some(Deploy::read(&file.path, &table, &mut findings))
    });

    let mut presets = BTreeMap::new();
    let mut incomplete = false;
    let mut has_preset_file = false;
    for file in files {
        let name = file.name();
        let Some(stem) = name.strip_suffix(".toml") else { continue };
        if name == PROJECT_FILE || name == DEPLOY_FILE {
            continue;
        }
        has_preset_file = true;
        if !preset::is_key(stem) {
            findings.push(preset::invalid_key(&file.path, stem));
        }
        match document::parse(&file.path, &file.bytes, &mut findings) {
            Some(table) => {
                let preset = Preset::read(stem, &file.path, &table, &project.engine, &mut findings);
                incomplete |= !preset.readable;
                presets.insert(stem.to_owned(), preset);
            }
            None => incomplete = true,
        }
    }
    if !has_preset_file {
        incomplete = true;
        findings.push(Place::whole(config_dir).error(
            "no-presets",
            "there is no preset in this directory",
            format!(
                "write one, for example {} with the line services = [\"system\"]",
                config_dir.join("main.toml").display()
            ),
        ));
    }

    let mut owners = HashMap::new();
    for preset in presets.values() {
        for service in &preset.services {
            owners.entry(service.clone()).or_insert_with(|| preset.key.clone());
        }
    }
    let default_settings = Arc::new(ServiceSettings::within(&project.engine));
    let config_dir = config_dir.to_owned();
    sort(&mut findings);
    Loaded {
        topology: Some(Topology {
            project,
            presets,
            deploy,
            config_dir,
            root,
            incomplete,
            default_settings,
            owners,
        }),
        findings,
    }
}

/// The directory that holds the configuration directory.
fn root_of(config_dir: &Path) -> PathBuf {
    match (config_dir.file_name(), config_dir.parent()) {
        (Some(_), Some(parent)) if parent.as_os_str().is_empty() => PathBuf::from("."),
        (Some(_), Some(parent)) => parent.to_owned(),
        _ => config_dir.join(".."),
    }
}

impl SourceFile {
    /// A file of this path and content.
    pub fn new(path: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), bytes: bytes.into() }
    }

    fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

impl Loaded {
    /// Whether something keeps a host from starting.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.topology.is_none() || self.findings.iter().any(Finding::is_error)
    }
}

impl Topology {
    /// What a host with these presets loads; no presets means all of them.
    ///
    /// # Errors
    /// Names every preset that does not exist, and those that do.
    pub fn selection(&self, presets: &[String]) -> Result<Selection, UnknownPreset> {
        let valid = || self.presets.keys().map(String::as_str);
        let unknown: Vec<String> =
            presets.iter().filter(|name| !self.presets.contains_key(*name)).cloned().collect();
        if let Some(first) = unknown.first() {
            let remedy = suggest::remedy(first, "presets", valid());
            return Err(UnknownPreset { names: unknown, remedy });
        }
        let wanted: Vec<&str> =
            if presets.is_empty() { valid().collect() } else { presets.iter().map(String::as_str).collect() };
        let mut selection = Selection { presets: Vec::new(), services: BTreeSet::new() };
        for key in wanted {
            if selection.presets.iter().any(|chosen| chosen == key) {
                continue;
            }
            selection.presets.push(key.to_owned());
            selection.services.extend(self.presets[key].services.iter().cloned());
        }
        Ok(selection)
    }

    /// The preset that owns a service, by the first segment of its name.
    #[must_use]
    pub fn preset_of(&self, service: &str) -> Option<&str> {
        self.owners.get(first_segment(service)).map(String::as_str)
    }

    /// The settings of a service, by the first segment of its name; the defaults where its preset
    /// has no section for it.
    #[must_use]
    pub fn service_settings(&self, service: &str) -> &Arc<ServiceSettings> {
        let service = first_segment(service);
        self.preset_of(service)
            .and_then(|preset| self.presets[preset].settings.get(service))
            .unwrap_or(&self.default_settings)
    }
}

fn first_segment(service: &str) -> &str {
    service.split('/').next().unwrap_or(service)
}
