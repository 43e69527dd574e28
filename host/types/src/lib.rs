//! From the manifests of loaded plugins to what a front end builds against: TypeScript types, zod
//! schemas, and documents of the API.
//!
//! Pure: [`generate`] turns manifests into texts, [`write()`] and [`stale`] bring them to a folder and
//! compare them with it. The same manifests give the same texts, whatever order they come in. A
//! manifest is not trusted: nothing in it can leave the string, name or comment that it is put into.
//!
//! | file | for |
//! |---|---|
//! | `apiTypes.generated.ts` | typed calls; the maps of methods, auth and limits (wire protocol §9.5) |
//! | `apiInputSchemas.generated.ts` | checking inputs before they are sent; test tools |
//! | `apiDocs.generated.json` | documentation pages |
//! | `apiTypeDiagnostics.generated.json` | what of the schemas is not in the types |
//! | `openapi.generated.json` | every tool that reads OpenAPI 3.1 |

mod catalog;
mod docs;
mod file;
mod json;
mod openapi;
mod print;
mod schema;
mod text;
mod type_map;
mod zod;

use std::time::SystemTime;

use luckystack_plugins::Manifest;

pub use crate::file::{File, Stale, Why, stale, write};

/// What is not in the manifests.
#[derive(Clone, Debug)]
pub struct Options {
    /// Title of the OpenAPI document, such as the project's name.
    pub title: String,
    /// Version of the OpenAPI document.
    pub version: String,
    /// Written into the diagnostics.
    pub generated_at: SystemTime,
}

impl Options {
    /// A general title, and version 1.
    pub fn new(generated_at: SystemTime) -> Self {
        Options { title: "LuckyStack API".to_owned(), version: "1".to_owned(), generated_at }
    }
}

/// All files for these manifests. They are taken as loaded: checked, and without routes claimed twice
/// (of which the first by service and plugin is taken).
///
/// ```
/// use luckystack_plugins::Manifest;
/// use luckystack_types::{Options, generate, stale, write};
///
/// let text = r#"{ "name": "hello", "version": "1", "service": "greetings", "routes": [
///     { "kind": "api", "name": "getGreeting", "version": 1, "output": { "type": "string" } } ] }"#;
/// let manifest = Manifest::parse(text).map_err(|error| error.message)?;
/// let files = generate(&[&manifest], &Options::new(std::time::SystemTime::now()));
///
/// let dir = tempfile::tempdir()?;
/// assert_eq!(stale(dir.path(), &files).len(), 5);
/// write(dir.path(), &files)?;
/// assert!(stale(dir.path(), &files).is_empty());
/// let types = std::fs::read_to_string(dir.path().join("apiTypes.generated.ts"))?;
/// assert!(types.contains("'greetings': {\n    'getGreeting': {"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn generate(manifests: &[&Manifest], options: &Options) -> Vec<File> {
    let catalog = catalog::Catalog::new(manifests);
    let (schemas, unchecked) = zod::module(&catalog);
    vec![
        File { name: "apiTypes.generated.ts", content: type_map::module(&catalog) },
        File { name: "apiInputSchemas.generated.ts", content: schemas },
        File { name: "apiDocs.generated.json", content: docs::docs(&catalog) },
        File {
            name: "apiTypeDiagnostics.generated.json",
            content: docs::diagnostics(&catalog, &unchecked, options.generated_at),
        },
        File { name: "openapi.generated.json", content: openapi::document(&catalog, options) },
    ]
}
