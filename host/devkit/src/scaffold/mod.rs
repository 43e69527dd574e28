//! Makes services and handlers from templates: `luckystack-host new`, and empty handler files that an
//! editor left behind.
//!
//! The rules: what is made builds, answers and has a test that passes; names are checked by the rules of
//! [`luckystack_topology`] before anything is written; nothing that exists is overwritten; and all of a
//! request is done or none of it.

mod c;
mod changes;
mod error;
mod handler_file;
mod hooks;
mod inject;
mod json_source;
mod list;
mod next;
mod place;
mod preset;
mod rust;
mod rust_sdk;
mod rust_source;
mod scripts;
mod sdk;
mod target;
mod template;

use std::path::PathBuf;

use luckystack_topology::{Language, Prefix, Topology};

use changes::Changes;
pub use error::{FileRule, ScaffoldError};
pub use inject::{Injected, inject, inject_empty};
pub use preset::InPreset;
pub use rust_sdk::refresh_rust_sdk;
use target::Target;

/// What to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A service, with the API handler `hello`.
    Service,
    /// An API handler of a service that exists.
    Api,
    /// Both halves of a sync handler of a service that exists.
    Sync,
}

/// A request to make something.
#[derive(Debug, Clone, Copy)]
pub struct New<'a> {
    /// What.
    pub what: What,
    /// The name as typed: a service, `SERVICE/NAME`, `SERVICE/PAGE/NAME`, or the last part alone.
    pub name: &'a str,
    /// The service (or the page of one) of a handler whose `name` is the last part alone.
    pub service: Option<&'a str>,
    /// What to write it in.
    pub language: Language,
    /// The handler's version.
    pub version: u32,
    /// The presets to list the service in; when empty the one that lists it already, or the only one.
    pub presets: &'a [String],
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The handler's full name, such as `api/vehicles/getAll/v1`.
    pub route: String,
    /// New files.
    pub files: Vec<PathBuf>,
    /// Files that something was added to.
    pub changed: Vec<PathBuf>,
    /// The folder of the SDK's copy in the project, where there is no checkout to use.
    pub sdk: Option<PathBuf>,
    /// Whether a host loads the service.
    pub preset: InPreset,
    /// The command that runs the handler's test, for a shell in the current folder.
    pub test: String,
    /// The command that calls the handler once a host serves it; none where the host does not serve its
    /// kind over HTTP.
    pub call: Option<String>,
}

/// Makes what `request` asks for, in the project that `topology` describes.
///
/// # Errors
/// Names what stands against it; nothing was written then.
pub fn scaffold(topology: &Topology, request: &New<'_>) -> Result<Created, ScaffoldError> {
    let New { what, language, .. } = *request;
    let target = Target::read(what, request.name, request.service, request.version)?;
    let place = place::find(topology, &target, what, language)?;
    let mut changes = Changes::default();
    let mut sdk = None;
    match language {
        Language::Rust => sdk = rust::add(topology, &target, what, &place, &mut changes)?,
        Language::TypeScript | Language::Python => {
            scripts::add(&target, what, language, &place, &mut changes)?;
        }
        Language::C => c::add(topology, &target, what, &place, &mut changes)?,
    }
    let preset = preset::list(topology, &target.service, request.presets, &mut changes)?;
    if let Some(sdk) = sdk {
        sdk.unpack()?;
    }
    let test = next::test(topology, &target, what, language, &place)?;
    let (files, changed) = changes.write()?;
    let prefix = if what == What::Sync { Prefix::Sync } else { Prefix::Api };
    Ok(Created {
        route: target.full(prefix),
        files,
        changed,
        sdk: copy(topology, language),
        preset,
        test,
        call: (what != What::Sync).then(|| next::call(topology, &target)),
    })
}

/// The copy of a language's SDK in the project, if there is one.
fn copy(topology: &Topology, language: Language) -> Option<PathBuf> {
    let name = match language {
        Language::Rust => "rust",
        Language::Python => "python",
        Language::C => "c",
        // Its build brings the types, and its tests need nothing else.
        Language::TypeScript => return None,
    };
    let place = topology.root.join(rust_sdk::FOLDER).join("sdk").join(name);
    place.is_dir().then_some(place)
}
