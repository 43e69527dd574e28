//! What services may do with accounts.

use luckystack_identity::AccountError;
use luckystack_topology::{ProjectConfig, SessionsPerUser};
use luckystack_users::NewUser;
use serde_json::{Value, json};

use crate::house::{ANN, House, IP, PASSWORD, Plan, object, reason, stored};

const NEW: &str = "another horse 2";

fn on(project: &mut ProjectConfig) {
    project.auth.forgot_password = true;
    project.session.per_user = SessionsPerUser::Multiple;
    project.rate_limiting.enabled = false;
}

fn code<T: std::fmt::Debug>(result: Result<T, AccountError>) -> (String, u16) {
    let error = result.unwrap_err();
    (error.code, error.http_status)
}

fn is(code: &str, status: u16) -> (String, u16) {
    (code.to_owned(), status)
}

/// Somebody who came by another provider.
async fn stranger(house: &House, email: &str) -> String {
    let new = NewUser {
        email: email.to_owned(),
        name: "Guest".to_owned(),
        provider: "google".to_owned(),
        ..Default::default()
    };
    house.users.create(new, false).await.unwrap().id().to_owned()
}

// --- Profile ---

#[tokio::test]
async fn fields_change_in_the_record_and_in_all_sessions() {
    let house = Plan::new().with(on).open().await;
    let (id, one) = house.ann().await;
    let other = house.log_in(ANN, PASSWORD).await.session.unwrap().token.clone();
    let shown =
        house.identity.update_user(&id, object(json!({ "name": "Bo", "theme": "light" }))).await.unwrap();
    assert_eq!((&shown["name"], &shown["theme"]), (&json!("Bo"), &json!("light")));
    assert!(shown.get("password").is_none());
    for token in [&one, &other] {
        let session = house.identity.session(token).await.unwrap();
        assert_eq!(session.fields()["name"], "Bo");
        assert!(session.csrf_token.is_some());
    }
    assert_eq!(house.user(&id).await.text("name"), Some("Bo"));
}

#[tokio::test]
async fn fields_of_the_framework_are_not_an_applications() {
    let house = Plan::new().with(on).open().await;
    let (id, token) = house.ann().await;
    for field in [
        "id",
        "email",
        "provider",
        "password",
        "totpSecret",
        "twoFactorEnabled",
        "recoveryCodes",
        "csrfToken",
        "token",
        "roomCodes",
        "location",
        "createdAt",
        "updatedAt",
        "lastLogin",
        "previousLogin",
    ] {
        let changes = object(json!({ "name": "Bo", field: "x" }));
        assert_eq!(
            code(house.identity.update_user(&id, changes).await),
            is("account.fieldNotAllowed", 403),
            "{field}"
        );
    }
    assert_eq!(house.user(&id).await.text("name"), Some("Ann"));
    assert_eq!(house.identity.session(&token).await.unwrap().fields()["name"], "Ann");
    let nobody = house.identity.update_user("nobody", object(json!({ "name": "Bo" }))).await;
    assert_eq!(code(nobody), is("account.notFound", 404));
}

#[tokio::test]
async fn a_record_is_read_without_its_secrets() {
    let house = Plan::new().with(on).open().await;
    let (id, _) = house.ann().await;
    let shown = house.identity.user(&id).await.unwrap().unwrap();
    assert_eq!(shown["email"], ANN);
    assert!(!["password", "totpSecret", "recoveryCodes"].iter().any(|secret| shown.contains_key(*secret)));
    assert_eq!(house.identity.user("nobody").await.unwrap(), None);
}

// --- Passwords ---

#[tokio::test]
async fn a_password_can_be_asked_for_again() {
    let house = Plan::new().with(on).open().await;
    let (id, _) = house.ann().await;
    house.identity.verify_password(&id, PASSWORD).await.unwrap();
    assert_eq!(code(house.identity.verify_password("nobody", PASSWORD).await), is("account.notFound", 404));
    for _ in 0..5 {
        let wrong = house.identity.verify_password(&id, "wrong horse 1").await;
        assert_eq!(code(wrong), is("login.wrongPassword", 403));
    }
    assert_eq!(code(house.identity.verify_password(&id, PASSWORD).await), is("login.accountLocked", 429));
}

