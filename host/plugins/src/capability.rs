//! What guests may import, as the three phases of a capability.
//!
//! 1. [`Capability::link`]: once per engine, define the interface's functions.
//! 2. [`Capability::configure`]: once per service, turn its settings into data that calls read; an
//!    impossible setting is an error before the first request.
//! 3. At call time nothing is configured: functions read what phase 2 left in
//!    [`ServiceRuntime::data`](crate::ServiceRuntime::data).
//!
//! Whether a component may import an interface is decided at load by [`Capability::grant`].

use luckystack_topology::ServiceSettings;
use wasmtime::component::Linker;

use crate::state::HostState;
use crate::type_map::TypeMap;

/// An interface's name without its version, such as `wasi:http/types`, and the version if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface<'a> {
    /// `namespace:package/interface`.
    pub name: &'a str,
    /// `0.2.12`.
    pub version: Option<&'a str>,
}

impl<'a> Interface<'a> {
    /// Splits `wasi:http/types@0.2.12`.
    pub fn parse(full: &'a str) -> Self {
        match full.split_once('@') {
            Some((name, version)) => Interface { name, version: Some(version) },
            None => Interface { name: full, version: None },
        }
    }
}

/// Whether a service may import what a capability provides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// It may.
    Granted,
    /// It may not; the text is what to write in the preset to change that.
    Missing(String),
}

/// One capability: the host's side of one or more imported interfaces.
pub trait Capability: Send + Sync + 'static {
    /// Name for messages, such as `key-value`.
    fn name(&self) -> &'static str;

    /// Whether it provides this interface.
    fn provides(&self, interface: Interface<'_>) -> bool;

    /// Phase 1: defines its functions. Called once per engine.
    fn link(&self, linker: &mut Linker<HostState>) -> wasmtime::Result<()>;

    /// Phase 2: prepares what its functions read, for one service.
    fn configure(&self, service: &str, settings: &ServiceSettings, data: &mut TypeMap) -> Result<(), String> {
        let _ = (service, settings, data);
        Ok(())
    }

    /// Whether a service with these settings may import it.
    fn grant(&self, service: &str, settings: &ServiceSettings) -> Grant {
        let _ = (service, settings);
        Grant::Granted
    }
}
