//! What is kept, in the service's own store: one key a card, so that two people who change two cards do not
//! get into each other's way.

use luckystack::kv::Store;
use luckystack::prelude::*;

use crate::card::Card;

/// How long somebody counts as there after the last sign, in milliseconds: two signs may get lost.
const THERE: u64 = 65_000;

/// A board, with the store behind it.
#[derive(Debug)]
pub struct Board {
    name: String,
    store: Store,
}

/// Somebody who has the board open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Person {
    /// Id of the user.
    pub id: String,
    /// What the user is called.
    pub name: String,
    /// Whether the page is out of sight.
    #[serde(default)]
    pub away: bool,
    /// When the last sign came, in milliseconds since 1970.
    pub seen: u64,
}

impl Board {
    /// The board called `name`.
    pub fn open(name: &str) -> Result<Self, HandlerError> {
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > 40 || !name.bytes().all(is_name) {
            return Err(error!("board.unknown", board = name).status(404));
        }
        Ok(Self { name: name.to_owned(), store: kv::open()? })
    }

    /// The board whose room a sync call is for: `board-NAME`.
    pub fn of(ctx: &Ctx) -> Result<Self, HandlerError> {
        let room = ctx.room().unwrap_or_default();
        match room.strip_prefix("board-") {
            Some(name) => Self::open(name),
            None => Err(error!("board.unknown", board = room).status(404)),
        }
    }

    /// All cards, in no order.
    pub fn cards(&self) -> Result<Vec<Card>, HandlerError> {
        self.all(&self.key("card", ""))
    }

    /// The card with this id, if this user may see it: whose it is not is told that there is none.
    pub fn card(&self, id: &str, user: &str) -> Result<Card, HandlerError> {
        let card: Option<Card> = self.store.get_json(&self.key("card", id))?;
        card.filter(|card| card.is_for(user)).ok_or_else(|| error!("board.noSuchCard").status(404))
    }

    /// Keeps cards.
    pub fn keep(&self, cards: &[Card]) -> Result<(), HandlerError> {
        let mut values = Vec::with_capacity(cards.len());
        for card in cards {
            values.push((self.key("card", &card.id), luckystack::serde_json::to_vec(card)?));
        }
        Ok(self.store.set_many(&values)?)
    }

    /// Takes a card away.
    pub fn remove(&self, id: &str) -> Result<(), HandlerError> {
        Ok(self.store.delete(&self.key("card", id))?)
    }

    /// A number that no other change has, larger than those of all before; counted by the store.
    pub fn next(&self) -> Result<u64, HandlerError> {
        Ok(self.store.increment("rev", 1)?)
    }

    /// Who has the board open, by name.
    pub fn people(&self) -> Result<Vec<Person>, HandlerError> {
        let mut people: Vec<Person> = self.all(&self.key("person", ""))?;
        let oldest = time::now_ms().saturating_sub(THERE);
        people.retain(|person| person.seen >= oldest);
        people.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
        Ok(people)
    }

    /// Notes a sign of somebody.
    pub fn greet(&self, person: &Person) -> Result<(), HandlerError> {
        Ok(self.store.set_json(&self.key("person", &person.id), person)?)
    }

    /// Forgets somebody.
    pub fn part_from(&self, id: &str) -> Result<(), HandlerError> {
        Ok(self.store.delete(&self.key("person", id))?)
    }

    /// The client halves, in another language, look under the same keys: see `privacy.ts`.
    fn key(&self, kind: &str, id: &str) -> String {
        format!("{}/{kind}/{id}", self.name)
    }

    fn all<T: luckystack::serde::de::DeserializeOwned>(&self, prefix: &str) -> Result<Vec<T>, HandlerError> {
        let keys: Vec<String> =
            self.store.keys()?.into_iter().filter(|key| key.starts_with(prefix)).collect();
        let mut found = Vec::with_capacity(keys.len());
        for (key, bytes) in self.store.get_many(&keys)? {
            match luckystack::serde_json::from_slice(&bytes) {
                Ok(value) => found.push(value),
                // One damaged record should not hide the others.
                Err(error) => log::error!("{key} cannot be read: {error}"),
            }
        }
        Ok(found)
    }
}
