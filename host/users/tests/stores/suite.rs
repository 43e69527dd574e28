//! What every store promises, said once.

use std::sync::Arc;

use futures::future::join_all;
use luckystack_users::{NewUser, SharedUsers, User, UserError, UserStore};
use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

/// Each promise as a test of its own, for a store that `$open` opens; what it returns besides is kept until
/// the test ends.
macro_rules! promises {
    ($open:path: $($promise:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let (users, _kept) = $open().await;
                $crate::suite::$promise(users.clone()).await;
                users.close().await;
            }
        )*
    };
}

/// All of them.
macro_rules! every_promise {
    ($open:path) => {
        $crate::suite::promises! { $open:
            a_new_user_has_what_he_was_created_with
            a_user_is_found_by_id_and_by_email
            of_several_accounts_the_oldest_is_found
            an_email_is_taken_at_its_provider_or_everywhere
            of_many_who_register_the_same_email_one_succeeds
            of_many_who_register_at_different_providers_one_succeeds_if_emails_are_unique
            changes_are_kept_and_null_removes
            a_change_to_a_taken_email_is_refused
            what_cannot_be_changed_is_refused
            a_refused_change_changes_nothing
            a_recovery_code_is_spent_once
            of_many_who_spend_the_same_code_one_succeeds
            changes_at_once_to_different_fields_are_all_kept
            a_deleted_user_is_gone
            dates_have_one_form
            text_is_data_whatever_it_says
            any_text_comes_back_as_it_was
            a_closed_store_is_not_up
        }
    };
}

pub(crate) use {every_promise, promises};

pub fn new_user(email: &str, provider: &str) -> NewUser {
    NewUser {
        email: email.to_owned(),
        name: "Ada &amp; Co".to_owned(),
        provider: provider.to_owned(),
        password: Some("$2b$10$hash".to_owned()),
        avatar: String::new(),
        avatar_fallback: "#a1b2c3".to_owned(),
        language: "en".to_owned(),
    }
}

pub fn changes(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        other => panic!("{other} is no object"),
    }
}

pub async fn ada(users: &SharedUsers) -> User {
    users.create(new_user("ada@example.com", "credentials"), false).await.unwrap()
}

/// Every field, secrets among them.
pub fn whole(user: &User) -> Map<String, Value> {
    let mut fields = user.shown();
    for secret in ["password", "totpSecret", "recoveryCodes"] {
        fields.insert(secret.to_owned(), user.field(secret).cloned().unwrap_or(Value::Null));
    }
    fields
}

#[track_caller]
pub fn refused_field(result: Result<Option<User>, UserError>) -> (String, String) {
    match result {
        Err(UserError::Field { field, reason }) => (field, reason),
        other => panic!("a field should be refused, not {other:?}"),
    }
}

fn is_iso(date: &str) -> bool {
    let form = "dddd-dd-ddTdd:dd:dd.dddZ";
    date.len() == form.len()
        && date.bytes().zip(form.bytes()).all(|(byte, form)| match form {
            b'd' => byte.is_ascii_digit(),
            other => byte == other,
        })
}

pub async fn a_new_user_has_what_he_was_created_with(users: SharedUsers) {
    let user = ada(&users).await;
    let mut fields = whole(&user);
    let id = fields.remove("id").unwrap();
    let id = id.as_str().unwrap();
    assert_eq!((id.len(), &id[14..15]), (36, "4"), "{id}");
    let created = fields.remove("createdAt").unwrap();
    assert_eq!(fields.remove("updatedAt"), Some(created.clone()));
    assert!(is_iso(created.as_str().unwrap()), "{created}");
    let expected = json!({
        "email": "ada@example.com",
        "name": "Ada &amp; Co",
        "password": "$2b$10$hash",
        "admin": false,
        "avatar": "",
        "avatarFallback": "#a1b2c3",
        "language": "en",
        "theme": "dark",
        "provider": "credentials",
        "lastLogin": null,
        "totpSecret": null,
        "twoFactorEnabled": false,
        "recoveryCodes": null,
    });
    assert_eq!(Value::Object(fields), expected);
    assert!(!user.shown().contains_key("password"));

    let guest = NewUser { password: None, ..new_user("guest@example.com", "google") };
    let guest = users.create(guest, false).await.unwrap();
    assert_eq!(guest.field("password"), Some(&Value::Null));
    assert_ne!(guest.id(), user.id());
}

