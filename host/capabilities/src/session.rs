//! `luckystack:plugin/session-api`: sessions by token.
//!
//! Without a grant a guest sees its caller's own session and no other: what it was handed with the
//! call, read back by its token. Every other token answers none, whether or not it is live.

use luckystack_plugins::capability::Interface;
use luckystack_plugins::{Capability, HostState};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, WasmStr};

use crate::wit::Session;

/// The capability.
#[derive(Clone, Copy, Debug)]
pub struct SessionApi;

impl Capability for SessionApi {
    fn name(&self) -> &'static str {
        "session-api"
    }

    fn provides(&self, interface: Interface<'_>) -> bool {
        interface.name == "luckystack:plugin/session-api"
    }

    fn link(&self, linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        linker.instance("luckystack:plugin/session-api@0.1.0")?.func_wrap(
            "get",
            |store: StoreContextMut<'_, HostState>, (token,): (WasmStr,)| {
                let own = store.data().call().and_then(|call| call.caller.session.as_deref());
                let Some(own) = own else { return Ok((None,)) };
                let asked = token.to_str(&store)?;
                Ok(((own.token == *asked)
                    .then(|| Session { token: own.token.clone(), user: own.user.to_vec() }),))
            },
        )
    }
}
