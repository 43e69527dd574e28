//! The service `accounts`: keeps the users of a project in its key-value store (`users.component =
//! "accounts"`, and the grant `keyvalue`).
//!
//! Two keys a user: `user/<id>` is the record, `email/<email>` the ids of those who have that address, the
//! oldest first. What must happen once (taking an address, spending a code) is decided by a counter, which
//! the store increments in one step; whoever gets 1 was first.

use luckystack::prelude::*;
use luckystack::users::{self, Record, UserStore};

struct InTheStore;

impl UserStore for InTheStore {
    fn by_id(id: &str) -> Result<Option<Record>, HandlerError> {
        Ok(kv::open()?.get_json(&user_key(id))?)
    }

    fn by_email(email: &str, provider: Option<&str>) -> Result<Option<Record>, HandlerError> {
        let store = kv::open()?;
        for id in ids_of(&store, email)? {
            if let Some(user) = store.get_json::<Record>(&user_key(&id))?
                && provider.is_none_or(|provider| text(&user, "provider") == provider)
            {
                return Ok(Some(user));
            }
        }
        Ok(None)
    }

    fn create(mut user: Record, unique_email: bool) -> Result<Record, HandlerError> {
        let store = kv::open()?;
        take_email(&store, &text(&user, "email"), &text(&user, "provider"), unique_email)?;
        let id = random::bytes(12).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let now = now();
        user.insert("id".into(), id.clone().into());
        user.insert("createdAt".into(), now.clone().into());
        user.insert("updatedAt".into(), now.into());
        store.set_json(&user_key(&id), &user)?;
        add_id(&store, &text(&user, "email"), id)?;
        Ok(user)
    }

    fn update(id: &str, changes: Record) -> Result<Option<Record>, HandlerError> {
        let store = kv::open()?;
        let Some(mut user) = store.get_json::<Record>(&user_key(id))? else { return Ok(None) };
        let (email, provider) = (text(&user, "email"), text(&user, "provider"));
        for (field, value) in changes {
            match value {
                Value::Null => user.remove(&field),
                _ if field == "id" => None,
                value => user.insert(field, value),
            };
        }
        let new_email = text(&user, "email");
        if new_email != email {
            take_email(&store, &new_email, &provider, false)?;
            add_id(&store, &new_email, id.to_owned())?;
            drop_email(&store, &email, &provider, id)?;
        }
        user.insert("updatedAt".into(), now().into());
        store.set_json(&user_key(id), &user)?;
        Ok(Some(user))
    }

    fn spend_recovery_code(id: &str, code_hash: &str) -> Result<bool, HandlerError> {
        let store = kv::open()?;
        let Some(mut user) = store.get_json::<Record>(&user_key(id))? else { return Ok(false) };
        let Some(Value::Array(codes)) = user.get_mut("recoveryCodes") else { return Ok(false) };
        let Some(at) = codes.iter().position(|code| code == code_hash) else { return Ok(false) };
        if store.increment(&format!("spent/{id}/{code_hash}"), 1)? > 1 {
            return Ok(false);
        }
        codes.remove(at);
        store.set_json(&user_key(id), &user)?;
        Ok(true)
    }

    fn delete(id: &str) -> Result<bool, HandlerError> {
        let store = kv::open()?;
        let Some(user) = store.get_json::<Record>(&user_key(id))? else { return Ok(false) };
        drop_email(&store, &text(&user, "email"), &text(&user, "provider"), id)?;
        store.delete(&user_key(id))?;
        Ok(true)
    }
}

fn user_key(id: &str) -> String {
    format!("user/{id}")
}

fn email_key(email: &str) -> String {
    format!("email/{email}")
}

/// Who took an address: at one provider, and at any.
fn taken_keys(email: &str, provider: &str) -> [String; 2] {
    [format!("taken/{provider}/{email}"), format!("taken//{email}")]
}

