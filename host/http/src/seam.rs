//! Temporary copies of the pipeline's types, until they exist.
use bytes::Bytes;
use std::sync::Arc;
pub use luckystack_topology::{Method, Prefix};
use std::pin::Pin;
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport { Socket, Http }
#[derive(Clone, Debug)]
pub struct Session { pub token: String, pub user: Bytes }
#[derive(Clone, Debug)]
pub struct Caller { pub session: Option<Arc<Session>>, pub ip: Arc<str>, pub language: Arc<str>, pub request_id: Arc<str>, pub traceparent: Option<Arc<str>>, pub transport: Transport }
pub type SinkFuture<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;
pub trait StreamSink: Send + Sync {
    fn emit(&self, chunk: Bytes) -> SinkFuture<'_>;
    fn aborted(&self) -> bool;
}
pub struct Call { pub prefix: Prefix, pub raw_name: String, pub method: Option<Method>, pub input: Bytes, pub caller: Caller, pub sink: Option<Arc<dyn StreamSink>> }
pub struct Reply { pub status: u16, pub body: Bytes, pub is_error: bool, pub retry_after: Option<u64> }
pub struct HookStop { pub error_code: String, pub http_status: Option<u16> }
