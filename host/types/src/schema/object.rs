//! Objects that are combined out of several schemas, as one object each: the host checks them so.

use serde_json::Value;

use super::read::{Keywords, OBJECT_KEYWORDS, Reader, all_of, docs};
use super::{Field, Object, Rest, Type};

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

/// The merged objects of a schema; nothing when any of its parts is about something else, or when
/// there would be too many.
pub(super) fn flatten<'s>(reader: &mut Reader<'s>, schema: &'s Value, at: &str, deep: usize) -> Option<Flat> {
    let map = match schema {
        Value::Bool(true) => return Some(Flat::Object(Box::default(), false)),
        Value::Object(map) if deep <= MAX_PARTS_DEEP && reader.within_merge_budget() => map,
        _ => return None,
    };
    if !only_objects(map) {
        return None;
    }
    let is_object =
        map.contains_key("type") || OBJECT_KEYWORDS.iter().any(|keyword| map.contains_key(*keyword));
    let own = reader.object(map, at);
    reader.merged += own.fields.len() + 1;
    let mut flat = Flat::Object(Box::new(own), is_object);
    if let Some(reference) = map.get("$ref") {
        let (pointer, target) = reader.references.find(reference.as_str()?)?;
        let part = flatten(reader, target, &pointer, deep + 1)?;
        flat = merge(reader, flat, part)?;
    }
    let list = |keyword: &str| map.get(keyword).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for (index, part) in list("allOf").iter().enumerate() {
        let part = flatten(reader, part, &format!("{at}/allOf/{index}"), deep + 1)?;
        flat = merge(reader, flat, part)?;
    }
    for (keyword, union) in [("anyOf", Flat::AnyOf as fn(Vec<Flat>) -> Flat), ("oneOf", Flat::OneOf)] {
        let mut parts = Vec::new();
        for (index, part) in list(keyword).iter().enumerate() {
            parts.push(flatten(reader, part, &format!("{at}/{keyword}/{index}"), deep + 1)?);
        }
        if !parts.is_empty() {
            flat = merge(reader, flat, union(parts))?;
        }
    }
    Some(flat)
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
    let objects = left.objects().saturating_mul(right.objects());
    reader.merged +=
        left.fields().saturating_mul(right.objects()).saturating_add(right.fields() * left.objects());
    (objects <= MAX_OBJECTS && reader.within_merge_budget()).then(|| merged(left, right))
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

    fn fields(&self) -> usize {
        match self {
            Flat::Object(object, _) => object.fields.len(),
            Flat::AnyOf(parts) | Flat::OneOf(parts) => parts.iter().map(Flat::fields).sum(),
        }
    }
}

impl Object {
    /// A key that must be there, whose value is what a field, a pattern or else the rest says.
    pub fn require(&mut self, name: &str) {
        if let Some(field) = self.fields.iter_mut().find(|field| field.name == name) {
            field.required = true;
            return;
        }
        let docs = docs(&Value::Null);
        self.fields.push(Field {
            name: name.to_owned(),
            ty: Type::Any,
            required: true,
            declared: false,
            docs,
        });
    }

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
