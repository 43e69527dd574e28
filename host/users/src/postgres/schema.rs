//! The table in PostgreSQL: made where there is none, kept as it is where there is one.
//!
//! A table that Prisma made stays Prisma's: nothing in it is changed or removed. It gets the columns of
//! second factors and last logins that it lacks, all of them nullable, so that Node servers of the same
//! app work on.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Executor as _, Row as _};

use super::fault::describe;
use crate::UserError;
use crate::table::{Column, EXTRA, Kind, Table};

/// Held while the table is made or altered: many hosts may start at once. Any number that no other
/// program uses; these are the letters `lkysuser`.
const LOCK: i64 = 0x6c6b_7973_7573_6572;

/// As Prisma makes it from the framework's schema, with text where that has enums.
const CREATE: &str = r#"
    CREATE TABLE "users" (
        "id" TEXT NOT NULL PRIMARY KEY,
        "email" TEXT NOT NULL,
        "name" TEXT NOT NULL,
        "password" TEXT,
        "admin" BOOLEAN NOT NULL DEFAULT false,
        "avatar" TEXT NOT NULL DEFAULT '',
        "avatarFallback" TEXT NOT NULL DEFAULT '',
        "language" TEXT NOT NULL DEFAULT 'en',
        "theme" TEXT NOT NULL DEFAULT 'dark',
        "provider" TEXT NOT NULL,
        "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
        "updatedAt" TIMESTAMP(3) NOT NULL
    );
    CREATE UNIQUE INDEX "users_email_provider_key" ON "users" ("email", "provider");
"#;

/// Columns that the framework's schema need not have.
const ADDITIONAL: [(&str, &str); 4] = [
    ("lastLogin", "TIMESTAMP(3)"),
    ("totpSecret", "TEXT"),
    ("twoFactorEnabled", "BOOLEAN DEFAULT false"),
    ("recoveryCodes", "TEXT"),
];

/// Columns without which there is no login.
const NEEDED: [&str; 4] = ["id", "email", "provider", "password"];
/// Columns that a new user's fields go to, if they are there.
const EXPECTED: [&str; 6] = ["name", "avatar", "avatarFallback", "language", "createdAt", "updatedAt"];

/// The table, made and completed within the caller's transaction.
pub(super) async fn migrate(connection: &mut PgConnection, shown: &str) -> Result<Table, UserError> {
    let failed = |error: sqlx::Error| UserError::Store(describe(&error, shown));
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    let mut table = introspect(connection).await.map_err(failed)?;
    if table.columns.is_empty() {
        connection.execute(sqlx::raw_sql(CREATE)).await.map_err(failed)?;
        table = introspect(connection).await.map_err(failed)?;
    }
    let lacks = |name: &&str| table.column(name).is_none();
    let missing: Vec<&str> = NEEDED.into_iter().filter(lacks).collect();
    if !missing.is_empty() {
        return Err(UserError::Store(format!(
            "{shown}: the table `users` has no column {}; name another database or schema in users.url, or \
             add what is missing",
            missing.join(", ")
        )));
    }
    let additions: Vec<String> = ADDITIONAL
        .iter()
        .filter(|(name, _)| lacks(name))
        .map(|(name, sql_type)| format!("ADD COLUMN \"{name}\" {sql_type}"))
        .collect();
    if !additions.is_empty() {
        let statement = format!("ALTER TABLE \"users\" {}", additions.join(", "));
        connection.execute(AssertSqlSafe(statement.as_str())).await.map_err(|error| {
            UserError::Store(format!(
                "{}; the table lacks columns, and its owner can add them with: {statement}",
                describe(&error, shown)
            ))
        })?;
    }
    let unused: Vec<&str> = EXPECTED.into_iter().filter(lacks).collect();
    if !unused.is_empty() {
        tracing::warn!(
            "{shown}: the table `users` has no column {}; these fields of users are not kept",
            unused.join(", ")
        );
    }
    introspect(connection).await.map_err(failed)
}

