//! Accounts in PostgreSQL.
//!
//! The rule kept here: **the table is the application's.** Its columns and types are read from the
//! database's own catalogue, looked at again when they seem to have changed, and never assumed.

mod address;
mod fault;
mod rows;
mod schema;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::{Map, Value};
use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, Connection as _};

use crate::table::{Cell, Column, Kind, Plan, Table, is_secret, refused};
use crate::{Answer, NewUser, User, UserError, UserStore, id};
use address::Address;
use fault::Fault;
use rows::Statement;

/// How long one operation may take, waiting for a connection and for locks included.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long an answer to "is it up" may take.
const PULSE: Duration = Duration::from_secs(2);
/// Between two attempts to reach a server that is starting.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a table is taken to have the columns it had. A column that an application's migration adds is
/// shown after that at the latest, and can be written at once.
const FRESH: Duration = Duration::from_secs(60);

/// The store of a database that may be a Node server's too.
///
/// Without a table `users` it makes one as the framework's schema has it. One that is there is kept: new
/// nullable columns `lastLogin`, `totpSecret`, `twoFactorEnabled` and `recoveryCodes` are all that is added.
/// Values are cast to their columns' own types, enums among them. Fields are columns; only where there is a
/// JSON column `extra` are fields without a column kept in it and shown beside the others.
pub struct Postgres {
    address: Address,
    pool: PgPool,
    known: Mutex<(Instant, Arc<Table>)>,
}

impl Postgres {
    /// Connects, creating and migrating the table `users`. `url` is `postgres://user:password@host/database`
    /// with `sslmode` and the parameters of Prisma (`schema`, `connection_limit`, `pool_timeout`,
    /// `connect_timeout`, `pgbouncer`, `sslaccept`). Errors name host, port and database, never the password.
    pub async fn open(url: &str) -> Result<Self, UserError> {
        let address = Address::parse(url)?;
        let table = tokio::time::timeout(PATIENCE, prepare(&address))
            .await
            .unwrap_or_else(|_| Err(late(&address.shown)))?;
        let pool = PgPoolOptions::new()
            .max_connections(address.connections)
            .acquire_timeout(address.patience)
            .connect_lazy_with(address.options.clone());
        Ok(Self { address, pool, known: Mutex::new((Instant::now(), Arc::new(table))) })
    }

