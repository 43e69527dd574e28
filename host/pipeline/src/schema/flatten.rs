//! Objects that are combined out of several schemas, merged into closed ones.
//!
//! An author who writes an intersection, a flattened struct or a tagged union beside common properties
//! means one object with all the keys. Checked part by part, closed objects would refuse each other's
//! keys; so the parts are merged before compiling, and unions among them are distributed.

use serde_json::Value;

use super::SchemaError;
use super::compile::Definitions;
use super::keyword::{self, Family, Object, below, count, error, list};
use super::node::Kinds;
use crate::json::Kind;

/// A schema and where it stands.
pub(super) type Site<'s> = (&'s Value, String);

/// What an object schema says, its parts merged.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape<'s> {
    /// False for a part that says nothing, such as `{}`: alone it accepts anything.
    pub object: bool,
    pub props: Vec<(&'s str, Vec<Site<'s>>)>,
    pub required: Vec<&'s str>,
    pub patterns: Vec<(&'s str, Site<'s>)>,
    pub names: Vec<Site<'s>>,
    pub additional: Additional<'s>,
    pub min: usize,
    pub max: Option<usize>,
    /// Where the first part stands.
    pub at: String,
}

/// What a part says of keys that it does not name.
#[derive(Clone, Debug, Default)]
pub(super) enum Additional<'s> {
    /// Nothing: closed, unless another part opens it.
    #[default]
    Unsaid,
    /// Closed whatever other parts say.
    Closed,
    /// Open to values that fit all of these.
    Open(Vec<Site<'s>>),
}

/// A merged object, or a union of them.
#[derive(Clone, Debug)]
pub(super) enum Flat<'s> {
    Object(Box<Shape<'s>>),
    AnyOf(Vec<Flat<'s>>),
    OneOf(Vec<Flat<'s>>),
}

/// Objects that one schema may be distributed to.
const MAX_OBJECTS: usize = 512;
/// Parts within parts; a schema that is part of itself ends here.
const MAX_PARTS_DEEP: usize = 32;

/// The merged objects of a schema, or nothing when any of its parts is about something else.
pub(super) fn flatten<'s>(
    definitions: &Definitions<'s>,
    schema: &'s Value,
    at: &str,
    deep: usize,
) -> Result<Option<Flat<'s>>, SchemaError> {
    definitions.step(at)?;
    if deep > MAX_PARTS_DEEP {
        return Err(error(at, "$ref", "the schema is part of itself, without a property or item in between"));
    }
    let map = match schema {
        Value::Bool(true) => return Ok(Some(Flat::Object(Box::default()))),
        Value::Object(map) => map,
        _ => return Ok(None),
    };
    keyword::check(map, at)?;
    let only_objects = keyword::types(map, at)?.is_none_or(|(kinds, _)| kinds == Kinds::of(Kind::Object))
        && keyword::families(map).all(|family| family == Family::Object)
        && !map.contains_key("enum")
        && !map.contains_key("const");
    if !only_objects {
        return Ok(None);
    }
    let mut flat = Flat::Object(Box::new(Shape::of(map, at)?));
    if let Some(reference) = keyword::text(map, "$ref", at)? {
        let (pointer, target) = definitions.find(reference, at)?;
        let Some(part) = flatten(definitions, target, &pointer, deep + 1)? else { return Ok(None) };
        flat = try_merge(flat, part, at)?;
    }
    for (index, part) in list(map, "allOf", at)?.iter().enumerate() {
        let place = below(at, "allOf", &index.to_string());
        let Some(part) = flatten(definitions, part, &place, deep + 1)? else { return Ok(None) };
        flat = try_merge(flat, part, at)?;
    }
    for (name, union) in [("anyOf", Flat::AnyOf as fn(Vec<Flat<'s>>) -> Flat<'s>), ("oneOf", Flat::OneOf)] {
        let mut parts = Vec::new();
        for (index, part) in list(map, name, at)?.iter().enumerate() {
            let place = below(at, name, &index.to_string());
            let Some(part) = flatten(definitions, part, &place, deep + 1)? else { return Ok(None) };
            parts.push(part);
        }
        if !parts.is_empty() {
            flat = try_merge(flat, union(parts), at)?;
        }
    }
    Ok(Some(flat))
}

fn try_merge<'s>(left: Flat<'s>, right: Flat<'s>, at: &str) -> Result<Flat<'s>, SchemaError> {
    if left.objects().saturating_mul(right.objects()) > MAX_OBJECTS {
        return Err(error(
            at,
            "allOf",
            "combines into more than 512 different objects; write the union plainly",
        ));
    }
    Ok(merge(left, right))
}

fn merge<'s>(left: Flat<'s>, right: Flat<'s>) -> Flat<'s> {
    match (left, right) {
        (Flat::Object(left), Flat::Object(right)) => Flat::Object(Box::new(left.merge(*right))),
        (Flat::AnyOf(parts), other) => {
            Flat::AnyOf(parts.into_iter().map(|part| merge(part, other.clone())).collect())
        }
        (Flat::OneOf(parts), other) => {
            Flat::OneOf(parts.into_iter().map(|part| merge(part, other.clone())).collect())
        }
        (other, Flat::AnyOf(parts)) => {
            Flat::AnyOf(parts.into_iter().map(|part| merge(other.clone(), part)).collect())
        }
        (other, Flat::OneOf(parts)) => {
            Flat::OneOf(parts.into_iter().map(|part| merge(other.clone(), part)).collect())
        }
    }
}

impl Flat<'_> {
    fn objects(&self) -> usize {
        match self {
            Flat::Object(_) => 1,
            Flat::AnyOf(parts) | Flat::OneOf(parts) => parts.iter().map(Flat::objects).sum(),
        }
    }
}

