//! From a JSON Schema to nodes.
//!
//! What a schema refers to is compiled once per place and from a queue, so neither recursion in the
//! schema nor chains of references cost stack here; and what would cost it while checking, a value
//! looked at by node after node, is bounded at the end.

use std::cell::Cell;
use std::collections::HashMap;

use serde_json::Value;

use super::SchemaError;
use super::flatten::{Flat, Shape, flatten};
use super::format::{Format, integer_range};
use super::keyword::{self, Object, below, count, error, flag, list, text};
use super::node::{ArrayRule, Kinds, Node, NodeId, NumberRule, Rule, StringRule, Typed, Values};
use super::number::{Bound, Decimal, Num};
use super::pattern;
use crate::json::Kind;

/// Schemas within schemas, written out in place.
const MAX_DEEP: usize = 128;
/// Schemas looked at while compiling one: a thousand times what handlers' types need.
const MAX_STEPS: u32 = 200_000;
/// Nodes through which one value may have to go: unions of references to unions and so on.
const MAX_CHAIN: usize = 16;

/// The root schema, in which references are looked up.
#[derive(Debug)]
pub(super) struct Definitions<'s> {
    root: &'s Value,
    steps: Cell<u32>,
}

pub(super) struct Compiler<'s> {
    pub definitions: Definitions<'s>,
    pub nodes: Vec<Node>,
    /// What the schema at a pointer has become.
    places: HashMap<String, NodeId>,
    /// Referenced schemas: the node reserved for each, and those still to compile.
    references: HashMap<String, NodeId>,
    queue: Vec<(NodeId, &'s Value, String)>,
    deep: usize,
}

pub(super) fn compile(schema: &Value) -> Result<(Box<[Node]>, NodeId), SchemaError> {
    let mut compiler = Compiler {
        definitions: Definitions { root: schema, steps: Cell::new(0) },
        nodes: Vec::new(),
        places: HashMap::new(),
        references: HashMap::new(),
        queue: Vec::new(),
        deep: 0,
    };
    let mut root = compiler.schema(schema, "")?;
    while let Some((reserved, schema, at)) = compiler.queue.pop() {
        let node = compiler.schema(schema, &at)?;
        compiler.nodes[reserved as usize].rule = Rule::Same(node);
    }
    compiler.settle()?;
    let mut nodes = compiler.nodes;
    let targets: Vec<NodeId> = (0..).take(nodes.len()).map(|node| target(&nodes, node)).collect();
    for node in &mut nodes {
        node.references_mut(&mut |reference| *reference = targets[*reference as usize]);
    }
    root = targets[root as usize];
    Ok((nodes.into(), root))
}

/// The node that a reference ends at. There are no cycles of them once settled.
fn target(nodes: &[Node], mut node: NodeId) -> NodeId {
    while let Rule::Same(next) = nodes[node as usize].rule {
        node = next;
    }
    node
}

impl<'s> Definitions<'s> {
    /// The schema that a local reference means, and its pointer.
    pub fn find(&self, reference: &str, at: &str) -> Result<(String, &'s Value), SchemaError> {
        let pointer =
            reference.strip_prefix('#').filter(|pointer| pointer.is_empty() || pointer.starts_with('/'));
        let Some(pointer) = pointer else {
            return Err(error(
                at,
                "$ref",
                format!("`{reference}` is not within this schema; use `#/$defs/...`"),
            ));
        };
        let pointer = unescape_percents(pointer);
        match self.root.pointer(&pointer) {
            Some(schema) => Ok((pointer, schema)),
            None => Err(error(at, "$ref", format!("`{reference}` is not defined; add it to `$defs`"))),
        }
    }

    pub fn step(&self, at: &str) -> Result<(), SchemaError> {
        self.steps.set(self.steps.get() + 1);
        if self.steps.get() > MAX_STEPS {
            return Err(error(at, "$ref", "the schema is too large or its parts multiply; simplify it"));
        }
        Ok(())
    }
}

