//! What a schema is compiled to: nodes in one vector that refer to each other by index.

use regex::Regex;
use serde_json::Value;

use super::format::Format;
use super::number::{Bound, Decimal, Num};
use crate::json::Kind;

pub(super) type NodeId = u32;

#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Kinds of values that may pass at all: asked before anything else, and what spares unions most
    /// of their branches.
    pub kinds: Kinds,
    pub rule: Rule,
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kinds(u8);

#[derive(Clone, Debug)]
pub(super) enum Rule {
    /// Whatever is of the right kind.
    Any,
    /// A rule per kind.
    Typed(Box<Typed>),
    /// `enum` and `const`.
    Values(Box<Values>),
    AnyOf(Box<[NodeId]>),
    OneOf(Box<[NodeId]>),
    AllOf(Box<[NodeId]>),
    /// Another node; compiling leaves these out of what refers to them.
    Same(NodeId),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Typed {
    pub number: NumberRule,
    pub string: Option<StringRule>,
    pub array: Option<ArrayRule>,
    pub object: Option<ObjectRule>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct NumberRule {
    pub integer: bool,
    pub bounds: Vec<Bound>,
    pub multiple_of: Vec<Decimal>,
}

#[derive(Clone, Debug)]
pub(super) struct StringRule {
    pub min: usize,
    pub max: usize,
    pub pattern: Option<Regex>,
    pub format: Option<Format>,
}

#[derive(Clone, Debug)]
pub(super) struct ArrayRule {
    pub items: NodeId,
    pub min: usize,
    pub max: usize,
    pub unique: bool,
}

#[derive(Clone, Debug)]
pub(super) struct ObjectRule {
    /// The first `required` of them are.
    pub props: Box<[Prop]>,
    pub required: usize,
    /// Indices of `props` in the order of their names, when there are too many to compare one by one.
    pub sorted: Box<[u16]>,
    pub patterns: Box<[(Regex, NodeId)]>,
    pub names: Box<[NodeId]>,
    /// What other keys' values must be. None: there must be no other keys.
    pub additional: Option<NodeId>,
    pub min: usize,
    pub max: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Prop {
    pub name: Box<str>,
    /// None for a name that is only required: its value is a pattern's or `additional`'s matter.
    pub node: Option<NodeId>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    pub null: bool,
    pub yes: bool,
    pub no: bool,
    pub numbers: Vec<Num>,
    /// Sorted.
    pub texts: Vec<Box<str>>,
    /// Arrays and objects.
    pub trees: Vec<Value>,
}

// --- Kinds ---

impl Kinds {
    pub const NONE: Kinds = Kinds(0);
    pub const ALL: Kinds = Kinds(0b11_1111);

    pub const fn of(kind: Kind) -> Kinds {
        Kinds(1 << kind as u8)
    }

    #[inline]
    pub const fn has(self, kind: Kind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    pub const fn or(self, other: Kinds) -> Kinds {
        Kinds(self.0 | other.0)
    }

    pub const fn and(self, other: Kinds) -> Kinds {
        Kinds(self.0 & other.0)
    }
}

// --- Node ---

impl Node {
    pub fn any() -> Node {
        Node { kinds: Kinds::ALL, rule: Rule::Any }
    }

    /// Nodes that look at the very same value.
    pub fn same_value(&self) -> &[NodeId] {
        match &self.rule {
            Rule::AnyOf(list) | Rule::OneOf(list) | Rule::AllOf(list) => list,
            Rule::Same(node) => std::slice::from_ref(node),
            Rule::Any | Rule::Typed(_) | Rule::Values(_) => &[],
        }
    }

    /// Every reference to another node.
    pub fn references_mut(&mut self, visit: &mut dyn FnMut(&mut NodeId)) {
        match &mut self.rule {
            Rule::AnyOf(list) | Rule::OneOf(list) | Rule::AllOf(list) => list.iter_mut().for_each(visit),
            Rule::Same(node) => visit(node),
            Rule::Any | Rule::Values(_) => {}
            Rule::Typed(typed) => {
                if let Some(array) = &mut typed.array {
                    visit(&mut array.items);
                }
                if let Some(object) = &mut typed.object {
                    object.props.iter_mut().filter_map(|prop| prop.node.as_mut()).for_each(&mut *visit);
                    object.patterns.iter_mut().map(|(_, node)| node).for_each(&mut *visit);
                    object.names.iter_mut().for_each(&mut *visit);
                    object.additional.iter_mut().for_each(&mut *visit);
                }
            }
        }
    }
}

// --- NumberRule ---

impl NumberRule {
    /// Whether any finite number passes.
    #[inline]
    pub fn is_free(&self) -> bool {
        !self.integer && self.bounds.is_empty() && self.multiple_of.is_empty()
    }
}

// --- Values ---

impl Values {
    pub fn kinds(&self) -> Kinds {
        let mut kinds = Kinds::NONE;
        let mut add = |present: bool, kind| {
            if present {
                kinds = kinds.or(Kinds::of(kind));
            }
        };
        add(self.null, Kind::Null);
        add(self.yes || self.no, Kind::Bool);
        add(!self.numbers.is_empty(), Kind::Number);
        add(!self.texts.is_empty(), Kind::String);
        add(self.trees.iter().any(Value::is_array), Kind::Array);
        add(self.trees.iter().any(Value::is_object), Kind::Object);
        kinds
    }

    #[inline]
    pub fn has_text(&self, text: &str) -> bool {
        if self.texts.len() <= 8 {
            return self.texts.iter().any(|known| **known == *text);
        }
        self.texts.binary_search_by(|known| (**known).cmp(text)).is_ok()
    }
}
