//! What a person does after something was made: run its test, call it.

use std::path::Path;

use luckystack_topology::{Language, Method, Prefix, Topology};

use super::error::ScaffoldError;
use super::place::Place;
use super::rust::{absolute, relative};
use super::target::Target;
use super::{What, c, sdk};

/// The command that runs the test of what was made. Unpacks the SDK that it needs.
pub(super) fn test(
    topology: &Topology,
    target: &Target,
    what: What,
    language: Language,
    place: &Place,
) -> Result<String, ScaffoldError> {
    let dir = shell(&place.dir);
    Ok(match language {
        Language::Rust => format!("cargo test --manifest-path {}", shell(&place.dir.join("Cargo.toml"))),
        Language::TypeScript => format!("(cd {dir} && npm install && npm test)"),
        Language::Python => {
            let sdk = sdk::PYTHON.provide(&absolute(&topology.root)?)?;
            let marker = if what == What::Sync { "_sync" } else { "_api" };
            let folder = place.dir.join(target.below()).join(marker);
            let here = absolute(Path::new("."))?;
            let sdk = relative(&here, &sdk);
            format!(
                "PYTHONPATH={} python3 -m unittest discover -s {}",
                shell(Path::new(&sdk)),
                shell(&folder)
            )
        }
        Language::C => {
            sdk::C.provide(&absolute(&topology.root)?)?;
            format!("sh {}", shell(&place.dir.join(c::TESTS).join(c::RUN)))
        }
    })
}

/// The command that calls an API handler.
pub(super) fn call(topology: &Topology, target: &Target) -> String {
    let listen = &topology.project.listen;
    let scheme = if topology.project.tls.is_some() { "https" } else { "http" };
    let host = match listen.host.as_str() {
        "127.0.0.1" | "0.0.0.0" | "::" | "[::]" => "localhost",
        host => host,
    };
    let port = if listen.port == 0 { "PORT".to_owned() } else { listen.port.to_string() };
    let origin = format!("{scheme}://{host}:{port}");
    let url = format!("{origin}/{}", target.full(Prefix::Api));
    // The host refuses what may change something unless it is told from where.
    let json = format!("-H 'origin: {origin}' -H 'content-type: application/json' -d '{{\"name\":\"Ada\"}}'");
    match target.method() {
        Method::Get => format!("curl '{url}?name=Ada'"),
        Method::Post => format!("curl {json} {url}"),
        other => format!("curl -X {other} {json} {url}"),
    }
}

/// A path as one word of a shell's command.
pub(super) fn shell(path: &Path) -> String {
    let text = path.display().to_string();
    let text = text.strip_prefix("./").unwrap_or(&text);
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@,".contains(c);
    match text {
        "" => ".".to_owned(),
        text if text.chars().all(plain) => text.to_owned(),
        text => format!("'{}'", text.replace('\'', r"'\''")),
    }
}
