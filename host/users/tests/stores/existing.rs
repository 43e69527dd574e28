//! A database whose table `users` is an application's own, made by Prisma for Node servers.

use futures::future::join_all;
use luckystack_users::{NewUser, Postgres, SharedUsers, UserError};
use serde_json::{Value, json};

use crate::server::Database;
use crate::suite::{ada, changes, every_promise, new_user, refused_field, shared};

/// What `prisma migrate` makes of the framework's schema.
const PRISMA: &str = r#"
    CREATE TYPE "PROVIDERS" AS ENUM ('credentials', 'google', 'github', 'discord', 'facebook', 'microsoft');
    CREATE TYPE "LANGUAGE" AS ENUM ('nl', 'en', 'de', 'fr');
    CREATE TYPE "THEME" AS ENUM ('light', 'dark');
    CREATE TABLE "users" (
        "id" TEXT NOT NULL,
        "email" TEXT NOT NULL,
        "provider" "PROVIDERS" NOT NULL,
        "name" TEXT NOT NULL,
        "password" TEXT,
        "avatar" TEXT NOT NULL,
        "avatarFallback" TEXT NOT NULL,
        "admin" BOOLEAN NOT NULL DEFAULT false,
        "language" "LANGUAGE" NOT NULL,
        "theme" "THEME" NOT NULL DEFAULT 'dark',
        "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
        "updatedAt" TIMESTAMP(3) NOT NULL,
        CONSTRAINT "users_pkey" PRIMARY KEY ("id")
    );
    CREATE UNIQUE INDEX "users_email_provider_key" ON "users" ("email", "provider");
    INSERT INTO "users" ("id", "email", "provider", "name", "avatar", "avatarFallback", "language", "theme",
                         "createdAt", "updatedAt")
    VALUES ('from-node', 'node@example.com', 'google', 'Node', '', '#ffffff', 'nl', 'light',
            '2025-01-02 03:04:05.678', '2025-01-02 03:04:05.678');
"#;

async fn open() -> (SharedUsers, Database) {
    open_with(PRISMA).await
}

async fn open_with(statements: &str) -> (SharedUsers, Database) {
    let database = Database::new().await;
    database.sql(statements).await;
    (shared(Postgres::open(&database.url).await.unwrap()), database)
}

async fn refusal(statements: &str) -> String {
    let database = Database::new().await;
    database.sql(statements).await;
    Postgres::open(&database.url).await.unwrap_err().to_string()
}

every_promise!(open);

#[tokio::test]
async fn the_table_is_kept_and_gets_what_it_lacks() {
    let columns = "SELECT column_name, udt_name, is_nullable, coalesce(column_default, '-')
                   FROM information_schema.columns WHERE table_name = 'users' ORDER BY ordinal_position";
    let database = Database::new().await;
    database.sql(PRISMA).await;
    let before = database.sql(columns).await;
    for _ in 0..2 {
        let opened = join_all((0..4).map(|_| Postgres::open(&database.url))).await;
        assert!(opened.iter().all(Result::is_ok));
        let added = "lastLogin|timestamp|YES|-\ntotpSecret|text|YES|-\ntwoFactorEnabled|bool|YES|false\n\
                     recoveryCodes|text|YES|-";
        assert_eq!(database.sql(columns).await, format!("{before}\n{added}"));
    }
}

#[tokio::test]
async fn users_of_node_servers_are_users_here() {
    let (users, database) = open().await;
    let user = users.by_email("node@example.com", Some("google")).await.unwrap().unwrap();
    let expected = json!({
        "id": "from-node", "email": "node@example.com", "provider": "google", "name": "Node", "avatar": "",
        "avatarFallback": "#ffffff", "admin": false, "language": "nl", "theme": "light",
        "createdAt": "2025-01-02T03:04:05.678Z", "updatedAt": "2025-01-02T03:04:05.678Z", "lastLogin": null,
        "twoFactorEnabled": false,
    });
    assert_eq!(Value::Object(user.shown()), expected);

    // And the other way round.
    let user = ada(&users).await;
    let set = json!({ "language": "fr", "theme": "light", "lastLogin": "2026-01-02T03:04:05.678Z" });
    users.update(user.id(), changes(set)).await.unwrap().unwrap();
    let row = r#"SELECT "provider", "language", "theme", "lastLogin", "createdAt" <= "updatedAt" FROM "users"
                 WHERE "language" = 'fr' AND "createdAt" > '2026-01-01'"#;
    assert_eq!(database.sql(row).await, "credentials|fr|light|2026-01-02 03:04:05.678|t");
}

