//! Reads typed settings out of a table and reports everything that does not fit.
//!
//! The rule: the keys that are valid are exactly the keys that are read. Every key asked for is
//! remembered, so that what is left over at the end is unknown, and the list in the remedy cannot
//! drift from the code.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::document::{Entry, Node, Table, Value};
use crate::finding::{Finding, Place};
use crate::suggest;
use crate::units::{format_duration, format_size, parse_duration, parse_size};

/// Why a value does not fit its key.
#[derive(Debug)]
pub(crate) struct Wrong {
    code: &'static str,
    message: String,
    remedy: String,
    /// A more precise place than the value's own (an element of an array).
    at: Option<Box<Place>>,
    /// What else is wrong with the same value.
    also: Vec<Wrong>,
}

pub(crate) struct Reader<'t, 'f> {
    table: Option<&'t Table>,
    /// Dotted path of the table, empty at the top.
    path: String,
    asked: Vec<&'static str>,
    pub(crate) findings: &'f mut Vec<Finding>,
}

// ---------------------------------------------------------------------------------------------
// Wrong

impl Wrong {
    pub(crate) fn kind(expected: &str, node: &Node, remedy: impl Into<String>) -> Self {
        Self {
            code: "wrong-type",
            message: format!("must be {expected}, not {}", node.value.kind()),
            remedy: remedy.into(),
            at: None,
            also: Vec::new(),
        }
    }

    pub(crate) fn value(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        let (message, remedy) = (message.into(), remedy.into());
        Self { code: "invalid-value", message, remedy, at: None, also: Vec::new() }
    }

    pub(crate) fn at(mut self, at: &Place) -> Self {
        self.at.get_or_insert_with(|| Box::new(at.clone()));
        self
    }

    pub(crate) fn report(self, at: &Place, key: &str, findings: &mut Vec<Finding>) {
        let place = self.at.as_deref().unwrap_or(at);
        findings.push(place.error(self.code, format!("`{key}` {}", self.message), self.remedy).key(key));
        for wrong in self.also {
            wrong.report(at, key, findings);
        }
    }
}

// ---------------------------------------------------------------------------------------------
// Reader

