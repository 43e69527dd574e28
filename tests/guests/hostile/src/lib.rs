//! A service that does, when asked, everything that a plugin should not do, and one thing that it should.
//!
//! Every route counts in a global, so that `healthy` tells how many calls its instance has seen: 1 from
//! a clean one.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use luckystack::prelude::*;

static CALLS: AtomicU64 = AtomicU64::new(0);

fn count() -> u64 {
    CALLS.fetch_add(1, Ordering::Relaxed) + 1
}

#[derive(Serialize, JsonSchema)]
struct Healthy {
    /// Calls that this instance has seen, this one included.
    calls: u64,
}

#[derive(Deserialize, JsonSchema)]
struct Size {
    bytes: usize,
}

#[derive(Deserialize, JsonSchema)]
struct Lines {
    lines: u32,
}

#[derive(Deserialize, JsonSchema)]
struct Stream {
    /// Chunks to send; none for no end.
    chunks: Option<u32>,
    bytes: usize,
    /// Goes on when nobody listens.
    stubborn: bool,
}

#[derive(Serialize, JsonSchema)]
struct Chunk {
    number: u32,
    filler: String,
}

#[derive(Serialize, JsonSchema)]
struct Sent {
    sent: u32,
}

/// What a plugin should do.
#[api(method = "GET", rate_limit = false)]
fn healthy() -> Result<Healthy, HandlerError> {
    Ok(Healthy { calls: count() })
}

/// Loops without end.
#[api(method = "GET", rate_limit = false)]
fn spin() -> Result<(), HandlerError> {
    count();
    loop {
        black_box(());
    }
}

/// Takes memory without end.
#[api(method = "GET", rate_limit = false)]
fn allocate() -> Result<(), HandlerError> {
    count();
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        hoard.push(black_box(vec![1; 1 << 20]));
    }
}

/// Keeps some memory for ever.
#[api(method = "POST", rate_limit = false)]
fn hoard(input: Size) -> Result<Healthy, HandlerError> {
    std::mem::forget(black_box(vec![1u8; input.bytes]));
    Ok(Healthy { calls: count() })
}

/// Calls itself without end.
#[api(method = "GET", rate_limit = false)]
fn recurse() -> Result<u64, HandlerError> {
    #[expect(unconditional_recursion, reason = "that is the point")]
    fn deeper(depth: u64) -> u64 {
        let frame = black_box([depth; 16]);
        deeper(depth + 1) + black_box(frame)[0]
    }
    count();
    Ok(deeper(0))
}

/// Panics.
#[api(method = "GET", rate_limit = false)]
fn panic() -> Result<(), HandlerError> {
    panic!("call {} went wrong", count())
}

/// Aborts.
#[api(method = "GET", rate_limit = false)]
fn abort() -> Result<(), HandlerError> {
    count();
    std::process::abort()
}

/// Answers with text of this size.
#[api(method = "POST", rate_limit = false)]
fn huge(input: Size) -> Result<String, HandlerError> {
    count();
    Ok("x".repeat(input.bytes))
}

/// Streams.
#[api(method = "POST", rate_limit = false, stream = Chunk)]
fn stream(ctx: &Ctx, input: Stream) -> Result<Sent, HandlerError> {
    count();
    let mut sent = 0;
    let filler = "x".repeat(input.bytes);
    while input.chunks.is_none_or(|chunks| sent < chunks) {
        let listening = ctx.stream(&Chunk { number: sent + 1, filler: filler.clone() });
        if !listening && !input.stubborn {
            log::warn!("nobody listens after {sent} chunks");
            break;
        }
        sent += 1;
    }
    Ok(Sent { sent })
}

/// Streams what is no object.
#[api(method = "GET", rate_limit = false, stream = u32)]
fn stream_number(ctx: &Ctx) -> Result<(), HandlerError> {
    count();
    ctx.stream(&5);
    Ok(())
}

/// Streams one chunk, then waits until the client has gone.
#[api(method = "GET", rate_limit = false, stream = Chunk)]
fn follow(ctx: &Ctx) -> Result<(), HandlerError> {
    count();
    ctx.stream(&Chunk { number: 1, filler: String::new() });
    while !ctx.aborted() {
        black_box(());
    }
    log::warn!("the client has gone");
    Ok(())
}

/// Writes into the log.
#[api(method = "POST", rate_limit = false)]
fn write_log(input: Lines) -> Result<(), HandlerError> {
    count();
    for line in 1..=input.lines {
        log::info!("line {line}\nERROR forged");
    }
    Ok(())
}

/// Fails as a plugin may: that is no fault of it.
#[api(method = "GET", rate_limit = false)]
fn fail() -> Result<(), HandlerError> {
    count();
    Err(error!("hostile.failed", reason = "asked to").status(409))
}

/// Fails without saying why.
#[api(method = "GET", rate_limit = false)]
fn fail_silently() -> Result<(), HandlerError> {
    count();
    Err(HandlerError::new("  "))
}

luckystack::plugin! {
    service = "hostile",
    description = "Does, when asked, everything that a plugin should not do",
    handlers = [
        healthy, spin, allocate, hoard, recurse, panic, abort, huge, stream, stream_number, follow, write_log, fail,
        fail_silently,
    ],
}