pub async fn a_user_is_found_by_id_and_by_email(users: SharedUsers) {
    let user = ada(&users).await;
    assert_eq!(users.by_id(user.id()).await.unwrap().as_ref(), Some(&user));
    assert_eq!(users.by_email("ada@example.com", None).await.unwrap().as_ref(), Some(&user));
    let found = users.by_email("ada@example.com", Some("credentials")).await.unwrap();
    assert_eq!(found.as_ref(), Some(&user));
    assert_eq!(users.by_email("ada@example.com", Some("google")).await.unwrap(), None);
    assert_eq!(users.by_email("ada@example.com", Some("no provider")).await.unwrap(), None);
    for strange in ["", "nobody", "' OR '1'='1", "\0", "%", &"x".repeat(10_000)] {
        assert_eq!(users.by_id(strange).await.unwrap(), None, "{strange}");
        assert_eq!(users.by_email(strange, None).await.unwrap(), None, "{strange}");
        assert_eq!(users.by_email("ada@example.com", Some(strange)).await.unwrap(), None, "{strange}");
    }
}

pub async fn of_several_accounts_the_oldest_is_found(users: SharedUsers) {
    let mut ids = Vec::new();
    for provider in ["google", "credentials", "github"] {
        ids.push(users.create(new_user("ada@example.com", provider), false).await.unwrap().id().to_owned());
    }
    for (id, date) in ids.iter().zip(["2024-03-01", "2024-01-01", "2024-02-01"]) {
        users.update(id, changes(json!({ "createdAt": date }))).await.unwrap().unwrap();
    }
    let oldest = users.by_email("ada@example.com", None).await.unwrap().unwrap();
    assert_eq!(oldest.id(), ids[1]);
    assert_eq!(oldest.text("createdAt"), Some("2024-01-01T00:00:00.000Z"));
    users.delete(&ids[1]).await.unwrap();
    assert_eq!(users.by_email("ada@example.com", None).await.unwrap().unwrap().id(), ids[2]);
}

pub async fn an_email_is_taken_at_its_provider_or_everywhere(users: SharedUsers) {
    ada(&users).await;
    let again = |provider| new_user("ada@example.com", provider);
    assert!(matches!(users.create(again("credentials"), false).await, Err(UserError::EmailTaken)));
    assert!(matches!(users.create(again("google"), true).await, Err(UserError::EmailTaken)));
    users.create(again("google"), false).await.unwrap();
    users.create(new_user("bob@example.com", "google"), true).await.unwrap();
}

pub async fn of_many_who_register_the_same_email_one_succeeds(users: SharedUsers) {
    let all = join_all((0..12).map(|_| {
        let users = users.clone();
        tokio::spawn(async move { users.create(new_user("ada@example.com", "credentials"), false).await })
    }))
    .await;
    one_succeeded(all.into_iter().map(Result::unwrap).collect());
}

pub async fn of_many_who_register_at_different_providers_one_succeeds_if_emails_are_unique(
    users: SharedUsers,
) {
    const PROVIDERS: [&str; 4] = ["credentials", "google", "github", "discord"];
    let all = join_all(PROVIDERS.into_iter().cycle().take(12).map(|provider| {
        let users = users.clone();
        tokio::spawn(async move { users.create(new_user("ada@example.com", provider), true).await })
    }))
    .await;
    one_succeeded(all.into_iter().map(Result::unwrap).collect());
}

