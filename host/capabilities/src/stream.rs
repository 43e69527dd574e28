//! `luckystack:plugin/stream`: chunks to the caller, the room or chosen sockets while a call runs
//! (wire protocol §3.6, §4.8).
//!
//! A chunk is spliced into an event stream or a socket frame as it is, so it is checked to be one JSON
//! object and put on one line first. The service's bounds hold whether or not anybody listens: a guest
//! that emits without end is ended either way.

use std::sync::Arc;

use bytes::Bytes;
use luckystack_plugins::capability::Interface;
use luckystack_plugins::error::BoundExceeded;
use luckystack_plugins::{Capability, HostState, StreamSink};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, WasmList};

use crate::json;

/// The capability.
#[derive(Clone, Copy, Debug)]
pub struct Stream;

/// A checked chunk, and who takes it.
type Delivery = Option<(Arc<dyn StreamSink>, Bytes)>;

impl Capability for Stream {
    fn name(&self) -> &'static str {
        "stream"
    }

    fn provides(&self, interface: Interface<'_>) -> bool {
        interface.name == "luckystack:plugin/stream"
    }

    fn link(&self, linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        let mut stream = linker.instance("luckystack:plugin/stream@0.1.0")?;
        stream.func_wrap_async("emit", |store, (chunk,): (WasmList<u8>,)| {
            let delivery = prepare(&store, &chunk);
            Box::new(async move {
                Ok((match delivery? {
                    Some((sink, chunk)) => sink.emit(chunk).await,
                    None => false,
                },))
            })
        })?;
        stream.func_wrap_async("broadcast", |store, (chunk,): (WasmList<u8>,)| {
            let delivery = prepare(&store, &chunk);
            Box::new(async move {
                Ok((match delivery? {
                    Some((sink, chunk)) => sink.broadcast(chunk).await,
                    None => false,
                },))
            })
        })?;
        stream.func_wrap_async("to", |store, (tokens, chunk): (Vec<String>, WasmList<u8>)| {
            let delivery = prepare(&store, &chunk);
            Box::new(async move {
                Ok((match delivery? {
                    Some((sink, chunk)) => sink.to(&tokens, chunk).await,
                    None => false,
                },))
            })
        })?;
        stream.func_wrap_async("to-recipient", |store, (recipient, chunk): (u32, WasmList<u8>)| {
            let delivery = prepare(&store, &chunk);
            Box::new(async move {
                Ok((match delivery? {
                    Some((sink, chunk)) => sink.to_recipient(recipient, chunk).await,
                    None => false,
                },))
            })
        })?;
        // Nobody has gone while no call runs: there never was anybody.
        stream.func_wrap("aborted", |store: StoreContextMut<'_, HostState>, (): ()| {
            Ok((store.data().call().is_some_and(|call| call.is_aborted()),))
        })
    }
}

/// Checks a chunk against its service's bounds; none when nobody would receive it.
fn prepare(store: &StoreContextMut<'_, HostState>, chunk: &WasmList<u8>) -> wasmtime::Result<Delivery> {
    let state = store.data();
    let Some(call) = state.call() else { return Ok(None) };
    // Still in the guest's memory: an oversized one is refused before it costs the host anything.
    let chunk: &[u8] = chunk.as_le_slice(store);
    let settings = state.service.settings();
    let (bytes, limit) = (chunk.len() as u64, settings.max_stream_chunk);
    if bytes > limit {
        return Err(wasmtime::Error::new(BoundExceeded::Chunk { bytes, limit }));
    }
    let line = json::single_line_object(chunk)
        .map_err(|why| wasmtime::Error::new(BoundExceeded::InvalidChunk(why)))?;
    let (total, limit) = (call.count_streamed(bytes), settings.max_stream);
    if total > limit {
        return Err(wasmtime::Error::new(BoundExceeded::Stream { bytes: total, limit }));
    }
    if call.is_aborted() {
        return Ok(None);
    }
    Ok(call.sink.clone().map(|sink| (sink, Bytes::from(line))))
}