impl<'s> Compiler<'s> {
    pub fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        // Far fewer than 2^32: steps are bounded and each adds only a few.
        (self.nodes.len() - 1) as NodeId
    }

    /// Compiles one schema, once per place.
    pub fn schema(&mut self, schema: &'s Value, at: &str) -> Result<NodeId, SchemaError> {
        self.definitions.step(at)?;
        if let Some(&node) = self.places.get(at) {
            return Ok(node);
        }
        if self.deep >= MAX_DEEP {
            return Err(error(at, "properties", "nested more than 128 levels deep; use `$ref`"));
        }
        self.deep += 1;
        let node = match schema {
            Value::Bool(true) => self.add(Node::any()),
            Value::Bool(false) => self.add(Node { kinds: Kinds::NONE, rule: Rule::Any }),
            Value::Object(map) => self.object_form(schema, map, at)?,
            _ => return Err(error(at, "type", "a schema must be an object, true or false")),
        };
        self.deep -= 1;
        self.places.insert(at.to_owned(), node);
        Ok(node)
    }

    fn object_form(&mut self, schema: &'s Value, map: &'s Object, at: &str) -> Result<NodeId, SchemaError> {
        keyword::check(map, at)?;
        let own = keyword::types(map, at)?.is_some() || keyword::families(map).next().is_some();
        let values = map.contains_key("enum") || map.contains_key("const");
        let all_of = list(map, "allOf", at)?;
        let parts = usize::from(own)
            + usize::from(values)
            + all_of.len()
            + ["$ref", "anyOf", "oneOf"].iter().filter(|keyword| map.contains_key(**keyword)).count();
        if parts > 1 {
            if let Some(flat) = flatten(&self.definitions, schema, at, 0)? {
                return self.flat(flat);
            }
            if !matches!(map.get("unevaluatedProperties"), None | Some(Value::Bool(false))) {
                return Err(error(
                    at,
                    "unevaluatedProperties",
                    "only supported where every combined part is an object; use `additionalProperties`",
                ));
            }
        }
        let mut all = Vec::new();
        self.own(map, at, &mut all)?;
        if let Some(reference) = text(map, "$ref", at)? {
            all.push(self.reference(reference, at)?);
        }
        for (index, part) in all_of.iter().enumerate() {
            all.push(self.schema(part, &below(at, "allOf", &index.to_string()))?);
        }
        for (keyword, rule) in
            [("anyOf", Rule::AnyOf as fn(Box<[NodeId]>) -> Rule), ("oneOf", Rule::OneOf as fn(_) -> _)]
        {
            let parts: Result<Box<[NodeId]>, SchemaError> = list(map, keyword, at)?
                .iter()
                .enumerate()
                .map(|(index, part)| self.schema(part, &below(at, keyword, &index.to_string())))
                .collect();
            let parts = parts?;
            match *parts {
                [] => {}
                [one] => all.push(one),
                _ => all.push(self.add(Node { kinds: Kinds::ALL, rule: rule(parts) })),
            }
        }
        Ok(self.all_of(all))
    }

    /// The node for all of these at once.
    pub fn all_of(&mut self, all: Vec<NodeId>) -> NodeId {
        match *all {
            [] => self.add(Node::any()),
            [one] => one,
            _ => self.add(Node { kinds: Kinds::ALL, rule: Rule::AllOf(all.into()) }),
        }
    }

    fn flat(&mut self, flat: Flat<'s>) -> Result<NodeId, SchemaError> {
        let (parts, rule) = match flat {
            Flat::Object(shape) if shape.object => {
                let object = Some(self.shape(*shape)?);
                let typed = Typed { object, ..Typed::default() };
                return Ok(
                    self.add(Node { kinds: Kinds::of(Kind::Object), rule: Rule::Typed(Box::new(typed)) })
                );
            }
            Flat::Object(_) => return Ok(self.add(Node::any())),
            Flat::AnyOf(parts) => (parts, Rule::AnyOf as fn(Box<[NodeId]>) -> Rule),
            Flat::OneOf(parts) => (parts, Rule::OneOf as fn(_) -> _),
        };
        let parts: Result<Box<[NodeId]>, SchemaError> =
            parts.into_iter().map(|part| self.flat(part)).collect();
        let rule = rule(parts?);
        Ok(self.add(Node { kinds: Kinds::ALL, rule }))
    }

    fn reference(&mut self, reference: &str, at: &str) -> Result<NodeId, SchemaError> {
        let (pointer, schema) = self.definitions.find(reference, at)?;
        if let Some(&reserved) = self.references.get(&pointer) {
            return Ok(reserved);
        }
        let reserved = self.add(Node::any());
        self.references.insert(pointer.clone(), reserved);
        self.queue.push((reserved, schema, pointer));
        Ok(reserved)
    }

    /// What the schema itself says of its value: type, values, and rules per kind.
    fn own(&mut self, map: &'s Object, at: &str, all: &mut Vec<NodeId>) -> Result<(), SchemaError> {
        let format = text(map, "format", at)?;
        let rules = keyword::families(map).fold(Kinds::NONE, |kinds, family| kinds.or(family.kinds()));
        let rules = match format {
            Some(name) if integer_range(name).is_some() => rules.or(Kinds::of(Kind::Number)),
            Some(name) if Format::named(name).is_some() => rules.or(Kinds::of(Kind::String)),
            _ => rules,
        };
        let types = keyword::types(map, at)?;
        let values = values(map, types, at)?;
        if let Some(values) = values {
            all.push(self.add(Node { kinds: values.kinds(), rule: Rule::Values(Box::new(values)) }));
            // Values of the right types need no more than to be found, unless other rules stand beside.
            if rules == Kinds::NONE {
                return Ok(());
            }
        }
        let (kinds, integer) = match types {
            Some(types) => types,
            None if rules == Kinds::NONE => return Ok(()),
            None => (rules, false),
        };
        let mut typed = Typed::default();
        if kinds.has(Kind::Number) {
            typed.number = number_rule(map, integer, format, at)?;
        }
        if kinds.has(Kind::String) {
            typed.string = string_rule(map, format, at)?;
        }
        if kinds.has(Kind::Array) {
            typed.array = Some(self.array_rule(map, at)?);
        }
        if kinds.has(Kind::Object) {
            typed.object = Some(self.shape(Shape::of(map, at)?)?);
        }
        // A number's rule always asks for a finite one.
        let plain = !kinds.has(Kind::Number)
            && typed.string.is_none()
            && typed.array.is_none()
            && typed.object.is_none();
        let rule = if plain { Rule::Any } else { Rule::Typed(Box::new(typed)) };
        all.push(self.add(Node { kinds, rule }));
        Ok(())
    }

    fn array_rule(&mut self, map: &'s Object, at: &str) -> Result<ArrayRule, SchemaError> {
        let items = match map.get("items") {
            Some(items) => self.schema(items, &format!("{at}/items"))?,
            None => self.add(Node::any()),
        };
        Ok(ArrayRule {
            items,
            min: count(map, "minItems", at)?.unwrap_or(0),
            max: count(map, "maxItems", at)?.unwrap_or(usize::MAX),
            unique: flag(map, "uniqueItems", at)?,
        })
    }

    /// Narrows every node's kinds to what the nodes behind it allow, and refuses chains of nodes for
    /// one value that are cycles or too long.
    fn settle(&mut self) -> Result<(), SchemaError> {
        let mut heights = vec![None; self.nodes.len()];
        for node in (0..).take(self.nodes.len()) {
            self.height(node, 0, &mut heights)?;
        }
        Ok(())
    }

    fn height(
        &mut self,
        id: NodeId,
        above: usize,
        heights: &mut [Option<usize>],
    ) -> Result<usize, SchemaError> {
        if above + heights[id as usize].unwrap_or(0) > MAX_CHAIN {
            return Err(error(
                "",
                "$ref",
                "a definition is part of itself, or reached through more than 16 references and unions in a row",
            ));
        }
        if let Some(height) = heights[id as usize] {
            return Ok(height);
        }
        let parts = self.nodes[id as usize].same_value().to_vec();
        let mut height = 0;
        let mut any = Kinds::NONE;
        let mut all = Kinds::ALL;
        for part in &parts {
            height = height.max(1 + self.height(*part, above + 1, heights)?);
            any = any.or(self.nodes[*part as usize].kinds);
            all = all.and(self.nodes[*part as usize].kinds);
        }
        if !parts.is_empty() {
            let node = &mut self.nodes[id as usize];
            node.kinds = if matches!(node.rule, Rule::AllOf(_)) { all } else { any };
        }
        heights[id as usize] = Some(height);
        Ok(height)
    }
}

