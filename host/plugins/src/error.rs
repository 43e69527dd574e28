//! What can go wrong when loading a component and when calling one.

use std::path::PathBuf;
use std::time::Duration;

/// A stage of loading, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Reading the file.
    Read,
    /// Recognising a component by its first bytes.
    Recognise,
    /// Comparing the content with the preset's pin.
    Pin,
    /// Compiling to native code.
    Compile,
    /// Checking imports against the host's offer and the service's grants.
    Link,
    /// Calling `describe`.
    Describe,
    /// Checking the manifest.
    Manifest,
    /// Making one instance, before it takes over from a version that serves.
    Instantiate,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Stage::Read => "read",
            Stage::Recognise => "recognise",
            Stage::Pin => "pin",
            Stage::Compile => "compile",
            Stage::Link => "link",
            Stage::Describe => "describe",
            Stage::Manifest => "manifest",
            Stage::Instantiate => "instantiate",
        })
    }
}

/// Why a component was not loaded. Whatever ran before keeps running.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} (stage: {stage}): {message}\n  help: {remedy}", file.display())]
pub struct LoadError {
    /// The component's file.
    pub file: PathBuf,
    /// Where loading stopped.
    pub stage: Stage,
    /// What is wrong, naming the thing.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

/// Why a call has no answer from its guest. Named for what the caller does next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The call outlived its deadline: answer with a timeout.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The service's queue is full, or no place came free in time: refuse, and say when to retry.
    #[error("the service {service} is busy: {waiting} calls wait already")]
    Saturated {
        /// The service.
        service: String,
        /// Calls in its queue.
        waiting: usize,
        /// When a retry is likely to be accepted.
        retry_after: Duration,
    },
    /// The guest crashed; its instance is gone: answer with an internal error.
    #[error("{0}")]
    Trap(String),
    /// The guest answered more than the service's limit allows: answer with an internal error.
    #[error("the answer has {bytes} bytes, the service's limit max_output is {limit}")]
    OutputTooLarge {
        /// Size of the answer.
        bytes: usize,
        /// The limit.
        limit: u64,
    },
    /// The plugin does not export the interface that the call needs.
    #[error("the component does not export {0}")]
    NotExported(&'static str),
}

/// Ends a guest's call from inside a host function because it broke a bound of its service. Shown in
/// the log; the client sees an internal error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BoundExceeded {
    /// The deadline, seen while the guest was computing.
    #[error("deadline exceeded")]
    Deadline,
    /// Linear memory.
    #[error("memory limit exceeded: {wanted} bytes wanted, the service's limit memory is {limit}")]
    Memory {
        /// Size the guest asked for.
        wanted: usize,
        /// The limit.
        limit: u64,
    },
    /// A table.
    #[error("table limit exceeded: {wanted} elements wanted, the limit is {limit}")]
    Table {
        /// Size the guest asked for.
        wanted: usize,
        /// The limit.
        limit: usize,
    },
    /// One chunk of a stream.
    #[error("a stream chunk has {bytes} bytes, the service's limit max_stream_chunk is {limit}")]
    Chunk {
        /// Size of the chunk.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// All chunks of a call.
    #[error("the stream has {bytes} bytes, the service's limit max_stream is {limit}")]
    Stream {
        /// Size so far.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// A chunk that is not a JSON object.
    #[error("a stream chunk must be a JSON object: {0}")]
    InvalidChunk(String),
}
