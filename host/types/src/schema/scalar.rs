//! Keywords of numbers and strings.

use serde_json::Value;

use super::read::Keywords;
use super::{Format, Number, Text};

pub(super) fn count(map: &Keywords, keyword: &str) -> Option<u64> {
    let count = map.get(keyword)?.as_f64()?;
    // A count may be written as 2.0. Past 2^53 it limits nothing.
    (count.fract() == 0.0 && (0.0..=9e15).contains(&count)).then_some(count as u64)
}

pub(super) fn number(map: &Keywords, format: Option<&str>, integer: bool) -> Number {
    let limit = |keyword: &str| map.get(keyword).and_then(Value::as_number).cloned();
    let mut number = Number {
        integer,
        min: limit("minimum"),
        max: limit("maximum"),
        above: limit("exclusiveMinimum"),
        below: limit("exclusiveMaximum"),
        step: limit("multipleOf"),
    };
    if let Some((least, most)) = format.and_then(integer_range) {
        number.integer = true;
        let larger =
            |known: &serde_json::Number, limit: i64| known.as_f64().is_some_and(|known| known > limit as f64);
        let smaller =
            |known: &serde_json::Number, limit: i64| known.as_f64().is_some_and(|known| known < limit as f64);
        if let Some(least) =
            least.filter(|limit| !number.min.as_ref().is_some_and(|known| larger(known, *limit)))
        {
            number.min = Some(least.into());
        }
        if let Some(most) =
            most.filter(|limit| !number.max.as_ref().is_some_and(|known| smaller(known, *limit)))
        {
            number.max = Some(most.into());
        }
    }
    number
}

/// The range of an integer format, as far as numbers of JavaScript can leave it.
pub(super) fn integer_range(format: &str) -> Option<(Option<i64>, Option<i64>)> {
    Some(match format {
        "int8" => (Some(i8::MIN.into()), Some(i8::MAX.into())),
        "int16" => (Some(i16::MIN.into()), Some(i16::MAX.into())),
        "int32" => (Some(i32::MIN.into()), Some(i32::MAX.into())),
        "uint8" => (Some(0), Some(u8::MAX.into())),
        "uint16" => (Some(0), Some(u16::MAX.into())),
        "uint32" => (Some(0), Some(u32::MAX.into())),
        "int" | "int64" | "int128" => (None, None),
        "uint" | "uint64" | "uint128" => (Some(0), None),
        _ => return None,
    })
}

pub(super) fn text(map: &Keywords, format: Option<&str>) -> Text {
    Text {
        min: count(map, "minLength").filter(|min| *min > 0),
        max: count(map, "maxLength"),
        pattern: map.get("pattern").and_then(Value::as_str).map(str::to_owned),
        format: format.and_then(Format::named),
    }
}

/// Whether a value is of a type that `type` names.
pub(super) fn is_of(value: &Value, kind: &str) -> bool {
    match (kind, value) {
        ("null", Value::Null)
        | ("boolean", Value::Bool(_))
        | ("number", Value::Number(_))
        | ("string", Value::String(_))
        | ("array", Value::Array(_))
        | ("object", Value::Object(_)) => true,
        ("integer", Value::Number(number)) => {
            number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        _ => false,
    }
}
