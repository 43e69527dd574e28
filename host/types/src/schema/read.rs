//! From JSON to [`Schema`].

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::{Map, Value};

use super::combine::{all_of, one_of, union};
use super::object::{Flat, flatten, objects};
use super::refs::References;
use super::scalar::{count, integer_range, is_of, number, text};
use super::{Array, Docs, Field, Format, Named, Object, Problem, Rest, Schema, Type};

/// Definitions written in place, in schemas: past this, every definition gets a name.
const INLINE_BUDGET: usize = 20_000;
/// Types copied while merging combined objects: past this, nothing is merged any more.
const MERGE_BUDGET: usize = 50_000;
/// Schemas within schemas. JSON itself ends before this; what merging writes out may not.
const MAX_DEEP: usize = 200;

pub(super) type Keywords = Map<String, Value>;

/// Reads one schema and what it refers to.
#[derive(Debug)]
pub(super) struct Reader<'s> {
    pub references: References<'s>,
    /// Referenced definitions that have a name, by pointer.
    names: HashMap<String, usize>,
    /// Named definitions, the unread ones without a type.
    named: Vec<Named>,
    queue: Vec<(usize, String, &'s Value)>,
    /// Combined objects that are being read, by pointer, and the names of those met again meanwhile.
    merging: HashSet<String>,
    merging_names: HashMap<String, usize>,
    inlined: usize,
    merged: usize,
    deep: usize,
    problems: Vec<Problem>,
}

pub(super) fn read(schema: &Value) -> Schema {
    let mut reader = Reader {
        references: References::new(schema),
        names: HashMap::new(),
        named: Vec::new(),
        queue: Vec::new(),
        merging: HashSet::new(),
        merging_names: HashMap::new(),
        inlined: 0,
        merged: 0,
        deep: 0,
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

    /// Takes from what may be merged; false when there is nothing left.
    pub fn may_merge(&mut self, cost: usize) -> bool {
        self.merged = self.merged.saturating_add(cost);
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
        if self.deep >= MAX_DEEP {
            self.problem(at, "the schema is nested too deeply");
            return Type::Any;
        }
        self.deep += 1;
        for keyword in map.keys().filter(|keyword| !is_known(keyword)) {
            self.problem(at, format!("`{keyword}` is not translated, so the type is wider than the schema"));
        }
        let ty = self.combined(schema, map, at);
        self.deep -= 1;
        // Not JSON Schema, but often written in outputs.
        if map.get("nullable") == Some(&Value::Bool(true)) { union(vec![ty, Type::Null]) } else { ty }
    }

    /// Every part is read once: a schema within two readings at each level would be read 2^levels times.
    fn combined(&mut self, schema: &'s Value, map: &'s Keywords, at: &str) -> Type {
        let list = |keyword: &str| map.get(keyword).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let combining =
            ["$ref", "anyOf", "oneOf"].iter().filter(|keyword| map.contains_key(**keyword)).count();
        let own = map.keys().any(|keyword| is_own(keyword));
        if combining + list("allOf").len() + usize::from(own) > 1
            && let Some(merged) = self.merged(schema, at)
        {
            return merged;
        }
        let mut all: Vec<Type> = self.own(map, at).into_iter().collect();
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

    /// The schema as one object or a union of such, if all of its parts are objects.
    fn merged(&mut self, schema: &'s Value, at: &str) -> Option<Type> {
        if let Some(&known) = self.merging_names.get(at) {
            return Some(Type::Named(known));
        }
        objects(self, schema, 0)?;
        if !self.merging.insert(at.to_owned()) {
            // It is a part of a part of itself, so it needs a name.
            let hint = at.rsplit('/').next().unwrap_or_default().to_owned();
            let index = self.name(hint, docs(schema));
            self.merging_names.insert(at.to_owned(), index);
            return Some(Type::Named(index));
        }
        let flat = flatten(self, schema, at);
        self.merging.remove(at);
        let named = self.merging_names.get(at).copied();
        match (flat.map(Flat::into_type), named) {
            (Some(ty), Some(index)) => {
                self.named[index].ty = ty;
                Some(Type::Named(index))
            }
            (None, Some(index)) => {
                self.problem(at, "the combination is too large");
                Some(Type::Named(index))
            }
            (ty, None) => ty,
        }
    }

    fn name(&mut self, hint: String, docs: Docs) -> usize {
        self.named.push(Named { hint, docs, ty: Type::Any });
        self.named.len() - 1
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
        let hint = pointer.rsplit('/').next().unwrap_or_default().to_owned();
        let index = self.name(hint, docs(target));
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
            // Each once.
            Some(types) => types.into_iter().collect::<BTreeSet<&str>>().into_iter().collect::<Vec<_>>(),
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
        let mut seen = HashSet::new();
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
        let required: BTreeSet<&str> = required.into_iter().collect();
        let members =
            |keyword: &str| map.get(keyword).and_then(Value::as_object).into_iter().flat_map(Map::iter);
        for (name, schema) in members("properties") {
            object.fields.push(Field {
                name: name.clone(),
                ty: self.read(schema, &below(at, "properties", name)),
                required: required.contains(name.as_str()),
                declared: true,
                docs: docs(schema),
            });
        }
        for (pattern, schema) in members("patternProperties") {
            let ty = self.read(schema, &below(at, "patternProperties", pattern));
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
                object.fields.push(Field {
                    name: name.to_owned(),
                    ty: Type::Any,
                    required: true,
                    declared: false,
                    docs: Docs::default(),
                });
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

/// What says something of the value itself.
fn is_own(keyword: &str) -> bool {
    const OWN: [&str; 17] = [
        "type",
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
    ];
    OWN.contains(&keyword) || OBJECT_KEYWORDS.contains(&keyword)
}

/// The pointer of what is under `name` of a keyword.
fn below(at: &str, keyword: &str, name: &str) -> String {
    format!("{at}/{keyword}/{}", name.replace('~', "~0").replace('/', "~1"))
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
