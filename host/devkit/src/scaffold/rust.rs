//! Rust: a cargo package per plugin, a module per handler.

use std::fs;
use std::path::{Component, Path, PathBuf};

use luckystack_topology::{Prefix, Topology};

use super::What;
use super::changes::Changes;
use super::error::ScaffoldError;
use super::place::Place;
use super::rust_sdk;
use super::rust_source::{add_handler, add_module};
use super::target::Target;
use super::template::fill;

/// Words that cannot name a module or function.
const KEYWORDS: [&str; 54] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop",
    "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static",
    "struct", "super", "trait", "true", "try", "type", "typeof", "union", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield", "main", "tests",
];

/// Packages that a plugin depends on or that cargo refuses; a plugin of that name could not be told apart.
const TAKEN_PACKAGES: [&str; 8] =
    ["luckystack", "schemars", "serde", "serde_json", "core", "std", "alloc", "test"];

/// Longest name of a plugin (see `wit/manifest.schema.json`).
const MAX_PLUGIN: usize = 64;

/// Adds what a handler takes, and the package around it where there is none yet. Answers with the new
/// package's SDK, if one must be unpacked.
pub(super) fn add(
    topology: &Topology,
    target: &Target,
    what: What,
    place: &Place,
    changes: &mut Changes,
) -> Result<Option<rust_sdk::Wanted>, ScaffoldError> {
    let (library, wanted) = if place.exists {
        (library(&place.dir)?, None)
    } else {
        let wanted = package(topology, target, place, changes)?;
        (place.dir.join("src/lib.rs"), wanted)
    };
    let handler = Handler::new(target, what);
    let file = library.with_file_name(format!("{}.rs", handler.module));
    let folder = library.with_file_name(&handler.module);
    if folder.exists() {
        return Err(ScaffoldError::Exists(folder));
    }
    changes.create(file, handler.text(target, what))?;
    changes.edit(&library, |text| {
        let mut text = add_module(text, &handler.module);
        for path in handler.paths(what) {
            text = add_handler(&text, &path).ok_or_else(|| ScaffoldError::NoPlace {
                file: library.clone(),
                problem: format!(
                    "no `luckystack::plugin! {{ … handlers = […] }}` was found to add the handler to; write one \
                     with `{path}` in `handlers`, and `mod {};` above it",
                    handler.module
                ),
            })?;
        }
        Ok(text)
    })?;
    Ok(wanted)
}

/// The first file of an existing package's library.
fn library(dir: &Path) -> Result<PathBuf, ScaffoldError> {
    let manifest = dir.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).map_err(ScaffoldError::io("read", &manifest))?;
    let table: toml::Table = text.parse().map_err(|error| ScaffoldError::NoPlace {
        file: manifest.clone(),
        problem: format!("cannot be read, so its library is not known: {error}"),
    })?;
    let path = table.get("lib").and_then(|lib| lib.get("path")).and_then(toml::Value::as_str);
    Ok(dir.join(path.unwrap_or("src/lib.rs")))
}

/// A new package with an empty `plugin!`.
fn package(
    topology: &Topology,
    target: &Target,
    place: &Place,
    changes: &mut Changes,
) -> Result<Option<rust_sdk::Wanted>, ScaffoldError> {
    let dir = absolute(&place.dir)?;
    let root = absolute(&topology.root)?;
    let wanted = rust_sdk::Wanted::unless_in_checkout(&root);
    let sdk = match &wanted {
        Err(checkout) => checkout.clone(),
        Ok(wanted) => wanted.place(),
    };
    let (package, sdk) = (package_name(&place.plugin), relative(&dir, &sdk));
    let service = target.service.as_str();
    let mut manifest = fill(
        include_str!("templates/rust_Cargo.toml.txt"),
        &[("package", package.as_str()), ("service", service), ("sdk", sdk.as_str())],
    );
    if is_in_foreign_workspace(&dir) {
        manifest.push_str("\n# Of its own: the workspace around it does not list it.\n[workspace]\n");
    }
    changes.create(place.dir.join("Cargo.toml"), manifest)?;
    let library = fill(include_str!("templates/rust_lib.rs.txt"), &[("service", service)]);
    changes.create(place.dir.join("src/lib.rs"), library)?;
    Ok(wanted.ok())
}

fn package_name(plugin: &str) -> String {
    let plugin = &plugin[..plugin.len().min(MAX_PLUGIN)];
    if TAKEN_PACKAGES.contains(&plugin) || KEYWORDS.contains(&plugin) {
        format!("{plugin}-service")
    } else {
        plugin.to_owned()
    }
}

/// Whether cargo would take a package in `dir` for a member of a workspace above it that does not list it.
fn is_in_foreign_workspace(dir: &Path) -> bool {
    for above in dir.ancestors().skip(1) {
        let Ok(text) = fs::read_to_string(above.join("Cargo.toml")) else { continue };
        let Ok(table) = text.parse::<toml::Table>() else { continue };
        let Some(workspace) = table.get("workspace") else { continue };
        let Ok(path) = dir.strip_prefix(above) else { return true };
        let lists = |key: &str, matches: &dyn Fn(&str) -> bool| {
            let patterns = workspace.get(key).and_then(toml::Value::as_array);
            patterns.is_some_and(|patterns| patterns.iter().filter_map(toml::Value::as_str).any(matches))
        };
        let excluded = lists("exclude", &|excluded| path.starts_with(excluded));
        return !excluded && !lists("members", &|member| matches(member, path));
    }
    false
}

