//! Rows of the table in PostgreSQL. Everything crosses the wire as text and is cast to its column's own
//! type, so that enums, dates and types that this host has never heard of need no code of their own.

use serde_json::Value;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::schema::{quoted, shown};
use crate::User;
use crate::table::{self, Cell, Column, Kind, Plan, Table};

/// A statement and its parameters.
#[derive(Debug, Default)]
pub(super) struct Statement {
    pub(super) text: String,
    pub(super) values: Vec<Option<String>>,
}

impl Statement {
    /// The place of one more parameter, cast to a column's type.
    fn value(&mut self, column: &Column, cell: Cell) -> String {
        let is_null = cell == Cell::Null;
        self.values.push(match cell {
            Cell::Null => None,
            Cell::Bool(value) => Some(value.to_string()),
            Cell::Integer(number) => Some(number.to_string()),
            Cell::Number(number) => Some(number.to_string()),
            Cell::Text(text) => Some(text),
        });
        let (at, sql_type) = (self.values.len(), &column.sql_type);
        match column.kind {
            Kind::List if !is_null => {
                format!(
                    "CAST(ARRAY(SELECT jsonb_array_elements_text(CAST(${at}::text AS jsonb))) AS {sql_type})"
                )
            }
            _ => format!("CAST(${at}::text AS {sql_type})"),
        }
    }

    /// `"column" = <value>`.
    fn equals(&mut self, column: &Column, value: &str) -> String {
        let value = self.value(column, Cell::Text(value.to_owned()));
        format!("{} = {value}", quoted(&column.name))
    }
}

/// A query for whole rows in which columns have these values.
pub(super) fn select(table: &Table, conditions: &[(&Column, &str)], ending: &str) -> Statement {
    let mut statement = Statement::default();
    let conditions: Vec<String> =
        conditions.iter().map(|(column, value)| statement.equals(column, value)).collect();
    statement.text =
        format!("SELECT {} FROM \"users\" WHERE {} {ending}", whole(table), conditions.join(" AND "));
    statement
}

/// A query for one column of the row whose column `id` has that value.
pub(super) fn select_one(column: &Column, id: (&Column, &str)) -> Statement {
    let mut statement = Statement::default();
    let condition = statement.equals(id.0, id.1);
    statement.text = format!("SELECT {} FROM \"users\" WHERE {condition}", shown(column));
    statement
}

/// A new row, which is returned.
pub(super) fn insert(table: &Table, plan: Plan) -> Statement {
    let mut statement = Statement::default();
    let (names, values): (Vec<String>, Vec<String>) = plan
        .cells
        .into_iter()
        .map(|(at, cell)| {
            let column = &table.columns[at];
            (quoted(&column.name), statement.value(column, cell))
        })
        .unzip();
    statement.text = format!(
        "INSERT INTO \"users\" ({}) VALUES ({}) RETURNING {}",
        names.join(", "),
        values.join(", "),
        whole(table)
    );
    statement
}

/// A change of the row whose column `id` has that value, which is returned; none when it changes nothing.
pub(super) fn update(
    table: &Table,
    plan: Plan,
    extra: Option<Cell>,
    id: (&Column, &str),
) -> Option<Statement> {
    let mut statement = Statement::default();
    let cells = plan.cells.into_iter().map(|(at, cell)| (&table.columns[at], cell));
    let set: Vec<String> = cells
        .chain(table.extra.iter().zip(extra))
        .map(|(column, cell)| {
            let value = statement.value(column, cell);
            format!("{} = {value}", quoted(&column.name))
        })
        .collect();
    if set.is_empty() {
        return None;
    }
    let condition = statement.equals(id.0, id.1);
    statement.text =
        format!("UPDATE \"users\" SET {} WHERE {condition} RETURNING {}", set.join(", "), whole(table));
    Some(statement)
}

/// The removal of the row whose column has that value.
pub(super) fn delete(column: &Column, value: &str) -> Statement {
    let mut statement = Statement::default();
    statement.text = format!("DELETE FROM \"users\" WHERE {}", statement.equals(column, value));
    statement
}

/// A query that does nothing but cast a value to a column's type, and to what that says of its size.
pub(super) fn cast(column: &Column, cell: Cell) -> Statement {
    let mut statement = Statement::default();
    let value = statement.value(column, cell);
    statement.text = format!("SELECT CAST({value} AS {})", column.exact_type);
    statement
}

/// A row as [`whole`] asked for it.
pub(super) fn read(row: &PgRow, table: &Table) -> Result<Option<User>, sqlx::Error> {
    let mut values = Vec::with_capacity(table.columns.len());
    for (at, column) in table.columns.iter().enumerate() {
        let text: Option<String> = row.try_get(at)?;
        let value = text.map_or(Value::Null, |text| match column.kind {
            Kind::Text { .. } | Kind::Choice { .. } | Kind::Date | Kind::Day => Value::String(text),
            _ if column.name == "id" => Value::String(text),
            _ => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        });
        values.push((column.name.clone(), value));
    }
    let extra: Option<String> = match &table.extra {
        Some(_) => row.try_get(table.columns.len())?,
        None => None,
    };
    Ok(User::from_fields(table::record(values, extra.as_deref())))
}

/// Every column, and the one for fields without.
fn whole(table: &Table) -> String {
    table.columns.iter().chain(&table.extra).map(shown).collect::<Vec<_>>().join(", ")
}