/// The values that `enum` and `const` leave, of the types that `type` leaves.
fn values(map: &Object, types: Option<(Kinds, bool)>, at: &str) -> Result<Option<Values>, SchemaError> {
    let listed = match map.get("enum") {
        None => None,
        Some(Value::Array(listed)) => Some(listed.as_slice()),
        Some(_) => return Err(error(at, "enum", "must be a list of values")),
    };
    let candidates: Vec<&Value> = match (listed, map.get("const")) {
        (None, None) => return Ok(None),
        (None, Some(one)) => vec![one],
        (Some(listed), None) => listed.iter().collect(),
        (Some(listed), Some(one)) => listed.iter().filter(|value| super::check::same(value, one)).collect(),
    };
    let mut values = Values::default();
    for value in candidates {
        let kind = match value {
            Value::Null => Kind::Null,
            Value::Bool(_) => Kind::Bool,
            Value::Number(_) => Kind::Number,
            Value::String(_) => Kind::String,
            Value::Array(_) => Kind::Array,
            Value::Object(_) => Kind::Object,
        };
        if types.is_some_and(|(kinds, integer)| {
            !kinds.has(kind)
                || integer && value.as_number().is_some_and(|number| !Num::of_json(number).is_integer())
        }) {
            continue;
        }
        match value {
            Value::Null => values.null = true,
            Value::Bool(true) => values.yes = true,
            Value::Bool(false) => values.no = true,
            Value::Number(number) => values.numbers.push(Num::of_json(number)),
            Value::String(text) => values.texts.push(text.as_str().into()),
            tree => values.trees.push(tree.clone()),
        }
    }
    if values.kinds() == Kinds::NONE {
        let keyword = if listed.is_some() { "enum" } else { "const" };
        return Err(error(at, keyword, "no value is left that `type`, `enum` and `const` all allow"));
    }
    values.texts.sort_unstable();
    Ok(Some(values))
}

