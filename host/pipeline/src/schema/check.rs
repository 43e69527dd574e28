//! The one pass over a document. The hot path of this module: see the rule in [`super`].

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::Value;
use smallvec::SmallVec;

use super::node::{ArrayRule, Node, NodeId, NumberRule, ObjectRule, Rule, StringRule, Typed, Values};
use super::number::{Decimal, Num};
use super::object::FORBIDDEN;
use super::{MAX_LEVELS, REREAD};
use crate::json::{Cursor, JsonError, Kind, Number, Text, decode, decode_exact};

/// Bytes that unions may read again whatever the input's length.
const REREAD_BASE: usize = 64 << 10;

/// Where and why a document does not fit: cheap to make, because unions make many of them. What a
/// person can read is made of it afterwards.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fail {
    pub at: usize,
    pub why: Why,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Why {
    Json(&'static str),
    /// The node's kinds, and what was found.
    Kind(NodeId, Kind),
    /// The node of the object, and which of its properties.
    Missing(NodeId, usize),
    UnknownKey,
    ForbiddenKey,
    TooDeep,
    TooMuchWork,
    NotFinite,
    NotInteger,
    OutOfRange,
    NotMultiple,
    TooShort,
    TooLong,
    Pattern,
    Format(&'static str),
    TooFewItems,
    TooManyItems,
    Repeated,
    TooFewKeys,
    TooManyKeys,
    NotListed,
    NoBranch,
    SeveralBranches,
}

struct Run<'v, 'a> {
    nodes: &'v [Node],
    cursor: Cursor<'a>,
    /// Bytes that may still be read again.
    reread: usize,
}

pub(super) fn run(nodes: &[Node], root: NodeId, document: &[u8]) -> Result<(), Fail> {
    let reread = document.len().saturating_mul(REREAD).saturating_add(REREAD_BASE);
    let mut run = Run { nodes, cursor: Cursor::new(document), reread };
    run.cursor.space();
    run.node(root, 0)?;
    run.cursor.end()?;
    Ok(())
}

impl From<JsonError> for Fail {
    fn from(error: JsonError) -> Self {
        Fail { at: error.offset, why: Why::Json(error.expected) }
    }
}

impl Fail {
    /// Whether no other branch can help.
    fn is_final(&self) -> bool {
        matches!(self.why, Why::Json(_) | Why::TooMuchWork)
    }
}

fn fail<T>(at: usize, why: Why) -> Result<T, Fail> {
    Err(Fail { at, why })
}

impl<'v, 'a> Run<'v, 'a> {
    /// Checks the value that starts here. `depth` is the number of containers around it.
    fn node(&mut self, id: NodeId, depth: usize) -> Result<(), Fail> {
        let node = &self.nodes[id as usize];
        let kind = self.cursor.kind()?;
        if !node.kinds.has(kind) {
            return fail(self.cursor.pos, Why::Kind(id, kind));
        }
        match &node.rule {
            Rule::Any => {
                self.cursor.value(depth)?;
                Ok(())
            }
            Rule::Typed(typed) => self.typed(id, typed, kind, depth),
            Rule::Values(values) => self.values(values, kind, depth),
            Rule::AnyOf(list) => self.any_of(list, kind, depth),
            Rule::OneOf(list) => self.one_of(list, kind, depth),
            Rule::AllOf(list) => self.all_of(list, depth),
            Rule::Same(other) => self.node(*other, depth),
        }
    }

    fn typed(&mut self, id: NodeId, typed: &Typed, kind: Kind, depth: usize) -> Result<(), Fail> {
        let start = self.cursor.pos;
        match kind {
            Kind::Number => {
                let number = self.cursor.number()?;
                self.number(&typed.number, number)
            }
            Kind::String => {
                let text = self.cursor.string()?;
                typed.string.as_ref().map_or(Ok(()), |rule| self.string(rule, text))
            }
            Kind::Array | Kind::Object if depth >= MAX_LEVELS => fail(start, Why::TooDeep),
            Kind::Array => match &typed.array {
                Some(rule) => self.array(rule, depth),
                None => fail(start, Why::Kind(id, kind)),
            },
            Kind::Object => match &typed.object {
                Some(rule) => self.object(id, rule, depth),
                None => fail(start, Why::Kind(id, kind)),
            },
            Kind::Null | Kind::Bool => Ok(self.cursor.scalar(kind)?),
        }
    }

    #[inline]
    fn number(&self, rule: &NumberRule, number: Number) -> Result<(), Fail> {
        let at = number.start;
        let token = &self.cursor.bytes[number.start..number.end];
        if rule.is_free() && number.is_surely_finite() {
            return Ok(());
        }
        let Some(value) = Num::of_token(token, number.plain) else { return fail(at, Why::NotFinite) };
        if rule.integer && !value.is_integer() {
            return fail(at, Why::NotInteger);
        }
        if !rule.bounds.iter().all(|bound| bound.holds(value)) {
            return fail(at, Why::OutOfRange);
        }
        if !rule.multiple_of.is_empty() {
            // A number token is ASCII.
            let decimal = std::str::from_utf8(token).ok().and_then(Decimal::of_token);
            let fits = |step: &Decimal| decimal.is_some_and(|decimal| decimal.is_multiple_of(*step));
            if !rule.multiple_of.iter().all(fits) {
                return fail(at, Why::NotMultiple);
            }
        }
        Ok(())
    }

    fn string(&self, rule: &StringRule, text: Text) -> Result<(), Fail> {
        let at = text.start - 1;
        let bytes = text.end - text.start;
        let text = self.text(text);
        // Never more characters than bytes, so most limits need no counting.
        if rule.min > 1 || rule.min == 1 && bytes == 0 || rule.max < bytes {
            let length = text.chars().count();
            if length < rule.min {
                return fail(at, Why::TooShort);
            }
            if length > rule.max {
                return fail(at, Why::TooLong);
            }
        }
        match (rule.format, &rule.pattern) {
            (Some(format), _) if !format.accepts(&text) => fail(at, Why::Format(format.name())),
            (_, Some(pattern)) if !pattern.is_match(&text) => fail(at, Why::Pattern),
            _ => Ok(()),
        }
    }

    fn array(&mut self, rule: &ArrayRule, depth: usize) -> Result<(), Fail> {
        let start = self.cursor.pos;
        let mut count = 0;
        let mut seen = rule.unique.then(HashSet::new);
        let mut open = self.cursor.enter(b']');
        while open {
            let at = self.cursor.pos;
            if count == rule.max {
                return fail(at, Why::TooManyItems);
            }
            self.node(rule.items, depth + 1)?;
            count += 1;
            if let Some(seen) = &mut seen
                && !seen.insert(canonical(&self.cursor.bytes[at..self.cursor.pos]))
            {
                return fail(at, Why::Repeated);
            }
            open = self.cursor.more(b']')?;
        }
        if count < rule.min { fail(start, Why::TooFewItems) } else { Ok(()) }
    }

    fn object(&mut self, id: NodeId, rule: &ObjectRule, depth: usize) -> Result<(), Fail> {
        let start = self.cursor.pos;
        let mut count = 0;
        let mut distinct = (rule.min > 0).then(HashSet::new);
        // One bit per required property; no heap up to 128 of them.
        let mut seen: SmallVec<[u64; 2]> = SmallVec::from_elem(0, rule.required.div_ceil(64));
        let mut open = self.cursor.enter(b'}');
        while open {
            let at = self.cursor.pos;
            let key = self.cursor.key()?;
            let value = self.cursor.pos;
            if count == rule.max {
                return fail(at, Why::TooManyKeys);
            }
            count += 1;
            if let Some(distinct) = &mut distinct {
                distinct.insert(self.text(key));
            }
            for names in &rule.names {
                // A key is a string like any other, so its schema runs over the key's own token.
                self.cursor.pos = at;
                self.node(*names, depth + 1)?;
                self.cursor.pos = value;
            }
            let prop = self.prop(rule, key);
            if let Some(index) = prop
                && index < rule.required
            {
                seen[index / 64] |= 1 << (index % 64);
            }
            let declared = prop.and_then(|index| rule.props[index].node);
            match declared {
                Some(node) if rule.patterns.is_empty() => self.node(node, depth + 1)?,
                _ => self.other(rule, declared, key, depth)?,
            }
            open = self.cursor.more(b'}')?;
        }
        if distinct.is_some_and(|distinct| distinct.len() < rule.min) {
            return fail(start, Why::TooFewKeys);
        }
        for (word, seen) in seen.iter().enumerate() {
            let wanted = rule.required - word * 64;
            let missing = !seen & if wanted >= 64 { u64::MAX } else { (1 << wanted) - 1 };
            if missing != 0 {
                return fail(start, Why::Missing(id, word * 64 + missing.trailing_zeros() as usize));
            }
        }
        Ok(())
    }

    /// The value of a key that is not simply a declared one: patterns, then `additionalProperties`.
    fn other(
        &mut self,
        rule: &ObjectRule,
        declared: Option<NodeId>,
        key: Text,
        depth: usize,
    ) -> Result<(), Fail> {
        let value = self.cursor.pos;
        let text = self.text(key);
        if FORBIDDEN.contains(&&*text) {
            return fail(key.start - 1, Why::ForbiddenKey);
        }
        let mut checked = false;
        let matching = rule.patterns.iter().filter(|(regex, _)| regex.is_match(&text)).map(|(_, node)| *node);
        for node in declared.into_iter().chain(matching) {
            if checked {
                self.again(value)?;
            }
            self.cursor.pos = value;
            self.node(node, depth + 1)?;
            checked = true;
        }
        match rule.additional {
            _ if checked => Ok(()),
            Some(node) => self.node(node, depth + 1),
            None => fail(key.start - 1, Why::UnknownKey),
        }
    }

    /// Which declared property a key is.
    #[inline]
    fn prop(&self, rule: &ObjectRule, key: Text) -> Option<usize> {
        let raw = &self.cursor.bytes[key.start..key.end];
        let decoded;
        let name = if key.escaped {
            decoded = decode_exact(raw)?;
            decoded.as_bytes()
        } else {
            raw
        };
        if rule.sorted.is_empty() {
            return rule.props.iter().position(|prop| prop.name.as_bytes() == name);
        }
        let prop = |index: &u16| rule.props[usize::from(*index)].name.as_bytes();
        let place = rule.sorted.binary_search_by(|index| prop(index).cmp(name)).ok()?;
        Some(usize::from(rule.sorted[place]))
    }

    fn values(&mut self, values: &Values, kind: Kind, depth: usize) -> Result<(), Fail> {
        let at = self.cursor.pos;
        let listed = match kind {
            Kind::Null => {
                self.cursor.scalar(kind)?;
                values.null
            }
            Kind::Bool => {
                let yes = self.cursor.peek() == Some(b't');
                self.cursor.scalar(kind)?;
                if yes { values.yes } else { values.no }
            }
            Kind::Number => {
                let number = self.cursor.number()?;
                let token = &self.cursor.bytes[number.start..number.end];
                Num::of_token(token, number.plain).is_some_and(|value| values.numbers.contains(&value))
            }
            Kind::String => {
                let text = self.cursor.string()?;
                let raw = &self.cursor.bytes[text.start..text.end];
                decode_exact(raw).is_some_and(|text| values.has_text(&text))
            }
            Kind::Array | Kind::Object => {
                self.cursor.value(depth)?;
                let span = &self.cursor.bytes[at..self.cursor.pos];
                serde_json::from_slice(span)
                    .is_ok_and(|value: Value| values.trees.iter().any(|tree| same(tree, &value)))
            }
        };
        if listed { Ok(()) } else { fail(at, Why::NotListed) }
    }

    fn any_of(&mut self, list: &[NodeId], kind: Kind, depth: usize) -> Result<(), Fail> {
        let start = self.cursor.pos;
        let mut nearest: Option<Fail> = None;
        for node in list.iter().filter(|node| self.nodes[**node as usize].kinds.has(kind)) {
            if nearest.is_some() {
                self.again(start)?;
            }
            match self.node(*node, depth) {
                Ok(()) => return Ok(()),
                Err(error) => nearest = Some(nearer(nearest, error, start)?),
            }
        }
        Err(nearest.unwrap_or(Fail { at: start, why: Why::NoBranch }))
    }

    fn one_of(&mut self, list: &[NodeId], kind: Kind, depth: usize) -> Result<(), Fail> {
        let start = self.cursor.pos;
        let mut nearest: Option<Fail> = None;
        let mut end: Option<usize> = None;
        for node in list.iter().filter(|node| self.nodes[**node as usize].kinds.has(kind)) {
            if nearest.is_some() || end.is_some() {
                self.again(start)?;
            }
            match self.node(*node, depth) {
                Ok(()) if end.is_some() => return fail(start, Why::SeveralBranches),
                Ok(()) => end = Some(self.cursor.pos),
                Err(error) => nearest = Some(nearer(nearest, error, start)?),
            }
        }
        match end {
            Some(end) => {
                self.cursor.pos = end;
                Ok(())
            }
            None => Err(nearest.unwrap_or(Fail { at: start, why: Why::NoBranch })),
        }
    }

    fn all_of(&mut self, list: &[NodeId], depth: usize) -> Result<(), Fail> {
        let start = self.cursor.pos;
        for (index, node) in list.iter().enumerate() {
            if index > 0 {
                self.again(start)?;
            }
            self.node(*node, depth)?;
        }
        Ok(())
    }

    /// Goes back to `start`, paying for what has to be read again.
    fn again(&mut self, start: usize) -> Result<(), Fail> {
        let cost = self.cursor.pos.saturating_sub(start) + 1;
        match self.reread.checked_sub(cost) {
            Some(left) => {
                self.reread = left;
                self.cursor.pos = start;
                Ok(())
            }
            None => fail(start, Why::TooMuchWork),
        }
    }

    fn text(&self, text: Text) -> Cow<'a, str> {
        let raw = &self.cursor.bytes[text.start..text.end];
        if text.escaped { decode(raw) } else { String::from_utf8_lossy(raw) }
    }
}

/// The failure worth telling: the one furthest into the value; of a tie between branches, that none
/// fits.
fn nearer(known: Option<Fail>, error: Fail, start: usize) -> Result<Fail, Fail> {
    if error.is_final() {
        return Err(error);
    }
    Ok(match known {
        None => error,
        Some(known) if known.at > error.at => known,
        Some(known) if known.at < error.at => error,
        Some(known) if known.at > start => known,
        Some(known) => Fail { at: known.at, why: Why::NoBranch },
    })
}

/// Equality as JSON Schema has it: `1` and `1.0` are the same.
pub(super) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => Num::of_json(left) == Num::of_json(right),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, left)| right.get(key).is_some_and(|right| same(left, right)))
        }
        (left, right) => left == right,
    }
}

/// A text that equal values share, for `uniqueItems`.
fn canonical(item: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(item.len());
    match serde_json::from_slice(item) {
        Ok(value) => write_canonical(&mut out, &value),
        // Lone surrogates and numbers out of range: compared as they were written.
        Err(_) => out.extend_from_slice(item),
    }
    out
}

fn write_canonical(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Number(number) => out.extend_from_slice(format!("{:?}", Num::of_json(number)).as_bytes()),
        Value::Array(items) => {
            out.push(b'[');
            for item in items {
                write_canonical(out, item);
                out.push(b',');
            }
            out.push(b']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(key, _)| *key);
            out.push(b'{');
            for (key, value) in members {
                crate::json::write_str(out, key);
                out.push(b':');
                write_canonical(out, value);
                out.push(b',');
            }
            out.push(b'}');
        }
        Value::String(text) => crate::json::write_str(out, text),
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
    }
}
