//! The service `conformance`: what every language must be able to do, in Rust. The other languages have the
//! same handlers, and the same tests call them.

use std::hint::black_box;

use luckystack::prelude::*;
use luckystack::{accounts, session, uploads};

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

#[derive(Deserialize, JsonSchema)]
struct Whisper {
    text: String,
    secret: String,
    steps: u32,
    /// The session that gets the secret.
    #[serde(default)]
    reader: Option<String>,
    /// The session that gets an error.
    #[serde(default)]
    refused: Option<String>,
    /// The sessions that get an aside.
    aside: Vec<String>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Whispered {
    text: String,
    room: String,
    user_id: Option<Value>,
}

#[derive(Serialize, JsonSchema)]
struct Heard {
    text: String,
    secret: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Lingered {
    aborted: bool,
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

#[derive(Deserialize, JsonSchema)]
struct Token {
    token: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct SessionSeen {
    user_id: Value,
    theme: Value,
    own: Value,
}

#[derive(Deserialize, JsonSchema)]
struct Setting {
    key: String,
    value: Value,
}

#[derive(Serialize, JsonSchema)]
struct Theme {
    theme: Value,
}

#[derive(Serialize, JsonSchema)]
struct Ended {
    ended: bool,
    again: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Credentials {
    password: String,
    new_password: String,
    name: String,
}

#[derive(Serialize, JsonSchema)]
struct Names {
    updated: Value,
    name: Value,
    nobody: Value,
}

#[derive(Deserialize, JsonSchema)]
struct File {
    name: String,
    text: String,
}

#[derive(Deserialize, JsonSchema)]
struct FileName {
    name: String,
}

#[derive(Serialize, JsonSchema)]
struct Removed {
    removed: bool,
    again: bool,
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

/// A member of an object, null when there is none.
fn member(object: Option<&Value>, key: &str) -> Value {
    object.and_then(|object| object.get(key)).cloned().unwrap_or_default()
}

#[api(method = "POST", name = "readSession")]
fn read_session(ctx: &Ctx, input: Token) -> Result<SessionSeen, HandlerError> {
    let found = session::get(&input.token).map(|session| session.user_as::<Value>()).transpose()?;
    Ok(SessionSeen {
        user_id: member(found.as_ref(), "id"),
        theme: member(found.as_ref(), "theme"),
        own: member(ctx.user().as_ref(), "theme"),
    })
}

/// Id and token of the caller, who is signed in.
fn own(ctx: &Ctx) -> Result<(String, &str), HandlerError> {
    let Some(session) = &ctx.caller().session else { return Err(error!("auth.required").status(401)) };
    let user: Value = session.user_as()?;
    Ok((user["id"].as_str().unwrap_or_default().to_owned(), &session.token))
}

#[api(method = "POST", name = "setSession", login = true)]
fn set_session(ctx: &Ctx, input: Setting) -> Result<Theme, HandlerError> {
    let updated = session::update(own(ctx)?.1, &json!({ (input.key): input.value }))?;
    Ok(Theme { theme: member(Some(&updated.user_as()?), "theme") })
}

#[api(method = "POST", name = "endSession", login = true)]
fn end_session(ctx: &Ctx) -> Result<Ended, HandlerError> {
    let (_, token) = own(ctx)?;
    Ok(Ended { ended: session::end(token), again: session::end(token) })
}

#[api(method = "POST", login = true)]
fn account(ctx: &Ctx, input: Credentials) -> Result<Names, HandlerError> {
    let (id, token) = own(ctx)?;
    accounts::change_password(&id, Some(&input.password), &input.new_password, Some(token))?;
    accounts::check_password(&id, &input.new_password)?;
    let updated = accounts::update(&id, &json!({ "name": input.name }))?;
    let record = accounts::get(&id)?;
    let nobody = accounts::get("nobody")?;
    Ok(Names {
        updated: member(Some(&updated), "name"),
        name: member(record.as_ref(), "name"),
        nobody: member(nobody.as_ref(), "id"),
    })
}

#[api(method = "POST", login = true)]
fn upload(input: File) -> Result<(), HandlerError> {
    uploads::put(&input.name, input.text.as_bytes())
}

#[api(method = "POST", name = "removeUpload", login = true)]
fn remove_upload(input: FileName) -> Result<Removed, HandlerError> {
    Ok(Removed { removed: uploads::remove(&input.name)?, again: uploads::remove(&input.name)? })
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

/// Tells the caller how far it is, the room what is said and some sessions what they alone hear.
#[sync_server(name = "whisper", stream = Step)]
fn whisper(ctx: &Ctx, input: Whisper) -> Result<Whispered, HandlerError> {
    for step in 1..=input.steps {
        ctx.stream(&Step { step });
    }
    ctx.broadcast(&json!({ "heard": input.text }));
    ctx.stream_to(&input.aside, &json!({ "aside": input.text }));
    Ok(Whispered {
        text: input.text,
        room: ctx.room().unwrap_or_default().to_owned(),
        user_id: ctx.user().and_then(|user| user.get("id").cloned()),
    })
}

/// Keeps the secret from everybody but the reader.
#[sync_client(name = "whisper")]
fn whisper_client(to: &Recipient, input: &Whisper, server: &Whispered) -> Result<Heard, HandlerError> {
    if to.token().is_some() && to.token() == input.refused.as_deref() {
        return Err(error!("conformance.refused", text = input.text.clone()).status(403));
    }
    let is_reader = to.token().is_some() && to.token() == input.reader.as_deref();
    if is_reader {
        to.stream(&json!({ "ahead": server.text }));
    }
    Ok(Heard { text: server.text.clone(), secret: is_reader.then(|| input.secret.clone()) })
}

/// Runs until it is cancelled.
#[sync_server(name = "linger")]
fn linger(ctx: &Ctx) -> Result<Lingered, HandlerError> {
    ctx.stream(&json!({ "ready": true }));
    while !ctx.aborted() {}
    Ok(Lingered { aborted: true })
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
    handlers = [
        echo, typed, fail, count, whoami, read_session, set_session, end_session, account, upload, remove_upload,
        distance, crash, spin, write_log, whisper, whisper_client, linger, double, executed,
    ],
}
