//! Objects that are combined out of several schemas, as one object each: the host checks them so.

use serde_json::Value;

use super::combine::all_of;
use super::read::{Keywords, OBJECT_KEYWORDS, Reader};
use super::{Object, Rest, Type};

/// Objects that one schema may be distributed to; the host refuses more.
const MAX_OBJECTS: usize = 512;
/// Parts within parts.
const MAX_PARTS_DEEP: usize = 32;

/// A merged object and whether any part said that it is one, or a union of them.
#[derive(Clone, Debug)]
pub(super) enum Flat {
    Object(Box<Object>, bool),
    AnyOf(Vec<Flat>),
    OneOf(Vec<Flat>),
}

/// How many objects a schema would be merged to; nothing when any of its parts is about something
/// else, or when there would be too many. Looks at what is combined only, and reads nothing.
pub(super) fn objects(reader: &mut Reader<'_>, schema: &Value, deep: usize) -> Option<usize> {
    let map = match schema {
        Value::Bool(true) => return Some(1),
        Value::Object(map) if deep <= MAX_PARTS_DEEP && reader.may_merge(1) && only_objects(map) => map,
        _ => return None,
    };
    let mut count = 1_usize;
    if let Some(reference) = map.get("$ref") {
        let (_, target) = reader.references.find(reference.as_str()?)?;
        count = objects(reader, target, deep + 1)?;
    }
    for part in list(map, "allOf") {
        count = count.saturating_mul(objects(reader, part, deep + 1)?);
    }
    for keyword in ["anyOf", "oneOf"] {
        let mut sum = 0_usize;
        for part in list(map, keyword) {
            sum += objects(reader, part, deep + 1)?;
        }
        count = count.saturating_mul(sum.max(1));
    }
    (count <= MAX_OBJECTS).then_some(count)
}

/// The merged objects of a schema for which [`objects`] found that it can be merged; nothing when that
/// would copy too much.
pub(super) fn flatten<'s>(reader: &mut Reader<'s>, schema: &'s Value, at: &str) -> Option<Flat> {
    let Value::Object(map) = schema else { return Some(Flat::Object(Box::default(), false)) };
    let is_object =
        map.contains_key("type") || OBJECT_KEYWORDS.iter().any(|keyword| map.contains_key(*keyword));
    let own = reader.object(map, at);
    let mut flat = Flat::Object(Box::new(own), is_object);
    if let Some(reference) = map.get("$ref") {
        let (pointer, target) = reader.references.find(reference.as_str()?)?;
        let part = flatten(reader, target, &pointer)?;
        flat = merge(reader, flat, part)?;
    }
    for (index, part) in list(map, "allOf").iter().enumerate() {
        let part = flatten(reader, part, &format!("{at}/allOf/{index}"))?;
        flat = merge(reader, flat, part)?;
    }
    for (keyword, union) in [("anyOf", Flat::AnyOf as fn(Vec<Flat>) -> Flat), ("oneOf", Flat::OneOf)] {
        let mut parts = Vec::new();
        for (index, part) in list(map, keyword).iter().enumerate() {
            parts.push(flatten(reader, part, &format!("{at}/{keyword}/{index}"))?);
        }
        if !parts.is_empty() {
            flat = merge(reader, flat, union(parts))?;
        }
    }
    Some(flat)
}

fn list<'s>(map: &'s Keywords, keyword: &str) -> &'s [Value] {
    map.get(keyword).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn only_objects(map: &Keywords) -> bool {
    const OTHERS: [&str; 17] = [
        "enum",
        "const",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "pattern",
        "format",
        "items",
        "minItems",
        "maxItems",
        "uniqueItems",
        "prefixItems",
        "nullable",
    ];
    let object = match map.get("type") {
        None => true,
        Some(Value::Array(names)) => names.len() == 1 && names[0] == "object",
        Some(name) => name == "object",
    };
    object && !OTHERS.iter().any(|keyword| map.contains_key(*keyword))
}

fn merge(reader: &mut Reader<'_>, left: Flat, right: Flat) -> Option<Flat> {
    let cost = left
        .weight()
        .saturating_mul(right.objects())
        .saturating_add(right.weight().saturating_mul(left.objects()));
    reader.may_merge(cost).then(|| merged(left, right))
}

fn merged(left: Flat, right: Flat) -> Flat {
    match (left, right) {
        (Flat::Object(left, is), Flat::Object(right, also)) => {
            Flat::Object(Box::new(left.merge(*right)), is || also)
        }
        (Flat::AnyOf(parts), other) => {
            Flat::AnyOf(parts.into_iter().map(|part| merged(part, other.clone())).collect())
        }
        (Flat::OneOf(parts), other) => {
            Flat::OneOf(parts.into_iter().map(|part| merged(part, other.clone())).collect())
        }
        (other, Flat::AnyOf(parts)) => {
            Flat::AnyOf(parts.into_iter().map(|part| merged(other.clone(), part)).collect())
        }
        (other, Flat::OneOf(parts)) => {
            Flat::OneOf(parts.into_iter().map(|part| merged(other.clone(), part)).collect())
        }
    }
}

impl Flat {
    fn objects(&self) -> usize {
        match self {
            Flat::Object(..) => 1,
            Flat::AnyOf(parts) | Flat::OneOf(parts) => parts.iter().map(Flat::objects).sum(),
        }
    }

    /// How many types it is made of.
    fn weight(&self) -> usize {
        match self {
            Flat::Object(object, _) => object.weight(),
            Flat::AnyOf(parts) | Flat::OneOf(parts) => parts.iter().map(Flat::weight).sum(),
        }
    }
}

impl Object {
    fn merge(mut self, other: Object) -> Object {
        for field in other.fields {
            match self.fields.iter_mut().find(|known| known.name == field.name) {
                Some(known) => {
                    known.required |= field.required;
                    known.declared |= field.declared;
                    known.docs.deprecated |= field.docs.deprecated;
                    known.docs.text = known.docs.text.take().or(field.docs.text);
                    let ty = std::mem::replace(&mut known.ty, Type::Any);
                    known.ty = all_of(vec![ty, field.ty]);
                }
                None => self.fields.push(field),
            }
        }
        self.patterns.extend(other.patterns);
        self.names.extend(other.names);
        self.rest = match (self.rest, other.rest) {
            (Rest::Closed, _) | (_, Rest::Closed) => Rest::Closed,
            (Rest::Unsaid, said) | (said, Rest::Unsaid) => said,
            (Rest::Open(left), Rest::Open(right)) => Rest::Open(all_of(vec![left, right])),
        };
        self.min = self.min.max(other.min);
        self.max = match (self.max, other.max) {
            (Some(left), Some(right)) => Some(left.min(right)),
            (left, right) => left.or(right),
        };
        self
    }

    /// The object once nothing more is merged into it: an open rest that nothing fits is closed.
    pub fn closed(mut self) -> Object {
        if self.rest == Rest::Unsaid || self.rest == Rest::Open(Type::Never) {
            self.rest = Rest::Closed;
        }
        // Which pattern a name matches is known where it is checked.
        if let (Rest::Open(rest), true) = (&self.rest, self.patterns.is_empty()) {
            for field in self.fields.iter_mut().filter(|field| !field.declared) {
                field.ty = rest.clone();
            }
        }
        self
    }
}
