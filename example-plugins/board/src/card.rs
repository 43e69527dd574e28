//! A card, and where it stands among others.

use std::cmp::Ordering;

use luckystack::prelude::*;

/// The columns, from left to right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Column {
    /// Not begun.
    Todo,
    /// Somebody is at it.
    Doing,
    /// Over.
    Done,
}

/// A card as its readers see it, and as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Card {
    /// Unique within the service.
    pub id: String,
    /// What is on it.
    pub text: String,
    /// Where it is.
    pub column: Column,
    /// Cards of a column stand in the order of their ranks.
    pub rank: f64,
    /// Id of the user who wrote it.
    pub owner: String,
    /// What that user was called then.
    pub owner_name: String,
    /// Whether nobody but the owner sees it.
    pub private: bool,
    /// Grows with every change on the service: of two versions of a card, the larger one is the newer.
    pub rev: u64,
}

/// Distance of two cards that were put one behind the other.
const STEP: f64 = 1024.0;

/// Where a card comes to stand.
#[derive(Debug, PartialEq)]
pub enum Placement {
    /// Between its neighbours.
    At(f64),
    /// Its neighbours stand too close: all of the column get new ranks, the card's own among them.
    Anew(Vec<(String, f64)>),
}

impl Card {
    /// Whether the user may see it, and so change it.
    pub fn is_for(&self, user: &str) -> bool {
        !self.private || self.owner == user
    }

    /// As they stand in a column, from the top.
    pub fn order(&self, other: &Self) -> Ordering {
        self.rank.total_cmp(&other.rank).then_with(|| self.id.cmp(&other.id))
    }
}

/// The place of the card `id` in `column`: above the card `before`, or at the end where that is none.
pub fn place(cards: &[Card], id: &str, column: Column, before: Option<&str>) -> Placement {
    let mut others: Vec<&Card> = cards.iter().filter(|card| card.column == column && card.id != id).collect();
    others.sort_by(|one, other| one.order(other));
    let found = before.and_then(|before| others.iter().position(|card| card.id == before));
    let at = found.unwrap_or(others.len());
    let above = at.checked_sub(1).and_then(|above| others.get(above)).map(|card| card.rank);
    let below = others.get(at).map(|card| card.rank);
    let rank = match (above, below) {
        (None, None) => STEP,
        (Some(above), None) => above + STEP,
        (None, Some(below)) => below - STEP,
        (Some(above), Some(below)) => f64::midpoint(above, below),
    };
    if above.is_none_or(|above| above < rank) && below.is_none_or(|below| rank < below) {
        return Placement::At(rank);
    }
    let mut ids: Vec<&str> = others.iter().map(|card| card.id.as_str()).collect();
    ids.insert(at, id);
    let mut rank = 0.0;
    let next = |id: &str| {
        rank += STEP;
        (id.to_owned(), rank)
    };
    Placement::Anew(ids.into_iter().map(next).collect())
}
