//! The service `board`: cards in columns, which everybody in a room moves at once.
//!
//! The example of sync handlers. The server halves are here: each checks one user's action, keeps it, and
//! returns what the whole room is told. The client halves are in TypeScript, in `_sync/`: they decide what
//! each single recipient gets to see.
//!
//! The rule: what a server half returns reaches *everybody* in the room, client half or not. So it says
//! nothing of a private card but its number; its owner gets the card from the client half.

mod card;
mod live;
mod store;

use card::{Card, Column, Placement, place};
use luckystack::prelude::*;
use store::{Board, Person};

/// Cards on one board at most.
const MAX_CARDS: usize = 500;

#[derive(Deserialize, JsonSchema)]
struct Get {
    /// Name of the board; its room is `board-NAME`.
    #[schemars(length(min = 1, max = 40))]
    board: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Whole {
    me: Me,
    cards: Vec<Card>,
    people: Vec<Person>,
}

/// What is needed of the caller's session.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Me {
    id: String,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize, JsonSchema)]
struct Add {
    #[schemars(length(min = 1, max = 400))]
    text: String,
    column: Column,
    /// Whether nobody else sees it.
    #[serde(default)]
    private: bool,
}

#[derive(Deserialize, JsonSchema)]
struct Move {
    id: String,
    column: Column,
    /// The card that it comes to stand above; none for the end of the column.
    #[serde(default)]
    before: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Edit {
    id: String,
    #[serde(default)]
    #[schemars(length(min = 1, max = 400))]
    text: Option<String>,
    #[serde(default)]
    private: Option<bool>,
}

#[derive(Deserialize, JsonSchema)]
struct Remove {
    id: String,
}

/// What the room is told of a change.
#[derive(Debug, Serialize, JsonSchema)]
struct Changed {
    id: String,
    rev: u64,
    /// Whether only its owner may see the card; it is in nobody's `card` then.
    private: bool,
    /// The card as it is now; none when it is private or gone.
    card: Option<Card>,
    /// Cards of the column that got another rank with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ranks: Vec<(String, f64)>,
}

impl Changed {
    fn to(card: Card, ranks: Vec<(String, f64)>) -> Self {
        let (id, rev, private) = (card.id.clone(), card.rev, card.private);
        Self { id, rev, private, card: (!private).then_some(card), ranks }
    }
}

/// The cards that the caller may see, and who is there.
#[api(method = "GET", login = true, rate_limit = 120)]
fn get(ctx: &Ctx, input: Get) -> Result<Whole, HandlerError> {
    let me: Me = ctx.session()?;
    let board = Board::open(&input.board)?;
    let mut cards = board.cards()?;
    cards.retain(|card| card.is_for(&me.id));
    cards.sort_by(Card::order);
    Ok(Whole { cards, people: board.people()?, me })
}

/// Puts a new card at the end of a column.
#[sync_server(login = true, rate_limit = 600)]
fn add_card(ctx: &Ctx, input: Add) -> Result<Changed, HandlerError> {
    let me: Me = ctx.session()?;
    let board = Board::of(ctx)?;
    let cards = board.cards()?;
    if cards.len() >= MAX_CARDS {
        return Err(error!("board.full", max = MAX_CARDS).status(422));
    }
    let rev = board.next()?;
    let mut card = Card {
        id: format!("c{rev}"),
        text: written(&input.text)?,
        column: input.column,
        rank: 0.0,
        owner: me.id,
        owner_name: me.name,
        private: input.private,
        rev,
    };
    let ranks = stand(&board, cards, &mut card, None)?;
    Ok(Changed::to(card, ranks))
}

/// Moves a card to another place.
#[sync_server(login = true, rate_limit = 600)]
fn move_card(ctx: &Ctx, input: Move) -> Result<Changed, HandlerError> {
    let me: Me = ctx.session()?;
    let board = Board::of(ctx)?;
    let mut card = board.card(&input.id, &me.id)?;
    card.column = input.column;
    card.rev = board.next()?;
    let ranks = stand(&board, board.cards()?, &mut card, input.before.as_deref())?;
    Ok(Changed::to(card, ranks))
}

/// Writes a card anew, or hides it from the others, which only its owner may.
#[sync_server(login = true, rate_limit = 600)]
fn edit_card(ctx: &Ctx, input: Edit) -> Result<Changed, HandlerError> {
    let me: Me = ctx.session()?;
    let board = Board::of(ctx)?;
    let mut card = board.card(&input.id, &me.id)?;
    if let Some(private) = input.private.filter(|private| *private != card.private) {
        if card.owner != me.id {
            return Err(error!("board.notYours").status(403));
        }
        card.private = private;
    }
    if let Some(text) = &input.text {
        card.text = written(text)?;
    }
    card.rev = board.next()?;
    board.keep(std::slice::from_ref(&card))?;
    Ok(Changed::to(card, Vec::new()))
}

/// Takes a card off the board.
#[sync_server(login = true, rate_limit = 600)]
fn remove_card(ctx: &Ctx, input: Remove) -> Result<Changed, HandlerError> {
    let me: Me = ctx.session()?;
    let board = Board::of(ctx)?;
    let card = board.card(&input.id, &me.id)?;
    board.remove(&card.id)?;
    Ok(Changed { id: card.id, rev: board.next()?, private: false, card: None, ranks: Vec::new() })
}

/// A card's text without the space around it.
fn written(text: &str) -> Result<String, HandlerError> {
    match text.trim() {
        "" => Err(error!("board.emptyCard").status(422)),
        text => Ok(text.to_owned()),
    }
}

/// Gives the card its place and keeps it, and with it those that had to make room: their new ranks.
fn stand(
    board: &Board,
    cards: Vec<Card>,
    card: &mut Card,
    before: Option<&str>,
) -> Result<Vec<(String, f64)>, HandlerError> {
    match place(&cards, &card.id, card.column, before) {
        Placement::At(rank) => {
            card.rank = rank;
            board.keep(std::slice::from_ref(card))?;
            Ok(Vec::new())
        }
        Placement::Anew(ranks) => {
            let rank_of = |id: &str| ranks.iter().find(|(known, _)| known == id).map(|(_, rank)| *rank);
            let mut changed = Vec::with_capacity(ranks.len());
            for mut other in cards.into_iter().filter(|other| other.id != card.id) {
                if let Some(rank) = rank_of(&other.id) {
                    other.rank = rank;
                    changed.push(other);
                }
            }
            card.rank = rank_of(&card.id).unwrap_or(card.rank);
            changed.push(card.clone());
            board.keep(&changed)?;
            Ok(ranks)
        }
    }
}

luckystack::plugin! {
    service = "board",
    description = "A board of cards that everybody in a room moves at once",
    handlers = [
        get, add_card, move_card, edit_card, remove_card, live::here, live::cursor, live::typing,
    ],
}

#[cfg(test)]
mod tests;
