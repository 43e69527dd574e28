//! One call as a transport hands it over, and what it gets back.

use std::sync::Arc;

use bytes::Bytes;
use luckystack_plugins::{Caller, StreamSink};
use luckystack_topology::{Method, Prefix};

/// One call.
pub struct Call {
    /// The surface that it is for.
    pub prefix: Prefix,
    /// The name as the transport received it, prefix included: `api/vehicles/getAll/v1`.
    pub raw_name: String,
    /// The HTTP method; none over sockets, which have no method (wire protocol §1.4).
    pub method: Option<Method>,
    /// The input: JSON text of an object, already checked to be one by the transport.
    pub input: Bytes,
    /// Who calls.
    pub caller: Caller,
    /// Where chunks go; none outside streaming mode.
    pub sink: Option<Arc<dyn StreamSink>>,
}

/// What a call gets back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status, also the envelope's `httpStatus`.
    pub status: u16,
    /// The envelope as JSON text.
    pub body: Bytes,
    /// Whether it is an error envelope.
    pub is_error: bool,
    /// Seconds after which a refused call is likely to be accepted.
    pub retry_after: Option<u64>,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call")
            .field("raw_name", &self.raw_name)
            .field("method", &self.method)
            .field("caller", &self.caller)
            .field("streaming", &self.sink.is_some())
            .finish_non_exhaustive()
    }
}