fn text(user: &Record, field: &str) -> String {
    user.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn ids_of(store: &kv::Store, email: &str) -> Result<Vec<String>, HandlerError> {
    Ok(store.get_json(&email_key(email))?.unwrap_or_default())
}

fn add_id(store: &kv::Store, email: &str, id: String) -> Result<(), HandlerError> {
    let mut ids = ids_of(store, email)?;
    ids.push(id);
    Ok(store.set_json(&email_key(email), &ids)?)
}

fn take_email(store: &kv::Store, email: &str, provider: &str, unique: bool) -> Result<(), HandlerError> {
    let [own, any] = taken_keys(email, provider);
    let all = store.increment(&any, 1)?;
    if (unique && all > 1) || store.exists(&own)? || store.increment(&own, 1)? > 1 {
        return Err(users::email_taken());
    }
    Ok(())
}

fn drop_email(store: &kv::Store, email: &str, provider: &str, id: &str) -> Result<(), HandlerError> {
    let mut ids = ids_of(store, email)?;
    ids.retain(|known| known != id);
    let [own, any] = taken_keys(email, provider);
    store.delete(&own)?;
    if ids.is_empty() {
        store.delete(&any)?;
        return Ok(store.delete(&email_key(email))?);
    }
    Ok(store.set_json(&email_key(email), &ids)?)
}

/// Seconds and milliseconds since 1970 as a date, without a calendar library.
fn now() -> String {
    let ms = time::now_ms();
    let (days, seconds) = (ms / 86_400_000, ms / 1000 % 86_400);
    // Civil from days, era by era of 400 years.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{:03}Z", ms % 1000)
}

luckystack::plugin! {
    service = "accounts",
    description = "Keeps the accounts of a project in its key-value store",
    user_store = InTheStore,
    handlers = [],
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use luckystack::testing;

    fn user(email: &str, provider: &str) -> Record {
        let user = json!({ "email": email, "provider": provider, "recoveryCodes": ["h1", "h2"] });
        user.as_object().unwrap().clone()
    }

    fn id(user: &Record) -> String {
        text(user, "id")
    }

    #[test]
    fn users_are_found_by_id_and_email_the_oldest_first() {
        testing::set_now(Duration::from_millis(1_709_210_096_789));
        let first = InTheStore::create(user("a@b.c", "credentials"), false).unwrap();
        let second = InTheStore::create(user("a@b.c", "google"), false).unwrap();
        assert_eq!(text(&first, "createdAt"), "2024-02-29T12:34:56.789Z");
        assert_eq!(InTheStore::by_id(&id(&second)).unwrap().unwrap(), second);
        assert_eq!(InTheStore::by_email("a@b.c", None).unwrap().unwrap(), first);
        assert_eq!(InTheStore::by_email("a@b.c", Some("google")).unwrap().unwrap(), second);
        assert_eq!(InTheStore::by_email("a@b.c", Some("github")).unwrap(), None);
        assert!(InTheStore::delete(&id(&first)).unwrap() && !InTheStore::delete(&id(&first)).unwrap());
        assert_eq!(InTheStore::by_email("a@b.c", None).unwrap().unwrap(), second);
    }

    #[test]
    fn an_address_is_taken_once() {
        let ada = InTheStore::create(user("a@b.c", "credentials"), false).unwrap();
        for unique in [true, false] {
            let error = InTheStore::create(user("a@b.c", "credentials"), unique).unwrap_err();
            assert_eq!(error.code(), "users.emailTaken");
        }
        assert!(InTheStore::create(user("a@b.c", "google"), true).is_err());
        InTheStore::create(user("x@b.c", "credentials"), true).unwrap();
        let moved = |email: &str| {
            InTheStore::update(&id(&ada), json!({ "email": email }).as_object().unwrap().clone())
        };
        assert_eq!(moved("x@b.c").unwrap_err().code(), "users.emailTaken");
        moved("new@b.c").unwrap().unwrap();
        assert!(InTheStore::by_email("new@b.c", None).unwrap().is_some());
        InTheStore::create(user("a@b.c", "credentials"), true).unwrap();
    }

    #[test]
    fn a_recovery_code_is_spent_once() {
        let ada = InTheStore::create(user("a@b.c", "credentials"), false).unwrap();
        assert!(InTheStore::spend_recovery_code(&id(&ada), "h1").unwrap());
        assert!(!InTheStore::spend_recovery_code(&id(&ada), "h1").unwrap());
        assert!(!InTheStore::spend_recovery_code("nobody", "h2").unwrap());
        assert_eq!(InTheStore::by_id(&id(&ada)).unwrap().unwrap()["recoveryCodes"], json!(["h2"]));
    }

    #[test]
    fn the_manifest_says_that_it_keeps_the_accounts() {
        assert_eq!(testing::manifest(&PLUGIN)["userStore"], true);
    }
}
