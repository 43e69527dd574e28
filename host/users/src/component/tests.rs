use parking_lot::Mutex;

use super::*;

/// Gives one answer, and remembers what it was asked.
struct Scripted {
    answer: Result<UserAnswer, UserError>,
    asked: Arc<Mutex<Vec<UserRequest>>>,
}

impl UserComponent for Scripted {
    fn ask(&self, request: UserRequest) -> BoxFuture<'_, Result<UserAnswer, UserError>> {
        self.asked.lock().push(request);
        Box::pin(std::future::ready(self.answer.clone()))
    }

    fn is_up(&self) -> bool {
        self.answer.is_ok()
    }
}

fn answering(answer: Result<UserAnswer, UserError>) -> (ComponentUsers, Arc<Mutex<Vec<UserRequest>>>) {
    let asked = Arc::default();
    (ComponentUsers::new(Scripted { answer, asked: Arc::clone(&asked) }), asked)
}

fn record(text: &str) -> ComponentUsers {
    answering(Ok(UserAnswer::Record(Some(text.into())))).0
}

fn store_error<T: std::fmt::Debug>(result: Result<T, UserError>) -> String {
    match result {
        Err(UserError::Store(message)) => message,
        other => panic!("expected a failure of the store, not {other:?}"),
    }
}

#[tokio::test]
async fn a_record_is_believed_when_it_is_the_one_that_was_asked_for() {
    let users = record(r#"{"id":"u1","email":"a@b.c","password":"$hash"}"#);
    let user = users.by_id("u1").await.unwrap().unwrap();
    assert_eq!((user.id(), user.text("password")), ("u1", Some("$hash")));
    assert!(users.by_email("a@b.c", None).await.unwrap().is_some());
    assert!(users.update("u1", Map::new()).await.unwrap().is_some());
    assert!(users.create(NewUser::default(), true).await.is_ok());

    assert!(store_error(users.by_id("u2").await).contains("`by-id` with another user's record"));
    assert!(
        store_error(users.update("u2", Map::new()).await).contains("`update` with another user's record")
    );
}

#[tokio::test]
async fn what_is_no_record_is_a_failure_that_tells_no_secrets() {
    for text in [
        "",
        "null",
        "[]",
        "{\"id\":5,\"password\":\"secret\"}",
        "{\"id\":\"\",\"password\":\"secret\"}",
        "{\"password\":\"secret\"}",
        "{\"id\":\"u1\",\"password\":\"secret",
        "\"secret\"",
    ] {
        let users = record(text);
        for message in [
            store_error(users.by_id("u1").await),
            store_error(users.by_email("a@b.c", None).await),
            store_error(users.create(NewUser::default(), false).await),
        ] {
            assert!(!message.contains("secret"), "{message}");
        }
    }
    let (users, _) = answering(Ok(UserAnswer::Record(None)));
    assert!(users.by_id("u1").await.unwrap().is_none());
    assert!(store_error(users.create(NewUser::default(), false).await).contains("`create` with nothing"));
    assert!(store_error(users.delete("u1").await).contains("`delete` with a record"));
    let (users, _) = answering(Ok(UserAnswer::Done(true)));
    assert!(users.spend_recovery_code("u1", "h").await.unwrap() && users.delete("u1").await.unwrap());
    assert!(store_error(users.by_id("u1").await).contains("no record"));
}

#[tokio::test]
async fn a_new_user_is_sent_by_the_names_of_the_table() {
    let (users, asked) = answering(Ok(UserAnswer::Record(Some(b"{\"id\":\"u1\"}".to_vec()))));
    let new = NewUser {
        email: "a@b.c".into(),
        name: "Ada".into(),
        provider: "credentials".into(),
        password: Some("$hash".into()),
        avatar_fallback: "#102030".into(),
        language: "en".into(),
        ..NewUser::default()
    };
    users.create(new, true).await.unwrap();
    let changes = json!({ "name": null, "theme": "dark" });
    users.update("u1", changes.as_object().unwrap().clone()).await.unwrap();
    let asked = asked.lock();
    let [UserRequest::Create { user, unique_email: true }, UserRequest::Update { id, changes: sent }] =
        &asked[..]
    else {
        panic!("{asked:?}")
    };
    assert_eq!(
        serde_json::from_slice::<Value>(user).unwrap(),
        json!({
            "email": "a@b.c", "name": "Ada", "provider": "credentials", "password": "$hash", "avatar": "",
            "avatarFallback": "#102030", "language": "en",
        })
    );
    assert_eq!(id, "u1");
    assert_eq!(serde_json::from_slice::<Value>(sent).unwrap(), changes);
    assert!(!format!("{asked:?}").contains("hash"), "secrets are not printed");
}

#[tokio::test]
async fn a_store_whose_plugin_is_gone_says_what_it_needs() {
    let users = ComponentUsers::new(LivePlugin::new("people", || None));
    assert!(!users.is_up().await);
    let message = store_error(users.by_id("u1").await);
    assert!(message.contains("service people") && message.contains("userStore"), "{message}");
}