    /// Runs an operation with the table as it is known, and once more with the table as it is if that could
    /// be why it failed.
    async fn with_table<'f, T>(
        &self,
        operation: impl Fn(Arc<Table>) -> BoxFuture<'f, Result<T, Fault>>,
    ) -> Result<T, UserError> {
        let attempts = async {
            let (looked, table) = self.known.lock().clone();
            if looked.elapsed() < FRESH {
                match operation(table).await {
                    Err(Fault::Stale | Fault::Value | Fault::Error(UserError::Field { .. })) => {}
                    Err(Fault::Error(error)) => return Err(error),
                    Ok(done) => return Ok(done),
                }
            }
            let table = self.look().await?;
            match operation(table).await {
                Ok(done) => Ok(done),
                Err(Fault::Error(error)) => Err(error),
                Err(Fault::Value) => Err(UserError::Store(format!(
                    "{}: a value does not fit its column in the table `users`; see the server's log",
                    self.address.shown
                ))),
                Err(Fault::Stale) => Err(UserError::Store(format!(
                    "{}: the table `users` changes while it is used; try again",
                    self.address.shown
                ))),
            }
        };
        tokio::time::timeout(PATIENCE, attempts).await.unwrap_or_else(|_| Err(late(&self.address.shown)))
    }

    /// The table as it is now.
    async fn look(&self) -> Result<Arc<Table>, UserError> {
        let failed = |error: sqlx::Error| UserError::Store(fault::describe(&error, &self.address.shown));
        let mut connection = self.pool.acquire().await.map_err(failed)?;
        let table = Arc::new(schema::introspect(&mut connection).await.map_err(failed)?);
        if table.columns.is_empty() {
            return Err(UserError::Store(format!(
                "{}: the table `users` is gone; restore it, or restart the host to begin with an empty one",
                self.address.shown
            )));
        }
        *self.known.lock() = (Instant::now(), table.clone());
        Ok(table)
    }

    async fn find(&self, table: &Table, by: &[(&str, &str)], ending: &str) -> Result<Option<User>, Fault> {
        let mut connection = self.pool.acquire().await.map_err(|error| self.fault(&error))?;
        self.find_on(&mut connection, table, by, ending).await
    }

    async fn find_on(
        &self,
        connection: &mut PgConnection,
        table: &Table,
        by: &[(&str, &str)],
        ending: &str,
    ) -> Result<Option<User>, Fault> {
        let mut conditions = Vec::with_capacity(by.len());
        for (name, value) in by {
            let (_, column) = table.column(name).ok_or(Fault::Stale)?;
            // What the column cannot hold, nobody has.
            match &column.kind {
                Kind::Choice { allowed } if !allowed.iter().any(|word| word == value) => return Ok(None),
                _ if value.contains('\0') => return Ok(None),
                _ => conditions.push((column, *value)),
            }
        }
        match self.one(connection, rows::select(table, &conditions, ending)).await {
            Ok(row) => self.user(row, table),
            // Such as an id that is no UUID, where ids are.
            Err(Fault::Value) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    async fn insert(&self, table: &Table, user: NewUser, unique_email: bool) -> Result<User, Fault> {
        let (email, provider) = (user.email.clone(), user.provider.clone());
        let plan = table.insertion(user, id::new()?)?;
        let mut transaction = self.pool.begin().await.map_err(|error| self.fault(&error))?;
        // Two who register the same address come one after the other, whatever indexes the table has: the
        // second sees the first.
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
            .bind(format!("luckystack users {email}"))
            .execute(&mut *transaction)
            .await
            .map_err(|error| self.fault(&error))?;
        let by = [("email", email.as_str()), ("provider", provider.as_str())];
        let by = if unique_email { &by[..1] } else { &by[..] };
        if self.find_on(&mut transaction, table, by, "LIMIT 1").await?.is_some() {
            return Err(Fault::Error(UserError::EmailTaken));
        }
        let statement = rows::insert(table, plan.clone());
        let row = match self.one(&mut transaction, statement).await {
            Err(Fault::Value) => {
                drop(transaction);
                return Err(self.culprit(table, plan).await);
            }
            other => other?,
        };
        let user = self.user(row, table)?;
        transaction.commit().await.map_err(|error| self.fault(&error))?;
        user.ok_or_else(|| {
            Fault::Error(UserError::Store(format!("{}: a new user is not there", self.address.shown)))
        })
    }

    async fn change(
        &self,
        table: &Table,
        id: &str,
        changes: &Map<String, Value>,
    ) -> Result<Option<User>, Fault> {
        let mut transaction = self.pool.begin().await.map_err(|error| self.fault(&error))?;
        if self.find_on(&mut transaction, table, &[("id", id)], "FOR UPDATE").await?.is_none() {
            return Ok(None);
        }
        let plan = table.change(changes)?;
        let user = match self.apply(&mut transaction, table, id, plan.clone()).await {
            Err(Fault::Value) => {
                drop(transaction);
                return Err(self.culprit(table, plan).await);
            }
            other => other?,
        };
        transaction.commit().await.map_err(|error| self.fault(&error))?;
        Ok(user)
    }

    async fn spend(&self, table: &Table, id: &str, code_hash: &str) -> Result<bool, Fault> {
        let mut transaction = self.pool.begin().await.map_err(|error| self.fault(&error))?;
        // Others who spend wait here and see what is left.
        let user = self.find_on(&mut transaction, table, &[("id", id)], "FOR UPDATE").await?;
        let Some(left) = user.and_then(|user| user.codes_without(code_hash)) else { return Ok(false) };
        let changes = Map::from_iter([("recoveryCodes".to_owned(), Value::from(left))]);
        self.apply(&mut transaction, table, id, table.change(&changes)?).await?;
        transaction.commit().await.map_err(|error| self.fault(&error))?;
        Ok(true)
    }

    /// Writes a plan to a row that is locked.
    async fn apply(
        &self,
        connection: &mut PgConnection,
        table: &Table,
        id: &str,
        plan: Plan,
    ) -> Result<Option<User>, Fault> {
        let (_, column) = table.column("id").ok_or(Fault::Stale)?;
        let extra = match &table.extra {
            Some(extra) => {
                let statement = rows::select_one(extra, (column, id));
                let row = self.one(connection, statement).await?;
                let stored: Option<String> = match row {
                    Some(row) => sqlx::Row::try_get(&row, 0).map_err(|error| self.fault(&error))?,
                    None => None,
                };
                table.extra_after(stored.as_deref(), &plan)?
            }
            None => None,
        };
        match rows::update(table, plan, extra, (column, id)) {
            Some(statement) => {
                let row = self.one(connection, statement).await?;
                self.user(row, table)
            }
            None => self.find_on(connection, table, &[("id", id)], "").await,
        }
    }

    async fn remove(&self, table: &Table, id: &str) -> Result<bool, Fault> {
        let (_, column) = table.column("id").ok_or(Fault::Stale)?;
        if id.contains('\0') {
            return Ok(false);
        }
        let done = bound(rows::delete(column, id)).execute(&self.pool).await;
        match done.map_err(|error| self.fault(&error)) {
            Ok(done) => Ok(done.rows_affected() > 0),
            Err(Fault::Value) => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// The error of the value of a plan that its column's type cannot hold, if it can be found.
    async fn culprit(&self, table: &Table, plan: Plan) -> Fault {
        for (at, cell) in plan.cells {
            let column = &table.columns[at];
            if let Err(fault) = self.try_cast(column, cell).await {
                return match fault {
                    Fault::Value => Fault::Error(self.unfit(column)),
                    other => other,
                };
            }
        }
        Fault::Value
    }

    async fn try_cast(&self, column: &Column, cell: Cell) -> Result<(), Fault> {
        let done = bound(rows::cast(column, cell)).execute(&self.pool).await;
        done.map(|_| ()).map_err(|error| self.fault(&error))
    }

    fn unfit(&self, column: &Column) -> UserError {
        if is_secret(&column.name) {
            return refused(&column.name, "it does not fit the column's type");
        }
        refused(&column.name, &format!("it does not fit the column's type, {}", column.sql_type))
    }

    async fn one(&self, connection: &mut PgConnection, statement: Statement) -> Result<Option<PgRow>, Fault> {
        bound(statement).fetch_optional(connection).await.map_err(|error| self.fault(&error))
    }

    fn user(&self, row: Option<PgRow>, table: &Table) -> Result<Option<User>, Fault> {
        let user = row.map(|row| rows::read(&row, table)).transpose();
        user.map(Option::flatten).map_err(|error| self.fault(&error))
    }

    fn fault(&self, error: &sqlx::Error) -> Fault {
        Fault::of(error, &self.address.shown)
    }
}

impl From<UserError> for Fault {
    fn from(error: UserError) -> Self {
        Self::Error(error)
    }
}

impl UserStore for Postgres {
    fn by_id<'a>(&'a self, id: &'a str) -> Answer<'a, Option<User>> {
        self.with_table(move |table| async move { self.find(&table, &[("id", id)], "").await }.boxed())
            .boxed()
    }

    fn by_email<'a>(&'a self, email: &'a str, provider: Option<&'a str>) -> Answer<'a, Option<User>> {
        let find = move |table: Arc<Table>| async move {
            let age = if table.column("createdAt").is_some() { "\"createdAt\", " } else { "" };
            let ending = format!("ORDER BY {age}\"id\" LIMIT 1");
            match provider {
                Some(provider) => {
                    self.find(&table, &[("email", email), ("provider", provider)], &ending).await
                }
                None => self.find(&table, &[("email", email)], &ending).await,
            }
        };
        self.with_table(move |table| find(table).boxed()).boxed()
    }

    fn create<'a>(&'a self, user: NewUser, unique_email: bool) -> Answer<'a, User> {
        self.with_table(move |table| {
            let user = user.clone();
            async move { self.insert(&table, user, unique_email).await }.boxed()
        })
        .boxed()
    }

    fn update<'a>(&'a self, id: &'a str, changes: Map<String, Value>) -> Answer<'a, Option<User>> {
        let changes = Arc::new(changes);
        self.with_table(move |table| {
            let changes = changes.clone();
            async move { self.change(&table, id, &changes).await }.boxed()
        })
        .boxed()
    }

    fn spend_recovery_code<'a>(&'a self, id: &'a str, code_hash: &'a str) -> Answer<'a, bool> {
        self.with_table(move |table| async move { self.spend(&table, id, code_hash).await }.boxed()).boxed()
    }

    fn delete<'a>(&'a self, id: &'a str) -> Answer<'a, bool> {
        self.with_table(move |table| async move { self.remove(&table, id).await }.boxed()).boxed()
    }

    fn is_up(&self) -> BoxFuture<'_, bool> {
        let asked = sqlx::query("SELECT 1").execute(&self.pool);
        async move { matches!(tokio::time::timeout(PULSE, asked).await, Ok(Ok(_))) }.boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.pool.close().boxed()
    }
}

