//! What is never kept for long: who is there, where they point, that they write.

use luckystack::prelude::*;

use crate::Me;
use crate::card::Column;
use crate::store::{Board, Person};

/// How somebody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum State {
    /// Looking at the board.
    Here,
    /// The page is out of sight.
    Away,
    /// Closing it.
    Gone,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Here {
    state: State,
}

/// Everybody who is there.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct People {
    people: Vec<Person>,
}

/// A place on the board that is the same on every screen: within a column.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Cursor {
    column: Column,
    /// From the left edge of the column, 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    x: f64,
    /// Pixels below its top.
    #[schemars(range(min = 0, max = 100_000))]
    y: f64,
}

#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Typing {
    column: Column,
    on: bool,
}

/// A sign of life, which pages give every twenty seconds: everybody gets to know who is there.
#[sync_server(login = true, rate_limit = 600)]
pub(crate) fn here(ctx: &Ctx, input: Here) -> Result<People, HandlerError> {
    let Me { id, name } = ctx.session()?;
    let board = Board::of(ctx)?;
    match input.state {
        State::Gone => board.part_from(&id)?,
        state => board.greet(&Person { id, name, away: state == State::Away, seen: time::now_ms() })?,
    }
    Ok(People { people: board.people()? })
}

/// Shows the others where the caller points, by a chunk that goes to the room and is kept nowhere.
// A pointer that moves would soon meet a limit of calls per minute. What remains is that of the address.
#[sync_server(login = true, rate_limit = false, stream = Value)]
pub(crate) fn cursor(ctx: &Ctx, input: Cursor) -> Result<(), HandlerError> {
    let Me { id, name } = ctx.session()?;
    ctx.broadcast(&json!({ "cursor": { "id": id, "name": name, "at": input } }));
    Ok(())
}

/// Shows the others that the caller is writing a card.
#[sync_server(login = true, rate_limit = false, stream = Value)]
pub(crate) fn typing(ctx: &Ctx, input: Typing) -> Result<(), HandlerError> {
    let Me { id, name } = ctx.session()?;
    ctx.broadcast(&json!({ "typing": { "id": id, "name": name, "at": input } }));
    Ok(())
}
