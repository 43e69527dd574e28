//! Who may call: a route's auth rule and its evaluation over a session (wire protocol §1.5).
//!
//! The rule kept here: JavaScript's `typeof`, strict equality and truthiness over what JSON can hold,
//! and a rule that could never pass, or that this host would read differently from its author, is
//! refused when the manifest is read rather than silently denying or allowing at run time.

#[cfg(test)]
mod tests;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::envelope::{ErrorEnvelope, Surface, auth, sync};

/// A route's `auth`. Its default is public.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthRule {
    /// Whether a session is needed at all.
    #[serde(default)]
    pub login: bool,
    /// Conditions on the session's user, all of which must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub additional: Vec<AuthProp>,
}

/// One condition on one key of the session's user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthProp {
    /// The key looked at. A session without it is an error of the rule, not a refusal.
    #[serde(deserialize_with = "named")]
    pub key: String,
    /// The value must be strictly equal to this one; present as `null` it must be null.
    #[serde(default, deserialize_with = "comparable", skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// JavaScript's `typeof` the value, not asked of null.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<JsType>,
    /// True: the value must be null. False: it must not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nullish: Option<bool>,
    /// True: the value must be falsy. False: truthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub must_be_falsy: Option<bool>,
}

/// What `typeof` says of values that a session can hold. Other results of `typeof` are refused: no
/// value of a session, which is JSON, ever has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JsType {
    /// A string.
    String,
    /// A number.
    Number,
    /// A boolean.
    Boolean,
    /// An object or an array.
    Object,
}

/// Why a caller may not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthFailure {
    /// A session is needed and there is none.
    #[error("login is required")]
    Required,
    /// A condition does not hold.
    #[error("the condition on session key `{key}` failed: {reason}")]
    Forbidden {
        /// The condition's key.
        key: String,
        /// Which part of it failed.
        reason: &'static str,
    },
    /// A condition's key is not in the session.
    #[error("the session has no key `{key}`: correct the route's auth rule, or store that key with the user")]
    InvalidCondition {
        /// The condition's key.
        key: String,
    },
}

/// Whether the session's user (nothing: anonymous) satisfies the rule.
///
/// Conditions without a session to look at: over API the first key's condition has failed, over sync
/// login is required.
pub fn evaluate(
    rule: &AuthRule,
    session: Option<&Map<String, Value>>,
    surface: Surface,
) -> Result<(), AuthFailure> {
    let Some(user) = session else {
        return match rule.additional.first() {
            _ if rule.login => Err(AuthFailure::Required),
            None => Ok(()),
            Some(first) if surface == Surface::Api => {
                Err(AuthFailure::Forbidden { key: first.key.clone(), reason: "there is no session" })
            }
            Some(_) => Err(AuthFailure::Required),
        };
    };
    for prop in &rule.additional {
        let Some(value) = user.get(&prop.key) else {
            return Err(AuthFailure::InvalidCondition { key: prop.key.clone() });
        };
        if let Some(reason) = prop.failure(value) {
            return Err(AuthFailure::Forbidden { key: prop.key.clone(), reason });
        }
    }
    Ok(())
}

// --- AuthProp ---

impl AuthProp {
    /// Which part of the condition this value fails, if any.
    fn failure(&self, value: &Value) -> Option<&'static str> {
        if self.nullish.is_some_and(|nullish| nullish != value.is_null()) {
            return Some("nullish");
        }
        if let Some(kind) = self.kind
            && !value.is_null()
            && kind != JsType::of(value)
        {
            return Some("type");
        }
        if self.value.as_ref().is_some_and(|expected| !strictly_equal(expected, value)) {
            return Some("value");
        }
        if self.must_be_falsy.is_some_and(|falsy| falsy != is_falsy(value)) {
            return Some("mustBeFalsy");
        }
        None
    }
}

fn named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let key = String::deserialize(deserializer)?;
    if key.is_empty() {
        return Err(D::Error::custom("an auth condition has an empty `key`; name a key of the session"));
    }
    Ok(key)
}

/// Tells a present `null` from an absent field, and refuses what nothing is strictly equal to.
fn comparable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Object(_) | Value::Array(_) => Err(D::Error::custom(
            "an auth condition's `value` is an object or array, which is never strictly equal to anything; \
             compare with a string, number, boolean or null",
        )),
        value => Ok(Some(value)),
    }
}

/// `===` over JSON: two objects or arrays are never the same one.
fn strictly_equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::String(left), Value::String(right)) => left == right,
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        _ => false,
    }
}

fn is_falsy(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::String(text) => text.is_empty(),
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Array(_) | Value::Object(_) => false,
    }
}

// --- JsType ---

impl JsType {
    /// `typeof` of a value that is not null.
    fn of(value: &Value) -> JsType {
        match value {
            Value::String(_) => JsType::String,
            Value::Number(_) => JsType::Number,
            Value::Bool(_) => JsType::Boolean,
            Value::Null | Value::Array(_) | Value::Object(_) => JsType::Object,
        }
    }
}

// --- AuthFailure ---

impl AuthFailure {
    /// The error that the caller gets (wire protocol §1.10).
    pub fn envelope(&self, surface: Surface) -> ErrorEnvelope {
        match self {
            AuthFailure::Required if surface == Surface::Sync => sync::AUTH_REQUIRED.into(),
            AuthFailure::Required => auth::REQUIRED.into(),
            AuthFailure::Forbidden { key, .. } => {
                ErrorEnvelope::new(auth::FORBIDDEN).param("key", key.clone())
            }
            AuthFailure::InvalidCondition { key } => {
                ErrorEnvelope::new(auth::INVALID_CONDITION).param("key", key.clone())
            }
        }
    }

    /// The `reason` that the hook `apiAuthRejected` gets (wire protocol §11).
    pub fn hook_reason(&self) -> &'static str {
        match self {
            AuthFailure::Required => "login-required",
            AuthFailure::Forbidden { .. } => "additional-failed",
            AuthFailure::InvalidCondition { .. } => "invalid-condition",
        }
    }
}
