//! The embedded store.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use futures::future::join_all;
use luckystack_users::{SharedUsers, Sqlite, UserError};
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use tempfile::TempDir;

use crate::suite::{ada, changes, every_promise, new_user, refused_field, shared, whole};

async fn open() -> (SharedUsers, TempDir) {
    let dir = TempDir::new().unwrap();
    (open_in(&dir).await, dir)
}

async fn open_in(dir: &TempDir) -> SharedUsers {
    shared(Sqlite::open(&dir.path().join("users.db")).await.unwrap())
}

/// The file as another program sees it.
async fn connect(file: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(file).create_if_missing(true).connect().await.unwrap()
}

async fn sql(dir: &TempDir, statements: &'static str) {
    let mut connection = connect(&dir.path().join("users.db")).await;
    connection.execute(sqlx::raw_sql(statements)).await.unwrap();
    connection.close().await.unwrap();
}

every_promise!(open);

#[tokio::test]
async fn accounts_survive_a_restart() {
    let dir = TempDir::new().unwrap();
    let users = open_in(&dir).await;
    let user = ada(&users).await;
    let set = json!({ "recoveryCodes": ["one"], "lastLogin": "2026-01-02T03:04:05.678Z", "nickname": "A" });
    let user = users.update(user.id(), changes(set)).await.unwrap().unwrap();
    users.close().await;
    drop(users);

    let users = open_in(&dir).await;
    assert_eq!(users.by_id(user.id()).await.unwrap(), Some(user));
    let again = users.create(new_user("ada@example.com", "credentials"), false).await;
    assert!(matches!(again, Err(UserError::EmailTaken)));
}

#[tokio::test]
async fn accounts_survive_a_host_that_ends_at_once() {
    let dir = TempDir::new().unwrap();
    let user = {
        let users = open_in(&dir).await;
        ada(&users).await
    };
    assert_eq!(open_in(&dir).await.by_id(user.id()).await.unwrap(), Some(user));
}

#[tokio::test]
async fn only_the_owner_can_read_the_files() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("data of/the host?#100%");
    let file = folder.join("users.db");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let before = mode(dir.path());
    let users = shared(Sqlite::open(&file).await.unwrap());
    ada(&users).await;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(folder.parent().unwrap()), 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    names.sort();
    assert_eq!(names, ["users.db", "users.db-shm", "users.db-wal"]);
    assert_eq!(mode(dir.path()), before, "a folder that was there keeps its permissions");
}

/// What the first version of the file was, with a user in it.
const VERSION_1: &str = "
    CREATE TABLE users (
        id TEXT NOT NULL PRIMARY KEY,
        email TEXT NOT NULL,
        name TEXT NOT NULL,
        password TEXT,
        admin BOOLEAN NOT NULL DEFAULT FALSE,
        avatar TEXT NOT NULL DEFAULT '',
        avatarFallback TEXT NOT NULL DEFAULT '',
        language TEXT NOT NULL DEFAULT 'en',
        theme TEXT NOT NULL DEFAULT 'dark',
        provider TEXT NOT NULL,
        createdAt DATETIME NOT NULL,
        updatedAt DATETIME NOT NULL
    );
    CREATE UNIQUE INDEX users_email_provider_key ON users (email, provider);
    INSERT INTO users (id, email, name, password, admin, provider, createdAt, updatedAt) VALUES
        ('old', 'ada@example.com', 'Ada', '$2b$10$hash', TRUE, 'credentials',
         '2025-01-02T03:04:05.678Z', '2025-01-02T03:04:05.678Z');
    PRAGMA user_version = 1;
";

