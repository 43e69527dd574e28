//! Reading the project: configuration, the chosen presets, the services on disk.

use std::collections::HashSet;

use luckystack_topology::{
    DiskService, Finding, Overrides, SYSTEM, Selection, ServiceDir, Severity, Topology, discover,
    discover_functions, load, validate,
};
use tracing::Level;

use crate::cli::Common;
use crate::terminal::note_at;

/// Everything known before anything is loaded.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) topology: Topology,
    pub(crate) selection: Selection,
    /// Folders of the selected services, and of the project functions.
    pub(crate) services: Vec<ServiceDir>,
    /// All findings, warnings among them.
    pub(crate) findings: Vec<Finding>,
}

/// What stands between here and a project.
#[derive(Debug)]
pub(crate) enum Problem {
    /// The configuration has errors; all of them.
    Findings(Vec<Finding>),
    /// A preset was named that does not exist.
    UnknownPreset(String),
}

/// Reads and checks everything, and chooses what the presets ask for.
pub(crate) fn open(common: &Common, strict: bool) -> Result<Project, Problem> {
    let overrides = Overrides { env: std::env::vars().collect(), flags: common.set.clone() };
    let loaded = load(&common.config, &overrides);
    let mut findings = loaded.findings;
    let Some(topology) = loaded.topology else { return Err(Problem::Findings(findings)) };

    let (mut services, found) = discover(&topology);
    findings.extend(found);
    let (functions, found) = discover_functions(&topology);
    findings.extend(found);
    let on_disk: Vec<_> = services
        .iter()
        .map(|service| DiskService { name: service.service.clone(), dir: service.dir.clone() })
        .collect();
    findings.extend(validate(&topology, &on_disk, &|name| std::env::var(name).ok()));
    let selection =
        topology.selection(&common.preset).map_err(|unknown| Problem::UnknownPreset(unknown.to_string()))?;
    if !strict {
        spare_presets_not_loaded(&mut findings, &selection);
        if findings.iter().any(|finding| finding.severity == Severity::Error) {
            return Err(Problem::Findings(findings));
        }
    }
    services.retain(|service| selection.services.contains(&service.service));
    services.sort_by_key(|service| (service.service != SYSTEM, service.service.clone()));
    services.extend(functions);
    Ok(Project { topology, selection, services, findings })
}

/// A machine that runs one preset need not hold the services of the others: that they are missing is
/// no reason not to start.
fn spare_presets_not_loaded(findings: &mut [Finding], selection: &Selection) {
    for finding in findings.iter_mut().filter(|finding| finding.code == "preset-references-unknown-service") {
        let preset = finding.file.file_stem().map(|stem| stem.to_string_lossy());
        if preset.is_some_and(|preset| !selection.presets.iter().any(|selected| *selected == preset)) {
            finding.severity = Severity::Warning;
        }
    }
}

impl Project {
    /// Looks at the folders again, after a build has put components there.
    pub(crate) fn rediscover(&mut self) {
        let (found, _) = discover(&self.topology);
        let (functions, _) = discover_functions(&self.topology);
        for service in &mut self.services {
            if let Some(now) = found.iter().chain(&functions).find(|now| now.service == service.service) {
                service.components.clone_from(&now.components);
            }
        }
    }

    /// Services that some preset owns but that are not selected, by first segment.
    pub(crate) fn elsewhere(&self) -> HashSet<String> {
        let all = self.topology.presets.values().flat_map(|preset| preset.services.iter());
        all.map(AsRef::as_ref)
            .filter(|service: &&str| !self.selection.services.contains(*service))
            .map(str::to_owned)
            .collect()
    }
}

/// Prints findings to standard error, errors last, where the eye rests.
pub(crate) fn print_findings(findings: &[Finding]) {
    for (severity, level) in [(Severity::Warning, Level::WARN), (Severity::Error, Level::ERROR)] {
        for finding in findings.iter().filter(|finding| finding.severity == severity) {
            note_at(level, finding);
        }
    }
}
