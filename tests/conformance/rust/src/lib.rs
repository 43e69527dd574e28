//! The service `conformance`: what every language must be able to do, in Rust. The other languages have the
//! same handlers, and the same tests call them.

use std::hint::black_box;

use luckystack::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Echo {
    value: Value,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Fast,
    Slow,
}

#[derive(Deserialize, JsonSchema)]
struct Typed {
    name: String,
    count: i64,
    #[serde(default)]
    tags: Vec<String>,
    mode: Mode,
}

#[derive(Serialize, JsonSchema)]
struct Summary {
    text: String,
    tags: usize,
}

#[derive(Deserialize, JsonSchema)]
struct Id {
    id: String,
}

#[derive(Deserialize, JsonSchema)]
struct To {
    to: f64,
}

#[derive(Serialize, JsonSchema)]
struct Step {
    step: u32,
}

#[derive(Serialize, JsonSchema)]
struct Sent {
    sent: u32,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Caller {
    user_id: Option<Value>,
    language: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Points {
    from: [f64; 2],
    to: [f64; 2],
}

#[derive(Serialize, JsonSchema)]
struct Distance {
    km: f64,
}

#[derive(Deserialize, JsonSchema)]
struct Text {
    text: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Number {
    n: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Executed {
    #[expect(dead_code, reason = "the subscription asks for it, and that it comes is part of the promise")]
    route_name: String,
}

#[api(method = "POST")]
fn echo(input: Echo) -> Result<Value, HandlerError> {
    Ok(input.value)
}

#[api(method = "POST")]
fn typed(input: Typed) -> Result<Summary, HandlerError> {
    let mode = match input.mode {
        Mode::Fast => "fast",
        Mode::Slow => "slow",
    };
    Ok(Summary { text: format!("{} x{} {mode}", input.name, input.count), tags: input.tags.len() })
}

#[api(method = "POST")]
fn fail(input: Id) -> Result<(), HandlerError> {
    Err(error!("conformance.notFound", id = input.id).status(404))
}

#[api(method = "POST", stream = Step)]
fn count(ctx: &Ctx, input: To) -> Result<Sent, HandlerError> {
    // Saturates: what is no count is 0.
    let sent = input.to as u32;
    for step in 1..=sent {
        ctx.stream(&Step { step });
    }
    Ok(Sent { sent })
}

#[api(method = "GET")]
fn whoami(ctx: &Ctx) -> Result<Caller, HandlerError> {
    let user_id = ctx.user().and_then(|user| user.get("id").cloned());
    Ok(Caller { user_id, language: ctx.language().to_owned() })
}

#[api(method = "POST")]
fn distance(ctx: &Ctx, points: Points) -> Result<Distance, HandlerError> {
    Ok(Distance { km: ctx.call_function("geo/distance", &points)? })
}

/// Panics, which is a trap.
#[api(method = "POST")]
fn crash() -> Result<(), HandlerError> {
    panic!("asked to crash")
}

#[api(method = "POST")]
fn spin() -> Result<(), HandlerError> {
    loop {
        black_box(());
    }
}

#[api(method = "POST", name = "log")]
fn write_log(input: Text) -> Result<(), HandlerError> {
    log::info!("{}", input.text);
    Ok(())
}

#[function("conformance/double")]
fn double(args: Number) -> Result<Number, HandlerError> {
    Ok(Number { n: 2.0 * args.n })
}

#[hook("postApiExecute", payload = ["routeName"], routes = ["api/conformance/echo/v1"])]
fn executed(_event: Executed) {
    log::info!("echo was called");
}

luckystack::plugin! {
    service = "conformance",
    description = "What every language must be able to do",
    handlers = [echo, typed, fail, count, whoami, distance, crash, spin, write_log, double, executed],
}
