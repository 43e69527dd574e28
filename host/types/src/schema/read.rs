//! From JSON to [`Schema`].

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::object::{Flat, flatten};
use super::refs::References;
use super::{Array, Docs, Format, Named, Number, Object, Problem, Rest, Schema, Text, Type};

/// Definitions written in place, in schemas: past this, every definition gets a name.
const INLINE_BUDGET: usize = 20_000;
/// Fields copied while merging combined objects: past this, they are combined by name.
const MERGE_BUDGET: usize = 20_000;

pub(super) type Keywords = Map<String, Value>;

/// Reads one schema and what it refers to.
#[derive(Debug)]
pub(super) struct Reader<'s> {
    pub references: References<'s>,
    names: HashMap<String, usize>,
    /// Named definitions, the unread ones without a type.
    named: Vec<Named>,
    queue: Vec<(usize, String, &'s Value)>,
    inlined: usize,
    pub merged: usize,
    problems: Vec<Problem>,
}

pub(super) fn read(schema: &Value) -> Schema {
    let mut reader = Reader {
        references: References::new(schema),
        names: HashMap::new(),
        named: Vec::new(),
        queue: Vec::new(),
        inlined: 0,
        merged: 0,
        problems: Vec::new(),
    };
    let mut root = reader.read(schema, "");
    while let Some((index, pointer, schema)) = reader.queue.pop() {
        let ty = reader.read(schema, &pointer);
        reader.named[index].ty = ty;
    }
    reader.break_circles();
    if matches!(root, Type::Named(index) if reader.named[index].ty == Type::Any) {
        root = Type::Any;
    }
    Schema { root, named: reader.named, problems: reader.problems }
}

/// What a schema says for people.
pub(super) fn docs(schema: &Value) -> Docs {
    let text = |keyword: &str| schema.get(keyword).and_then(Value::as_str);
    Docs {
        text: text("description").map(str::to_owned),
        deprecated: schema.get("deprecated").and_then(Value::as_bool).unwrap_or(false),
    }
}

impl<'s> Reader<'s> {
    pub fn problem(&mut self, at: &str, message: impl Into<String>) {
        // A schema may be wrong in as many places as it has; the first ones tell enough.
        if self.problems.len() < 20 {
            self.problems.push(Problem { pointer: at.to_owned(), message: message.into() });
        }
    }

    pub fn within_merge_budget(&self) -> bool {
        self.merged <= MERGE_BUDGET
    }

    pub fn read(&mut self, schema: &'s Value, at: &str) -> Type {
        let map = match schema {
            Value::Bool(true) => return Type::Any,
            Value::Bool(false) => return Type::Never,
            Value::Object(map) => map,
            _ => {
                self.problem(at, "a schema must be an object, true or false");
                return Type::Any;
            }
        };
        for keyword in map.keys().filter(|keyword| !is_known(keyword)) {
            self.problem(at, format!("`{keyword}` is not translated, so the type is wider than the schema"));
        }
        let ty = self.combined(schema, map, at);
        // Not JSON Schema, but often written in outputs.
        if map.get("nullable") == Some(&Value::Bool(true)) { union(vec![ty, Type::Null]) } else { ty }
    }

    fn combined(&mut self, schema: &'s Value, map: &'s Keywords, at: &str) -> Type {
        let own = self.own(map, at);
        let list = |keyword: &str| map.get(keyword).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let combining =
            ["$ref", "anyOf", "oneOf"].iter().filter(|keyword| map.contains_key(**keyword)).count()
                + list("allOf").len();
        if combining + usize::from(own.is_some()) > 1
            && let Some(flat) = flatten(self, schema, at, 0)
        {
            return flat.into_type();
        }
        let mut all: Vec<Type> = own.into_iter().collect();
        if let Some(reference) = map.get("$ref") {
            let ty = self.reference(reference, at);
            all.push(ty);
        }
        for (index, part) in list("allOf").iter().enumerate() {
            let ty = self.read(part, &format!("{at}/allOf/{index}"));
            all.push(ty);
        }
        for (keyword, exactly_one) in [("anyOf", false), ("oneOf", true)] {
            let mut parts = Vec::new();
            for (index, part) in list(keyword).iter().enumerate() {
                parts.push(self.read(part, &format!("{at}/{keyword}/{index}")));
            }
            if !parts.is_empty() {
                all.push(if exactly_one { one_of(parts) } else { union(parts) });
            }
        }
        all_of(all)
    }