impl<'t> Reader<'t, '_> {
    /// Reads the top level of a document.
    pub(crate) fn document<R>(
        table: &'t Table,
        findings: &mut Vec<Finding>,
        read: impl FnOnce(&mut Reader<'t, '_>) -> R,
    ) -> R {
        Reader::run(Some(table), String::new(), findings, read)
    }

    fn run<R>(
        table: Option<&'t Table>,
        path: String,
        findings: &mut Vec<Finding>,
        read: impl FnOnce(&mut Reader<'t, '_>) -> R,
    ) -> R {
        let mut reader = Reader { table, path, asked: Vec::new(), findings };
        let result = read(&mut reader);
        reader.report_unknown();
        result
    }

    pub(crate) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The entry of `key`; from now on a valid key here.
    pub(crate) fn entry(&mut self, key: &'static str) -> Option<&'t Entry> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        self.table?.entries.get(key)
    }

    /// Where the table itself was written.
    pub(crate) fn table_place(&self) -> Place {
        self.table.map_or_else(|| Place::whole("".as_ref()), |table| table.at.clone())
    }

    /// Where `key` was written, if it was.
    pub(crate) fn place(&mut self, key: &'static str) -> Option<&'t Place> {
        self.entry(key).map(|entry| &entry.at)
    }

    /// Reads `key` with `parse`; `None` when it is absent or wrong (which is then reported).
    pub(crate) fn get<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&Node) -> Result<T, Wrong>,
    ) -> Option<T> {
        let entry = self.entry(key)?;
        match parse(&entry.node) {
            Ok(value) => Some(value),
            Err(wrong) => {
                wrong.report(&entry.node.at, &self.path_of(key), self.findings);
                None
            }
        }
    }

    /// Overwrites `target` when `key` is present and right.
    pub(crate) fn set<T>(
        &mut self,
        key: &'static str,
        target: &mut T,
        parse: impl FnOnce(&Node) -> Result<T, Wrong>,
    ) {
        if let Some(value) = self.get(key, parse) {
            *target = value;
        }
    }

    /// Reads a table with fixed keys; an absent one is read as empty.
    pub(crate) fn section<R>(&mut self, key: &'static str, read: impl FnOnce(&mut Reader<'t, '_>) -> R) -> R {
        let table = self.table_of(key);
        Reader::run(table, self.path_of(key), self.findings, read)
    }

    /// Reads a table with fixed keys, if it is there.
    pub(crate) fn section_if_present<R>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Reader<'t, '_>) -> R,
    ) -> Option<R> {
        self.table_of(key)?;
        Some(self.section(key, read))
    }

    /// The entries of a table whose keys the user chooses.
    pub(crate) fn open(&mut self, key: &'static str) -> Vec<(&'t str, &'t Entry)> {
        self.table_of(key)
            .map(|table| table.entries.iter().map(|(key, entry)| (key.as_str(), entry)).collect())
            .unwrap_or_default()
    }

    /// Reads one entry of an [`open`](Self::open) table as a table with fixed keys. Reported, and
    /// read as empty, when it is no table.
    pub(crate) fn inside<R>(
        &mut self,
        parent: &'static str,
        key: &str,
        entry: &'t Entry,
        read: impl FnOnce(&mut Reader<'t, '_>) -> R,
    ) -> R {
        let path = self.path_of(&format!("{parent}.{key}"));
        let table = self.as_table(&path, entry);
        Reader::run(table, path, self.findings, read)
    }

    fn table_of(&mut self, key: &'static str) -> Option<&'t Table> {
        let entry = self.entry(key)?;
        let path = self.path_of(key);
        self.as_table(&path, entry)
    }

    fn as_table(&mut self, path: &str, entry: &'t Entry) -> Option<&'t Table> {
        match &entry.node.value {
            Value::Table(table) => Some(table),
            _ => {
                let wrong = Wrong::kind("a table", &entry.node, format!("write a section `[{path}]`"));
                wrong.report(&entry.node.at, path, self.findings);
                None
            }
        }
    }

    fn report_unknown(self) {
        let Some(table) = self.table else { return };
        for (key, entry) in &table.entries {
            if !self.asked.contains(&key.as_str()) {
                let place_name =
                    if self.path.is_empty() { "here".to_owned() } else { format!("in `[{}]`", self.path) };
                self.findings.push(
                    entry
                        .at
                        .error(
                            "unknown-key",
                            format!("`{key}` is not a setting {place_name}"),
                            suggest::remedy(key, "keys", self.asked.iter().copied()),
                        )
                        .key(self.path_of(key)),
                );
            }
        }
    }
}

// ---------------------------------------------------------------------------------------------
// Parsers of single values

pub(crate) fn text(node: &Node) -> Result<String, Wrong> {
    match (&node.value, &node.raw) {
        (Value::String(text), _) => Ok(text.clone()),
        (Value::Integer(_) | Value::Float | Value::Boolean(_) | Value::Datetime, Some(raw)) => {
            Ok(raw.to_string())
        }
        _ => Err(Wrong::kind("a string", node, "put it in quotes")),
    }
}

/// A string that is not empty.
pub(crate) fn word(node: &Node) -> Result<String, Wrong> {
    let text = text(node)?;
    if text.trim().is_empty() {
        return Err(Wrong::value("must not be empty", "give it a value, or remove the line"));
    }
    Ok(text)
}

pub(crate) fn boolean(node: &Node) -> Result<bool, Wrong> {
    match node.value {
        Value::Boolean(value) => Ok(value),
        _ => Err(Wrong::kind("`true` or `false`", node, "write true or false, without quotes")),
    }
}

/// An integer within a range.
pub(crate) fn integer<T>(range: RangeInclusive<T>) -> impl Fn(&Node) -> Result<T, Wrong>
where
    T: TryFrom<i128> + Copy + PartialOrd + std::fmt::Display,
{
    move |node| {
        let remedy = || format!("write a whole number from {} to {}", range.start(), range.end());
        match node.value {
            Value::Integer(number) => T::try_from(number)
                .ok()
                .filter(|number| range.contains(number))
                .ok_or_else(|| Wrong::value("is out of range", remedy())),
            _ => Err(Wrong::kind("an integer", node, remedy())),
        }
    }
}

/// A limit: an integer within a range, or `false` for none.
pub(crate) fn limit(range: RangeInclusive<u32>) -> impl Fn(&Node) -> Result<Option<u32>, Wrong> {
    move |node| {
        if matches!(node.value, Value::Boolean(false)) {
            return Ok(None);
        }
        let remedy =
            format!("write a whole number from {} to {}, or false for no limit", range.start(), range.end());
        integer(range.clone())(node).map(Some).map_err(|wrong| Wrong { remedy, ..wrong })
    }
}

/// A size within a range: `"64MiB"` or a number of bytes.
pub(crate) fn size(range: RangeInclusive<u64>) -> impl Fn(&Node) -> Result<u64, Wrong> {
    move |node| {
        let remedy = || {
            format!(
                "write a size such as \"64MiB\", \"256KiB\" or a number of bytes, from {} to {}",
                format_size(*range.start()),
                format_size(*range.end())
            )
        };
        let bytes = match &node.value {
            Value::String(text) => {
                parse_size(text).ok_or_else(|| Wrong::value(format!("`{text}` is no size"), remedy()))?
            }
            Value::Integer(number) => {
                u64::try_from(*number).map_err(|_| Wrong::value("is out of range", remedy()))?
            }
            _ => return Err(Wrong::kind("a size", node, remedy())),
        };
        if range.contains(&bytes) { Ok(bytes) } else { Err(Wrong::value("is out of range", remedy())) }
    }
}

/// A duration within a range, always with its unit: `"250ms"`.
pub(crate) fn duration(range: RangeInclusive<Duration>) -> impl Fn(&Node) -> Result<Duration, Wrong> {
    move |node| {
        let remedy = || {
            format!(
                "write a duration with its unit, such as \"250ms\" or \"5s\", from {} to {}",
                format_duration(*range.start()),
                format_duration(*range.end())
            )
        };
        let text = text(node).map_err(|wrong| Wrong {
            message: format!("must be a duration, not {}", node.value.kind()),
            remedy: remedy(),
            ..wrong
        })?;
        match parse_duration(&text) {
            Some(value) if range.contains(&value) => Ok(value),
            Some(_) => Err(Wrong::value("is out of range", remedy())),
            None => Err(Wrong::value(format!("`{text}` is no duration"), remedy())),
        }
    }
}

/// A duration, or `false` for none.
pub(crate) fn timeout(range: RangeInclusive<Duration>) -> impl Fn(&Node) -> Result<Option<Duration>, Wrong> {
    move |node| match node.value {
        Value::Boolean(false) => Ok(None),
        _ => duration(range.clone())(node)
            .map(Some)
            .map_err(|wrong| Wrong { remedy: format!("{}, or false for none", wrong.remedy), ..wrong }),
    }
}

/// One of a few words.
pub(crate) fn choice<T: Copy>(choices: &'static [(&'static str, T)]) -> impl Fn(&Node) -> Result<T, Wrong> {
    move |node| {
        let text = text(node)?;
        choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value).ok_or_else(|| {
            Wrong::value(
                format!("cannot be `{text}`"),
                suggest::remedy(&text, "values", choices.iter().map(|(name, _)| *name)),
            )
        })
    }
}

