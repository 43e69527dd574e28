//! What is stored at a session's key (wire protocol §5.1, §5.2): a JSON object without the token.

use bytes::Bytes;
use luckystack_backplane::BackplaneError;
use luckystack_plugins::call::Session;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Map, Value};

/// Longer tokens are nobody's: ours have 64 bytes, those of the framework's tools some 50, and what is
/// longer would only fill memory.
pub(crate) const MAX_TOKEN_BYTES: usize = 512;
/// Length of tokens and CSRF tokens before they are written in hex (§5.1).
const SECRET_BYTES: usize = 32;

/// The token itself is the key; the codes belonged to an older layout of rooms (§2.7); the others are
/// never part of a session (§5.2).
const NEVER_STORED: [&str; 6] = ["token", "code", "codes", "password", "totpSecret", "recoveryCodes"];

/// Whether a session can be behind this text at all.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_TOKEN_BYTES
}

/// 32 random bytes in lower-case hex: a token, or a CSRF token.
pub fn mint_token() -> Result<String, BackplaneError> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut bytes = [0; SECRET_BYTES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| BackplaneError::Unavailable {
        store: "the system's random number generator".into(),
        reason: "it gave nothing".into(),
    })?;
    Ok(bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect())
}

/// Reads a stored value; none when it is no session (§5.2). A guest never sees the token in it, not even
/// when somebody stored one.
pub(crate) fn read(token: &str, value: Bytes) -> Option<Session> {
    let session = Session::read(token, value)?;
    if !session.fields().contains_key("token") {
        return Some(session);
    }
    let mut fields = session.fields().clone();
    fields.remove("token");
    Session::read(token, write(&fields))
}

/// Makes an object fit to be stored: without what is never stored, and with a CSRF token.
pub(crate) fn tidy(fields: &mut Map<String, Value>) -> Result<(), BackplaneError> {
    for key in NEVER_STORED {
        fields.remove(key);
    }
    let has_csrf = fields.get("csrfToken").and_then(Value::as_str).is_some_and(|token| !token.is_empty());
    if !has_csrf {
        fields.insert("csrfToken".into(), mint_token()?.into());
    }
    Ok(())
}

/// The value to store.
pub(crate) fn write(fields: &Map<String, Value>) -> Bytes {
    // Keys of a JSON object are text and its values are JSON already: nothing in it cannot be written.
    serde_json::to_vec(fields).expect("a JSON object can be written").into()
}

/// The object of `updateSession` (§2.6): its `avatar` is always a string, because the stock client calls
/// a string's method on it.
pub(crate) fn shown(session: &Session) -> Bytes {
    if session.fields().get("avatar").is_some_and(Value::is_string) {
        return session.user.clone();
    }
    let mut fields = session.fields().clone();
    fields.insert("avatar".into(), "".into());
    write(&fields)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::{Map, Value, json};

    use super::{MAX_TOKEN_BYTES, is_token, mint_token, read, shown, tidy, write};

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn any_text_of_a_sane_length_may_be_a_token() {
        assert!(is_token("test-1700000000000-00ff"));
        assert!(is_token(&"x".repeat(MAX_TOKEN_BYTES)));
        assert!(!is_token(""));
        assert!(!is_token(&"x".repeat(MAX_TOKEN_BYTES + 1)));
    }

    #[test]
    fn minted_tokens_are_64_hex_digits_and_never_the_same() {
        let (one, two) = (mint_token().unwrap(), mint_token().unwrap());
        for token in [&one, &two] {
            assert_eq!(token.len(), 64);
            assert!(token.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)));
        }
        assert_ne!(one, two);
    }

    #[test]
    fn what_is_never_stored_is_taken_out_and_a_missing_csrf_token_is_minted() {
        let mut fields = object(json!({
            "id": "u", "token": "t", "code": "a", "codes": ["a"], "password": "p", "totpSecret": "s",
            "recoveryCodes": [], "roomCodes": ["r"]
        }));
        tidy(&mut fields).unwrap();
        let csrf = fields.remove("csrfToken").unwrap();
        assert_eq!(csrf.as_str().unwrap().len(), 64);
        assert_eq!(Value::Object(fields), json!({ "id": "u", "roomCodes": ["r"] }));
    }

    #[test]
    fn a_csrf_token_that_is_there_stays() {
        let mut fields = object(json!({ "id": "u", "csrfToken": "c" }));
        tidy(&mut fields).unwrap();
        assert_eq!(fields["csrfToken"], "c");
    }

    #[test]
    fn what_is_no_object_with_an_id_is_no_session() {
        for value in
            ["", "null", "[]", "\"id\"", "{}", "{\"id\":\"\"}", "{\"id\":null}", "{\"id\":\"u\"", "\u{0}"]
        {
            assert!(read("t", Bytes::from(value)).is_none(), "{value}");
        }
    }

    #[test]
    fn a_stored_token_is_not_shown() {
        let session = read("t", Bytes::from_static(br#"{"id":"u","token":"secret"}"#)).unwrap();
        assert_eq!(&session.user[..], br#"{"id":"u"}"#);
        assert_eq!(session.token, "t");
    }

    #[test]
    fn the_shown_object_has_an_avatar_that_is_a_string() {
        for (stored, avatar) in [
            (json!({ "id": "u" }), ""),
            (json!({ "id": "u", "avatar": null }), ""),
            (json!({ "id": "u", "avatar": 7 }), ""),
            (json!({ "id": "u", "avatar": "u.webp" }), "u.webp"),
        ] {
            let session = read("t", write(&object(stored))).unwrap();
            let shown: Value = serde_json::from_slice(&shown(&session)).unwrap();
            assert_eq!(shown, json!({ "id": "u", "avatar": avatar }));
        }
    }
}