impl<'s> Shape<'s> {
    /// What a schema itself says of objects, without what it refers to.
    pub fn of(map: &'s Object, at: &str) -> Result<Self, SchemaError> {
        let mut shape = Shape {
            object: map.contains_key("type") || keyword::families(map).any(|family| family == Family::Object),
            min: count(map, "minProperties", at)?.unwrap_or(0),
            max: count(map, "maxProperties", at)?,
            at: at.to_owned(),
            ..Shape::default()
        };
        for (name, schema) in members(map, "properties", at)? {
            shape.props.push((name, vec![(schema, below(at, "properties", name))]));
        }
        for (pattern, schema) in members(map, "patternProperties", at)? {
            shape.patterns.push((pattern, (schema, below(at, "patternProperties", pattern))));
        }
        if let Some(required) = map.get("required") {
            let names = required.as_array().and_then(|names| names.iter().map(Value::as_str).collect());
            shape.required =
                names.ok_or_else(|| error(at, "required", "must be a list of property names"))?;
        }
        if let Some(names) = map.get("propertyNames") {
            shape.names.push((names, format!("{at}/propertyNames")));
        }
        // A key that no part names is both additional and unevaluated; see `super` for why merging
        // makes the two the same. `unevaluatedProperties: false` closes nothing that another part opens.
        shape.additional = match (map.get("additionalProperties"), map.get("unevaluatedProperties")) {
            (Some(Value::Bool(false)), _) => Additional::Closed,
            (Some(schema), _) => Additional::Open(vec![(schema, format!("{at}/additionalProperties"))]),
            (None, None | Some(Value::Bool(false))) => Additional::Unsaid,
            (None, Some(schema)) => Additional::Open(vec![(schema, format!("{at}/unevaluatedProperties"))]),
        };
        Ok(shape)
    }

    fn merge(mut self, other: Shape<'s>) -> Shape<'s> {
        if !self.object {
            self.at.clone_from(&other.at);
        }
        self.object |= other.object;
        for (name, sites) in other.props {
            match self.props.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => known.extend(sites),
                None => self.props.push((name, sites)),
            }
        }
        self.required.extend(other.required);
        self.patterns.extend(other.patterns);
        self.names.extend(other.names);
        self.additional = match (self.additional, other.additional) {
            (Additional::Closed, _) | (_, Additional::Closed) => Additional::Closed,
            (Additional::Unsaid, said) | (said, Additional::Unsaid) => said,
            (Additional::Open(mut left), Additional::Open(right)) => {
                left.extend(right);
                Additional::Open(left)
            }
        };
        self.min = self.min.max(other.min);
        self.max = match (self.max, other.max) {
            (Some(left), Some(right)) => Some(left.min(right)),
            (left, right) => left.or(right),
        };
        self
    }
}

fn members<'s>(
    map: &'s Object,
    keyword: &str,
    at: &str,
) -> Result<impl Iterator<Item = (&'s str, &'s Value)>, SchemaError> {
    let members = match map.get(keyword) {
        None => None,
        Some(Value::Object(members)) => Some(members),
        Some(_) => return Err(error(at, keyword, "must be an object of schemas")),
    };
    Ok(members.into_iter().flatten().map(|(name, schema)| (name.as_str(), schema)))
}
