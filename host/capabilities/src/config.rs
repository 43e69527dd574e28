//! `wasi:config/store`: the service's own values, `[service.NAME.config]` of its preset.
//!
//! Values are read as they are in the settings; a change of the preset makes a new service runtime,
//! so a guest never sees half of a change.

use luckystack_plugins::capability::Interface;
use luckystack_plugins::{Capability, HostState};
use wasmtime::component::{HasSelf, Linker};

use crate::wit::config;

/// The version of the interface that there is.
const VERSION: &str = "0.2.0-rc.1";

/// The capability.
#[derive(Clone, Copy, Debug)]
pub struct ConfigStore;

impl Capability for ConfigStore {
    fn name(&self) -> &'static str {
        "config"
    }

    fn provides(&self, interface: Interface<'_>) -> bool {
        interface.name == "wasi:config/store" && interface.version == Some(VERSION)
    }

    fn link(&self, linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        config::add_to_linker::<HostState, HasSelf<HostState>>(linker, |state| state)
    }
}

impl config::Host for HostState {
    fn get(&mut self, key: String) -> Result<Option<String>, config::Error> {
        Ok(self.service.settings().config.get(&key).cloned())
    }

    fn get_all(&mut self) -> Result<Vec<(String, String)>, config::Error> {
        let values = &self.service.settings().config;
        Ok(values.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}
