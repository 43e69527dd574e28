//! What a JSON Schema says, in a form that both TypeScript and zod can be written from.
//!
//! The meaning is the host's (`wit/README.md`): objects are closed unless opened, combined objects
//! are one object, a keyword without `type` implies its type. Schemas of outputs and streams are not
//! checked by the host, so nothing here relies on a schema being one that the host would accept.

mod combine;
mod object;
mod read;
mod refs;
mod scalar;

use serde_json::{Number as JsonNumber, Value};

pub(crate) use self::refs::percent_decoded;

/// A translated schema.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Schema {
    pub root: Type,
    /// Definitions that are referred to by name: recursive ones, and those too large to repeat.
    pub named: Vec<Named>,
    /// What could not be translated.
    pub problems: Vec<Problem>,
}

/// A definition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Named {
    /// The last part of its pointer, such as `Vehicle`.
    pub hint: String,
    pub docs: Docs,
    pub ty: Type,
}

/// A part of a schema that is not in the output, or is there as something wider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub pointer: String,
    pub message: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Docs {
    pub text: Option<String>,
    pub deprecated: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Type {
    Any,
    Never,
    Null,
    Boolean,
    Number(Number),
    Text(Text),
    /// This JSON value and no other.
    Value(Value),
    Array(Box<Array>),
    /// The first items, and what may follow them.
    Tuple(Vec<Type>, Option<Box<Type>>),
    Object(Box<Object>),
    /// Any of several.
    Union(Vec<Type>),
    /// Exactly one of several.
    OneOf(Vec<Type>),
    /// All of several.
    All(Vec<Type>),
    /// An index into [`Schema::named`].
    Named(usize),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Number {
    pub integer: bool,
    pub min: Option<JsonNumber>,
    pub max: Option<JsonNumber>,
    pub above: Option<JsonNumber>,
    pub below: Option<JsonNumber>,
    pub step: Option<JsonNumber>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text {
    pub min: Option<u64>,
    pub max: Option<u64>,
    pub pattern: Option<String>,
    pub format: Option<Format>,
}

/// The formats of strings that the host enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    DateTime,
    Date,
    Uuid,
    Email,
    Ipv4,
    Ipv6,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Array {
    pub items: Type,
    pub min: Option<u64>,
    pub max: Option<u64>,
    pub unique: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Object {
    pub fields: Vec<Field>,
    /// Keys that match a pattern.
    pub patterns: Vec<(String, Type)>,
    /// What every key must be, as a string.
    pub names: Vec<Type>,
    pub rest: Rest,
    pub min: Option<u64>,
    pub max: Option<u64>,
}

/// What an object says of keys that it does not name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Rest {
    /// Nothing, which means closed, unless a part that it is combined with opens it.
    #[default]
    Unsaid,
    Closed,
    Open(Type),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub name: String,
    pub ty: Type,
    pub required: bool,
    /// False for a name that is only required: its value is a pattern's or the rest's matter.
    pub declared: bool,
    pub docs: Docs,
}

impl Schema {
    /// Translates a schema.
    pub fn read(schema: &Value) -> Schema {
        read::read(schema)
    }

    /// Translates a schema of an input. Without one, any object passes; and whatever it says, an input
    /// is an object.
    pub fn read_input(schema: Option<&Value>) -> Schema {
        let mut schema = schema.map_or_else(|| Schema::of(Type::Any), Schema::read);
        if schema.root == Type::Any {
            schema.root = Type::Object(Box::new(Object { rest: Rest::Open(Type::Any), ..Object::default() }));
        }
        schema
    }

    /// Which definitions the root leads to.
    pub fn used(&self) -> Vec<bool> {
        let mut used = vec![false; self.named.len()];
        let mut open = vec![&self.root];
        while let Some(ty) = open.pop() {
            match ty {
                Type::Named(index) if !std::mem::replace(&mut used[*index], true) => {
                    open.push(&self.named[*index].ty);
                }
                ty => ty.parts(&mut open),
            }
        }
        used
    }

    fn of(root: Type) -> Schema {
        Schema { root, named: Vec::new(), problems: Vec::new() }
    }
}

impl Object {
    /// What other keys' values may be; none when there are no other keys.
    pub fn rest(&self) -> Option<&Type> {
        match &self.rest {
            Rest::Open(ty) => Some(ty),
            Rest::Unsaid | Rest::Closed => None,
        }
    }

    /// How many types it is made of, itself included.
    fn weight(&self) -> usize {
        let mut open = Vec::new();
        self.parts(&mut open);
        let mut count = 1;
        while let Some(ty) = open.pop() {
            count += 1;
            ty.parts(&mut open);
        }
        count
    }

    fn parts<'t>(&'t self, out: &mut Vec<&'t Type>) {
        out.extend(self.fields.iter().map(|field| &field.ty));
        out.extend(self.patterns.iter().map(|(_, ty)| ty));
        out.extend(self.names.iter().chain(self.rest()));
    }

    /// `{}`: no key at all.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.patterns.is_empty() && self.rest().is_none()
    }
}

impl Format {
    fn named(name: &str) -> Option<Format> {
        Some(match name {
            "date-time" => Format::DateTime,
            "date" => Format::Date,
            "uuid" => Format::Uuid,
            "email" => Format::Email,
            "ipv4" => Format::Ipv4,
            "ipv6" => Format::Ipv6,
            _ => return None,
        })
    }
}

impl Type {
    /// The types directly within it.
    fn parts<'t>(&'t self, out: &mut Vec<&'t Type>) {
        match self {
            Type::Union(parts) | Type::OneOf(parts) | Type::All(parts) => out.extend(parts),
            Type::Array(array) => out.push(&array.items),
            Type::Tuple(first, rest) => out.extend(first.iter().chain(rest.as_deref())),
            Type::Object(object) => object.parts(out),
            Type::Any
            | Type::Never
            | Type::Null
            | Type::Boolean
            | Type::Number(_)
            | Type::Text(_)
            | Type::Value(_)
            | Type::Named(_) => {}
        }
    }

    /// The parts that look at the very same value.
    fn same_value(&self, visit: &mut dyn FnMut(&Type)) {
        match self {
            Type::Union(parts) | Type::OneOf(parts) | Type::All(parts) => {
                for part in parts {
                    visit(part);
                    part.same_value(visit);
                }
            }
            _ => {}
        }
    }
}
