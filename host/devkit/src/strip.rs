//! Takes out of a component what only debugging needs.

use wasm_encoder::{ComponentSectionId, Encode, RawSection, Section};
use wasmparser::{Encoding, Parser, Payload};

/// The component without the custom sections that hold names, debugging information and the names of the
/// tools that made it. Handlers behave the same; a trap's backtrace names no functions.
///
/// # Errors
/// When the bytes are no WebAssembly.
pub fn strip(component: &[u8]) -> Result<Vec<u8>, String> {
    let mut output: Vec<u8> = Vec::new();
    let mut parents: Vec<Vec<u8>> = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload.map_err(|error| error.to_string())?;
        match &payload {
            Payload::Version { encoding: Encoding::Component, .. } => {
                output.extend_from_slice(&wasm_encoder::Component::HEADER);
            }
            Payload::Version { encoding: Encoding::Module, .. } => {
                output.extend_from_slice(&wasm_encoder::Module::HEADER);
            }
            // What is nested begins; its own sections follow.
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                parents.push(std::mem::take(&mut output));
                continue;
            }
            Payload::End(_) => {
                let Some(mut parent) = parents.pop() else { break };
                let id = match output.starts_with(&wasm_encoder::Component::HEADER) {
                    true => ComponentSectionId::Component,
                    false => ComponentSectionId::CoreModule,
                };
                parent.push(id as u8);
                output.encode(&mut parent);
                output = parent;
            }
            Payload::CustomSection(section) if is_for_debugging(section.name()) => {}
            other => {
                if let Some((id, range)) = other.as_section() {
                    RawSection { id, data: &component[range] }.append_to(&mut output);
                }
            }
        }
    }
    Ok(output)
}

fn is_for_debugging(section: &str) -> bool {
    section == "name"
        || section == "component-name"
        || section == "producers"
        || section.starts_with(".debug")
}
