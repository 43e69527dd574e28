//! The table `users` as it was found, and what a change means for it.
//!
//! The rule kept here: **nothing is lost on the way.** A value that a column could only hold cut or as
//! another type is refused with a reason, and with it the whole change.

mod kind;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

pub(crate) use kind::{Cell, Kind, codes};

use crate::date;
use crate::user::SECRET;
use crate::{NewUser, UserError};

/// The JSON column that holds fields without a column of their own.
pub(crate) const EXTRA: &str = "extra";
/// Most bytes of JSON in it: a record is read at each login and copied into each session.
const EXTRA_BYTES: usize = 64 << 10;
/// Most characters of the name of a field in it.
const NAME_CHARACTERS: usize = 64;

/// A column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    /// Its name, which is the field's.
    pub(crate) name: String,
    /// What it holds.
    pub(crate) kind: Kind,
    /// Its type as the database writes it, without a length: casts to one with a length cut silently.
    pub(crate) sql_type: String,
    /// Its type with all that it says.
    pub(crate) exact_type: String,
    /// Whether it refuses null.
    pub(crate) required: bool,
    /// Whether the database fills it in.
    pub(crate) has_default: bool,
    /// Whether the database computes it, so that nothing can be written to it.
    pub(crate) is_computed: bool,
}

/// The table.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Table {
    /// Columns in their order, [`EXTRA`] not among them.
    pub(crate) columns: Vec<Column>,
    /// The column [`EXTRA`], if there is one that can hold JSON.
    pub(crate) extra: Option<Column>,
}

/// What to write.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Plan {
    /// Columns (their place in [`Table::columns`]) and values.
    pub(crate) cells: Vec<(usize, Cell)>,
    /// Fields for [`EXTRA`]: null removes one. A field that has a column is always removed.
    pub(crate) extra: Map<String, Value>,
}

impl Table {
    /// A table with these columns.
    pub(crate) fn new(columns: Vec<Column>) -> Self {
        let holds_extra =
            |column: &Column| column.name == EXTRA && matches!(column.kind, Kind::Json | Kind::Text { .. });
        let (extra, mut columns): (Vec<_>, Vec<_>) = columns.into_iter().partition(holds_extra);
        for column in &mut columns {
            if column.name == "recoveryCodes" && matches!(column.kind, Kind::Text { .. }) {
                column.kind = Kind::Codes;
            }
        }
        Self { columns, extra: extra.into_iter().next() }
    }

    /// A column and its place.
    pub(crate) fn column(&self, name: &str) -> Option<(usize, &Column)> {
        self.columns.iter().enumerate().find(|(_, column)| column.name == name)
    }

    /// What a change writes, `updatedAt` included.
    pub(crate) fn change(&self, changes: &Map<String, Value>) -> Result<Plan, UserError> {
        let mut plan = Plan::default();
        for (field, value) in changes {
            match field.as_str() {
                "id" => return Err(refused(field, "it cannot be changed")),
                "updatedAt" => return Err(refused(field, "it follows by itself")),
                _ => self.put(&mut plan, field, value)?,
            }
        }
        if let Some((at, column)) = self.column("updatedAt") {
            plan.cells.push((at, column.kind.cell(&Value::String(date::now()), "updatedAt")?));
        }
        Ok(plan)
    }

