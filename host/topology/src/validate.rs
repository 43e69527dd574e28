//! The rules that hold between files: presets, services on disk, deployment (wire protocol §7.5).
//!
//! The rule of this module: every rule is looked at in every run; none is skipped because another
//! one failed, unless it could only repeat that failure.

mod deploy;

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{Finding, Place, sort};
use crate::load::DiskService;
use crate::names::{FUNCTIONS, SYSTEM};
use crate::suggest;
use crate::topology::Topology;

/// Which services there are, by every way to know of one.
struct Services<'t> {
    /// With a folder, and `system`, which needs none.
    on_disk: BTreeSet<&'t str>,
    /// Named by a preset.
    assigned: BTreeSet<&'t str>,
}

/// Checks everything that no single file can say. `env` looks a variable up.
///
/// Findings come in reading order. Rules about what no preset names are left out while a preset
/// file cannot be parsed, because it may be the one.
#[must_use]
pub fn validate(
    topology: &Topology,
    services_on_disk: &[DiskService],
    env: &dyn Fn(&str) -> Option<String>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let services = Services {
        on_disk: services_on_disk
            .iter()
            .map(|service| service.name.as_str())
            .filter(|name| *name != FUNCTIONS)
            .chain([SYSTEM])
            .collect(),
        assigned: topology
            .presets
            .values()
            .flat_map(|preset| preset.services.iter().map(String::as_str))
            .collect(),
    };

    multiple_presets(topology, &mut findings);
    unknown_services(topology, &services, &mut findings);
    let wanted = topology
        .deploy
        .as_ref()
        .map(|deploy| deploy::check(topology, deploy, &services, env, &mut findings))
        .unwrap_or_default();
    if !topology.incomplete {
        no_preset(services_on_disk, &services, &wanted, topology, &mut findings);
    }
    sort(&mut findings);
    findings
}

/// A service belongs to exactly one preset; the second one to name it is at fault.
fn multiple_presets(topology: &Topology, findings: &mut Vec<Finding>) {
    let mut seen: BTreeMap<&str, (&str, &Place)> = BTreeMap::new();
    for preset in topology.presets.values() {
        for (service, at) in &preset.places {
            if let Some((other, first)) = seen.get(service.as_str()) {
                findings.push(
                    at.error(
                        "service-in-multiple-presets",
                        format!("`{service}` is in preset `{}` and in preset `{other}`", preset.key),
                        format!("remove it here or at {first}; a host that needs both loads both presets"),
                    )
                    .key("services"),
                );
            } else {
                seen.insert(service, (&preset.key, at));
            }
        }
    }
}

fn unknown_services(topology: &Topology, services: &Services<'_>, findings: &mut Vec<Finding>) {
    let plugins = topology.project.paths.plugins.display();
    for preset in topology.presets.values() {
        for (service, at) in &preset.places {
            if services.on_disk.contains(service.as_str()) {
                continue;
            }
            let remedy = suggest::remedy(service, "services", services.on_disk.iter().copied());
            findings.push(
                at.error(
                    "preset-references-unknown-service",
                    format!("preset `{}` names the service `{service}`, which has no folder", preset.key),
                    format!("create {plugins}/{service}, or correct the name: {remedy}"),
                )
                .key("services"),
            );
        }
    }
}

fn no_preset(
    on_disk: &[DiskService],
    services: &Services<'_>,
    already_reported: &BTreeSet<String>,
    topology: &Topology,
    findings: &mut Vec<Finding>,
) {
    for service in on_disk {
        let name = service.name.as_str();
        if name == FUNCTIONS || services.assigned.contains(name) || already_reported.contains(name) {
            continue;
        }
        let presets = suggest::quoted(topology.presets.keys().map(String::as_str));
        findings.push(Place::whole(&service.dir).warning(
            "service-in-no-preset",
            format!("the service `{name}` is in no preset, so no host loads it"),
            format!("add \"{name}\" to the services of a preset ({presets}), or remove the folder"),
        ));
    }
}