#[tokio::test]
async fn a_password_changes_with_the_right_one_and_ends_other_sessions() {
    let house = Plan::new().with(on).open().await;
    let (id, mine) = house.ann().await;
    let other = house.log_in(ANN, PASSWORD).await.session.unwrap().token.clone();
    let change = async |current, new| house.identity.change_password(&id, current, new, Some(&mine)).await;
    assert_eq!(code(change(Some("wrong horse 1"), NEW).await), is("login.wrongPassword", 403));
    assert_eq!(code(change(Some(PASSWORD), "short").await), is("login.passwordCharacterMinimum", 400));
    house.hooks.stop("prePasswordChanged", "app.no");
    assert_eq!(code(change(Some(PASSWORD), NEW).await), is("app.no", 403));
    assert!(house.is_live(&other).await);

    let house = Plan::new().with(on).open().await;
    let (id, mine) = house.ann().await;
    let other = house.log_in(ANN, PASSWORD).await.session.unwrap().token.clone();
    house.identity.change_password(&id, Some(PASSWORD), NEW, Some(&mine)).await.unwrap();
    assert!(house.is_live(&mine).await && !house.is_live(&other).await);
    assert_eq!(reason(&house.log_in(ANN, PASSWORD).await), "login.wrongPassword");
    assert_eq!(reason(&house.log_in(ANN, NEW).await), "login.loggedIn");
    assert_eq!(house.hooks.last("prePasswordChanged"), json!({ "userId": id, "verifiedCurrent": true }));
    assert_eq!(
        house.hooks.last("passwordChanged"),
        json!({ "userId": id, "verifiedCurrent": true, "revokedOtherSessions": true })
    );
    assert_eq!(
        code(house.identity.change_password("nobody", None, NEW, None).await),
        is("account.notFound", 404)
    );
}

#[tokio::test]
async fn somebody_without_a_password_may_be_given_one() {
    let house = Plan::new().with(on).open().await;
    let id = stranger(&house, ANN).await;
    let change = async |current| house.identity.change_password(&id, current, NEW, None).await;
    assert_eq!(code(change(Some("")).await), is("login.wrongPassword", 403));
    change(None).await.unwrap();
    change(Some(NEW)).await.unwrap();
    assert_eq!(house.hooks.of("prePasswordChanged")[0]["verifiedCurrent"], false);
}

#[tokio::test]
async fn guessing_the_current_password_comes_to_an_end() {
    let house = Plan::new().with(on).open().await;
    let (id, _) = house.ann().await;
    for _ in 0..5 {
        let wrong = house.identity.change_password(&id, Some("wrong horse 1"), NEW, None).await;
        assert_eq!(code(wrong), is("login.wrongPassword", 403));
    }
    let right = house.identity.change_password(&id, Some(PASSWORD), NEW, None).await;
    assert_eq!(code(right), is("login.accountLocked", 429));
    assert_eq!(reason(&house.log_in(ANN, PASSWORD).await), "login.loggedIn", "logins are counted apart");
}

// --- Forgotten passwords ---