    fn reference(&mut self, reference: &Value, at: &str) -> Type {
        let Some((pointer, target)) = reference.as_str().and_then(|text| self.references.find(text)) else {
            self.problem(at, format!("the reference {reference} is not within the schema"));
            return Type::Any;
        };
        if let Some(&known) = self.names.get(&pointer) {
            return Type::Named(known);
        }
        if let Some(size) = self.references.inline(&pointer, target)
            && self.inlined + size <= INLINE_BUDGET
        {
            self.inlined += size;
            return self.read(target, &pointer);
        }
        let index = self.named.len();
        let hint = pointer.rsplit('/').next().unwrap_or_default().to_owned();
        self.named.push(Named { hint, docs: docs(target), ty: Type::Any });
        self.names.insert(pointer.clone(), index);
        self.queue.push((index, pointer, target));
        Type::Named(index)
    }

    /// What the schema itself says of its value, without what it combines.
    fn own(&mut self, map: &'s Keywords, at: &str) -> Option<Type> {
        let has = |keywords: &[&str]| keywords.iter().any(|keyword| map.contains_key(*keyword));
        let format = map.get("format").and_then(Value::as_str);
        let numbers = has(&["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"])
            || format.is_some_and(|format| integer_range(format).is_some());
        let texts = has(&["minLength", "maxLength", "pattern"])
            || format.is_some_and(|format| Format::named(format).is_some());
        let arrays = has(&["items", "minItems", "maxItems", "uniqueItems", "prefixItems"]);
        let objects = has(&OBJECT_KEYWORDS);
        let types: Option<Vec<&str>> = map.get("type").map(|ty| match ty {
            Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
            one => one.as_str().into_iter().collect(),
        });
        let values = self.values(map, types.as_deref());
        let ruled = numbers || texts || arrays || objects;
        if values.is_some() && !ruled {
            return values;
        }
        let kinds = match types {
            Some(types) => types,
            None => {
                let implied =
                    [(numbers, "number"), (texts, "string"), (arrays, "array"), (objects, "object")];
                implied.into_iter().filter_map(|(ruled, kind)| ruled.then_some(kind)).collect()
            }
        };
        if kinds.is_empty() && !map.contains_key("type") {
            return values;
        }
        let mut parts = Vec::new();
        for kind in &kinds {
            parts.push(match *kind {
                "null" => Type::Null,
                "boolean" => Type::Boolean,
                "integer" if kinds.contains(&"number") => continue,
                "integer" => Type::Number(number(map, format, true)),
                "number" => Type::Number(number(map, format, false)),
                "string" => Type::Text(text(map, format)),
                "array" => self.array(map, at),
                "object" => {
                    let object = self.object(map, at);
                    Type::Object(Box::new(object.closed()))
                }
                other => {
                    self.problem(at, format!("{other:?} is not a type"));
                    Type::Any
                }
            });
        }
        let rules = union(parts);
        Some(match values {
            Some(values) => Type::All(vec![values, rules]),
            None => rules,
        })
    }

    /// What `enum` and `const` leave, of the types that `type` leaves.
    fn values(&mut self, map: &Keywords, types: Option<&[&str]>) -> Option<Type> {
        let listed = map.get("enum").and_then(Value::as_array);
        let one = map.get("const");
        let candidates: Vec<&Value> = match (listed, one) {
            (None, None) => return None,
            (None, Some(one)) => vec![one],
            (Some(listed), None) => listed.iter().collect(),
            (Some(listed), Some(one)) => listed.iter().filter(|value| *value == one).collect(),
        };
        let mut values: Vec<Type> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for value in candidates {
            let allowed = types.is_none_or(|types| types.iter().any(|kind| is_of(value, kind)));
            if allowed && seen.insert(value.to_string()) {
                values.push(if value.is_null() { Type::Null } else { Type::Value(value.clone()) });
            }
        }
        Some(union(values))
    }

    fn array(&mut self, map: &'s Keywords, at: &str) -> Type {
        let (first, items) = match (map.get("prefixItems"), map.get("items")) {
            (Some(Value::Array(first)), items) => (first.as_slice(), items),
            (_, Some(Value::Array(first))) => (first.as_slice(), map.get("additionalItems")),
            (_, items) => (&[][..], items),
        };
        let rest = items.map_or(Type::Any, |items| self.read(items, &format!("{at}/items")));
        let (min, max) = (count(map, "minItems"), count(map, "maxItems"));
        if first.is_empty() {
            let unique = map.get("uniqueItems") == Some(&Value::Bool(true));
            return Type::Array(Box::new(Array { items: rest, min, max, unique }));
        }
        let mut parts = Vec::new();
        for (index, part) in first.iter().enumerate() {
            parts.push(self.read(part, &format!("{at}/prefixItems/{index}")));
        }
        let open = rest != Type::Never && max.is_none_or(|max| max > parts.len() as u64);
        Type::Tuple(parts, open.then(|| Box::new(rest)))
    }

