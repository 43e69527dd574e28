//! Puts a service on the list of a preset, so that a host loads it.

use std::path::PathBuf;

use luckystack_topology::{Preset, Topology};

use super::changes::Changes;
use super::error::ScaffoldError;
use super::list::push_to_toml;

/// The preset of a project that has none yet.
const FIRST: &str = "main.toml";

/// Whether a host loads the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InPreset {
    /// This preset lists it.
    Listed {
        /// Its key.
        preset: String,
        /// Whether that is new.
        added: bool,
    },
    /// Which preset is meant is for a person to say.
    AddYourself {
        /// What to add to `services`.
        item: String,
        /// The files to choose from.
        files: Vec<PathBuf>,
    },
}

/// Adds `service` to the presets that were named, or to the only one there is.
pub(super) fn list(
    topology: &Topology,
    service: &str,
    named: &[String],
    changes: &mut Changes,
) -> Result<InPreset, ScaffoldError> {
    let mut presets: Vec<&Preset> = Vec::new();
    if named.is_empty() {
        if let Some(preset) = topology.preset_of(service) {
            return Ok(InPreset::Listed { preset: preset.to_owned(), added: false });
        }
        presets.extend(topology.presets.values());
        if presets.is_empty() {
            let text = format!("services = [\"{service}\"]\n");
            changes.create(topology.config_dir.join(FIRST), text)?;
            let preset = FIRST.trim_end_matches(".toml").to_owned();
            return Ok(InPreset::Listed { preset, added: true });
        }
    } else {
        let selection = topology.selection(named)?;
        presets.extend(selection.presets.iter().filter_map(|key| topology.presets.get(key)));
    }
    let advice = |presets: &[&Preset]| InPreset::AddYourself {
        item: format!("\"{service}\""),
        files: presets.iter().map(|preset| preset.file.clone()).collect(),
    };
    if named.is_empty() && presets.len() > 1 {
        return Ok(advice(&presets));
    }
    let mut added = false;
    let mut by_hand: Vec<&Preset> = Vec::new();
    for preset in &presets {
        if preset.services.iter().any(|listed| listed == service) {
            continue;
        }
        let mut found = true;
        changes.edit(&preset.file, |text| {
            Ok(push_to_toml(text, "services", service).unwrap_or_else(|| {
                found = false;
                text.to_owned()
            }))
        })?;
        match found {
            true => added = true,
            false => by_hand.push(preset),
        }
    }
    if !by_hand.is_empty() {
        return Ok(advice(&by_hand));
    }
    let keys: Vec<&str> = presets.iter().map(|preset| preset.key.as_str()).collect();
    Ok(InPreset::Listed { preset: keys.join(","), added })
}