#[tokio::test]
async fn a_file_of_the_first_version_is_migrated() {
    let dir = TempDir::new().unwrap();
    sql(&dir, VERSION_1).await;
    // Hosts that start at the same time migrate it once.
    let opened = join_all((0..4).map(|_| open_in(&dir))).await;
    for users in &opened {
        let user = users.by_id("old").await.unwrap().unwrap();
        let expected = json!({
            "id": "old",
            "email": "ada@example.com",
            "name": "Ada",
            "password": "$2b$10$hash",
            "admin": true,
            "avatar": "",
            "avatarFallback": "",
            "language": "en",
            "theme": "dark",
            "provider": "credentials",
            "createdAt": "2025-01-02T03:04:05.678Z",
            "updatedAt": "2025-01-02T03:04:05.678Z",
            "lastLogin": null,
            "totpSecret": null,
            "twoFactorEnabled": false,
            "recoveryCodes": null,
        });
        assert_eq!(Value::Object(whole(&user)), expected);
    }
    opened[0].update("old", changes(json!({ "recoveryCodes": ["a"], "colour": "red" }))).await.unwrap();
    assert!(opened[1].spend_recovery_code("old", "a").await.unwrap());
    assert_eq!(opened[2].by_id("old").await.unwrap().unwrap().text("colour"), Some("red"));
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_left_alone() {
    let dir = TempDir::new().unwrap();
    sql(&dir, "CREATE TABLE users (id TEXT); PRAGMA user_version = 99;").await;
    let file = dir.path().join("users.db");
    let error = Sqlite::open(&file).await.unwrap_err().to_string();
    for part in ["users.db", "version 99", "newer host"] {
        assert!(error.contains(part), "{error}");
    }
    let mut connection = connect(&file).await;
    let columns: i64 = sqlx::query_scalar("SELECT count(*) FROM pragma_table_info('users')")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(columns, 1);
}

#[tokio::test]
async fn a_migration_that_fails_leaves_no_trace() {
    let dir = TempDir::new().unwrap();
    // The second migration cannot add a column that is there.
    sql(&dir, VERSION_1).await;
    sql(&dir, "ALTER TABLE users ADD COLUMN recoveryCodes TEXT").await;
    let error = Sqlite::open(&dir.path().join("users.db")).await.unwrap_err().to_string();
    assert!(error.contains("recoveryCodes"), "{error}");
    let mut connection = connect(&dir.path().join("users.db")).await;
    let (version, columns): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM pragma_table_info('users'))",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!((version, columns), (1, 13));
}

#[tokio::test]
async fn what_is_no_database_is_named_and_kept() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("users.db");
    fs::write(&file, "these are my notes, and they are longer than a header of a hundred bytes. ".repeat(9))
        .unwrap();
    let before = fs::read(&file).unwrap();
    let error = Sqlite::open(&file).await.unwrap_err().to_string();
    assert!(error.contains("users.db") && error.contains("not a database"), "{error}");
    assert_eq!(fs::read(&file).unwrap(), before);

    let error = Sqlite::open(dir.path()).await.unwrap_err().to_string();
    assert!(error.contains("folder"), "{error}");
}

#[tokio::test]
async fn a_field_without_a_column_is_kept_beside_the_others() {
    let (users, _dir) = open().await;
    let id = ada(&users).await.id().to_owned();
    let set = json!({
        "nickname": "Ada",
        "birth-year": 1815,
        "_tags": ["a", { "b": null }],
        "address": { "city": "London", "geo": [51.5, -0.1] },
        "isVip": false,
        "name": "Ada L.",
    });
    let user = users.update(&id, changes(set.clone())).await.unwrap().unwrap();
    for (field, value) in set.as_object().unwrap() {
        assert_eq!(user.field(field), Some(value), "{field}");
    }
    assert!(user.field("extra").is_none());
    assert!(user.shown().contains_key("nickname"));

    let user = users.update(&id, changes(json!({ "nickname": null, "isVip": true }))).await.unwrap().unwrap();
    assert_eq!(user.field("nickname"), None);
    assert_eq!(user.field("isVip"), Some(&Value::Bool(true)));
    assert_eq!(user.field("birth-year"), Some(&json!(1815)));

    for field in ["extra", "Extra", "a b", "1st", "é", "a.b", "a'b", &"x".repeat(65)] {
        let change = changes(json!({ field: 1 }));
        assert_eq!(refused_field(users.update(&id, change).await).0, field);
    }
    let much = changes(json!({ "diary": "x".repeat(70_000) }));
    let (field, reason) = refused_field(users.update(&id, much).await);
    assert!(field == "diary" && reason.contains("64 KiB"), "{reason}");
    assert_eq!(users.by_id(&id).await.unwrap(), Some(user));
}