/// The table as it is; without columns when there is none.
pub(super) async fn introspect(connection: &mut PgConnection) -> Result<Table, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT a.attname::text AS name,
                format_type(a.atttypid, -1) AS sql_type,
                format_type(a.atttypid, a.atttypmod) AS exact_type,
                COALESCE(base.typname, t.typname)::text AS type_name,
                COALESCE(base.typtype, t.typtype)::text AS type_kind,
                COALESCE(base.typcategory, t.typcategory)::text AS category,
                a.attnotnull OR t.typnotnull AS required,
                a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL AS has_default,
                a.attgenerated <> '' OR a.attidentity = 'a' AS is_computed,
                CASE WHEN COALESCE(base.typname, t.typname) IN ('varchar', 'bpchar')
                          AND length.typmod > 4 THEN length.typmod - 4 END AS most,
                ARRAY(SELECT e.enumlabel::text FROM pg_enum e
                      WHERE e.enumtypid = COALESCE(base.oid, t.oid) ORDER BY e.enumsortorder) AS allowed
         FROM pg_attribute a
         JOIN pg_type t ON t.oid = a.atttypid
         LEFT JOIN pg_type base ON base.oid = NULLIF(t.typbasetype, 0)
         CROSS JOIN LATERAL
             (SELECT CASE WHEN base.oid IS NULL THEN a.atttypmod ELSE t.typtypmod END AS typmod) length
         WHERE a.attrelid = to_regclass('\"users\"') AND a.attnum > 0 AND NOT a.attisdropped
         ORDER BY a.attnum",
    )
    .fetch_all(connection)
    .await?;
    Ok(Table::new(rows.iter().map(column).collect::<Result<_, _>>()?))
}

fn column(row: &PgRow) -> Result<Column, sqlx::Error> {
    let type_name: String = row.try_get("type_name")?;
    let type_kind: String = row.try_get("type_kind")?;
    let category: String = row.try_get("category")?;
    let kind = match (type_name.as_str(), type_kind.as_str(), category.as_str()) {
        ("text" | "varchar" | "bpchar" | "citext", ..) => {
            let most: Option<i32> = row.try_get("most")?;
            Kind::Text { most: most.and_then(|most| usize::try_from(most).ok()) }
        }
        ("bool", ..) => Kind::Bool,
        ("int2", ..) => Kind::Integer { bits: 16 },
        ("int4", ..) => Kind::Integer { bits: 32 },
        ("int8", ..) => Kind::Integer { bits: 64 },
        ("float4" | "float8" | "numeric", ..) => Kind::Number,
        ("timestamp" | "timestamptz", ..) => Kind::Date,
        ("date", ..) => Kind::Day,
        ("json" | "jsonb", ..) => Kind::Json,
        (_, "e", _) => Kind::Choice { allowed: row.try_get("allowed")? },
        (_, _, "A") => Kind::List,
        _ => Kind::Other,
    };
    Ok(Column {
        name: row.try_get("name")?,
        kind,
        sql_type: row.try_get("sql_type")?,
        exact_type: row.try_get("exact_type")?,
        required: row.try_get("required")?,
        has_default: row.try_get("has_default")?,
        is_computed: row.try_get("is_computed")?,
    })
}

/// How a column's value is asked for: text for what is text, else JSON.
pub(super) fn shown(column: &Column) -> String {
    let name = quoted(&column.name);
    match &column.kind {
        _ if column.name == "id" => format!("{name}::text"),
        Kind::Text { .. } | Kind::Codes | Kind::Choice { .. } => format!("{name}::text"),
        Kind::Date if column.sql_type.contains("with time zone") => {
            format!("to_char({name} AT TIME ZONE 'UTC', '{DATE}')")
        }
        Kind::Date | Kind::Day => format!("to_char({name}, '{DATE}')"),
        _ if column.name == EXTRA => format!("{name}::text"),
        _ => format!("to_json({name})::text"),
    }
}

/// Records show dates in UTC; columns without a zone hold UTC, as Prisma writes them.
const DATE: &str = r#"YYYY-MM-DD"T"HH24:MI:SS.MS"Z""#;

pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