fn number_rule(
    map: &Object,
    integer: bool,
    format: Option<&str>,
    at: &str,
) -> Result<NumberRule, SchemaError> {
    use std::cmp::Ordering::{Greater, Less};

    let mut rule = NumberRule { integer, ..NumberRule::default() };
    if let Some((least, most)) = format.and_then(integer_range) {
        rule.integer = true;
        rule.bounds.push(Bound { limit: Num::Int(least), side: Greater, exclusive: false });
        rule.bounds.push(Bound { limit: Num::Int(most), side: Less, exclusive: false });
    }
    for (keyword, side, exclusive) in [
        ("minimum", Greater, false),
        ("maximum", Less, false),
        ("exclusiveMinimum", Greater, true),
        ("exclusiveMaximum", Less, true),
    ] {
        match map.get(keyword) {
            None => {}
            Some(Value::Number(limit)) => {
                rule.bounds.push(Bound { limit: Num::of_json(limit), side, exclusive })
            }
            Some(_) => return Err(error(at, keyword, "must be a number")),
        }
    }
    if let Some(step) = map.get("multipleOf") {
        let step = step.as_number().and_then(|number| Decimal::of_token(&number.to_string()));
        match step {
            Some(step) if step.is_step() => rule.multiple_of.push(step),
            _ => return Err(error(at, "multipleOf", "must be a number above 0 with at most 18 digits")),
        }
    }
    Ok(rule)
}

fn string_rule(map: &Object, format: Option<&str>, at: &str) -> Result<Option<StringRule>, SchemaError> {
    let rule = StringRule {
        min: count(map, "minLength", at)?.unwrap_or(0),
        max: count(map, "maxLength", at)?.unwrap_or(usize::MAX),
        pattern: match text(map, "pattern", at)? {
            Some(pattern) => {
                Some(pattern::compile(pattern).map_err(|message| error(at, "pattern", message))?)
            }
            None => None,
        },
        format: format.and_then(Format::named),
    };
    let free = rule.min == 0 && rule.max == usize::MAX && rule.pattern.is_none() && rule.format.is_none();
    Ok((!free).then_some(rule))
}

/// `%xx` in a reference's fragment. Malformed ones stay, and will not be found.
fn unescape_percents(pointer: &str) -> String {
    let bytes = pointer.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| pointer.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}
