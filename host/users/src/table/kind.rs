//! What a column holds: which JSON values it takes, and how they are written.

use serde_json::Value;

use super::{is_secret, refused};
use crate::{UserError, date};

/// Characters of a refused value that a reason repeats.
const QUOTED: usize = 40;

/// A value on its way to the database.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any number.
    Number(f64),
    /// Text, also for dates, choices and JSON.
    Text(String),
}

/// What a column holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Strings.
    Text {
        /// Most characters.
        most: Option<usize>,
    },
    /// Truth values.
    Bool,
    /// Whole numbers.
    Integer {
        /// Bits, the sign included.
        bits: u32,
    },
    /// Numbers.
    Number,
    /// Moments.
    Date,
    /// Days: moments at midnight in UTC.
    Day,
    /// Any JSON value but null.
    Json,
    /// A JSON array of strings, as text: hashes of recovery codes.
    Codes,
    /// One of some words.
    Choice {
        /// The words.
        allowed: Vec<String>,
    },
    /// A JSON array of values of the column's element type.
    List,
    /// A type that this host knows nothing of; the database says what it takes.
    Other,
}

impl Kind {
    /// What a JSON value becomes in this column, which is called `field`.
    pub(crate) fn cell(&self, value: &Value, field: &str) -> Result<Cell, UserError> {
        self.accept(value, field).map_err(|reason| refused(field, &reason))
    }

    fn accept(&self, value: &Value, field: &str) -> Result<Cell, String> {
        if value.is_null() {
            return Ok(Cell::Null);
        }
        writable(value)?;
        let wrong = |expected: &str| Err(format!("{expected} is expected, not {}", type_of(value)));
        match (self, value) {
            (Self::Text { most: Some(most) }, Value::String(text)) if text.chars().count() > *most => {
                Err(format!("it has more than {most} characters"))
            }
            (Self::Text { .. }, Value::String(text)) => Ok(Cell::Text(text.clone())),
            (Self::Text { .. }, _) => wrong("a string"),
            (Self::Bool, Value::Bool(value)) => Ok(Cell::Bool(*value)),
            (Self::Bool, _) => wrong("true or false"),
            (Self::Integer { bits }, Value::Number(number)) => {
                let most = i64::MAX >> (64 - bits);
                match number.as_i64() {
                    Some(whole) if (-most - 1..=most).contains(&whole) => Ok(Cell::Integer(whole)),
                    _ => Err(format!("a whole number of {bits} bits is expected")),
                }
            }
            (Self::Integer { .. }, _) => wrong("a whole number"),
            (Self::Number, Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Ok(Cell::Integer(whole)),
                (None, Some(number)) => Ok(Cell::Number(number)),
                (None, None) => Err("the number is too large".to_owned()),
            },
            (Self::Number, _) => wrong("a number"),
            (Self::Date | Self::Day, Value::String(text)) => self.moment(text),
            (Self::Date | Self::Day, _) => wrong("a date"),
            (Self::Json, value) => Ok(Cell::Text(value.to_string())),
            (Self::Codes, value) => match codes(value) {
                Some(codes) => Ok(Cell::Text(Value::from(codes).to_string())),
                None => Err("an array of strings is expected".to_owned()),
            },
            (Self::Choice { allowed }, Value::String(word)) if allowed.contains(word) => {
                Ok(Cell::Text(word.clone()))
            }
            (Self::Choice { allowed }, Value::String(word)) => {
                let word = if is_secret(field) { "the value".to_owned() } else { quoted(word) };
                Err(format!("{word} is none of {}", allowed.join(", ")))
            }
            (Self::Choice { .. }, _) => wrong("a string"),
            (Self::List, Value::Array(items)) => {
                match items.iter().any(|item| item.is_array() || item.is_object()) {
                    true => Err("a list of single values is expected".to_owned()),
                    false => Ok(Cell::Text(value.to_string())),
                }
            }
            // What is kept as text elsewhere may be a list here.
            (Self::List, value) if field == "recoveryCodes" && codes(value).is_some() => {
                Ok(Cell::Text(value.as_str().unwrap_or_default().to_owned()))
            }
            (Self::List, _) => wrong("an array"),
            (Self::Other, Value::String(text)) => Ok(Cell::Text(text.clone())),
            (Self::Other, Value::Bool(_) | Value::Number(_)) => Ok(Cell::Text(value.to_string())),
            (Self::Other, _) => wrong("a single value"),
        }
    }

    fn moment(&self, text: &str) -> Result<Cell, String> {
        let date = date::parse(text).filter(|date| date.has_zone);
        let Some(text) = date.and_then(|date| date::format(date.millis)) else {
            return Err("a date such as 2026-01-02T03:04:05.678Z is expected".to_owned());
        };
        if *self == Self::Day && !text.ends_with("T00:00:00.000Z") {
            return Err("a day such as 2026-01-02 is expected; the column holds no time".to_owned());
        }
        Ok(Cell::Text(text))
    }
}

/// Recovery codes as an array or as its JSON text.
pub(crate) fn codes(value: &Value) -> Option<Vec<String>> {
    if let Value::String(text) = value {
        return serde_json::from_str(text).ok();
    }
    value.as_array()?.iter().map(|code| code.as_str().map(str::to_owned)).collect()
}

/// Whether every database can hold the strings in a value: PostgreSQL has no U+0000.
pub(super) fn writable(value: &Value) -> Result<(), &'static str> {
    let holds_null = match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(|item| writable(item).is_err()),
        Value::Object(fields) => {
            fields.iter().any(|(name, value)| name.contains('\0') || writable(value).is_err())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    };
    if holds_null { Err("it contains the character U+0000") } else { Ok(()) }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn quoted(word: &str) -> String {
    let mut start: String = word.chars().take(QUOTED).collect();
    if start.len() < word.len() {
        start.push('…');
    }
    format!("`{start}`")
}
