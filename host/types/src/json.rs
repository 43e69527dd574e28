//! JSON documents whose keys keep the order in which they were written.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

/// A JSON object under construction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Object(Vec<(String, Node)>);

#[derive(Clone, Debug)]
pub(crate) enum Node {
    Value(Value),
    List(Vec<Node>),
    Object(Object),
}

impl Object {
    pub fn new() -> Self {
        Object::default()
    }

    pub fn with(mut self, key: impl Into<String>, value: impl Into<Node>) -> Self {
        self.0.push((key.into(), value.into()));
        self
    }

    /// Nothing when there is no value.
    pub fn with_some(self, key: &str, value: Option<impl Into<Node>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// The document's text, with a line end.
    pub fn text(&self) -> String {
        // Keys are strings and nothing here can fail to be written.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Node::Value(value) => value.serialize(serializer),
            Node::List(list) => list.serialize(serializer),
            Node::Object(object) => object.serialize(serializer),
        }
    }
}

impl From<Object> for Node {
    fn from(object: Object) -> Self {
        Node::Object(object)
    }
}

impl From<Vec<Node>> for Node {
    fn from(list: Vec<Node>) -> Self {
        Node::List(list)
    }
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        Node::Value(value)
    }
}

macro_rules! scalars {
    ($($type:ty),*) => {
        $(impl From<$type> for Node {
            fn from(value: $type) -> Self {
                Node::Value(value.into())
            }
        })*
    };
}
scalars!(&str, String, bool, u32, usize);

impl FromIterator<(String, Node)> for Object {
    fn from_iter<I: IntoIterator<Item = (String, Node)>>(items: I) -> Self {
        Object(items.into_iter().collect())
    }
}
