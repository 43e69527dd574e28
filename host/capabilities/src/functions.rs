//! `luckystack:plugin/function-call`: functions by name, wherever they come from.
//!
//! Who provides a name is the resolver's business; here are the bounds: valid arguments and at most
//! [`MAX_CALL_DEPTH`] nested calls, so that a cycle of functions ends.

use std::sync::Arc;

use bytes::Bytes;
use luckystack_plugins::call::MAX_CALL_DEPTH;
use luckystack_plugins::capability::Interface;
use luckystack_plugins::{CallContext, Capability, HandlerError, HostState};
use wasmtime::component::Linker;

use crate::json;

/// The capability.
#[derive(Clone, Copy, Debug)]
pub struct FunctionCall;

impl Capability for FunctionCall {
    fn name(&self) -> &'static str {
        "function-call"
    }

    fn provides(&self, interface: Interface<'_>) -> bool {
        interface.name == "luckystack:plugin/function-call"
    }

    fn link(&self, linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        linker.instance("luckystack:plugin/function-call@0.1.0")?.func_wrap_async(
            "call",
            |store, (name, args): (String, Vec<u8>)| {
                let parent = store.data().call().cloned();
                Box::new(async move { Ok((call(parent, name, args).await,)) })
            },
        )
    }
}

async fn call(
    parent: Option<Arc<CallContext>>,
    name: String,
    args: Vec<u8>,
) -> Result<Vec<u8>, HandlerError> {
    let Some(parent) = parent else { return Err(HandlerError::new("functions.unavailable", 500)) };
    let Some(functions) = parent.functions.clone() else {
        return Err(HandlerError::new("functions.unavailable", 500));
    };
    if parent.depth >= MAX_CALL_DEPTH {
        return Err(HandlerError::new("functions.callDepthExceeded", 500));
    }
    if json::check(&args).is_err() {
        return Err(HandlerError::new("functions.invalidArgs", 400));
    }
    functions.call(parent, name, Bytes::from(args)).await.map(Vec::from)
}
