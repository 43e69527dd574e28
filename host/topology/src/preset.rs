//! A preset: the set of services that one host loads, and how each of them runs.
//!
//! The rule: a preset file that has something wrong is still read as far as it goes, so that its
//! other mistakes are found in the same run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::document::Table;
use crate::finding::{Finding, Place};
use crate::names::validate_service_name;
use crate::project::EngineConfig;
use crate::reader::{Reader, list, text};
use crate::settings::ServiceSettings;
use crate::suggest;

/// One preset file, `<config dir>/<key>.toml`.
#[derive(Debug, Clone)]
pub struct Preset {
    /// The file's stem: what `--preset` takes.
    pub key: String,
    /// The file.
    pub file: PathBuf,
    /// For people.
    pub description: Option<String>,
    /// The service keys, in the order written.
    pub services: Vec<String>,
    /// Settings of the services that have a section.
    pub settings: BTreeMap<String, Arc<ServiceSettings>>,
    /// Where each service is listed.
    pub(crate) places: BTreeMap<String, Place>,
    /// Whether `services` could be read as a list at all.
    pub(crate) readable: bool,
    /// Where each `[service.NAME.pin]` entry stands, by service and file name.
    pub(crate) pin_places: BTreeMap<(String, String), Place>,
}

/// `^[A-Za-z0-9_-]+$`, the rule for keys of presets and environments (wire protocol §7.5).
pub(crate) fn is_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

impl Preset {
    pub(crate) fn read(
        key: &str,
        file: &Path,
        table: &Table,
        engine: &EngineConfig,
        findings: &mut Vec<Finding>,
    ) -> Self {
        Reader::document(table, findings, |r| {
            let description = r.get("description", text);
            let (services, places, readable) = read_services(r, file);
            let (settings, pin_places) = read_settings(r, &services, engine);
            Self {
                key: key.to_owned(),
                file: file.to_owned(),
                description,
                services,
                settings,
                places,
                readable,
                pin_places,
            }
        })
    }
}

/// The services, where each is listed, and whether there was a list at all.
fn read_services(r: &mut Reader<'_, '_>, file: &Path) -> (Vec<String>, BTreeMap<String, Place>, bool) {
    let whole = Place::whole(file);
    let Some(at) = r.place("services").cloned() else {
        r.findings.push(
            whole
                .error(
                    "missing-key",
                    "a preset needs `services`",
                    "add a line such as services = [\"system\", \"vehicles\"]",
                )
                .key("services"),
        );
        return Default::default();
    };
    // Names that are no text are reported one by one; the others count.
    let listed = r.get("services", list(|node| Ok((text(node), node.at.clone()))));
    let readable = listed.is_some();
    if listed.as_ref().is_some_and(Vec::is_empty) {
        r.findings.push(
            at.warning(
                "preset-without-services",
                "this preset has no services",
                "name at least one, or remove the file",
            )
            .key("services"),
        );
    }
    let mut services = Vec::new();
    let mut places: BTreeMap<String, Place> = BTreeMap::new();
    for (name, at) in listed.unwrap_or_default() {
        let name = match name {
            Ok(name) => name,
            Err(wrong) => {
                wrong.report(&at, "services", r.findings);
                continue;
            }
        };
        let problem = match validate_service_name(&name) {
            Err(error) => Some(error.to_string()),
            Ok(()) if name.contains('/') => {
                Some("presets name services by their first segment; nested ones belong to it".to_owned())
            }
            Ok(()) => None,
        };
        if let Some(problem) = problem {
            let remedy = match name.split('/').next() {
                Some(first) if name.contains('/') && validate_service_name(first).is_ok() => {
                    format!("write \"{first}\"")
                }
                _ => "rename the service and its folder".to_owned(),
            };
            r.findings.push(
                at.error(
                    "invalid-service-name",
                    format!("`{name}` cannot be a service here: {problem}"),
                    remedy,
                )
                .key("services"),
            );
        } else if let Some(first) = places.get(&name) {
            r.findings.push(
                at.error(
                    "service-listed-twice",
                    format!("`{name}` is listed twice in this preset"),
                    format!("remove it here; the first is at {first}"),
                )
                .key("services"),
            );
        } else {
            places.insert(name.clone(), at);
            services.push(name);
        }
    }
    (services, places, readable)
}

type PinPlaces = BTreeMap<(String, String), Place>;

fn read_settings(
    r: &mut Reader<'_, '_>,
    services: &[String],
    engine: &EngineConfig,
) -> (BTreeMap<String, Arc<ServiceSettings>>, PinPlaces) {
    let mut settings = BTreeMap::new();
    let mut pin_places = PinPlaces::new();
    for (name, entry) in r.open("service") {
        let listed = services.iter().any(|service| service == name);
        // Without a readable list every section would look unlisted.
        if !listed && !services.is_empty() {
            r.findings.push(
                entry
                    .at
                    .error(
                        "settings-for-unlisted-service",
                        format!("`[service.{name}]` sets up a service that this preset does not list"),
                        suggest::remedy(name, "services of this preset", services.iter().map(String::as_str)),
                    )
                    .key(format!("service.{name}")),
            );
        }
        let read = r.inside("service", name, entry, |r| {
            let read = ServiceSettings::read(r, engine);
            for (file, entry) in r.open("pin") {
                pin_places.insert((name.to_owned(), file.to_owned()), entry.at.clone());
            }
            read
        });
        settings.insert(name.to_owned(), Arc::new(read));
    }
    (settings, pin_places)
}

/// A file whose stem cannot be a preset's key.
pub(crate) fn invalid_key(file: &Path, stem: &str) -> Finding {
    Place::whole(file).error(
        "invalid-preset-name",
        format!("`{stem}` cannot be the name of a preset: only A-Z a-z 0-9 `_` `-` can"),
        "rename the file",
    )
}