    pub fn object(&mut self, map: &'s Keywords, at: &str) -> Object {
        let mut object = Object {
            min: count(map, "minProperties"),
            max: count(map, "maxProperties"),
            ..Object::default()
        };
        let required: Vec<&str> = map
            .get("required")
            .and_then(Value::as_array)
            .map_or_else(Vec::new, |names| names.iter().filter_map(Value::as_str).collect());
        let required: std::collections::BTreeSet<&str> = required.into_iter().collect();
        let members =
            |keyword: &str| map.get(keyword).and_then(Value::as_object).into_iter().flat_map(Map::iter);
        for (name, schema) in members("properties") {
            object.fields.push(super::Field {
                name: name.clone(),
                ty: self.read(schema, &format!("{at}/properties/{name}")),
                required: required.contains(name.as_str()),
                declared: true,
                docs: docs(schema),
            });
        }
        for (pattern, schema) in members("patternProperties") {
            let ty = self.read(schema, &format!("{at}/patternProperties"));
            object.patterns.push((pattern.clone(), ty));
        }
        if let Some(names) = map.get("propertyNames") {
            let ty = self.read(names, &format!("{at}/propertyNames"));
            object.names.push(ty);
        }
        object.rest = match (map.get("additionalProperties"), map.get("unevaluatedProperties")) {
            (Some(Value::Bool(false)), _) => Rest::Closed,
            (Some(schema), _) => Rest::Open(self.read(schema, &format!("{at}/additionalProperties"))),
            (None, None | Some(Value::Bool(false))) => Rest::Unsaid,
            (None, Some(schema)) => Rest::Open(self.read(schema, &format!("{at}/unevaluatedProperties"))),
        };
        for name in required {
            let declared = map.get("properties").is_some_and(|properties| properties.get(name).is_some());
            if !declared {
                object.require(name);
            }
        }
        object
    }

    /// A definition that is itself with nothing in between describes no type.
    fn break_circles(&mut self) {
        let direct: Vec<Vec<usize>> = self.named.iter().map(|named| direct_names(&named.ty)).collect();
        // Whoever only leads to definitions that end is in no circle: what is left is rarely anything.
        let mut users: Vec<Vec<usize>> = vec![Vec::new(); direct.len()];
        let mut unsettled: Vec<usize> = direct.iter().map(Vec::len).collect();
        for (user, used) in direct.iter().enumerate() {
            for index in used {
                users[*index].push(user);
            }
        }
        let mut ended: Vec<usize> = (0..direct.len()).filter(|index| unsettled[*index] == 0).collect();
        while let Some(index) = ended.pop() {
            for user in &users[index] {
                unsettled[*user] -= 1;
                if unsettled[*user] == 0 {
                    ended.push(*user);
                }
            }
        }
        for index in (0..direct.len()).filter(|index| unsettled[*index] > 0) {
            self.problem("", format!("the definition {:?} is part of itself", self.named[index].hint));
            self.named[index].ty = Type::Any;
        }
    }
}

pub(super) const OBJECT_KEYWORDS: [&str; 8] = [
    "properties",
    "required",
    "additionalProperties",
    "unevaluatedProperties",
    "patternProperties",
    "propertyNames",
    "minProperties",
    "maxProperties",
];

/// Keywords that are translated, and annotations.
fn is_known(keyword: &str) -> bool {
    const KNOWN: [&str; 36] = [
        "$schema",
        "$comment",
        "$defs",
        "definitions",
        "$id",
        "title",
        "description",
        "default",
        "example",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
        "type",
        "enum",
        "const",
        "anyOf",
        "oneOf",
        "allOf",
        "$ref",
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
        "prefixItems",
        "additionalItems",
        "minItems",
        "maxItems",
        "uniqueItems",
        "nullable",
    ];
    KNOWN.contains(&keyword) || OBJECT_KEYWORDS.contains(&keyword) || keyword.starts_with("x-")
}

fn direct_names(ty: &Type) -> Vec<usize> {
    let mut names = Vec::new();
    let mut visit = |ty: &Type| {
        if let Type::Named(index) = ty {
            names.push(*index);
        }
    };
    visit(ty);
    ty.same_value(&mut visit);
    names
}