/// Its address holds a password.
impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres").field("address", &self.address.shown).finish_non_exhaustive()
    }
}

/// The table, made and completed: by this host, while others wait.
async fn prepare(address: &Address) -> Result<Table, UserError> {
    let failed = |error: sqlx::Error| UserError::Store(fault::describe(&error, &address.shown));
    let mut connection = connect(address).await?;
    let mut transaction = connection.begin().await.map_err(failed)?;
    let table = schema::migrate(&mut transaction, &address.shown).await?;
    transaction.commit().await.map_err(failed)?;
    connection.close().await.map_err(failed)?;
    Ok(table)
}

/// A first connection. A server that starts beside the host is waited for.
async fn connect(address: &Address) -> Result<PgConnection, UserError> {
    let began = Instant::now();
    loop {
        let left = address.patience.saturating_sub(began.elapsed());
        match tokio::time::timeout(left, PgConnection::connect_with(&address.options)).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) if fault::is_starting(&error) && left > PAUSE => tokio::time::sleep(PAUSE).await,
            Ok(Err(error)) => return Err(UserError::Store(fault::describe(&error, &address.shown))),
            Err(_) => {
                return Err(UserError::Store(fault::describe(&sqlx::Error::PoolTimedOut, &address.shown)));
            }
        }
    }
}

fn bound(statement: Statement) -> sqlx::query::Query<'static, sqlx::Postgres, sqlx::postgres::PgArguments> {
    let query = sqlx::query(AssertSqlSafe(statement.text));
    statement.values.into_iter().fold(query, |query, value| query.bind(value))
}

fn late(shown: &str) -> UserError {
    UserError::Store(format!(
        "{shown}: no answer within {} s; see whether the server is overloaded or something holds a lock on the \
         table `users`",
        PATIENCE.as_secs()
    ))
}
