//! Turns the sources of a plugin into a component: recognises the language of a folder, tells whether
//! its component is up to date, finds (or, asked to, installs) the toolchain, and builds.
//!
//! The rules it keeps:
//!
//! - **A failed build changes nothing.** A component is written beside its place and renamed into it
//!   after it has been encoded and validated, so what ran before keeps running.
//! - **The compiler speaks for itself.** What a compiler prints reaches the author unchanged, with its
//!   colours, file and line; this crate adds only which plugin and which step.
//! - **Nothing is installed silently.** Each command that changes the machine is reported before it runs,
//!   and one error names everything that was tried and what to run by hand.
//! - **A dropped build is a stopped build.** Dropping the future ends the compiler and its children.
//!
//! Each language is a variant of [`Language`] with a toolchain of its own; the rest of the host sees only
//! [`BuildRequest`], [`Built`] and [`BuildError`].
//!
//! ```no_run
//! use luckystack_devkit::{BuildRequest, Freshness, Language, Quiet, Toolchain, freshness};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let request = BuildRequest {
//!     language: Language::Rust,
//!     service: "vehicles".into(),
//!     name: "vehicles".into(),
//!     nested: true,
//!     dir: "example-plugins/vehicles".into(),
//!     output_dir: "example-plugins/vehicles".into(),
//!     target_dir: "target/guests".into(),
//! };
//! if freshness(&request, &request.component()?)? != Freshness::Fresh {
//!     let toolchain = Toolchain::find_or_install(Language::Rust, &Quiet).await?;
//!     let built = toolchain.build(&request, &Quiet).await?;
//!     assert!(built.component.ends_with("vehicles.wasm"));
//! }
//! # Ok(())
//! # }
//! ```

#![warn(missing_docs)]

mod c;
mod component;
mod doctor;
mod error;
mod freshness;
mod install;
mod language;
mod process;
mod progress;
mod python;
mod rust;
mod scaffold;
mod sdk;
mod strip;
mod typescript;

pub use c::CToolchain;
pub use doctor::{Diagnosis, Note, Tool, examine, notes, provide};
pub use error::{Attempt, BuildError, MissingToolchain};
pub use freshness::{Freshness, Staleness, freshness, inputs};
pub use language::{BuildRequest, Built, Language, Toolchain};
pub use progress::{Event, Progress, Quiet};
pub use python::PythonToolchain;
pub use rust::RustToolchain;
pub use scaffold::{
    Created, FileRule, InPreset, Injected, New, ScaffoldError, What, inject, inject_empty, refresh_rust_sdk,
    scaffold,
};
pub use strip::strip;
pub use typescript::TypeScriptToolchain;
