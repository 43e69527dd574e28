//! Standard output and error of a guest, line by line in the service's log.
//!
//! A line belongs to the call in which it began. It is written when it ends, when it grows too long,
//! when the next call begins to write, or when the instance ends.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use luckystack_plugins::state::CurrentCall;
use luckystack_plugins::{CallContext, ServiceRuntime};
use parking_lot::Mutex;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::log_line::{self, Allowance, Severity, Source};

/// A longer line is written in pieces: what is buffered per instance stays small.
const MAX_LINE: usize = 8 << 10;
/// What a guest may write at once, as for other streams of WASI.
const PERMIT: usize = 64 << 10;

/// One of the two streams. Clones write to the same line.
#[derive(Clone)]
pub(super) struct ServiceLog(Arc<Mutex<Lines>>);

struct Lines {
    service: Arc<ServiceRuntime>,
    current: CurrentCall,
    severity: Severity,
    /// Lines written while no call ran.
    while_loading: u32,
    line: Vec<u8>,
    owner: Owner,
}

/// Whose line it is: its source, and the call itself without keeping it (and its client) alive.
struct Owner {
    source: Source,
    call: Weak<CallContext>,
    allowance: Allowance,
}

impl ServiceLog {
    pub(super) fn new(service: &Arc<ServiceRuntime>, current: CurrentCall, severity: Severity) -> Self {
        ServiceLog(Arc::new(Mutex::new(Lines {
            service: Arc::clone(service),
            current,
            severity,
            while_loading: 0,
            line: Vec::new(),
            owner: Owner {
                source: Source::new(service, None),
                call: Weak::new(),
                allowance: Allowance::Silent,
            },
        })))
    }
}

impl Lines {
    fn write(&mut self, bytes: &[u8]) {
        if !self.severity.enabled() {
            return;
        }
        let call = self.current.lock().clone();
        let same = call.as_ref().map_or(std::ptr::null(), Arc::as_ptr) == owner_ptr(&self.owner.call);
        if !same {
            self.end_line();
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.append(piece.strip_suffix(b"\n").unwrap_or(piece), call.as_ref());
            if piece.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    fn append(&mut self, mut text: &[u8], call: Option<&Arc<CallContext>>) {
        while !text.is_empty() {
            if self.line.is_empty() {
                self.begin_line(call);
            }
            let room = MAX_LINE - self.line.len();
            let take = if text.len() <= room { text.len() } else { character_boundary(text, room) };
            self.line.extend_from_slice(&text[..take]);
            text = &text[take..];
            if !text.is_empty() {
                self.end_line();
            }
        }
    }

    fn begin_line(&mut self, call: Option<&Arc<CallContext>>) {
        let count = match call {
            Some(call) => call.count_log_line(),
            None => {
                self.while_loading = self.while_loading.saturating_add(1);
                self.while_loading
            }
        };
        self.owner = Owner {
            source: Source::new(&self.service, call.map(AsRef::as_ref)),
            call: call.map_or_else(Weak::new, Arc::downgrade),
            allowance: Allowance::of(count, self.service.settings().max_log_lines),
        };
    }

    fn end_line(&mut self) {
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        if !line.is_empty() {
            let text = String::from_utf8_lossy(line);
            log_line::write(self.owner.allowance, self.severity, &self.owner.source, None, &text);
        }
        self.line.clear();
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.end_line();
    }
}

/// Null for no call: a `Weak` that never pointed anywhere has an address of its own.
fn owner_ptr(call: &Weak<CallContext>) -> *const CallContext {
    if call.ptr_eq(&Weak::new()) { std::ptr::null() } else { call.as_ptr() }
}

/// The largest cut at or before `at` that does not split a UTF-8 character; `at` where the text is
/// not UTF-8.
fn character_boundary(text: &[u8], at: usize) -> usize {
    let is_continuation = |index: usize| text[index] & 0xc0 == 0x80;
    (at.saturating_sub(3)..=at).rev().find(|cut| !is_continuation(*cut)).unwrap_or(at)
}

// ---------------------------------------------------------------------------------------------
// The traits of WASI's streams

impl IsTerminal for ServiceLog {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for ServiceLog {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for ServiceLog {
    async fn ready(&mut self) {}
}

impl OutputStream for ServiceLog {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.0.lock().write(&bytes);
        Ok(())
    }

    /// Half a line stays half a line: engines flush after every write.
    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PERMIT)
    }
}

impl AsyncWrite for ServiceLog {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.0.lock().write(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_cut_between_characters() {
        for (text, at, cut) in [
            ("abc".as_bytes(), 2, 2),
            ("aé".as_bytes(), 2, 1),
            ("a€€".as_bytes(), 3, 1),
            ("a€€".as_bytes(), 4, 4),
            ("𝄞𝄞".as_bytes(), 7, 4),
            // Nothing but continuation bytes: not UTF-8, cut anywhere.
            (&[0x80; 8], 5, 5),
            // The character belongs to the next piece as a whole.
            ("𝄞".as_bytes(), 2, 0),
        ] {
            assert_eq!(character_boundary(text, at), cut, "{text:?} at {at}");
        }
    }
}