/// Whether a path is one of a workspace's `members`, whose parts may hold `*`.
fn matches(pattern: &str, path: &Path) -> bool {
    let parts: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let names: Vec<_> = path.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    parts.len() == names.len()
        && parts.iter().zip(&names).all(|(part, name)| match part.split_once('*') {
            None => part == name,
            Some((before, after)) => {
                name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
            }
        })
}

/// The names of a handler's items.
struct Handler {
    module: String,
    ident: String,
}

impl Handler {
    fn new(target: &Target, what: What) -> Self {
        let mut ident = snake_case(&target.name);
        if KEYWORDS.contains(&ident.as_str()) {
            ident.push('_');
        }
        if target.version != 1 {
            ident = format!("{ident}_v{}", target.version);
        }
        let module = match what {
            What::Sync => format!("{ident}_sync"),
            What::Service | What::Api => ident.clone(),
        };
        // `src/lib.rs` is taken.
        Self { module: if module == "lib" { "lib_".to_owned() } else { module }, ident }
    }

    /// What goes into `handlers`.
    fn paths(&self, what: What) -> Vec<String> {
        let Self { module, ident } = self;
        match what {
            What::Sync => vec![format!("{module}::{ident}"), format!("{module}::{ident}_client")],
            What::Service | What::Api => vec![format!("{module}::{ident}")],
        }
    }

    fn text(&self, target: &Target, what: What) -> String {
        let prefix = if what == What::Sync { Prefix::Sync } else { Prefix::Api };
        let route = target.full(prefix);
        let of = |ident: &str| {
            let mut list = Vec::new();
            if camel_case(ident) != target.name {
                list.push(format!("name = \"{}\"", target.name));
            }
            if target.version != 1 {
                list.push(format!("version = {}", target.version));
            }
            if target.page != target.service {
                list.push(format!("page = \"{}\"", target.page));
            }
            list
        };
        let with_login = |mut list: Vec<String>| {
            list.push("login = false".to_owned());
            list.join(", ")
        };
        let (own, client) = (with_login(of(&self.ident)), of(&format!("{}_client", self.ident)).join(", "));
        let method = target.method();
        let values = [
            ("route", route.as_str()),
            ("method", method.as_str()),
            ("service", target.service.as_str()),
            ("ident", self.ident.as_str()),
            ("attributes", own.as_str()),
            ("server_attributes", own.as_str()),
            ("client_attributes", client.as_str()),
        ];
        match what {
            What::Sync => fill(include_str!("templates/rust_sync.rs.txt"), &values),
            What::Service | What::Api => fill(include_str!("templates/rust_api.rs.txt"), &values),
        }
    }
}

/// `getAll` → `get_all`, `list-2` → `list_2`, `getURL` → `get_url`
fn snake_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    let mut before = ' ';
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            if before.is_ascii_lowercase() || before.is_ascii_digit() {
                out.push('_');
            }
            out.push(c.to_ascii_lowercase());
        } else {
            out.push(if c == '-' { '_' } else { c });
        }
        before = c;
    }
    out
}

/// The route's name that the SDK's macros make of a function's.
fn camel_case(ident: &str) -> String {
    let mut parts = ident.split('_').filter(|part| !part.is_empty());
    let mut out = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let (first, rest) = part.split_at(1);
        out.push_str(&first.to_uppercase());
        out.push_str(rest);
    }
    out
}

/// The path from one absolute folder to another.
pub(super) fn relative(from: &Path, to: &Path) -> String {
    let shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    let path: PathBuf = up.chain(to.components().skip(shared)).collect();
    if path.as_os_str().is_empty() { ".".to_owned() } else { path.display().to_string() }
}

/// A folder without links and dots, whether it exists already or not.
pub(super) fn absolute(dir: &Path) -> Result<PathBuf, ScaffoldError> {
    let absolute = std::path::absolute(dir).map_err(ScaffoldError::io("find", dir))?;
    for above in absolute.ancestors() {
        if let Ok(real) = fs::canonicalize(above) {
            return Ok(match absolute.strip_prefix(above) {
                Ok(rest) if !rest.as_os_str().is_empty() => real.join(rest),
                _ => real,
            });
        }
    }
    Ok(absolute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_routes_become_names_of_functions() {
        for (name, ident) in [
            ("getAll", "get_all"),
            ("list-2", "list_2"),
            ("getURL", "get_url"),
            ("x", "x"),
            ("v2Get", "v2_get"),
        ] {
            assert_eq!(snake_case(name), ident);
        }
        for (ident, name) in [("get_all", "getAll"), ("type_", "type"), ("list_2", "list2"), ("_a__b", "aB")]
        {
            assert_eq!(camel_case(ident), name);
        }
    }

    #[test]
    fn members_of_a_workspace_are_known() {
        let is = |pattern, path| matches(pattern, Path::new(path));
        assert!(is("plugins/*", "plugins/a") && is("./plugins/a", "plugins/a") && is("p*s/a", "plugins/a"));
        assert!(!is("plugins/*", "plugins/a/_b") && !is("plugins/b", "plugins/a"));
    }

    #[test]
    fn a_path_leads_from_one_folder_to_another() {
        assert_eq!(relative("/a/b/c".as_ref(), "/a/x".as_ref()), "../../x");
        assert_eq!(relative("/a".as_ref(), "/a/b/c".as_ref()), "b/c");
        assert_eq!(relative("/a".as_ref(), "/a".as_ref()), ".");
    }
}
