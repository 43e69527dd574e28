//! The service `bench`: what the benches of sockets measure. Its handlers do next to nothing, so that what is
//! measured is the way to them and back.

use luckystack::prelude::*;

/// What a client says, and what everybody hears of it.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Message {
    /// Grows by one a message.
    seq: u64,
    /// When it was sent, by the sender's clock.
    sent: u64,
    /// Makes it longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pad: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Place {
    place: u32,
}

/// Tells a room what was said.
#[sync_server(name = "echo", login = true, rate_limit = false)]
fn echo(input: Message) -> Result<Flat<Message>, HandlerError> {
    Ok(Flat(input))
}

/// Tells each of a room something else.
#[sync_server(name = "private", login = true, rate_limit = false)]
fn private(input: Message) -> Result<Flat<Message>, HandlerError> {
    Ok(Flat(input))
}

/// A number that depends on who it is (FNV-1a).
#[sync_client(name = "private")]
fn private_for(to: &Recipient, _message: &Message) -> Result<Flat<Place>, HandlerError> {
    let token = to.token().unwrap_or_default();
    let hash = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    Ok(Flat(Place { place: token.bytes().fold(0x811c_9dc5, hash) }))
}

/// Answers with what came.
#[api(name = "echo", method = "POST", login = false, rate_limit = false)]
fn answer(input: Message) -> Result<Message, HandlerError> {
    Ok(input)
}

luckystack::plugin! {
    service = "bench",
    description = "Sync handlers and a call that do next to nothing",
    handlers = [echo, private, private_for, answer],
}
