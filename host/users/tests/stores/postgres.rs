//! A database of the host's own.

use futures::future::join_all;
use luckystack_tests::PostgresServer;
use luckystack_users::{Postgres, SharedUsers, UserError, UserStore as _};
use serde_json::{Value, json};

use crate::server::Database;
use crate::suite::{ada, changes, every_promise, new_user, refused_field, shared};

async fn open() -> (SharedUsers, Database) {
    let database = Database::new().await;
    (open_at(&database.url).await, database)
}

async fn open_at(url: &str) -> SharedUsers {
    shared(Postgres::open(url).await.unwrap())
}

async fn refusal(url: &str) -> String {
    Postgres::open(url).await.unwrap_err().to_string()
}

every_promise!(open);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_hosts_start_at_once() {
    let database = Database::new().await;
    let hosts = join_all((0..8).map(|_| open_at(&database.url))).await;
    let user = ada(&hosts[0]).await;
    for host in &hosts {
        assert_eq!(host.by_id(user.id()).await.unwrap().as_ref(), Some(&user));
    }
    let created =
        join_all(hosts.iter().map(|host| host.create(new_user("bob@example.com", "google"), true))).await;
    assert_eq!(created.iter().filter(|user| user.is_ok()).count(), 1);
    assert!(created.iter().all(|user| matches!(user, Ok(_) | Err(UserError::EmailTaken))));
}

#[tokio::test]
async fn a_server_that_restarts_is_found_again_with_what_it_held() {
    let mut server = PostgresServer::start().await;
    let url = format!("{}?connect_timeout=2", server.url());
    let users = open_at(&url).await;
    let user = ada(&users).await;
    assert!(users.is_up().await);

    server.kill().await;
    assert!(!users.is_up().await);
    let error = users.by_id(user.id()).await.unwrap_err().to_string();
    assert!(error.contains(&format!("127.0.0.1:{}/postgres", server.port())), "{error}");
    assert!(!error.contains(server.password()), "{error}");

    server.restart().await;
    assert_eq!(users.by_id(user.id()).await.unwrap(), Some(user));
    assert!(users.is_up().await);
}

#[tokio::test]
async fn what_keeps_the_host_from_its_server_is_named_with_a_remedy() {
    let mut server = PostgresServer::start().await;
    let (url, address) = (server.url(), format!("127.0.0.1:{}", server.port()));
    let table = [
        (url.replace(server.password(), "guessed-one"), "correct user and password"),
        (url.replace("postgres:p4ss", "stranger:p4ss"), "correct user and password"),
        (server.url_of("nowhere"), "create the database"),
        (format!("{url}?sslmode=require"), "another sslmode"),
    ];
    for (url, remedy) in &table {
        let error = refusal(url).await;
        assert!(error.contains(remedy) && error.contains(&address), "{error}");
        assert!(!error.contains(server.password()) && !error.contains("guessed-one"), "{error}");
    }
    let store = Postgres::open(&url).await.unwrap();
    assert!(!format!("{store:?}").contains(server.password()), "{store:?}");
    store.close().await;

    server.kill().await;
    let error = refusal(&format!("{url}?connect_timeout=1")).await;
    assert!(error.contains(&format!("{address}/postgres")) && error.contains("start the server"), "{error}");
    assert!(!error.contains(server.password()), "{error}");
}

#[tokio::test]
async fn a_field_needs_a_column_and_may_have_one_at_any_time() {
    let (users, database) = open().await;
    let id = ada(&users).await.id().to_owned();
    let (field, reason) = refused_field(users.update(&id, changes(json!({ "nickname": "A" }))).await);
    assert!(field == "nickname" && reason.contains("migration"), "{reason}");

    database.sql("ALTER TABLE users ADD COLUMN nickname VARCHAR(5)").await;
    let user = users.update(&id, changes(json!({ "nickname": "A" }))).await.unwrap().unwrap();
    assert_eq!(user.text("nickname"), Some("A"));
    // Nothing is cut to fit, and characters are counted, not bytes.
    let (field, reason) = refused_field(users.update(&id, changes(json!({ "nickname": "abcdef" }))).await);
    assert!(field == "nickname" && reason.contains("5 characters"), "{reason}");
    users.update(&id, changes(json!({ "nickname": "🦊🦊🦊🦊🦊" }))).await.unwrap().unwrap();

    database.sql("ALTER TABLE users DROP COLUMN nickname").await;
    let user = users.by_id(&id).await.unwrap().unwrap();
    assert_eq!(user.field("nickname"), None);
    assert_eq!(refused_field(users.update(&id, changes(json!({ "nickname": "A" }))).await).0, "nickname");
}

#[tokio::test]
async fn a_json_column_called_extra_holds_fields_without_a_column() {
    for sql_type in ["JSONB", "JSON", "TEXT"] {
        let (users, database) = open().await;
        let id = ada(&users).await.id().to_owned();
        database.sql(&format!("ALTER TABLE users ADD COLUMN extra {sql_type}")).await;
        let set = json!({ "nickname": "A", "tags": ["a", { "b": true }], "name": "Ada L." });
        let user = users.update(&id, changes(set.clone())).await.unwrap().unwrap();
        for (field, value) in set.as_object().unwrap() {
            assert_eq!(user.field(field), Some(value), "{field}");
        }
        assert_eq!(user.field("extra"), None);
        let user = users.update(&id, changes(json!({ "nickname": null }))).await.unwrap().unwrap();
        assert_eq!(user.field("nickname"), None);
        assert_eq!(user.field("tags"), set.get("tags"));
        users.close().await;
    }
}

#[tokio::test]
async fn a_schema_of_the_url_is_where_the_table_is() {
    let database = Database::new().await;
    let url = format!("{}?schema=Tenant_1", database.url);
    let error = refusal(&url).await;
    assert!(error.contains("create the schema"), "{error}");
    database.sql("CREATE SCHEMA \"Tenant_1\"").await;
    let users = open_at(&url).await;
    ada(&users).await;
    assert_eq!(database.sql("SELECT count(*) FROM \"Tenant_1\".users").await, "1");
    assert_eq!(database.sql("SELECT coalesce(to_regclass('public.users')::text, 'none')").await, "none");
}

#[tokio::test]
async fn a_table_that_is_gone_is_said_to_be_and_may_come_back() {
    let (users, database) = open().await;
    let user = ada(&users).await;
    database.sql("ALTER TABLE users RENAME TO put_away").await;
    let error = users.by_id(user.id()).await.unwrap_err().to_string();
    assert!(error.contains("is gone"), "{error}");
    assert!(users.create(new_user("bob@example.com", "google"), true).await.is_err());
    database.sql("ALTER TABLE put_away RENAME TO users").await;
    assert_eq!(users.by_id(user.id()).await.unwrap(), Some(user));
}

#[tokio::test]
async fn callers_who_give_up_keep_no_connection() {
    let (users, _database) = open().await;
    let id = ada(&users).await.id().to_owned();
    // Callers who give up leave nothing behind: there are more of them than connections.
    for _ in 0..30 {
        let update = users.update(&id, changes(json!({ "name": "given up" })));
        let _ = futures::FutureExt::now_or_never(update);
    }
    let user = users.update(&id, changes(json!({ "name": "kept" }))).await.unwrap().unwrap();
    assert_eq!(user.field("name"), Some(&Value::from("kept")));
}
