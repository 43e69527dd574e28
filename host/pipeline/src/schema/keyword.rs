//! The keywords that schemas may use. What is not here is refused.

use serde_json::{Map, Value};

use super::SchemaError;
use super::node::Kinds;
use crate::json::Kind;

pub(super) type Object = Map<String, Value>;

/// Which kind of value a keyword constrains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Annotation,
    /// `type`, `enum`, `const`, and what combines schemas: of any value.
    General,
    Number,
    String,
    Array,
    Object,
    /// `format`, of strings or numbers depending on its value.
    Format,
}

impl Family {
    fn of(keyword: &str) -> Option<Family> {
        Some(match keyword {
            "$schema" | "$comment" | "$defs" | "definitions" | "title" | "description" | "default"
            | "example" | "examples" | "deprecated" | "readOnly" | "writeOnly" => Family::Annotation,
            "type" | "enum" | "const" | "anyOf" | "oneOf" | "allOf" | "$ref" => Family::General,
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => Family::Number,
            "minLength" | "maxLength" | "pattern" => Family::String,
            "items" | "minItems" | "maxItems" | "uniqueItems" => Family::Array,
            "properties"
            | "required"
            | "additionalProperties"
            | "unevaluatedProperties"
            | "patternProperties"
            | "propertyNames"
            | "minProperties"
            | "maxProperties" => Family::Object,
            "format" => Family::Format,
            extension if extension.starts_with("x-") => Family::Annotation,
            _ => return None,
        })
    }

    pub fn kinds(self) -> Kinds {
        match self {
            Family::Annotation | Family::General | Family::Format => Kinds::NONE,
            Family::Number => Kinds::of(Kind::Number),
            Family::String => Kinds::of(Kind::String),
            Family::Array => Kinds::of(Kind::Array),
            Family::Object => Kinds::of(Kind::Object),
        }
    }
}

/// Refuses keywords that would not be enforced.
pub(super) fn check(map: &Object, at: &str) -> Result<(), SchemaError> {
    for (keyword, value) in map {
        let message = match keyword.as_str() {
            "prefixItems" | "additionalItems" | "unevaluatedItems" => TUPLES,
            "items" if value.is_array() => TUPLES,
            // Below the root it would change what references mean.
            "$id" if at.is_empty() => continue,
            "$id" => "only the root of a schema may have an id; remove it",
            "nullable" => "not part of JSON Schema; write `\"type\": [..., \"null\"]`",
            "$anchor" | "$dynamicRef" | "$dynamicAnchor" | "$recursiveRef" => {
                "only `$ref` to a definition of the same schema (`#/$defs/...`) is supported"
            }
            _ if Family::of(keyword).is_some() => continue,
            _ => {
                "not supported, and it is not ignored so that no rule goes unenforced; remove it and check the value \
                 in the handler (own annotations may start with `x-`)"
            }
        };
        return Err(error(at, keyword, message));
    }
    Ok(())
}

const TUPLES: &str = "tuples are not supported; use an object, or an array whose items share one schema";

/// The families of keywords in a schema, annotations and combinations aside.
pub(super) fn families(map: &Object) -> impl Iterator<Item = Family> {
    map.keys()
        .filter_map(|keyword| Family::of(keyword))
        .filter(|family| !matches!(family, Family::Annotation | Family::General))
}

/// The kinds that `type` names, if it is there, and whether numbers must be whole.
pub(super) fn types(map: &Object, at: &str) -> Result<Option<(Kinds, bool)>, SchemaError> {
    let names: Vec<&Value> = match map.get("type") {
        None => return Ok(None),
        Some(Value::Array(names)) if !names.is_empty() => names.iter().collect(),
        Some(one) => vec![one],
    };
    let mut kinds = Kinds::NONE;
    let (mut integer, mut number) = (false, false);
    for name in names {
        kinds = kinds.or(Kinds::of(match name.as_str() {
            Some("null") => Kind::Null,
            Some("boolean") => Kind::Bool,
            Some("string") => Kind::String,
            Some("array") => Kind::Array,
            Some("object") => Kind::Object,
            Some("number") => {
                number = true;
                Kind::Number
            }
            Some("integer") => {
                integer = true;
                Kind::Number
            }
            _ => {
                return Err(error(
                    at,
                    "type",
                    "must be one or several of null, boolean, integer, number, string, array, object",
                ));
            }
        }));
    }
    Ok(Some((kinds, integer && !number)))
}

pub(super) fn error(at: &str, keyword: &str, message: impl Into<String>) -> SchemaError {
    SchemaError { pointer: at.to_owned(), keyword: keyword.to_owned(), message: message.into() }
}

/// A count such as `minItems`.
pub(super) fn count(map: &Object, keyword: &str, at: &str) -> Result<Option<usize>, SchemaError> {
    let Some(value) = map.get(keyword) else { return Ok(None) };
    // A count may be written as 2.0.
    let whole = value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..=9e15).contains(number));
    match whole {
        Some(number) => Ok(Some(number as usize)),
        None => Err(error(at, keyword, "must be a whole number, 0 or more")),
    }
}

pub(super) fn text<'s>(map: &'s Object, keyword: &str, at: &str) -> Result<Option<&'s str>, SchemaError> {
    match map.get(keyword) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(error(at, keyword, "must be a string")),
    }
}

pub(super) fn flag(map: &Object, keyword: &str, at: &str) -> Result<bool, SchemaError> {
    match map.get(keyword) {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(error(at, keyword, "must be true or false")),
    }
}

pub(super) fn list<'s>(map: &'s Object, keyword: &str, at: &str) -> Result<&'s [Value], SchemaError> {
    match map.get(keyword) {
        None => Ok(&[]),
        Some(Value::Array(list)) if !list.is_empty() => Ok(list),
        Some(_) => Err(error(at, keyword, "must be a list with at least one element")),
    }
}

/// The pointer of what is under `name` of the schema at `at`.
pub(super) fn below(at: &str, keyword: &str, name: &str) -> String {
    format!("{at}/{keyword}/{}", name.replace('~', "~0").replace('/', "~1"))
}
