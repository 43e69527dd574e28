//! C: a file per handler, and its route in `plugin.json`.

use luckystack_topology::{Prefix, Topology};

use super::What;
use super::changes::Changes;
use super::error::ScaffoldError;
use super::place::Place;
use super::rust::{absolute, relative};
use super::target::Target;
use super::template::fill;
use super::{json_source, sdk};

/// The manifest of a plugin.
const MANIFEST: &str = "plugin.json";

/// The folder of tests, which no build looks into, and what runs them.
pub(super) const TESTS: &str = "tests";
pub(super) const RUN: &str = "run.sh";

/// Adds the files of a handler and its test, its route, and the manifest where there is none yet.
pub(super) fn add(
    topology: &Topology,
    target: &Target,
    what: What,
    place: &Place,
    changes: &mut Changes,
) -> Result<(), ScaffoldError> {
    let manifest = place.dir.join(MANIFEST);
    if !place.exists {
        let text = fill(
            include_str!("templates/c_plugin.json.txt"),
            &[("service", target.service.as_str()), ("name", place.plugin.as_str())],
        );
        changes.create(manifest.clone(), text)?;
    }
    let names = Names::new(target, what);
    let text = |template| fill(template, &names.values(target, what));
    let (source, test) = match what {
        What::Sync => (include_str!("templates/c_sync.c.txt"), include_str!("templates/c_sync_test.c.txt")),
        What::Service | What::Api => {
            (include_str!("templates/c_api.c.txt"), include_str!("templates/c_api_test.c.txt"))
        }
    };
    changes.create(place.dir.join(&names.file), text(source))?;
    let tests = place.dir.join(TESTS);
    changes.create(tests.join(names.file.replace(".c", "_test.c")), text(test))?;
    let sdk = relative(&absolute(&tests)?, &sdk::C.place(&absolute(&topology.root)?));
    let run = fill(include_str!("templates/c_run.sh.txt"), &[("sdk", sdk.as_str())]);
    changes.create_if_missing(tests.join(RUN), run);
    changes.create_if_missing(tests.join("testing.h"), include_str!("templates/c_testing.h.txt").to_owned());
    for route in routes(target, what) {
        changes.edit(&manifest, |text| {
            json_source::push(text, "routes", &route).ok_or_else(|| ScaffoldError::NoPlace {
                file: manifest.clone(),
                problem: format!("no array `routes` was found to add this to:\n{route}"),
            })
        })?;
    }
    Ok(())
}

/// The names in a handler's files.
struct Names {
    /// What the macros that define a handler take: the page below the service and the name.
    ident: String,
    file: String,
}

impl Names {
    fn new(target: &Target, what: What) -> Self {
        let word = |text: &str| text.replace(['-', '/'], "_");
        let ident = match target.below() {
            "" => word(&target.name),
            below => format!("{}_{}", word(below), word(&target.name)),
        };
        let version = if target.version == 1 { String::new() } else { format!("_v{}", target.version) };
        let sync = if what == What::Sync { "_sync" } else { "" };
        Self { file: format!("{ident}{sync}{version}.c"), ident }
    }

    fn values(&self, target: &Target, what: What) -> Vec<(&'static str, String)> {
        let prefix = if what == What::Sync { Prefix::Sync } else { Prefix::Api };
        vec![
            ("ident", self.ident.clone()),
            ("version", target.version.to_string()),
            ("route", target.full(prefix)),
            ("method", target.method().to_string()),
            ("service", target.service.clone()),
        ]
    }
}

/// What the manifest says of a handler, as it is written there.
fn routes(target: &Target, what: What) -> Vec<String> {
    let object = |key: &str, kind: &str| {
        format!(
            "{{ \"type\": \"object\", \"required\": [\"{key}\"], \"properties\": {{ \"{key}\": {{ \"type\": \"{kind}\" }} }} }}"
        )
    };
    let route = |kind: &str, input: Option<String>, output: String| {
        let mut members = vec![
            format!("\"kind\": \"{kind}\""),
            format!("\"name\": \"{}\"", target.name),
            format!("\"version\": {}", target.version),
        ];
        if target.page != target.service {
            members.push(format!("\"page\": \"{}\"", target.page));
        }
        if let Some(input) = input {
            members.push("\"auth\": { \"login\": false }".to_owned());
            members.push(format!("\"input\": {input}"));
        }
        members.push(format!("\"output\": {output}"));
        format!("{{\n  {}\n}}", members.join(",\n  "))
    };
    match what {
        What::Sync => vec![
            route("sync-server", Some(object("text", "string")), object("text", "string")),
            route("sync-client", None, object("signedIn", "boolean")),
        ],
        What::Service | What::Api => {
            vec![route("api", Some(object("name", "string")), object("message", "string"))]
        }
    }
}