#[tokio::test]
async fn a_reset_link_sets_a_password_once_and_ends_all_sessions() {
    let mut house = Plan::new().with(on).open().await;
    let (id, session) = house.ann().await;
    house.identity.request_password_reset(" Ann@example.com ", IP).await.unwrap();
    let token = house.link_token("/reset-password").await;
    assert_eq!(token.len(), 64);
    assert_eq!(
        house.hooks.last("passwordResetRequested"),
        json!({ "email": ANN, "matched": true, "userId": id, "ttlSeconds": 3600 })
    );
    let pointer = stored(&*house.backplane, &format!("fleet-pwreset-user:{id}")).await.unwrap();
    assert!(stored(&*house.backplane, &format!("fleet-pwreset:{pointer}")).await.is_some());
    assert_ne!(pointer, token, "only a hash is kept");

    let complete = async |token: &str, new: &str| house.identity.complete_password_reset(token, new).await;
    assert_eq!(code(complete(&token, "password1").await), is("login.passwordTooCommon", 400));
    complete(&token, NEW).await.unwrap();
    assert!(!house.is_live(&session).await);
    assert_eq!(code(complete(&token, "third horse 33").await), is("account.tokenInvalid", 400));
    assert_eq!(reason(&house.log_in(ANN, PASSWORD).await), "login.wrongPassword");
    assert_eq!(reason(&house.log_in(ANN, NEW).await), "login.loggedIn");
    assert_eq!(house.hooks.last("prePasswordResetCompleted"), json!({ "userId": id }));
    assert_eq!(
        house.hooks.last("passwordResetCompleted"),
        json!({ "userId": id, "revokedOtherSessions": true })
    );
    for token in ["", "x", &"a".repeat(64)] {
        assert_eq!(code(complete(token, NEW).await), is("account.tokenInvalid", 400));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_use_a_reset_link_at_once_one_succeeds() {
    let mut house = Plan::new().with(on).open().await;
    house.ann().await;
    house.identity.request_password_reset(ANN, IP).await.unwrap();
    let token = house.link_token("/reset-password").await;
    let (one, other) = tokio::join!(
        house.identity.complete_password_reset(&token, "first horse 11"),
        house.identity.complete_password_reset(&token, "second horse 22"),
    );
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    let winner = if one.is_ok() { "first horse 11" } else { "second horse 22" };
    assert_eq!(reason(&house.log_in(ANN, winner).await), "login.loggedIn");
}

#[tokio::test]
async fn the_newest_reset_link_counts() {
    let mut house = Plan::new().with(on).open().await;
    house.ann().await;
    house.identity.request_password_reset(ANN, IP).await.unwrap();
    let first = house.link_token("/reset-password").await;
    house.identity.request_password_reset(ANN, IP).await.unwrap();
    let second = house.link_token("/reset-password").await;
    assert_eq!(
        code(house.identity.complete_password_reset(&first, NEW).await),
        is("account.tokenInvalid", 400)
    );
    house.identity.complete_password_reset(&second, NEW).await.unwrap();
}

#[tokio::test]
async fn a_changed_password_takes_links_back() {
    let mut house = Plan::new().with(on).open().await;
    let (id, _) = house.ann().await;
    house.identity.request_password_reset(ANN, IP).await.unwrap();
    let reset = house.link_token("/reset-password").await;
    house.identity.request_email_change(&id, "new@example.com").await.unwrap();
    let change = house.link_token("/confirm-email-change").await;
    house.identity.change_password(&id, Some(PASSWORD), NEW, None).await.unwrap();
    assert_eq!(
        code(house.identity.complete_password_reset(&reset, NEW).await),
        is("account.tokenInvalid", 400)
    );
    assert_eq!(code(house.identity.confirm_email_change(&change).await), is("account.tokenInvalid", 400));
}

#[tokio::test]
async fn nobody_learns_who_can_reset_a_password() {
    let mut house = Plan::new().with(on).open().await;
    stranger(&house, "guest@example.com").await;
    for email in ["nobody@example.com", "guest@example.com"] {
        house.identity.request_password_reset(email, IP).await.unwrap();
        let mut told = house.hooks.wait_for("passwordResetRequested").await;
        while told["email"] != email {
            tokio::task::yield_now().await;
            told = house.hooks.last("passwordResetRequested");
        }
        assert_eq!(told, json!({ "email": email, "matched": false }));
    }
    assert!(house.outbox_is_empty());
    assert_eq!(
        code(house.identity.request_password_reset("x", IP).await),
        is("login.invalidEmailFormat", 400)
    );
}

#[tokio::test]
async fn resets_are_bounded_for_emails_and_addresses() {
    let house = Plan::new().with(on).open().await;
    for n in 0..3 {
        house.identity.request_password_reset(ANN, &format!("203.0.113.{n}")).await.unwrap();
    }
    let limited = is("api.rateLimitExceeded", 429);
    assert_eq!(code(house.identity.request_password_reset(ANN, "203.0.113.9").await), limited);
    for n in 0..10 {
        house.identity.request_password_reset(&format!("p{n}@example.com"), IP).await.unwrap();
    }
    assert_eq!(code(house.identity.request_password_reset("p10@example.com", IP).await), limited);
}

#[tokio::test]
async fn what_is_not_configured_is_said() {
    let off = Plan::new().open().await;
    let disabled = is("account.passwordResetDisabled", 403);
    assert_eq!(code(off.identity.request_password_reset(ANN, IP).await), disabled);
    assert_eq!(code(off.identity.complete_password_reset(&"a".repeat(64), NEW).await), disabled);
    let nowhere = Plan::new().with(on).with(|project| project.app.public_url = None).open().await;
    let missing = is("account.publicUrlMissing", 500);
    assert_eq!(code(nowhere.identity.request_password_reset(ANN, IP).await), missing);
    assert_eq!(code(nowhere.identity.request_email_change("x", "new@example.com").await), missing);
    let mut mute = Plan::new().with(on);
    mute.production = true;
    let mute = mute.open().await;
    assert_eq!(
        code(mute.identity.request_password_reset(ANN, IP).await),
        is("account.emailUnavailable", 500)
    );
}

#[tokio::test]
async fn a_hook_may_stop_a_reset_and_leaves_the_link() {
    let mut house = Plan::new().with(on).open().await;
    house.ann().await;
    house.identity.request_password_reset(ANN, IP).await.unwrap();
    let token = house.link_token("/reset-password").await;
    house.hooks.stop("prePasswordResetCompleted", "app.no");
    for _ in 0..2 {
        assert_eq!(code(house.identity.complete_password_reset(&token, NEW).await), is("app.no", 403));
    }
    assert_eq!(reason(&house.log_in(ANN, PASSWORD).await), "login.loggedIn");
}

// --- E-mail addresses ---

#[tokio::test]
async fn an_email_changes_when_its_link_is_opened() {
    let mut house = Plan::new().with(on).open().await;
    let (id, session) = house.ann().await;
    house.identity.request_password_reset(ANN, IP).await.unwrap();
    let reset = house.link_token("/reset-password").await;
    house.identity.request_email_change(&id, " New@example.com").await.unwrap();
    let letter = house.letter().await;
    assert_eq!(letter.to, "new@example.com");
    let token = letter.text.split("?token=").nth(1).unwrap()[..64].to_owned();
    assert_eq!(house.user(&id).await.text("email"), Some(ANN), "not before");
    house.identity.confirm_email_change(&token).await.unwrap();
    assert_eq!(house.user(&id).await.text("email"), Some("new@example.com"));
    assert_eq!(house.identity.session(&session).await.unwrap().fields()["email"], "new@example.com");
    assert_eq!(house.letter().await.to, ANN, "the old address is told");
    assert_eq!(code(house.identity.confirm_email_change(&token).await), is("account.tokenInvalid", 400));
    let reset = house.identity.complete_password_reset(&reset, NEW).await;
    assert_eq!(code(reset), is("account.tokenInvalid", 400), "the old mailbox is no way in");
    let payload = json!({ "userId": id, "currentEmail": ANN, "newEmail": "new@example.com" });
    assert_eq!(house.hooks.last("preEmailChange"), payload);
    let mut sent = payload.clone();
    sent["sent"] = Value::Bool(true);
    assert_eq!(house.hooks.last("postEmailChangeRequested"), sent);
    assert_eq!(
        house.hooks.last("postEmailChanged"),
        json!({ "userId": id, "oldEmail": ANN, "newEmail": "new@example.com" })
    );
}

#[tokio::test]
async fn an_email_that_somebody_has_is_refused_then_and_later() {
    let mut house = Plan::new().with(on).open().await;
    let (id, _) = house.ann().await;
    house.register("bob@example.com").await;
    let taken = is("login.emailExists", 409);
    assert_eq!(code(house.identity.request_email_change(&id, "bob@example.com").await), taken);
    assert_eq!(code(house.identity.request_email_change(&id, ANN).await), taken);
    house.identity.request_email_change(&id, "carl@example.com").await.unwrap();
    let token = house.link_token("/confirm-email-change").await;
    house.register("carl@example.com").await;
    assert_eq!(code(house.identity.confirm_email_change(&token).await), taken);
    assert_eq!(house.user(&id).await.text("email"), Some(ANN));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_open_a_link_at_once_one_changes_the_email() {
    let mut house = Plan::new().with(on).open().await;
    let (id, _) = house.ann().await;
    house.identity.request_email_change(&id, "new@example.com").await.unwrap();
    let token = house.link_token("/confirm-email-change").await;
    let (one, other) = tokio::join!(
        house.identity.confirm_email_change(&token),
        house.identity.confirm_email_change(&token),
    );
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    assert_eq!(house.hooks.of("postEmailChanged").len(), 1);
}

#[tokio::test]
async fn the_newest_link_to_an_email_counts() {
    let mut house = Plan::new().with(on).open().await;
    let (id, _) = house.ann().await;
    house.identity.request_email_change(&id, "one@example.com").await.unwrap();
    let first = house.link_token("/confirm-email-change").await;
    house.identity.request_email_change(&id, "two@example.com").await.unwrap();
    let second = house.link_token("/confirm-email-change").await;
    assert_eq!(code(house.identity.confirm_email_change(&first).await), is("account.tokenInvalid", 400));
    house.identity.confirm_email_change(&second).await.unwrap();
    assert_eq!(house.user(&id).await.text("email"), Some("two@example.com"));
}

#[tokio::test]
async fn email_changes_are_bounded_and_for_those_with_a_password() {
    let house = Plan::new().with(on).open().await;
    let (id, _) = house.ann().await;
    for n in 0..3 {
        house.identity.request_email_change(&id, &format!("n{n}@example.com")).await.unwrap();
    }
    let fourth = house.identity.request_email_change(&id, "n3@example.com").await;
    assert_eq!(code(fourth), is("api.rateLimitExceeded", 429));
    let guest = stranger(&house, "guest@example.com").await;
    let refused = house.identity.request_email_change(&guest, "n4@example.com").await;
    assert_eq!(code(refused), is("account.emailNotChangeable", 403));
    let malformed = house.identity.request_email_change(&id, "n5").await;
    assert_eq!(code(malformed), is("login.invalidEmailFormat", 400));
}

#[tokio::test]
async fn a_message_that_a_hook_stops_is_not_sent() {
    let mut house = Plan::new().with(on).open().await;
    let (id, _) = house.ann().await;
    house.hooks.stop("preEmailSend", "app.quiet");
    let refused = house.identity.request_email_change(&id, "new@example.com").await;
    assert_eq!(code(refused), is("account.emailSendFailed", 502));
    assert_eq!(house.hooks.last("postEmailChangeRequested")["sent"], false);
    assert!(house.outbox_is_empty());
    let asked = house.hooks.last("preEmailSend");
    assert_eq!((&asked["adapter"], &asked["message"]["to"]), (&json!("console"), &json!("new@example.com")));
}

// --- Deletion ---

#[tokio::test]
async fn a_deleted_account_is_gone_with_its_sessions() {
    let mut house = Plan::new().with(on).open().await;
    let (id, session) = house.ann().await;
    house.identity.request_password_reset(ANN, IP).await.unwrap();
    let reset = house.link_token("/reset-password").await;
    house.identity.delete_account(&id).await.unwrap();
    assert!(house.users.by_id(&id).await.unwrap().is_none());
    assert!(!house.is_live(&session).await);
    assert_eq!(
        code(house.identity.complete_password_reset(&reset, NEW).await),
        is("account.tokenInvalid", 400)
    );
    assert_eq!(code(house.identity.delete_account(&id).await), is("account.notFound", 404));
    let payload = json!({ "userId": id, "email": ANN });
    assert_eq!(house.hooks.last("preAccountDelete"), payload);
    assert_eq!(house.hooks.last("postAccountDelete"), payload);
    house.register(ANN).await;
}

#[tokio::test]
async fn a_hook_may_stop_a_deletion() {
    let house = Plan::new().with(on).open().await;
    let (id, session) = house.ann().await;
    house.hooks.stop("preAccountDelete", "app.owesMoney");
    assert_eq!(code(house.identity.delete_account(&id).await), is("app.owesMoney", 403));
    assert!(house.is_live(&session).await);
}
