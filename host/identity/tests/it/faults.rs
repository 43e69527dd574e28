//! What is not counted is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use luckystack_backplane::{Answer, Backplane, BackplaneError, Changed, Count, Living, Memory};
use luckystack_identity::Begin;
use luckystack_users::NewUser;
use serde_json::{Map, json};

use crate::house::{ANN, PASSWORD, Plan, reason, request};

/// A backplane that can be cut off.
#[derive(Default)]
struct Frail {
    inner: Memory,
    is_cut: AtomicBool,
}

impl Frail {
    fn answer<'a, T: Send + 'a>(&'a self, answer: Answer<'a, T>) -> Answer<'a, T> {
        if self.is_cut.load(Ordering::SeqCst) {
            let error =
                BackplaneError::Unavailable { store: "redis".to_owned(), reason: "cut off".to_owned() };
            return Box::pin(std::future::ready(Err(error)));
        }
        answer
    }
}

impl Backplane for Frail {
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Bytes>> {
        self.answer(self.inner.get(key))
    }
    fn get_living<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Living>> {
        self.answer(self.inner.get_living(key))
    }
    fn set<'a>(&'a self, key: &'a str, value: Bytes, life: Option<Duration>) -> Answer<'a, ()> {
        self.answer(self.inner.set(key, value, life))
    }
    fn set_new<'a>(&'a self, key: &'a str, value: Bytes, life: Option<Duration>) -> Answer<'a, bool> {
        self.answer(self.inner.set_new(key, value, life))
    }
    fn swap<'a>(
        &'a self,
        key: &'a str,
        expected: Bytes,
        value: Bytes,
        life: Option<Duration>,
    ) -> Answer<'a, bool> {
        self.answer(self.inner.swap(key, expected, value, life))
    }
    fn take<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Bytes>> {
        self.answer(self.inner.take(key))
    }
    fn delete<'a>(&'a self, key: &'a str) -> Answer<'a, bool> {
        self.answer(self.inner.delete(key))
    }
    fn expire<'a>(&'a self, key: &'a str, life: Duration) -> Answer<'a, bool> {
        self.answer(self.inner.expire(key, life))
    }
    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        self.answer(self.inner.clear(prefix))
    }
    fn count<'a>(&'a self, key: &'a str, window: Duration) -> Answer<'a, Count> {
        self.answer(self.inner.count(key, window))
    }
    fn counted<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Count>> {
        self.answer(self.inner.counted(key))
    }
    fn add<'a>(&'a self, key: &'a str, member: &'a str, life: Duration) -> Answer<'a, ()> {
        self.answer(self.inner.add(key, member, life))
    }
    fn remove<'a>(&'a self, key: &'a str, member: &'a str) -> Answer<'a, ()> {
        self.answer(self.inner.remove(key, member))
    }
    fn members<'a>(&'a self, key: &'a str) -> Answer<'a, Vec<String>> {
        self.answer(self.inner.members(key))
    }
    fn publish<'a>(&'a self, channel: &'a str, message: Bytes) -> Answer<'a, ()> {
        self.answer(self.inner.publish(channel, message))
    }
    fn subscribe<'a>(&'a self, channel: &'a str) -> Answer<'a, BoxStream<'static, Bytes>> {
        self.answer(self.inner.subscribe(channel))
    }
    fn watch<'a>(&'a self, prefix: &'a str) -> Answer<'a, BoxStream<'static, Changed>> {
        self.answer(self.inner.watch(prefix))
    }
    fn is_shared(&self) -> bool {
        true
    }
    fn is_up(&self) -> bool {
        !self.is_cut.load(Ordering::SeqCst)
    }
    fn close(&self) -> BoxFuture<'_, ()> {
        self.inner.close()
    }
}

#[tokio::test]
async fn nobody_gets_in_while_attempts_cannot_be_counted() {
    let frail = Arc::new(Frail::default());
    let mut plan = Plan::new().with(|project| {
        project.auth.email_code_login = true;
        project.auth.two_factor = true;
        project.auth.forgot_password = true;
    });
    plan.backplane = frail.clone();
    let house = plan.open().await;
    let (id, token) = house.ann().await;
    frail.is_cut.store(true, Ordering::SeqCst);
    let reply = house.log_in(ANN, PASSWORD).await;
    assert_eq!(reply.body, json!({ "status": false, "reason": "api.internalServerError" }));
    assert!(reply.session.is_none());
    let input = json!({ "email": ANN, "code": "123456", "challengeToken": "a".repeat(64) });
    let input = input.as_object().unwrap();
    for reply in [
        house.identity.email_code_request(request(input, None)).await,
        house.identity.email_code_verify(request(input, None)).await,
        house.identity.second_factor("", request(input, None)).await,
        house.identity.second_factor("email-code", request(input, None)).await,
        house.identity.second_factor("setup", request(input, Some(&token))).await,
    ] {
        assert_eq!(reason(&reply), "api.internalServerError");
        assert!(reply.session.is_none());
    }
    let Begin::Reply(reply) = house.identity.oauth_begin("google", None, request(&Map::new(), None)).await
    else {
        panic!("a login began")
    };
    assert_eq!((reply.status, reason(&reply)), (500, "api.internalServerError"));
    for error in [
        house.identity.request_password_reset(ANN, "203.0.113.7").await.unwrap_err(),
        house.identity.complete_password_reset(&"a".repeat(64), "another horse 2").await.unwrap_err(),
        house.identity.change_password(&id, Some(PASSWORD), "another horse 2", None).await.unwrap_err(),
    ] {
        assert_eq!((&*error.code, error.http_status), ("api.internalServerError", 500));
    }
    frail.is_cut.store(false, Ordering::SeqCst);
    assert_eq!(reason(&house.log_in(ANN, PASSWORD).await), "login.loggedIn", "the password is the old one");
}

#[tokio::test]
async fn without_rate_limits_wrong_passwords_are_still_counted_or_refused() {
    let frail = Arc::new(Frail::default());
    let mut plan = Plan::new().with(|project| project.rate_limiting.enabled = false);
    plan.backplane = frail.clone();
    let house = plan.open().await;
    house.ann().await;
    frail.is_cut.store(true, Ordering::SeqCst);
    assert_eq!(reason(&house.log_in(ANN, PASSWORD).await), "api.internalServerError");
}

#[tokio::test]
async fn a_store_of_users_that_is_gone_lets_nobody_in() {
    let house = Plan::new().open().await;
    house.ann().await;
    house.users.close().await;
    let reply = house.log_in(ANN, PASSWORD).await;
    assert_eq!(reply.body, json!({ "status": false, "reason": "api.internalServerError" }));
    let form =
        json!({ "email": "b@example.com", "password": PASSWORD, "name": "B", "confirmPassword": PASSWORD });
    let reply = house.credentials(form).await;
    assert!(!reply.body["status"].as_bool().unwrap() && reply.session.is_none());
    assert!(house.users.create(NewUser::default(), false).await.is_err());
}
