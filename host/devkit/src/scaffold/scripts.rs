//! TypeScript and Python: a file per handler, in `_api` and `_sync`.

use luckystack_topology::Language;

use super::What;
use super::changes::Changes;
use super::error::ScaffoldError;
use super::handler_file::{Dialect, Handler};
use super::place::Place;
use super::target::{Kind, Target};
use super::template::fill;

/// Adds the files of a handler and its test, and what a new plugin has around them.
pub(super) fn add(
    target: &Target,
    what: What,
    language: Language,
    place: &Place,
    changes: &mut Changes,
) -> Result<(), ScaffoldError> {
    let dialect = if language == Language::Python { Dialect::Python } else { Dialect::TypeScript };
    let extension = dialect.extension();
    let page = place.dir.join(target.below());
    let Target { name, version, .. } = target;
    let route = |kind| Handler::Route { kind, target: target.clone() };
    let values = |file: &str, server: &str, client: &str, test: &str| {
        fill(
            test,
            &[
                ("file", file),
                ("server", server),
                ("client", client),
                ("name", name.as_str()),
                ("service", target.service.as_str()),
                ("page", target.page.as_str()),
                (
                    "route",
                    target
                        .full(if what == What::Sync { Kind::SyncServer } else { Kind::Api }.prefix())
                        .as_str(),
                ),
            ],
        )
    };
    if what == What::Sync {
        let folder = page.join("_sync");
        let (server, client) = (
            format!("{name}_server_v{version}.{extension}"),
            format!("{name}_client_v{version}.{extension}"),
        );
        changes.create(folder.join(&server), route(Kind::SyncServer).text(dialect, None))?;
        changes.create(folder.join(&client), route(Kind::SyncClient).text(dialect, Some(&server)))?;
        let (test, text) = match dialect {
            Dialect::Python => {
                (format!("test_{name}_v{version}.py"), include_str!("templates/py_sync_test.py.txt"))
            }
            _ => (format!("{name}_v{version}.test.ts"), include_str!("templates/ts_sync.test.ts.txt")),
        };
        changes.create(folder.join(test), values("", &server, &client, text))?;
    } else {
        let folder = page.join("_api");
        let file = format!("{name}_v{version}.{extension}");
        changes.create(folder.join(&file), route(Kind::Api).text(dialect, None))?;
        let (test, text) = match dialect {
            Dialect::Python => {
                (format!("test_{name}_v{version}.py"), include_str!("templates/py_api_test.py.txt"))
            }
            _ => (format!("{name}_v{version}.test.ts"), include_str!("templates/ts_api.test.ts.txt")),
        };
        changes.create(folder.join(test), values(&file, "", "", text))?;
    }
    if dialect == Dialect::TypeScript {
        let package = target.service.to_lowercase();
        let text = fill(include_str!("templates/ts_package.json.txt"), &[("package", package.as_str())]);
        changes.create_if_missing(place.dir.join("package.json"), text);
    }
    Ok(())
}