#[tokio::test]
async fn fields_without_a_column_that_change_at_once_are_all_kept() {
    let (users, _dir) = open().await;
    let id = ada(&users).await.id().to_owned();
    let done = join_all((0..12).map(|number| {
        let (users, id) = (users.clone(), id.clone());
        tokio::spawn(async move {
            users.update(&id, changes(json!({ format!("field{number}"): number }))).await.unwrap().unwrap()
        })
    }))
    .await;
    assert!(done.into_iter().all(|done| done.is_ok()));
    let user = users.by_id(&id).await.unwrap().unwrap();
    for number in 0..12 {
        assert_eq!(user.field(&format!("field{number}")), Some(&json!(number)));
    }
}

#[tokio::test]
async fn a_column_of_the_application_is_a_field_at_once() {
    let (users, dir) = open().await;
    let id = ada(&users).await.id().to_owned();
    users.update(&id, changes(json!({ "score": 7, "nickname": "A" }))).await.unwrap();
    sql(
        &dir,
        "ALTER TABLE users ADD COLUMN score INTEGER;
         ALTER TABLE users ADD COLUMN ratio REAL;
         ALTER TABLE users ADD COLUMN born DATE;
         ALTER TABLE users ADD COLUMN settings JSON;
         ALTER TABLE users ADD COLUMN \"odd \"\" name\" TEXT;
         ALTER TABLE users ADD COLUMN handle TEXT;
         CREATE UNIQUE INDEX users_handle ON users (handle);
         ALTER TABLE users ADD COLUMN shout TEXT GENERATED ALWAYS AS (upper(name)) VIRTUAL;",
    )
    .await;

    let user = users.by_id(&id).await.unwrap().unwrap();
    assert_eq!(user.field("score"), Some(&json!(7)), "what was written before the column was added");
    assert_eq!(user.field("ratio"), Some(&Value::Null));
    assert_eq!(user.text("shout"), Some("ADA &AMP; CO"));

    let set = json!({
        "score": -3, "ratio": 0.25, "born": "1815-12-10", "settings": { "a": [1, null, "x"] },
        "odd \" name": "yes", "handle": "ada",
    });
    let user = users.update(&id, changes(set)).await.unwrap().unwrap();
    assert_eq!(user.field("score"), Some(&json!(-3)));
    assert_eq!(user.field("ratio"), Some(&json!(0.25)));
    assert_eq!(user.text("born"), Some("1815-12-10T00:00:00.000Z"));
    assert_eq!(user.field("settings"), Some(&json!({ "a": [1, null, "x"] })));
    assert_eq!(user.text("odd \" name"), Some("yes"));
    assert_eq!(user.text("nickname"), Some("A"));

    let user = users.update(&id, changes(json!({ "score": null }))).await.unwrap().unwrap();
    assert_eq!(user.field("score"), Some(&Value::Null), "the value of before does not come back");

    for (field, value) in
        [("score", json!(1.5)), ("score", json!("7")), ("ratio", json!("x")), ("shout", json!("x"))]
    {
        assert_eq!(refused_field(users.update(&id, changes(json!({ field: value }))).await).0, field);
    }
    let bob = users.create(new_user("bob@example.com", "google"), false).await.unwrap();
    let (field, _) = refused_field(users.update(bob.id(), changes(json!({ "handle": "ada" }))).await);
    assert_eq!(field, "handle");

    sql(&dir, "ALTER TABLE users DROP COLUMN ratio").await;
    let user = users.by_id(&id).await.unwrap().unwrap();
    assert_eq!(user.field("ratio"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hosts_on_one_file_wait_for_each_other() {
    let dir = TempDir::new().unwrap();
    let hosts = [open_in(&dir).await, open_in(&dir).await];
    let created = join_all((0..24).map(|number| {
        let users = hosts[number % 2].clone();
        let email = format!("user{}@example.com", number / 2);
        tokio::spawn(async move { users.create(new_user(&email, "credentials"), true).await })
    }))
    .await;
    let created: Vec<_> = created.into_iter().map(Result::unwrap).collect();
    assert_eq!(created.iter().filter(|user| user.is_ok()).count(), 12);
    assert!(created.iter().all(|user| matches!(user, Ok(_) | Err(UserError::EmailTaken))));
}
