//! The service `board`, on which people move cards together: what clients of sockets are tested with.

use luckystack::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Prompt {
    prompt: String,
}

#[derive(Serialize, JsonSchema)]
struct Text {
    text: String,
}

#[derive(Deserialize, JsonSchema)]
struct Anything {
    value: Value,
}

#[derive(Serialize, JsonSchema)]
struct Aborted {
    aborted: bool,
}

#[derive(Deserialize, JsonSchema)]
struct Move {
    card: String,
    to: u32,
    /// Session whose card it is.
    #[serde(default)]
    owner: Option<String>,
    /// Session that is told no.
    #[serde(default)]
    refused: Option<String>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Moved {
    moved: bool,
}

#[derive(Serialize, JsonSchema)]
struct Seen {
    mine: bool,
}

#[derive(Deserialize, JsonSchema)]
struct Card {
    card: String,
}

#[derive(Serialize, JsonSchema)]
struct Pinned {
    pinned: String,
}

#[derive(Deserialize, JsonSchema)]
struct Render {
    /// How many times it tells how far it is.
    steps: u32,
    /// Sessions that hear more.
    #[serde(default)]
    aside: Vec<String>,
    /// Goes on until it is cancelled.
    #[serde(default)]
    hold: bool,
}

#[derive(Serialize, JsonSchema)]
struct Rendered {
    pages: u32,
}

/// Says hello in two pieces.
#[api(method = "POST", rate_limit = false)]
fn complete(ctx: &Ctx, input: Prompt) -> Result<Text, HandlerError> {
    if input.prompt.is_empty() {
        return Err(error!("board.nothingToSay", field = "prompt").status(422));
    }
    for chunk in ["Hel", "lo"] {
        ctx.stream(&json!({ "chunk": chunk }));
    }
    Ok(Text { text: "Hello".into() })
}

/// Gives back what it got.
#[api(method = "POST", rate_limit = false)]
fn echo(input: Anything) -> Result<Value, HandlerError> {
    Ok(input.value)
}

/// The id of whoever is signed in.
#[api(method = "POST", login = true, rate_limit = false)]
fn mine(ctx: &Ctx) -> Result<Value, HandlerError> {
    Ok(ctx.user().and_then(|user| user.get("id").cloned()).unwrap_or_default())
}

/// Is answered once it was cancelled.
#[api(method = "POST", rate_limit = false)]
fn linger(ctx: &Ctx) -> Result<Aborted, HandlerError> {
    ctx.stream(&json!({ "ready": true }));
    until_aborted(ctx);
    ctx.stream(&json!({ "late": true }));
    Ok(Aborted { aborted: ctx.aborted() })
}

/// Moves a card before everybody's eyes.
#[sync_server(name = "moveCard", login = true, rate_limit = false)]
fn move_card(input: Move) -> Result<Flat<Moved>, HandlerError> {
    match input.to {
        0 => Err(error!("board.noSuchPlace", card = input.card).status(422)),
        _ => Ok(Flat(Moved { moved: true })),
    }
}

/// Tells each whether the card is theirs.
#[sync_client(name = "moveCard")]
fn move_card_for(to: &Recipient, input: &Move) -> Result<Flat<Seen>, HandlerError> {
    let is = |token: &Option<String>| to.token().is_some() && to.token() == token.as_deref();
    if is(&input.refused) {
        return Err(error!("board.hidden").status(403));
    }
    Ok(Flat(Seen { mine: is(&input.owner) }))
}

/// Pins a card: the same for everybody, and for nobody in particular.
#[sync_server(name = "pinCard", rate_limit = false)]
fn pin_card(input: Card) -> Result<Flat<Pinned>, HandlerError> {
    Ok(Flat(Pinned { pinned: input.card }))
}

/// Tells the caller, the room and some sessions how far it is.
#[sync_server(name = "render", login = true, rate_limit = false)]
fn render(ctx: &Ctx, input: Render) -> Result<Flat<Rendered>, HandlerError> {
    let tell = |progress: u32| {
        ctx.stream(&json!({ "progress": progress }));
        ctx.broadcast(&json!({ "progress": progress }));
        ctx.stream_to(&input.aside, &json!({ "aside": progress }));
    };
    (1..=input.steps).for_each(|step| tell(10 * step));
    if input.hold {
        until_aborted(ctx);
        tell(100);
    }
    Ok(Flat(Rendered { pages: input.steps }))
}

fn until_aborted(ctx: &Ctx) {
    while !ctx.aborted() {
        std::hint::spin_loop();
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Update {
    kind: String,
    room_codes: Vec<String>,
    #[serde(default)]
    recipient_count: Option<u64>,
}

/// Who is in the room `silent` comes and goes unseen.
#[hook("prePresenceUpdate", payload = ["kind", "roomCodes"])]
fn before_update(event: Update) -> Result<(), HandlerError> {
    match event.room_codes.iter().any(|room| room == "silent") {
        true => Err(error!("board.unseen")),
        false => Ok(()),
    }
}

#[hook("postPresenceUpdate", payload = ["kind", "roomCodes", "recipientCount"])]
fn after_update(event: Update) {
    let told = event.recipient_count.unwrap_or_default();
    log::info!("presence: {} in {} told {told}", event.kind, event.room_codes.join(","));
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Returned {
    user_id: String,
    room_codes: Vec<String>,
}

#[hook("postSocketReconnect", payload = ["userId", "roomCodes"])]
fn returned(event: Returned) {
    log::info!("reconnected: {} in {}", event.user_id, event.room_codes.join(","));
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Expired {
    reason: String,
    session_deleted: bool,
}

#[hook("postDisconnectGraceExpired", payload = ["reason", "sessionDeleted"])]
fn expired(event: Expired) {
    log::info!("grace expired: {}, session deleted: {}", event.reason, event.session_deleted);
}

luckystack::plugin! {
    service = "board",
    description = "A board that people move cards on together",
    handlers = [
        complete, echo, mine, linger, move_card, move_card_for, pin_card, render, before_update, after_update,
        returned, expired,
    ],
}
