//! Which fields of a session a service may set, and how much they may hold.

use luckystack_plugins::HandlerError;
use luckystack_topology::ServiceSettings;
use serde_json::{Map, Value};

use crate::json;

/// Fields of a session that belong to the framework, or to the user's account. No service can declare
/// them.
pub const FRAMEWORK_FIELDS: [&str; 14] = [
    "id",
    "token",
    "csrfToken",
    "roomCodes",
    "location",
    "email",
    "provider",
    "lastLogin",
    "previousLogin",
    // What rooms were kept under by older servers.
    "code",
    "codes",
    // Never in a session: they would be shown with it.
    "password",
    "totpSecret",
    "recoveryCodes",
];

/// What the declared fields of one session may hold together, as JSON: sessions are read with every call,
/// and cached by the hundred thousand.
pub const MAX_FIELDS_BYTES: usize = 64 << 10;

/// A checked change of a session.
#[derive(Debug)]
pub(crate) struct Changes {
    set: Map<String, Value>,
    /// All fields of the service: their sum is what is bounded.
    declared: Vec<String>,
}

/// Whether every declared field is one that a service may have.
pub(crate) fn refuse_framework_fields(declared: &[String]) -> Result<(), String> {
    match declared.iter().find(|field| is_frameworks(field)) {
        None => Ok(()),
        Some(field) => Err(format!(
            "session_fields: `{field}` belongs to the framework; take it out, or give the field another name"
        )),
    }
}

fn is_frameworks(field: &str) -> bool {
    FRAMEWORK_FIELDS.contains(&field)
}

impl Changes {
    /// Reads the object that a guest wants to set.
    pub(crate) fn read(text: &[u8], settings: &ServiceSettings) -> Result<Self, HandlerError> {
        if text.len() > MAX_FIELDS_BYTES {
            return Err(too_large());
        }
        let set = json::object(text).map_err(|why| {
            tracing::debug!(%why, "session fields are no JSON object");
            HandlerError::new("session.invalidFields", 400)
        })?;
        let refused =
            set.keys().find(|field| !settings.session_fields.contains(field) || is_frameworks(field));
        if let Some(field) = refused {
            return Err(json::with_param(HandlerError::new("session.fieldNotAllowed", 403), "field", field));
        }
        Ok(Changes { set, declared: settings.session_fields.clone() })
    }

    /// Changes a session, or leaves it as it is when it would hold too much.
    pub(crate) fn apply(&self, session: &mut Map<String, Value>) -> Result<(), HandlerError> {
        let after =
            |field: &String| self.set.get(field).or_else(|| session.get(field)).filter(|v| !v.is_null());
        let sizes = self.declared.iter().filter_map(|field| Some(field.len() + json::size(after(field)?)));
        if sizes.sum::<usize>() > MAX_FIELDS_BYTES {
            return Err(too_large());
        }
        for (field, value) in &self.set {
            match value {
                Value::Null => session.remove(field),
                value => session.insert(field.clone(), value.clone()),
            };
        }
        Ok(())
    }
}

fn too_large() -> HandlerError {
    json::with_param(HandlerError::new("session.tooLarge", 413), "maxBytes", &MAX_FIELDS_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(fields: &[&str]) -> ServiceSettings {
        let session_fields = fields.iter().map(|field| (*field).to_owned()).collect();
        ServiceSettings { session_fields, ..ServiceSettings::default() }
    }

    fn object(text: &str) -> Map<String, Value> {
        json::object(text.as_bytes()).unwrap()
    }

    fn code(result: Result<Changes, HandlerError>) -> String {
        result.unwrap_err().error_code
    }

    #[test]
    fn only_declared_fields_can_be_set() {
        let settings = service(&["cart", "step"]);
        assert!(Changes::read(br#"{"cart":[1],"step":null}"#, &settings).is_ok());
        assert!(Changes::read(b"{}", &settings).is_ok());
        let error = Changes::read(br#"{"cart":[],"admin":true}"#, &settings).unwrap_err();
        assert_eq!((&*error.error_code, error.http_status), ("session.fieldNotAllowed", Some(403)));
        assert_eq!(
            (&*error.error_params[0].key, &*error.error_params[0].value),
            ("field", &b"\"admin\""[..])
        );
    }

    #[test]
    fn the_frameworks_fields_cannot_be_declared_nor_set() {
        for field in FRAMEWORK_FIELDS {
            let settings = service(&[field]);
            let message = refuse_framework_fields(&settings.session_fields).unwrap_err();
            assert!(message.contains(field), "{message}");
            let text = format!("{{\"{field}\":\"x\"}}");
            assert_eq!(code(Changes::read(text.as_bytes(), &settings)), "session.fieldNotAllowed");
        }
        assert!(refuse_framework_fields(&service(&["cart"]).session_fields).is_ok());
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["", "[]", "null", "{", "{\"cart\":1}x", "\"cart\""] {
            assert_eq!(
                code(Changes::read(text.as_bytes(), &service(&["cart"]))),
                "session.invalidFields",
                "{text}"
            );
        }
    }

    #[test]
    fn null_removes_a_field_and_others_stay() {
        let changes = Changes::read(br#"{"cart":null,"step":2}"#, &service(&["cart", "step"])).unwrap();
        let mut session = object(r#"{"id":"u1","cart":[1],"name":"Ada"}"#);
        changes.apply(&mut session).unwrap();
        assert_eq!(session, object(r#"{"id":"u1","name":"Ada","step":2}"#));
    }

    #[test]
    fn the_fields_of_a_service_are_bounded_together() {
        let settings = service(&["a", "b"]);
        let half = "x".repeat(MAX_FIELDS_BYTES / 2 + 10);
        let mut session = object(r#"{"id":"u1"}"#);
        let a = Changes::read(format!("{{\"a\":\"{half}\"}}").as_bytes(), &settings).unwrap();
        a.apply(&mut session).unwrap();
        let before = session.clone();
        let b = Changes::read(format!("{{\"b\":\"{half}\"}}").as_bytes(), &settings).unwrap();
        assert_eq!(b.apply(&mut session).unwrap_err().error_code, "session.tooLarge");
        assert_eq!(session, before, "a refused change leaves the session as it was");
        let instead =
            Changes::read(format!("{{\"a\":null,\"b\":\"{half}\"}}").as_bytes(), &settings).unwrap();
        instead.apply(&mut session).unwrap();
        assert!(!session.contains_key("a") && session.contains_key("b"));
        assert_eq!(code(Changes::read(&vec![b' '; MAX_FIELDS_BYTES + 1], &settings)), "session.tooLarge");
    }
}