#[tokio::test]
async fn a_word_that_an_enum_lacks_is_named_with_those_it_has() {
    let (users, database) = open().await;
    let user = ada(&users).await;
    let (field, reason) = refused_field(users.update(user.id(), changes(json!({ "language": "tlh" }))).await);
    assert_eq!((field.as_str(), reason.as_str()), ("language", "`tlh` is none of nl, en, de, fr"));

    let strange = NewUser { language: "tlh".to_owned(), ..new_user("bob@example.com", "credentials") };
    let created = users.create(strange.clone(), true).await;
    assert!(matches!(created, Err(UserError::Field { field, .. }) if field == "language"));
    let other = users.create(new_user("bob@example.com", "myspace"), true).await;
    assert!(matches!(other, Err(UserError::Field { field, .. }) if field == "provider"));
    assert_eq!(users.by_email("bob@example.com", None).await.unwrap(), None);

    // The application's next migration brings it.
    database.sql(r#"ALTER TYPE "LANGUAGE" ADD VALUE 'tlh'"#).await;
    assert_eq!(users.create(strange, true).await.unwrap().text("language"), Some("tlh"));

    // As Prisma replaces an enum.
    database
        .sql(
            r#"CREATE TYPE "THEME_new" AS ENUM ('light', 'dark', 'contrast');
               ALTER TABLE "users" ALTER COLUMN "theme" DROP DEFAULT;
               ALTER TABLE "users" ALTER COLUMN "theme" TYPE "THEME_new" USING ("theme"::text::"THEME_new");
               ALTER TYPE "THEME" RENAME TO "THEME_old";
               ALTER TYPE "THEME_new" RENAME TO "THEME";
               DROP TYPE "THEME_old";"#,
        )
        .await;
    let changed = users.update(user.id(), changes(json!({ "theme": "contrast" }))).await.unwrap().unwrap();
    assert_eq!(changed.text("theme"), Some("contrast"));
    assert_eq!(users.by_id(user.id()).await.unwrap(), Some(changed));
    let bob = users.create(new_user("carol@example.com", "google"), true).await.unwrap();
    assert_eq!(bob.text("theme"), Some("dark"), "no default of the table's own is left");
}

#[tokio::test]
async fn columns_of_every_type_are_fields() {
    let (users, database) = open().await;
    database
        .sql(
            r#"CREATE DOMAIN "HANDLE" AS VARCHAR(20) CHECK (VALUE <> 'root');
               ALTER TABLE "users"
                   ADD COLUMN "small" SMALLINT, ADD COLUMN "whole" INTEGER, ADD COLUMN "big" BIGINT,
                   ADD COLUMN "ratio" DOUBLE PRECISION, ADD COLUMN "price" DECIMAL(12, 2),
                   ADD COLUMN "born" DATE, ADD COLUMN "seen" TIMESTAMPTZ(3), ADD COLUMN "settings" JSONB,
                   ADD COLUMN "words" TEXT[], ADD COLUMN "numbers" INTEGER[], ADD COLUMN "langs" "LANGUAGE"[],
                   ADD COLUMN "company" UUID, ADD COLUMN "code" CHAR(4), ADD COLUMN "handle" "HANDLE",
                   ADD COLUMN "network" INET, ADD COLUMN "shout" TEXT GENERATED ALWAYS AS (upper("name")) STORED;
               SET TIME ZONE 'Asia/Tokyo';
               UPDATE "users" SET "seen" = '2026-01-02 12:04:05.678' WHERE "id" = 'from-node';"#,
        )
        .await;
    let set = json!({
        "small": -32768, "whole": 2147483647, "big": 9007199254740993_i64, "ratio": 0.1, "price": 12.5,
        "born": "1815-12-10", "settings": { "a": [1, null, { "b": "ü" }] },
        "words": ["a", "b,\"c\"", "{d}", "", "NULL", null], "numbers": [1, 2, 3], "langs": ["nl", "fr"],
        "company": "6f9619ff-8b86-4011-b42d-00c04fc964ff", "code": "abcd", "handle": "ada",
        "network": "10.0.0.1",
    });
    let user = users.update("from-node", changes(set.clone())).await.unwrap().unwrap();
    for (field, value) in set.as_object().unwrap() {
        let expected = if field == "born" { &json!("1815-12-10T00:00:00.000Z") } else { value };
        assert_eq!(user.field(field), Some(expected), "{field}");
    }
    assert_eq!(user.text("seen"), Some("2026-01-02T03:04:05.678Z"));
    assert_eq!(user.text("shout"), Some("NODE"));
    let seen = changes(json!({ "seen": "2026-06-01T12:00:00.5+02:00", "words": [], "numbers": null }));
    let user = users.update("from-node", seen).await.unwrap().unwrap();
    assert_eq!(user.text("seen"), Some("2026-06-01T10:00:00.500Z"));
    assert_eq!(user.field("words"), Some(&json!([])));
    assert_eq!(user.field("numbers"), Some(&Value::Null));

    let wrong = [
        json!({ "small": 32768 }),
        json!({ "whole": 2147483648_i64 }),
        json!({ "big": 1.5 }),
        json!({ "ratio": "0.1" }),
        json!({ "price": 12345678901234.5 }),
        json!({ "born": "1815-12-10T12:00:00Z" }),
        json!({ "numbers": ["x"] }),
        json!({ "words": [["nested"]] }),
        json!({ "langs": ["tlh"] }),
        json!({ "company": "not a uuid" }),
        json!({ "code": "abcde" }),
        json!({ "handle": "root" }),
        json!({ "handle": "a".repeat(21) }),
        json!({ "network": "10.0.0" }),
        json!({ "network": ["10.0.0.1"] }),
        json!({ "shout": "x" }),
    ];
    for change in wrong {
        let field = change.as_object().unwrap().keys().next().unwrap().clone();
        let named = refused_field(users.update("from-node", changes(change)).await).0;
        assert_eq!(named, field);
    }
    assert_eq!(users.by_id("from-node").await.unwrap().unwrap().field("handle"), user.field("handle"));
}

#[tokio::test]
async fn a_refused_secret_is_not_repeated() {
    let (users, database) = open().await;
    database
        .sql(
            r#"ALTER TABLE "users" ALTER COLUMN "password" TYPE VARCHAR(10);
               ALTER TABLE "users" ALTER COLUMN "totpSecret" TYPE UUID USING NULL;
               ALTER TABLE "users" ADD CHECK ("password" <> 'forbidden');"#,
        )
        .await;
    for (field, secret) in
        [("password", "s3cret-and-long"), ("totpSecret", "s3cret"), ("password", "forbidden")]
    {
        let result = users.update("from-node", changes(json!({ field: secret }))).await;
        let error = result.unwrap_err();
        assert!(matches!(error, UserError::Field { .. }), "{error}");
        assert!(!error.to_string().contains(secret), "{error}");
    }
}

#[tokio::test]
async fn recovery_codes_are_spent_in_whatever_column_they_are() {
    for sql_type in ["TEXT[]", "JSONB", "JSON", "VARCHAR(900)"] {
        let (users, _database) =
            open_with(&format!("{PRISMA} ALTER TABLE \"users\" ADD COLUMN \"recoveryCodes\" {sql_type};"))
                .await;
        for codes in [json!(["one", "two"]), json!("[\"one\",\"two\"]")] {
            let user = users.update("from-node", changes(json!({ "recoveryCodes": codes }))).await;
            assert!(user.is_ok(), "{sql_type}: {user:?}");
            let spent = join_all((0..6).map(|_| users.spend_recovery_code("from-node", "one"))).await;
            assert_eq!(spent.into_iter().filter(|spent| *spent.as_ref().unwrap()).count(), 1, "{sql_type}");
            let user = users.by_id("from-node").await.unwrap().unwrap();
            assert_eq!(user.field("recoveryCodes"), Some(&json!(["two"])), "{sql_type}");
        }
        users.close().await;
    }
}

#[tokio::test]
async fn ids_may_be_uuids_or_numbers() {
    let (users, _database) = open_with(
        "CREATE TABLE users (id UUID PRIMARY KEY, email TEXT, provider TEXT, password TEXT, name TEXT)",
    )
    .await;
    let user = ada(&users).await;
    assert_eq!(users.by_id(user.id()).await.unwrap(), Some(user.clone()));
    assert_eq!(users.by_id("no uuid").await.unwrap(), None);
    assert_eq!(users.update("no uuid", changes(json!({ "name": "x" }))).await.unwrap(), None);
    assert!(!users.delete("no uuid").await.unwrap());
    assert!(users.delete(user.id()).await.unwrap());

    let (users, _database) = open_with(
        "CREATE TABLE users (id SERIAL PRIMARY KEY, email TEXT, provider TEXT, password TEXT, name TEXT)",
    )
    .await;
    let user = ada(&users).await;
    assert_eq!(user.id(), "1");
    assert_eq!(users.by_id("1").await.unwrap(), Some(user));
    assert!(!users.spend_recovery_code("99999999999", "x").await.unwrap());
    let changed = users.update("1", changes(json!({ "name": "Grace" }))).await.unwrap().unwrap();
    assert_eq!(changed.text("name"), Some("Grace"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn emails_are_unique_even_where_no_index_says_so() {
    let (users, _database) = open_with(&format!("{PRISMA} DROP INDEX \"users_email_provider_key\";")).await;
    let all = join_all((0..10).map(|_| {
        let users = users.clone();
        tokio::spawn(async move { users.create(new_user("ada@example.com", "credentials"), false).await })
    }))
    .await;
    assert_eq!(all.iter().filter(|user| user.as_ref().unwrap().is_ok()).count(), 1);
}

#[tokio::test]
async fn a_constraint_of_the_application_names_its_column() {
    let (users, _database) = open_with(&format!(
        "{PRISMA}
         CREATE TABLE companies (id INTEGER PRIMARY KEY);
         CREATE TABLE notes (author TEXT REFERENCES users (id));
         INSERT INTO notes VALUES ('from-node');
         ALTER TABLE users ADD COLUMN company INTEGER REFERENCES companies (id), ADD COLUMN handle TEXT UNIQUE,
             ADD COLUMN level INTEGER CONSTRAINT level_is_positive CHECK (level > 0);"
    ))
    .await;
    let user = ada(&users).await;
    users.update("from-node", changes(json!({ "handle": "node" }))).await.unwrap().unwrap();
    for (field, value) in [("company", json!(5)), ("handle", json!("node"))] {
        assert_eq!(refused_field(users.update(user.id(), changes(json!({ field: value }))).await).0, field);
    }
    let (_, reason) = refused_field(users.update(user.id(), changes(json!({ "level": 0 }))).await);
    assert!(reason.contains("level_is_positive"), "{reason}");

    let error = users.delete("from-node").await.unwrap_err().to_string();
    assert!(error.contains("`notes`"), "{error}");
    assert!(users.delete(user.id()).await.unwrap());
}

#[tokio::test]
async fn a_required_column_without_a_default_is_named() {
    let (users, _database) =
        open_with(&format!("{PRISMA} DELETE FROM users; ALTER TABLE users ADD COLUMN tenant TEXT NOT NULL;"))
            .await;
    let created = users.create(new_user("ada@example.com", "credentials"), true).await;
    assert!(matches!(created, Err(UserError::Field { ref field, .. }) if field == "tenant"), "{created:?}");
}

#[tokio::test]
async fn a_table_that_cannot_hold_accounts_is_refused() {
    let error = refusal("CREATE TABLE users (id TEXT, email TEXT, login TEXT)").await;
    assert!(error.contains("provider, password"), "{error}");
}

#[tokio::test]
async fn a_host_that_may_not_alter_the_table_says_what_its_owner_can_do() {
    let database = Database::new().await;
    database.sql(PRISMA).await;
    let role = format!("app_{}", database.url.rsplit('/').next().unwrap());
    database
        .sql(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'app-s3cret'; GRANT SELECT, INSERT, UPDATE, DELETE ON users TO {role}"
        ))
        .await;
    let (_, place) = database.url.split_once('@').unwrap();
    let url = format!("postgres://{role}:app-s3cret@{place}");
    let error = Postgres::open(&url).await.unwrap_err().to_string();
    assert!(error.contains("ALTER TABLE \"users\" ADD COLUMN \"lastLogin\" TIMESTAMP(3)"), "{error}");
    assert!(!error.contains("app-s3cret"), "{error}");

    // Which done, it has all that it needs.
    Postgres::open(&database.url).await.unwrap();
    let users = shared(Postgres::open(&url).await.unwrap());
    ada(&users).await;
}
