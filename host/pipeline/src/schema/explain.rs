//! From a failure to words, by walking the document again up to where it failed.

use super::Violation;
use super::check::{Fail, Why};
use super::node::{Node, Rule};
use crate::json::{Cursor, JsonError, Kind, MAX_DEPTH, decode};

/// Longest key shown: a log line is not the place for a stranger's megabyte.
const SHOWN: usize = 64;

pub(super) fn violation(nodes: &[Node], document: &[u8], fail: Fail) -> Violation {
    let mut path = String::from("$");
    let mut cursor = Cursor::new(document);
    cursor.space();
    // An error of the JSON itself ends the walk where it stands.
    let _ = walk(&mut cursor, fail.at, &mut path, 0);
    Violation { path, message: message(nodes, fail) }
}

/// Extends `path` to the value or key at `target`; true when it has been reached.
fn walk(cursor: &mut Cursor<'_>, target: usize, path: &mut String, depth: usize) -> Result<bool, JsonError> {
    if cursor.pos >= target {
        return Ok(true);
    }
    let kind = cursor.kind()?;
    let object = kind == Kind::Object;
    if !object && kind != Kind::Array || depth >= MAX_DEPTH {
        cursor.value(depth)?;
        return Ok(cursor.pos > target);
    }
    let close = if object { b'}' } else { b']' };
    let mut open = cursor.enter(close);
    let mut index = 0;
    while open {
        let outer = path.len();
        if object {
            let start = cursor.pos;
            let key = cursor.key()?;
            push_key(path, &decode(&cursor.bytes[key.start..key.end]));
            if start >= target {
                return Ok(true);
            }
        } else {
            path.push_str(&format!("[{index}]"));
            index += 1;
        }
        if walk(cursor, target, path, depth + 1)? {
            return Ok(true);
        }
        path.truncate(outer);
        open = cursor.more(close)?;
    }
    Ok(cursor.pos > target)
}

fn push_key(path: &mut String, key: &str) {
    let plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$');
    if plain && !key.is_empty() && key.len() <= SHOWN {
        path.push('.');
        path.push_str(key);
        return;
    }
    let shown: String = key.chars().take(SHOWN).collect();
    let more = if shown.len() < key.len() { "..." } else { "" };
    // Debug escapes what could forge a log line.
    path.push_str(&format!("[{shown:?}{more}]"));
}

fn message(nodes: &[Node], fail: Fail) -> String {
    match fail.why {
        Why::Json(expected) => format!("invalid JSON at byte {}: expected {expected}", fail.at),
        Why::Kind(node, found) => {
            format!("expected {}, found {}", expected(&nodes[node as usize]), named(found))
        }
        Why::Missing(node, prop) => match &nodes[node as usize].rule {
            Rule::Typed(typed) => match typed.object.as_ref().and_then(|object| object.props.get(prop)) {
                Some(prop) => format!("the required key {:?} is missing", prop.name),
                None => "a required key is missing".to_owned(),
            },
            _ => "a required key is missing".to_owned(),
        },
        Why::UnknownKey => "this key is not declared".to_owned(),
        Why::ForbiddenKey => "this key is never accepted".to_owned(),
        Why::TooDeep => format!("nested deeper than {} levels", super::MAX_LEVELS),
        Why::TooMuchWork => "too many ways to read this value by the schema's unions".to_owned(),
        Why::NotFinite => "the number is too large to be finite".to_owned(),
        Why::NotInteger => "expected a whole number".to_owned(),
        Why::OutOfRange => "the number is out of its range".to_owned(),
        Why::NotMultiple => "the number is not a multiple of the schema's step".to_owned(),
        Why::TooShort => "the string is too short".to_owned(),
        Why::TooLong => "the string is too long".to_owned(),
        Why::Pattern => "the string does not match its pattern".to_owned(),
        Why::Format(format) => format!("the string is not in the format {format}"),
        Why::TooFewItems => "the array has too few items".to_owned(),
        Why::TooManyItems => "the array has too many items".to_owned(),
        Why::Repeated => "the item occurs twice in an array of unique items".to_owned(),
        Why::TooFewKeys => "the object has too few keys".to_owned(),
        Why::TooManyKeys => "the object has too many keys".to_owned(),
        Why::NotListed => "the value is none of those listed".to_owned(),
        Why::NoBranch => "the value fits none of the alternatives".to_owned(),
        Why::SeveralBranches => "the value fits several alternatives where exactly one is allowed".to_owned(),
    }
}

/// The kinds that a node accepts, in words.
fn expected(node: &Node) -> String {
    let integer = matches!(&node.rule, Rule::Typed(typed) if typed.number.integer);
    let names: Vec<&str> = [Kind::Null, Kind::Bool, Kind::Number, Kind::String, Kind::Array, Kind::Object]
        .into_iter()
        .filter(|kind| node.kinds.has(*kind))
        .map(|kind| if kind == Kind::Number && integer { "an integer" } else { named(kind) })
        .collect();
    if names.is_empty() { "nothing at all".to_owned() } else { names.join(" or ") }
}

fn named(kind: Kind) -> &'static str {
    match kind {
        Kind::Null => "null",
        Kind::Bool => "a boolean",
        Kind::Number => "a number",
        Kind::String => "a string",
        Kind::Array => "an array",
        Kind::Object => "an object",
    }
}