    /// What a new user's row begins with. Where the table has no column for a field, and no default of its
    /// own for one that a new user does not name, what the framework's schema says holds.
    pub(crate) fn insertion(&self, user: NewUser, id: String) -> Result<Plan, UserError> {
        let now = Value::String(date::now());
        let fields = [
            ("id", Value::String(id)),
            ("email", Value::String(user.email)),
            ("name", Value::String(user.name)),
            ("provider", Value::String(user.provider)),
            ("password", user.password.map_or(Value::Null, Value::String)),
            ("avatar", Value::String(user.avatar)),
            ("avatarFallback", Value::String(user.avatar_fallback)),
            ("language", Value::String(user.language)),
            ("createdAt", now.clone()),
            ("updatedAt", now),
        ];
        let mut plan = Plan::default();
        for (field, value) in &fields {
            // A database that numbers its users gives the number.
            let numbered = *field == "id"
                && self.column("id").is_some_and(|(_, id)| matches!(id.kind, Kind::Integer { .. }));
            if self.column(field).is_some() && !numbered {
                self.put(&mut plan, field, value)?;
            }
        }
        for (field, value) in [("admin", Value::Bool(false)), ("theme", Value::String("dark".to_owned()))] {
            if self.column(field).is_some_and(|(_, column)| !column.has_default) {
                self.put(&mut plan, field, &value)?;
            }
        }
        Ok(plan)
    }

    fn put(&self, plan: &mut Plan, field: &str, value: &Value) -> Result<(), UserError> {
        if let Some((at, column)) = self.column(field) {
            if column.is_computed {
                return Err(refused(field, "the database computes it"));
            }
            let cell = column.kind.cell(value, field)?;
            if column.required && cell == Cell::Null {
                return Err(refused(field, "it needs a value"));
            }
            plan.cells.push((at, cell));
            plan.extra.insert(field.to_owned(), Value::Null);
            return Ok(());
        }
        if let Some(column) = self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(field)) {
            return Err(refused(field, &format!("it is written `{}`", column.name)));
        }
        if self.extra.is_none() {
            return Err(refused(field, "the table `users` has no such column; add it with a migration"));
        }
        if field.eq_ignore_ascii_case(EXTRA) {
            return Err(refused(field, "its keys are fields of their own"));
        }
        let is_name = field.chars().count() <= NAME_CHARACTERS
            && field.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && field.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        if !is_name {
            return Err(refused(
                field,
                "a field's name has up to 64 letters, digits, dashes and underscores and begins with a letter",
            ));
        }
        kind::writable(value).map_err(|reason| refused(field, reason))?;
        plan.extra.insert(field.to_owned(), value.clone());
        Ok(())
    }

    /// What [`EXTRA`] holds after a plan, as its cell; none when it stays as it is.
    pub(crate) fn extra_after(&self, stored: Option<&str>, plan: &Plan) -> Result<Option<Cell>, UserError> {
        let before = read_extra(stored);
        let mut after = before.clone();
        let mut last = None;
        for (field, value) in &plan.extra {
            if value.is_null() {
                after.remove(field);
            } else {
                after.insert(field.clone(), value.clone());
                last = Some(field);
            }
        }
        if after == before {
            return Ok(None);
        }
        let text = Value::Object(after).to_string();
        match last {
            Some(field) if text.len() > EXTRA_BYTES => {
                Err(refused(field, "the fields without a column take more than 64 KiB together"))
            }
            _ => Ok(Some(Cell::Text(text))),
        }
    }
}

/// A record of columns' values and what [`EXTRA`] held. A column that has a value comes before a field of
/// the same name there, which was written before the column was added.
pub(crate) fn record(values: Vec<(String, Value)>, extra: Option<&str>) -> Map<String, Value> {
    let mut fields = read_extra(extra);
    for (name, value) in values {
        if !value.is_null() || !fields.contains_key(&name) {
            fields.insert(name, value);
        }
    }
    fields
}

fn read_extra(stored: Option<&str>) -> Map<String, Value> {
    match stored.map(serde_json::from_str) {
        Some(Ok(Value::Object(fields))) => fields,
        // The application's own row is not lost for it; its other fields are there.
        Some(_) => {
            tracing::warn!("a user's column `extra` holds no JSON object; its fields are left out");
            Map::new()
        }
        None => Map::new(),
    }
}

/// The error of a field.
pub(crate) fn refused(field: &str, reason: &str) -> UserError {
    UserError::Field { field: field.to_owned(), reason: reason.to_owned() }
}

/// Whether a field's values must not be repeated anywhere.
pub(crate) fn is_secret(field: &str) -> bool {
    SECRET.contains(&field)
}
