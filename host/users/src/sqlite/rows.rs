//! Rows of the table in SQLite, which has four kinds of value whatever a column's type says.

use serde_json::Value;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Row as _, Sqlite, TypeInfo as _, ValueRef as _};

use crate::table::{self, Cell, Column, EXTRA, Kind, Plan, Table, refused};
use crate::{User, UserError, date};

/// The table as it is.
pub(super) async fn introspect(connection: &mut SqliteConnection) -> Result<Table, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT name, type, \"notnull\" <> 0 AS required, dflt_value IS NOT NULL AS has_default, hidden
         FROM pragma_table_xinfo('users') ORDER BY cid",
    )
    .fetch_all(connection)
    .await?;
    let columns = rows.iter().map(|row| {
        let sql_type: String = row.try_get("type")?;
        Ok(Column {
            name: row.try_get("name")?,
            kind: kind(&sql_type),
            exact_type: sql_type.clone(),
            sql_type,
            required: row.try_get("required")?,
            has_default: row.try_get("has_default")?,
            // 2 and 3 are generated columns.
            is_computed: row.try_get::<i64, _>("hidden")? >= 2,
        })
    });
    Ok(Table::new(columns.collect::<Result<_, sqlx::Error>>()?))
}

/// What a declared type means: SQLite's own rules, and the types whose values need a form of their own.
fn kind(declared: &str) -> Kind {
    let declared = declared.to_ascii_uppercase();
    let says = |words: &[&str]| words.iter().any(|word| declared.contains(word));
    if says(&["BOOL"]) {
        Kind::Bool
    } else if says(&["INT"]) {
        Kind::Integer { bits: 64 }
    } else if says(&["CHAR", "CLOB", "TEXT", "UUID"]) {
        Kind::Text { most: None }
    } else if says(&["JSON"]) {
        Kind::Json
    } else if says(&["DATE", "TIME"]) {
        Kind::Date
    } else if says(&["REAL", "FLOA", "DOUB", "NUMERIC", "DECIMAL"]) {
        Kind::Number
    } else {
        Kind::Other
    }
}

/// A query for whole rows.
pub(super) fn select(table: &Table, condition: &str) -> String {
    let columns = table.columns.iter().chain(&table.extra).map(|column| quoted(&column.name));
    format!("SELECT {} FROM users WHERE {condition}", columns.collect::<Vec<_>>().join(", "))
}

/// The user of such a row.
pub(super) fn read(row: &SqliteRow, table: &Table) -> Result<Option<User>, sqlx::Error> {
    let mut values = Vec::with_capacity(table.columns.len());
    for (at, column) in table.columns.iter().enumerate() {
        values.push((column.name.clone(), value(row, at, &column.kind)?));
    }
    let extra: Option<String> = match &table.extra {
        Some(_) => row.try_get_unchecked(table.columns.len())?,
        None => None,
    };
    Ok(User::from_fields(table::record(values, extra.as_deref())))
}

fn value(row: &SqliteRow, at: usize, kind: &Kind) -> Result<Value, sqlx::Error> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let stored = raw.type_info().name().to_owned();
    Ok(match stored.as_str() {
        "INTEGER" | "BOOLEAN" => {
            let number: i64 = row.try_get_unchecked(at)?;
            match kind {
                Kind::Bool => Value::Bool(number != 0),
                // As other programs store dates: milliseconds.
                Kind::Date => date::format(number).map_or(Value::Null, Value::String),
                _ => Value::from(number),
            }
        }
        "REAL" => Value::from(row.try_get_unchecked::<f64, _>(at)?),
        "BLOB" => {
            let bytes: Vec<u8> = row.try_get_unchecked(at)?;
            Value::String(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
        }
        _ => {
            let text: String = row.try_get_unchecked(at)?;
            match kind {
                Kind::Json | Kind::Codes => serde_json::from_str(&text).unwrap_or(Value::String(text)),
                Kind::Date => {
                    let date = date::parse(&text).and_then(|date| date::format(date.millis));
                    Value::String(date.unwrap_or(text))
                }
                _ => Value::String(text),
            }
        }
    })
}

/// A new row.
pub(super) fn insert(table: &Table, plan: Plan) -> (String, Vec<Cell>) {
    let names: Vec<String> = plan.cells.iter().map(|(at, _)| quoted(&table.columns[*at].name)).collect();
    let places = vec!["?"; names.len()].join(", ");
    let cells = plan.cells.into_iter().map(|(_, cell)| cell).collect();
    (format!("INSERT INTO users ({}) VALUES ({places})", names.join(", ")), cells)
}

/// A change of the row with that id; none when it changes nothing.
pub(super) fn update(
    table: &Table,
    plan: Plan,
    extra: Option<Cell>,
    id: &str,
) -> Option<(String, Vec<Cell>)> {
    let mut cells = Vec::new();
    let mut names = Vec::new();
    for (at, cell) in plan.cells {
        names.push(format!("{} = ?", quoted(&table.columns[at].name)));
        cells.push(cell);
    }
    if let Some(extra) = extra {
        names.push(format!("{EXTRA} = ?"));
        cells.push(extra);
    }
    if names.is_empty() {
        return None;
    }
    cells.push(Cell::Text(id.to_owned()));
    Some((format!("UPDATE users SET {} WHERE id = ?", names.join(", ")), cells))
}

pub(super) fn bind(
    query: Query<'_, Sqlite, SqliteArguments>,
    cell: Cell,
) -> Query<'_, Sqlite, SqliteArguments> {
    match cell {
        Cell::Null => query.bind(None::<String>),
        Cell::Bool(value) => query.bind(value),
        Cell::Integer(number) => query.bind(number),
        Cell::Number(number) => query.bind(number),
        Cell::Text(text) => query.bind(text),
    }
}

/// What a constraint refused: its message names the columns, as `UNIQUE constraint failed: users.email`.
pub(super) fn refusal(error: &sqlx::Error) -> Option<UserError> {
    let message = error.as_database_error()?.message().to_owned();
    let (kind, columns) = message.split_once(" constraint failed: ")?;
    let columns: Vec<&str> =
        columns.split(", ").map(|column| column.strip_prefix("users.").unwrap_or(column)).collect();
    Some(match kind {
        "UNIQUE" if columns.contains(&"email") => UserError::EmailTaken,
        "UNIQUE" => refused(columns.first()?, "another user has this value"),
        "NOT NULL" => refused(columns.first()?, "it needs a value, and the column has no default"),
        _ => refused(columns.first()?, "a constraint of the table refuses it"),
    })
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