/// An array, each element read by `parse`; every wrong element is reported.
pub(crate) fn list<T>(parse: impl Fn(&Node) -> Result<T, Wrong>) -> impl Fn(&Node) -> Result<Vec<T>, Wrong> {
    move |node| {
        let Value::Array(items) = &node.value else {
            return Err(Wrong::kind("an array", node, "write a list in brackets: [\"one\", \"two\"]"));
        };
        let mut good = Vec::with_capacity(items.len());
        let mut bad = Vec::new();
        for item in items {
            match parse(item) {
                Ok(value) => good.push(value),
                Err(wrong) => bad.push(wrong.at(&item.at)),
            }
        }
        let mut bad = bad.into_iter();
        match bad.next() {
            None => Ok(good),
            Some(first) => Err(Wrong { also: bad.collect(), ..first }),
        }
    }
}

/// An address that a socket can be bound to.
pub(crate) fn bind_host(node: &Node) -> Result<String, Wrong> {
    let text = word(node)?;
    let is_name = || {
        text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
            && url::Host::parse(&text).is_ok()
    };
    if text.parse::<IpAddr>().is_ok() || is_name() {
        return Ok(text);
    }
    Err(Wrong::value(
        format!("`{text}` is no address to listen on"),
        "write an IP address or a host name, such as \"127.0.0.1\" or \"0.0.0.0\"; the port is a key of its own",
    ))
}

/// Text that can stand in an HTTP header value.
pub(crate) fn header_value(node: &Node) -> Result<String, Wrong> {
    let text = text(node)?;
    if text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return Ok(text);
    }
    Err(Wrong::value("cannot stand in an HTTP header", "use printable ASCII characters only"))
}

/// An HTTP token: a header name or a method.
pub(crate) fn token(node: &Node) -> Result<String, Wrong> {
    let text = word(node)?;
    if text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)) {
        return Ok(text);
    }
    Err(Wrong::value(format!("`{text}` is no HTTP token"), "use letters, digits and dashes only"))
}