fn one_succeeded(results: Vec<Result<User, UserError>>) {
    let (created, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!(created.len(), 1);
    for result in refused {
        assert!(matches!(result, Err(UserError::EmailTaken)), "{result:?}");
    }
}

pub async fn changes_are_kept_and_null_removes(users: SharedUsers) {
    let user = ada(&users).await;
    let id = user.id();
    let set = json!({
        "name": "Grace",
        "password": "$argon2id$other",
        "admin": true,
        "avatar": "https://example.com/a.png",
        "theme": "light",
        "language": "nl",
        "email": "grace@example.com",
        "lastLogin": "2026-01-02T03:04:05.678Z",
        "totpSecret": "enc:v2:…",
        "twoFactorEnabled": true,
        "recoveryCodes": ["one", "two"],
    });
    let changed = users.update(id, changes(set.clone())).await.unwrap().unwrap();
    for (field, value) in set.as_object().unwrap() {
        assert_eq!(changed.field(field), Some(value), "{field}");
    }
    assert_eq!(changed.field("createdAt"), user.field("createdAt"));
    assert_eq!(changed.field("provider"), user.field("provider"));
    assert!(changed.text("updatedAt") >= user.text("updatedAt"));
    assert_eq!(users.by_id(id).await.unwrap(), Some(changed.clone()));
    assert_eq!(users.by_email("ada@example.com", None).await.unwrap(), None);
    assert_eq!(users.by_email("grace@example.com", None).await.unwrap(), Some(changed));

    let removed = json!({
        "password": null, "lastLogin": null, "totpSecret": null, "twoFactorEnabled": null,
        "recoveryCodes": null,
    });
    let changed = users.update(id, changes(removed.clone())).await.unwrap().unwrap();
    for field in removed.as_object().unwrap().keys() {
        assert_eq!(changed.field(field), Some(&Value::Null), "{field}");
    }
    assert_eq!(changed.text("name"), Some("Grace"));

    // As Node servers write it, too.
    let text = changes(json!({ "recoveryCodes": "[\"a\",\"b\"]" }));
    let changed = users.update(id, text).await.unwrap().unwrap();
    assert_eq!(changed.field("recoveryCodes"), Some(&json!(["a", "b"])));

    let same = users.update(id, Map::new()).await.unwrap().unwrap();
    assert_eq!(same.text("name"), Some("Grace"));
    assert_eq!(users.update("nobody", changes(json!({ "name": "x" }))).await.unwrap(), None);
}

pub async fn a_change_to_a_taken_email_is_refused(users: SharedUsers) {
    ada(&users).await;
    let bob = users.create(new_user("bob@example.com", "credentials"), false).await.unwrap();
    let taken = users.update(bob.id(), changes(json!({ "email": "ada@example.com", "name": "x" }))).await;
    assert!(matches!(taken, Err(UserError::EmailTaken)), "{taken:?}");
    assert_eq!(users.by_id(bob.id()).await.unwrap(), Some(bob));
}

pub async fn what_cannot_be_changed_is_refused(users: SharedUsers) {
    let user = ada(&users).await;
    let wrong = [
        json!({ "id": "another" }),
        json!({ "updatedAt": "2026-01-02T03:04:05.678Z" }),
        json!({ "email": null }),
        json!({ "name": 5 }),
        json!({ "Name": "written wrong" }),
        json!({ "admin": "yes" }),
        json!({ "lastLogin": "yesterday" }),
        json!({ "lastLogin": 1_700_000_000_000_i64 }),
        json!({ "recoveryCodes": "one" }),
        json!({ "recoveryCodes": [1] }),
        json!({ "name": "a\0b" }),
        json!({ "name\" = 'x', \"admin": true }),
        json!({ "": "x" }),
    ];
    for change in wrong {
        let field = change.as_object().unwrap().keys().next().unwrap().clone();
        let (named, reason) = refused_field(users.update(user.id(), changes(change)).await);
        assert_eq!(named, field);
        assert!(!reason.is_empty());
    }
    assert_eq!(users.by_id(user.id()).await.unwrap(), Some(user));
}

pub async fn a_refused_change_changes_nothing(users: SharedUsers) {
    let user = ada(&users).await;
    let half = changes(json!({ "name": "Grace", "admin": true, "lastLogin": "never" }));
    assert_eq!(refused_field(users.update(user.id(), half).await).0, "lastLogin");
    assert_eq!(users.by_id(user.id()).await.unwrap(), Some(user));
}

pub async fn a_recovery_code_is_spent_once(users: SharedUsers) {
    let user = ada(&users).await;
    let id = user.id();
    assert!(!users.spend_recovery_code(id, "one").await.unwrap(), "there are none");
    users.update(id, changes(json!({ "recoveryCodes": ["one", "two", "three"] }))).await.unwrap();
    assert!(users.spend_recovery_code(id, "two").await.unwrap());
    assert!(!users.spend_recovery_code(id, "two").await.unwrap());
    assert!(!users.spend_recovery_code(id, "four").await.unwrap());
    assert!(!users.spend_recovery_code(id, "").await.unwrap());
    assert!(!users.spend_recovery_code("nobody", "one").await.unwrap());
    let left = users.by_id(id).await.unwrap().unwrap();
    assert_eq!(left.field("recoveryCodes"), Some(&json!(["one", "three"])));
    assert!(users.spend_recovery_code(id, "one").await.unwrap());
    assert!(users.spend_recovery_code(id, "three").await.unwrap());
    let left = users.by_id(id).await.unwrap().unwrap();
    assert_eq!(left.field("recoveryCodes"), Some(&json!([])));
}

pub async fn of_many_who_spend_the_same_code_one_succeeds(users: SharedUsers) {
    let id = ada(&users).await.id().to_owned();
    let codes: Vec<String> = (0..4).map(|code| format!("code {code}")).collect();
    users.update(&id, changes(json!({ "recoveryCodes": codes }))).await.unwrap();
    let spent = join_all(codes.iter().cycle().take(16).map(|code| {
        let (users, id, code) = (users.clone(), id.clone(), code.clone());
        tokio::spawn(async move { users.spend_recovery_code(&id, &code).await.unwrap() })
    }))
    .await;
    assert_eq!(spent.into_iter().filter(|spent| *spent.as_ref().unwrap()).count(), 4);
    let left = users.by_id(&id).await.unwrap().unwrap();
    assert_eq!(left.field("recoveryCodes"), Some(&json!([])));
}

pub async fn changes_at_once_to_different_fields_are_all_kept(users: SharedUsers) {
    let id = ada(&users).await.id().to_owned();
    let set = [
        json!({ "name": "Grace" }),
        json!({ "avatar": "a.webp" }),
        json!({ "theme": "light" }),
        json!({ "admin": true }),
        json!({ "lastLogin": "2026-01-02T03:04:05.678Z" }),
        json!({ "totpSecret": "secret" }),
    ];
    join_all(set.iter().map(|change| {
        let (users, id, change) = (users.clone(), id.clone(), changes(change.clone()));
        tokio::spawn(async move { users.update(&id, change).await.unwrap().unwrap() })
    }))
    .await
    .into_iter()
    .for_each(|done| drop(done.unwrap()));
    let user = users.by_id(&id).await.unwrap().unwrap();
    for change in &set {
        for (field, value) in change.as_object().unwrap() {
            assert_eq!(user.field(field), Some(value));
        }
    }
}

pub async fn a_deleted_user_is_gone(users: SharedUsers) {
    let user = ada(&users).await;
    assert!(!users.delete("nobody").await.unwrap());
    assert!(!users.delete("\0").await.unwrap());
    assert!(users.delete(user.id()).await.unwrap());
    assert!(!users.delete(user.id()).await.unwrap());
    assert_eq!(users.by_id(user.id()).await.unwrap(), None);
    assert_eq!(users.update(user.id(), changes(json!({ "name": "x" }))).await.unwrap(), None);
    let again = ada(&users).await;
    assert_ne!(again.id(), user.id());
}

pub async fn dates_have_one_form(users: SharedUsers) {
    let id = ada(&users).await.id().to_owned();
    let table = [
        ("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.678Z"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"),
        ("2026-01-02T00:30:00.5+01:00", "2026-01-01T23:30:00.500Z"),
        ("1899-12-31", "1899-12-31T00:00:00.000Z"),
        ("2026-07-01T12:00:00.999999Z", "2026-07-01T12:00:00.999Z"),
    ];
    for (written, shown) in table {
        let changed = users.update(&id, changes(json!({ "lastLogin": written }))).await.unwrap().unwrap();
        assert_eq!(changed.text("lastLogin"), Some(shown), "{written}");
        assert_eq!(users.by_id(&id).await.unwrap().unwrap().text("lastLogin"), Some(shown), "{written}");
    }
}

/// Text that would be something else in a statement, a shell or a template.
const STRANGE: [&str; 12] = [
    "'; DROP TABLE users; --",
    "\" OR \"\"=\"",
    "x', admin = true, name = 'y",
    "$1",
    "?",
    "{\"admin\": true}",
    "\\'; DELETE FROM users WHERE 'a'='a",
    "<script>alert(1)</script>",
    "%s%n\\x00\\0",
    "NULL",
    "  leading and trailing  \r\n\t",
    "🦊 é \u{202e} \u{feff} ÿ",
];

pub async fn text_is_data_whatever_it_says(users: SharedUsers) {
    let bystander = users.create(new_user("bystander@example.com", "credentials"), false).await.unwrap();
    for text in STRANGE {
        let new = NewUser {
            email: format!("{text}@example.com"),
            name: text.to_owned(),
            password: Some(text.to_owned()),
            avatar: text.to_owned(),
            avatar_fallback: text.to_owned(),
            ..new_user("", "credentials")
        };
        let user = users.create(new, true).await.unwrap();
        for field in ["name", "password", "avatar", "avatarFallback"] {
            assert_eq!(user.text(field), Some(text), "{field}");
        }
        assert_eq!(user.field("admin"), Some(&Value::Bool(false)));
        let email = format!("{text}@example.com");
        let found = users.by_email(&email, Some("credentials")).await.unwrap();
        assert_eq!(found.as_ref().map(User::id), Some(user.id()));
        let set = json!({
            "name": text, "avatar": text, "totpSecret": text, "recoveryCodes": [text], "password": text,
        });
        let changed = users.update(user.id(), changes(set.clone())).await.unwrap().unwrap();
        for (field, value) in set.as_object().unwrap() {
            assert_eq!(changed.field(field), Some(value), "{field}");
        }
        assert!(users.spend_recovery_code(user.id(), text).await.unwrap());
        assert!(users.delete(user.id()).await.unwrap());
    }
    assert_eq!(users.by_id(bystander.id()).await.unwrap(), Some(bystander));
}

pub async fn any_text_comes_back_as_it_was(users: SharedUsers) {
    let id = ada(&users).await.id().to_owned();
    let text = || "[^\\x00]{0,40}";
    let fields = (
        (text(), text(), text(), proptest::option::of(text())),
        (proptest::bool::ANY, proptest::option::of(proptest::bool::ANY)),
        proptest::option::of(proptest::collection::vec(text(), 0..5)),
        // Dates of the years 1 to 9999.
        -62_135_596_800_i64..253_402_300_800,
    );
    let mut runner = TestRunner::deterministic();
    for _ in 0..60 {
        let drawn = fields.new_tree(&mut runner).unwrap().current();
        let ((name, avatar, password, totp), (admin, two_factor), codes, seconds) = drawn;
        let days = seconds.div_euclid(86_400).rem_euclid(28) + 1;
        let set = json!({
            "name": name,
            "avatar": avatar,
            "password": password,
            "totpSecret": totp,
            "admin": admin,
            "twoFactorEnabled": two_factor,
            "recoveryCodes": codes,
            "lastLogin": format!("{:04}-02-{days:02}T23:59:58.007Z", seconds.rem_euclid(9998) + 1),
        });
        let changed = users.update(&id, changes(set.clone())).await.unwrap().unwrap();
        let read = users.by_id(&id).await.unwrap().unwrap();
        assert_eq!(changed, read);
        for (field, value) in set.as_object().unwrap() {
            assert_eq!(read.field(field), Some(value), "{field}");
        }
    }
}

pub async fn a_closed_store_is_not_up(users: SharedUsers) {
    assert!(users.is_up().await);
    users.close().await;
    assert!(!users.is_up().await);
    let error = users.by_id("x").await.unwrap_err();
    assert!(matches!(&error, UserError::Store(reason) if reason.contains("closed")), "{error}");
}

/// A store behind the pointer that its users hold.
pub fn shared(store: impl UserStore) -> SharedUsers {
    Arc::new(store)
}
