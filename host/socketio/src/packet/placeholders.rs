//! Where attachments belong: `{"_placeholder":true,"num":n}` stands for the `n`-th in a packet's text.

use std::fmt;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::ParseError;

/// Checks that the placeholders in `args` stand for attachments that there are, and that none of the
/// `attachments` is without one. Builds nothing.
///
/// # Errors
/// [`ParseError::Placeholders`].
pub(super) fn check(args: &[Bytes], attachments: usize) -> Result<(), ParseError> {
    let mut found = vec![false; attachments];
    for arg in args {
        let mut deserializer = serde_json::Deserializer::from_slice(arg);
        Walk(&mut found).deserialize(&mut deserializer).map_err(|_| ParseError::Placeholders)?;
    }
    if found.iter().all(|&found| found) { Ok(()) } else { Err(ParseError::Placeholders) }
}

/// What a value is, as far as a placeholder's fields go.
enum Seen {
    True,
    Number(u64),
    Other,
}

/// Goes through a value and marks what its placeholders stand for.
struct Walk<'a>(&'a mut [bool]);

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = Seen;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Seen, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = Seen;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Seen, E> {
        Ok(if value { Seen::True } else { Seen::Other })
    }

    fn visit_u64<E>(self, value: u64) -> Result<Seen, E> {
        Ok(Seen::Number(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_unit<E>(self) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Seen, A::Error> {
        while elements.next_element_seed(Walk(&mut *self.0))?.is_some() {}
        Ok(Seen::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Seen, A::Error> {
        let mut is_placeholder = false;
        let mut number = None;
        while let Some(key) = fields.next_key_seed(KeyOf)? {
            let seen = fields.next_value_seed(Walk(&mut *self.0))?;
            match key {
                Key::Placeholder => is_placeholder = matches!(seen, Seen::True),
                Key::Number => {
                    number = match seen {
                        Seen::Number(number) => usize::try_from(number).ok(),
                        _ => None,
                    }
                }
                Key::Other => {}
            }
        }
        if is_placeholder {
            match number.and_then(|number| self.0.get_mut(number)) {
                Some(found) => *found = true,
                None => return Err(serde::de::Error::custom("a placeholder without its attachment")),
            }
        }
        Ok(Seen::Other)
    }
}

enum Key {
    Placeholder,
    Number,
    Other,
}

struct KeyOf;

impl<'de> DeserializeSeed<'de> for KeyOf {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyOf {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Key, E> {
        Ok(match key {
            "_placeholder" => Key::Placeholder,
            "num" => Key::Number,
            _ => Key::Other,
        })
    }
}
