//! `luckystack-host types`: what front ends build against, from the loaded manifests.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context;
use clap::Args;
use luckystack_pipeline::Table;
use luckystack_types::{File, Options, generate, stale, write};

use crate::boot;
use crate::project::Project;
use crate::terminal::{complain, count, note};

/// Where to, and whether to write at all.
#[derive(Args, Clone, Debug)]
pub(crate) struct TypesArgs {
    /// Folder to write to; `paths.types` of project.toml when absent.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Writes nothing, and fails when a file is missing or is not what would be written.
    #[arg(long)]
    check: bool,
}

/// Writes or checks; whether all is well.
pub(crate) async fn run(project: &Project, args: &TypesArgs) -> anyhow::Result<bool> {
    let out =
        args.out.clone().or_else(|| project.topology.project.paths.types.clone()).context(
            "no folder to write to: name it with --out DIR, or as `types` in [paths] of project.toml",
        )?;
    let loaded = boot::load(project, false).await?;
    for error in &loaded.skipped {
        complain(error);
    }
    // With a plugin missing the files would lack its routes: better none than wrong ones.
    if !loaded.skipped.is_empty() {
        complain("nothing was written: the plugins above are not loaded");
        return Ok(false);
    }
    let files = files(project, &loaded.table);
    if args.check {
        let stale = stale(&out, &files);
        for file in &stale {
            complain(file);
        }
        if !stale.is_empty() {
            complain(format!("help: run `luckystack-host types --out {}`", out.display()));
        }
        return Ok(stale.is_empty());
    }
    let changed = write(&out, &files).with_context(|| format!("{}: cannot be written", out.display()))?;
    for file in &changed {
        note(format!("written   {}", file.display()));
    }
    if changed.is_empty() {
        note(format!("{} in {}: all current", count(files.len(), "file"), out.display()));
    }
    Ok(true)
}

/// Brings the files up to date after a swap.
pub(crate) fn refresh(project: &Project, table: &Table, out: &Path) {
    match write(out, &files(project, table)) {
        Ok(changed) => {
            for file in &changed {
                note(format!("written   {}", file.display()));
            }
        }
        Err(error) => complain(format!(
            "error: types: {}: {error}\n  help: check `types` in [paths] of project.toml",
            out.display()
        )),
    }
}

fn files(project: &Project, table: &Table) -> Vec<File> {
    let manifests: Vec<_> = table.plugins().iter().map(|plugin| &**plugin.plugin().manifest()).collect();
    let options = Options {
        title: project.topology.project.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        generated_at: SystemTime::now(),
    };
    generate(&manifests, &options)
}
