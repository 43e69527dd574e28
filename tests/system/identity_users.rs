//! Accounts kept elsewhere: PostgreSQL, and hashes of Node servers.

use luckystack_tests::{Account, Call, PostgresServer, Project, RedisServer, Visitor};
use serde_json::{Value, json};

use crate::identity_door::{MINE, assert_failure, door, restart};

fn over(postgres: &PostgresServer) -> Project {
    door().set(&format!("users.url={}", postgres.url()))
}

#[tokio::test]
async fn accounts_in_postgres_survive_restarts_and_are_one_for_all_hosts() {
    let mut postgres = PostgresServer::start().await;
    let redis = RedisServer::start().await;
    let project = || over(&postgres).set(&format!("backplane.url={}", redis.url()));
    let (a, b) = (project(), project());
    let (ann, bob) = (Account::of("Ann"), Account::of("Bob"));
    let mut host = a.serve(&[]).await;
    assert!(!host.banner().contains(postgres.password()), "{}", host.banner());
    let other = b.beside(&host).serve(&[]).await;
    let mut visitor = Visitor::of(&host);
    let registered = visitor.register(&ann).await;
    assert_failure(&Visitor::of(&other).submit(&ann.registration()).await, 200, "login.emailExists");
    let row = postgres.sql("postgres", "SELECT id, email, name, provider FROM users").await;
    let id = registered["id"].as_str().unwrap();
    assert_eq!(row, format!("{id}|ann@example.com|Ann|credentials"));
    let hash = postgres.sql("postgres", "SELECT password FROM users").await;
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");

    // Both hosts at once: one session is left.
    let logins = [&host, &other, &host, &other].map(|at| {
        let ann = &ann;
        async move {
            let mut browser = Visitor::of(at);
            browser.log_in(ann).await;
            browser
        }
    });
    let mut left = 0;
    for mut browser in futures::future::join_all(logins).await {
        for at in [&host, &other] {
            left += usize::from(browser.at(at).send(Call::get(MINE)).await.status == 200);
        }
        browser.send(Call::get("/livez")).await;
    }
    assert_eq!(left, 2, "the same one at both hosts");

    host = restart(host, &a).await;
    let mut visitor = Visitor::of(&host);
    let session = visitor.log_in(&ann).await;
    assert_eq!(session["id"], registered["id"]);

    postgres.kill().await;
    let ready = host.get("/readyz").await;
    assert_eq!((ready.status, &ready.json()["checks"]["database"]), (503, &json!(false)), "{}", ready.text());
    assert_eq!(ready.json()["checks"]["prisma"], false);
    assert_eq!(visitor.session().await["name"], "Ann", "sessions are kept elsewhere");
    let answer = Visitor::of(&host).submit(&ann.login()).await;
    assert_eq!((answer.status, &answer.json()["status"]), (200, &json!(false)), "{}", answer.text());
    postgres.restart().await;
    Visitor::of(&host).register(&bob).await;
    assert_eq!(host.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn hashes_of_node_servers_are_taken_and_replaced_or_kept() {
    let postgres = PostgresServer::start().await;
    let project = over(&postgres);
    let host = project.serve(&[]).await;
    let ann = Account::of("Ann");
    Visitor::of(&host).register(&ann).await;
    // As bcrypt of another server writes it, for the same password.
    let foreign = "$2b$10$abcdefghijklmnopqrstuuqqAf1dDBodERY7RlNWgGMwmCqvn63Tq";
    postgres.sql("postgres", &format!("UPDATE users SET password = '{foreign}'")).await;
    let wrong = json!({ "email": ann.email, "password": "correct horse of bob" });
    assert_failure(&Visitor::of(&host).submit(&wrong).await, 200, "login.wrongPassword");
    Visitor::of(&host).log_in(&ann).await;
    let hash = postgres.sql("postgres", "SELECT password FROM users").await;
    assert!(hash.starts_with("$argon2id$"), "replaced at the first login: {hash}");

    let bcrypt = over(&postgres).set("auth.passwords=bcrypt").set("auth.bcrypt_rounds=5").beside(&host);
    let bcrypt = bcrypt.start().await;
    let bob = Account::of("Bob");
    let mut visitor = Visitor::of(&bcrypt);
    visitor.register(&bob).await;
    visitor.log_in(&bob).await;
    let of = |email: &str| format!("SELECT password FROM users WHERE email = '{email}'");
    let hash = postgres.sql("postgres", &of(&bob.email)).await;
    assert!(hash.starts_with("$2b$05$"), "{hash}");
    let wrong = json!({ "email": bob.email, "password": "wrong" });
    assert_failure(&Visitor::of(&bcrypt).submit(&wrong).await, 200, "login.wrongPassword");

    // The host with the other hash takes it, and replaces it.
    Visitor::of(&host).log_in(&bob).await;
    let hash = postgres.sql("postgres", &of(&bob.email)).await;
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    Visitor::of(&host).log_in(&bob).await;
    Visitor::of(&bcrypt).log_in(&bob).await;
    let hash = postgres.sql("postgres", &of(&bob.email)).await;
    assert!(hash.starts_with("$2b$05$"), "{hash}");

    // What is no hash lets nobody in.
    for value in ["", "x", "$2b$05$", "$argon2id$v=19$m=1,t=1,p=1$"] {
        postgres.sql("postgres", &format!("UPDATE users SET password = '{value}'")).await;
        for password in ["", value, &*bob.password] {
            let body = json!({ "email": bob.email, "password": password });
            let answer = Visitor::of(&host).from(&format!("10.0.0.{}", value.len())).submit(&body).await;
            assert_eq!(answer.json()["authenticated"], Value::Null, "{value:?} {password:?}");
        }
    }
}
