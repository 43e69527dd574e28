//! TOML text as a tree in which every key and value knows where it was written.
//!
//! The rule: nothing is decided here. What a value should have been is the business of the
//! [`reader`](crate::reader); a tree can also hold values that came from a flag or a variable.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::finding::{Finding, Place};

/// A file beyond this is no configuration. The bound keeps a mistaken path from filling memory.
pub(crate) const MAX_FILE_BYTES: u64 = 1 << 20;

/// A parser that lost its footing reports every following line; the first few are what helps.
const MAX_SYNTAX_FINDINGS: usize = 5;

#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) entries: BTreeMap<String, Entry>,
    pub(crate) at: Place,
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Where the key stands.
    pub(crate) at: Place,
    pub(crate) node: Node,
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) at: Place,
    pub(crate) value: Value,
    /// The text as given, when it came from a flag or a variable, where nobody quotes strings.
    pub(crate) raw: Option<Box<str>>,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    String(String),
    /// Out of range of `i128` becomes its end nearest to the number: outside of every range here.
    Integer(i128),
    Float,
    Boolean(bool),
    Datetime,
    Array(Vec<Node>),
    Table(Table),
}

/// Turns byte offsets into lines and columns without scanning the text for each.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
    file: Arc<Path>,
}

// ---------------------------------------------------------------------------------------------
// Parsing

/// Parses a file's bytes. Syntax errors are all reported and no table is returned.
pub(crate) fn parse(file: &Path, bytes: &[u8], findings: &mut Vec<Finding>) -> Option<Table> {
    if bytes.len() as u64 > MAX_FILE_BYTES {
        findings.push(too_large(file));
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let good = &bytes[..error.valid_up_to()];
            let line = good.iter().filter(|b| **b == b'\n').count() + 1;
            let line_start = good.iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
            let column = String::from_utf8_lossy(&good[line_start..]).chars().count() + 1;
            findings.push(Place::at(&file.into(), line, column).error(
                "invalid-utf8",
                "the file is not UTF-8 text",
                "save it as UTF-8; TOML allows no other encoding",
            ));
            return None;
        }
    };
    let lines = Lines::new(file, text);
    let (root, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Some(table(root.get_ref(), Place::whole(file), &|span| lines.place(span)));
    }
    for error in errors.iter().take(MAX_SYNTAX_FINDINGS) {
        let place = error.span().map_or_else(|| Place::whole(file), |span| lines.place(&span));
        findings.push(place.error(
            "syntax-error",
            format!("not valid TOML: {}", error.message().replace('\n', ", ")),
            "mend the syntax at this place; strings stand in quotes, tables in [brackets]",
        ));
    }
    None
}

/// Parses one value as given to a flag or a variable: TOML where it is that, else a string.
pub(crate) fn parse_loose(source: &Path, text: &str) -> Node {
    let at = Place::whole(source);
    let value = match DeValue::parse(text.trim()) {
        Ok(value) => convert(value.get_ref(), &at, &|_| at.clone()),
        Err(_) => Value::String(text.to_owned()),
    };
    Node { at, value, raw: Some(text.into()) }
}

pub(crate) fn too_large(file: &Path) -> Finding {
    Place::whole(file).error(
        "file-too-large",
        format!("the file is larger than {} bytes", MAX_FILE_BYTES),
        "a configuration file is a few kilobytes; check that this is the right file",
    )
}

fn convert(value: &DeValue<'_>, at: &Place, place: &dyn Fn(&Range<usize>) -> Place) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => {
            let parsed = i128::from_str_radix(number.as_str(), number.radix());
            let end = if number.as_str().starts_with('-') { i128::MIN } else { i128::MAX };
            Value::Integer(parsed.unwrap_or(end))
        }
        DeValue::Float(_) => Value::Float,
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Datetime(_) => Value::Datetime,
        DeValue::Array(items) => Value::Array(items.iter().map(|item| node(item, place)).collect()),
        DeValue::Table(inner) => Value::Table(table(inner, at.clone(), place)),
    }
}

fn node(spanned: &Spanned<DeValue<'_>>, place: &dyn Fn(&Range<usize>) -> Place) -> Node {
    let at = place(&spanned.span());
    Node { value: convert(spanned.get_ref(), &at, place), at, raw: None }
}

fn table(from: &DeTable<'_>, at: Place, place: &dyn Fn(&Range<usize>) -> Place) -> Table {
    let entries = from
        .iter()
        .map(|(key, value)| {
            (key.get_ref().to_string(), Entry { at: place(&key.span()), node: node(value, place) })
        })
        .collect();
    Table { entries, at }
}

// ---------------------------------------------------------------------------------------------
// Lines

impl<'t> Lines<'t> {
    fn new(file: &Path, text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts, file: file.into() }
    }

    fn place(&self, span: &Range<usize>) -> Place {
        let offset = span.start.min(self.text.len());
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts[line - 1];
        // Columns count characters; a span never begins inside one, and if it did, the column of
        // the character would still be right.
        let column = self.text.as_bytes()[start..offset].iter().filter(|b| (**b & 0xC0) != 0x80).count() + 1;
        Place::at(&self.file, line, column)
    }
}

// ---------------------------------------------------------------------------------------------
// Table, Value

impl Table {
    pub(crate) fn empty(file: &Path) -> Self {
        Self { entries: BTreeMap::new(), at: Place::whole(file) }
    }

    /// Lays `over` onto this table: tables merge, everything else is replaced (§12.1).
    pub(crate) fn merge(&mut self, over: Table) {
        for (key, entry) in over.entries {
            match self.entries.get_mut(&key) {
                Some(Entry { node: Node { value: Value::Table(mine), .. }, .. })
                    if matches!(entry.node.value, Value::Table(_)) =>
                {
                    if let Value::Table(theirs) = entry.node.value {
                        mine.merge(theirs);
                    }
                }
                _ => {
                    self.entries.insert(key, entry);
                }
            }
        }
    }
}

impl Value {
    /// What this is, for "expected …, found …".
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::String(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Float => "a float",
            Self::Boolean(_) => "a boolean",
            Self::Datetime => "a date",
            Self::Array(_) => "an array",
            Self::Table(_) => "a table",
        }
    }
}