fn is_of(value: &Value, kind: &str) -> bool {
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

fn count(map: &Keywords, keyword: &str) -> Option<u64> {
    let count = map.get(keyword)?.as_f64()?;
    // A count may be written as 2.0. Past 2^53 it limits nothing.
    (count.fract() == 0.0 && (0.0..=9e15).contains(&count)).then_some(count as u64)
}

fn number(map: &Keywords, format: Option<&str>, integer: bool) -> Number {
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
fn integer_range(format: &str) -> Option<(Option<i64>, Option<i64>)> {
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

fn text(map: &Keywords, format: Option<&str>) -> Text {
    Text {
        min: count(map, "minLength").filter(|min| *min > 0),
        max: count(map, "maxLength"),
        pattern: map.get("pattern").and_then(Value::as_str).map(str::to_owned),
        format: format.and_then(Format::named),
    }
}

/// Any of these, without repetition and with null last.
pub(super) fn union(parts: Vec<Type>) -> Type {
    let mut flat: Vec<Type> = Vec::new();
    let mut null = false;
    for part in parts {
        match part {
            Type::Any => return Type::Any,
            Type::Never => {}
            Type::Null => null = true,
            Type::Union(parts) => {
                for part in parts {
                    if part == Type::Null { null = true } else { push(&mut flat, part) }
                }
            }
            other => push(&mut flat, other),
        }
    }
    if null {
        flat.push(Type::Null);
    }
    match flat.len() {
        0 => Type::Never,
        1 => flat.remove(0),
        _ => Type::Union(flat),
    }
}

fn push(flat: &mut Vec<Type>, ty: Type) {
    // Values are unique already, and there may be thousands.
    if matches!(ty, Type::Value(_)) || !flat.contains(&ty) {
        flat.push(ty);
    }
}

/// Exactly one of these; a plain union where no value can be two of them.
pub(super) fn one_of(parts: Vec<Type>) -> Type {
    let distinct = parts.len() <= 256
        && parts
            .iter()
            .enumerate()
            .all(|(index, left)| parts[..index].iter().all(|right| disjoint(left, right)));
    match parts.len() {
        1 => union(parts),
        _ if distinct => union(parts),
        _ => Type::OneOf(parts),
    }
}

/// Whether surely no value is of both types.
fn disjoint(left: &Type, right: &Type) -> bool {
    match (left, right) {
        (Type::Never, _) | (_, Type::Never) => true,
        (Type::Union(parts), other) | (other, Type::Union(parts)) => {
            parts.iter().all(|part| disjoint(part, other))
        }
        (Type::Any | Type::Named(_) | Type::OneOf(_) | Type::All(_), _)
        | (_, Type::Any | Type::Named(_) | Type::OneOf(_) | Type::All(_)) => false,
        (Type::Value(left), Type::Value(right)) => match (left.as_f64(), right.as_f64()) {
            (Some(left), Some(right)) => left != right,
            _ => left != right,
        },
        (Type::Object(left), Type::Object(right)) => left.fields.iter().any(|field| {
            let same = right.fields.iter().find(|other| other.name == field.name);
            match same {
                Some(other) => field.required && other.required && disjoint(&field.ty, &other.ty),
                // The other one is closed to it.
                None => field.required && right.patterns.is_empty() && right.rest().is_none(),
            }
        }),
        (left, right) => kind(left) != kind(right),
    }
}

fn kind(ty: &Type) -> u8 {
    match ty {
        Type::Null | Type::Value(Value::Null) => 0,
        Type::Boolean | Type::Value(Value::Bool(_)) => 1,
        Type::Number(_) | Type::Value(Value::Number(_)) => 2,
        Type::Text(_) | Type::Value(Value::String(_)) => 3,
        Type::Array(_) | Type::Tuple(..) | Type::Value(Value::Array(_)) => 4,
        Type::Object(_) | Type::Value(Value::Object(_)) => 5,
        Type::Any | Type::Never | Type::Union(_) | Type::OneOf(_) | Type::All(_) | Type::Named(_) => 6,
    }
}

/// All of these at once.
pub(super) fn all_of(mut parts: Vec<Type>) -> Type {
    parts.retain(|part| *part != Type::Any);
    let mut all: Vec<Type> = Vec::new();
    for part in parts {
        if !all.contains(&part) {
            all.push(part);
        }
    }
    match all.len() {
        0 => Type::Any,
        1 => all.remove(0),
        _ if all.contains(&Type::Never) => Type::Never,
        _ => Type::All(all),
    }
}

impl Flat {
    fn into_type(self) -> Type {
        match self {
            Flat::Object(object, false) if *object == Object::default() => Type::Any,
            Flat::Object(object, _) => Type::Object(Box::new(object.closed())),
            Flat::AnyOf(parts) => union(parts.into_iter().map(Flat::into_type).collect()),
            Flat::OneOf(parts) => one_of(parts.into_iter().map(Flat::into_type).collect()),
        }
    }
}
