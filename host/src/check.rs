//! `luckystack-host check`: every finding about configuration, services and built components.

use luckystack_plugins::LoadError;
use luckystack_topology::{Finding, Severity};

use crate::boot;
use crate::build::{needs_build, requests};
use crate::cli::Common;
use crate::project::{self, Problem, print_findings};
use crate::terminal::{complain, count, line};

/// Runs the checks; whether they passed.
pub(crate) async fn run(common: &Common, json: bool, strict: bool) -> anyhow::Result<bool> {
    let findings = match project::open(common, true) {
        Ok(mut project) => {
            let mut findings = std::mem::take(&mut project.findings);
            for request in requests(&project) {
                match needs_build(&request) {
                    Ok(None) => {}
                    Ok(Some(_)) => findings.push(Finding {
                        severity: Severity::Warning,
                        code: "component-not-built",
                        file: request.dir.clone(),
                        line: None,
                        column: None,
                        key: None,
                        message: "its component is missing or older than its sources".into(),
                        remedy: "run `luckystack-host build`".into(),
                    }),
                    Err(problem) => {
                        findings.push(component_error(&request.dir, problem, "correct its sources"))
                    }
                }
            }
            let loaded = boot::load(&project, false).await?;
            findings.extend(loaded.skipped.iter().map(load_finding));
            for plugin in loaded.table.plugins() {
                findings.extend(plugin.warnings.iter().map(|warning| Finding {
                    severity: Severity::Warning,
                    code: "plugin-warning",
                    file: plugin.plugin().file().to_owned(),
                    line: None,
                    column: None,
                    key: None,
                    message: warning.clone(),
                    remedy: "take the subscription out of the plugin, or use a host that has it".into(),
                }));
            }
            findings
        }
        Err(Problem::Findings(findings)) => findings,
        Err(Problem::UnknownPreset(message)) => {
            complain(format!("error: {message}"));
            return Ok(false);
        }
    };
    let of = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    if json {
        let report = serde_json::json!({ "findings": findings, "errors": errors, "warnings": warnings });
        line(serde_json::to_string_pretty(&report)?);
    } else {
        print_findings(&findings);
        line(format!("{}, {}", count(errors, "error"), count(warnings, "warning")));
    }
    Ok(errors == 0 && (warnings == 0 || !strict))
}

fn load_finding(error: &LoadError) -> Finding {
    component_error(&error.file, format!("{} (stage: {})", error.message, error.stage), &error.remedy)
}

fn component_error(file: &std::path::Path, message: String, remedy: &str) -> Finding {
    Finding {
        severity: Severity::Error,
        code: "component-refused",
        file: file.to_owned(),
        line: None,
        column: None,
        key: None,
        message,
        remedy: remedy.to_owned(),
    }
}
