//! A service that calls functions by name, and provides some that misbehave.

use std::hint::black_box;

use luckystack::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Request {
    name: String,
    #[serde(default)]
    args: Value,
}

/// Calls any function with any arguments.
#[api(method = "POST", rate_limit = false, validation = "relaxed")]
fn call(ctx: &Ctx, input: Request) -> Result<Value, HandlerError> {
    ctx.call_function(&input.name, &input.args)
}

/// Says who provides it: a project function of the same name shadows it.
#[function("relay/whoami")]
fn whoami(_args: Value) -> Result<&'static str, HandlerError> {
    Ok("service")
}

/// Gives its arguments back.
#[function("relay/echo")]
fn echo(args: Value) -> Result<Value, HandlerError> {
    Ok(args)
}

/// Calls itself without end.
#[function("relay/again")]
fn again(depth: u32) -> Result<u32, HandlerError> {
    functions::call("relay/again", &(depth + 1))
}

/// Panics.
#[function("relay/panic")]
fn panic(_args: Value) -> Result<(), HandlerError> {
    panic!("a function went wrong")
}

/// Loops without end.
#[function("relay/spin")]
fn spin(_args: Value) -> Result<(), HandlerError> {
    loop {
        black_box(());
    }
}

/// Fails as a function may.
#[function("relay/fail")]
fn fail(_args: Value) -> Result<(), HandlerError> {
    Err(error!("relay.failed", reason = "asked to").status(409))
}

luckystack::plugin! {
    service = "relay",
    description = "Calls functions by name, and provides some that misbehave",
    handlers = [call, whoami, echo, again, panic, spin, fail],
}
