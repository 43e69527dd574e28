use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::json::tests::any_json;

/// Sessions are written as JSON here.
fn evaluate(rule: &AuthRule, session: Option<&Value>, surface: Surface) -> Result<(), AuthFailure> {
    super::evaluate(rule, session.and_then(Value::as_object), surface)
}

fn rule(rule: Value) -> AuthRule {
    serde_json::from_value(rule).unwrap()
}

fn condition(prop: Value) -> AuthRule {
    rule(json!({"login": true, "additional": [prop]}))
}

fn forbidden(result: Result<(), AuthFailure>) -> &'static str {
    match result {
        Ok(()) => "",
        Err(AuthFailure::Forbidden { reason, .. }) => reason,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn without_conditions_only_login_is_asked() {
    for surface in [Surface::Api, Surface::Sync] {
        assert_eq!(evaluate(&AuthRule::default(), None, surface), Ok(()));
        assert_eq!(evaluate(&rule(json!({"login": true})), None, surface), Err(AuthFailure::Required));
        assert_eq!(evaluate(&rule(json!({"login": true})), Some(&json!({"id": "1"})), surface), Ok(()));
    }
}

#[test]
fn conditions_without_a_session_fail_as_their_surface_does() {
    let conditional =
        rule(json!({"login": false, "additional": [{"key": "admin", "value": true}, {"key": "b"}]}));
    let api = evaluate(&conditional, None, Surface::Api).unwrap_err();
    assert_eq!(text(&api, Surface::Api), ("auth.forbidden", 403, Some("admin".into())));
    let sync = evaluate(&conditional, None, Surface::Sync).unwrap_err();
    assert_eq!(text(&sync, Surface::Sync), ("auth.required", 400, None));
}

fn text(failure: &AuthFailure, surface: Surface) -> (&'static str, u16, Option<String>) {
    use crate::envelope::ParamValue;
    let envelope = failure.envelope(surface);
    let key = envelope.error_params.first().map(|param| match &param.value {
        ParamValue::Str(key) if param.key == "key" => key.to_string(),
        other => panic!("{other:?}"),
    });
    let code = match &envelope.error_code {
        std::borrow::Cow::Borrowed(code) => *code,
        std::borrow::Cow::Owned(code) => panic!("{code}"),
    };
    (code, envelope.http_status, key)
}

#[test]
fn failures_have_their_codes_and_hook_reasons() {
    let invalid =
        evaluate(&condition(json!({"key": "gone", "nullish": true})), Some(&json!({})), Surface::Api)
            .unwrap_err();
    assert_eq!(text(&invalid, Surface::Sync), ("auth.invalidCondition", 500, Some("gone".into())));
    assert_eq!(invalid.hook_reason(), "invalid-condition");
    assert_eq!(text(&AuthFailure::Required, Surface::Api), ("auth.required", 401, None));
    assert_eq!(AuthFailure::Required.hook_reason(), "login-required");
    let failed = evaluate(&condition(json!({"key": "a", "value": 1})), Some(&json!({"a": 2})), Surface::Sync)
        .unwrap_err();
    assert_eq!(text(&failed, Surface::Sync), ("auth.forbidden", 403, Some("a".into())));
    assert_eq!(failed.hook_reason(), "additional-failed");
}

#[test]
fn conditions_have_javascript_semantics() {
    for (prop, value, expected) in [
        (json!({}), json!(null), ""),
        (json!({"nullish": true}), json!(null), ""),
        (json!({"nullish": true}), json!(0), "nullish"),
        (json!({"nullish": false}), json!(0), ""),
        (json!({"nullish": false}), json!(null), "nullish"),
        (json!({"type": "string"}), json!("x"), ""),
        (json!({"type": "string"}), json!(1), "type"),
        (json!({"type": "string"}), json!(null), ""),
        (json!({"type": "number"}), json!(1.5), ""),
        (json!({"type": "boolean"}), json!(false), ""),
        (json!({"type": "object"}), json!([1]), ""),
        (json!({"type": "object"}), json!("x"), "type"),
        (json!({"value": true}), json!(true), ""),
        (json!({"value": true}), json!(1), "value"),
        (json!({"value": 1}), json!(1.0), ""),
        (json!({"value": "1"}), json!(1), "value"),
        (json!({"value": null}), json!(null), ""),
        (json!({"value": null}), json!(false), "value"),
        (json!({"value": "a"}), json!(null), "value"),
        (json!({"mustBeFalsy": true}), json!(false), ""),
        (json!({"mustBeFalsy": true}), json!(0), ""),
        (json!({"mustBeFalsy": true}), json!(-0.0), ""),
        (json!({"mustBeFalsy": true}), json!(""), ""),
        (json!({"mustBeFalsy": true}), json!(null), ""),
        (json!({"mustBeFalsy": true}), json!("0"), "mustBeFalsy"),
        (json!({"mustBeFalsy": true}), json!([]), "mustBeFalsy"),
        (json!({"mustBeFalsy": false}), json!({}), ""),
        (json!({"mustBeFalsy": false}), json!(""), "mustBeFalsy"),
        (json!({"type": "string", "value": "a", "mustBeFalsy": false}), json!("a"), ""),
    ] {
        let mut prop = prop;
        prop["key"] = json!("k");
        let session = json!({"k": value});
        let result = evaluate(&condition(prop.clone()), Some(&session), Surface::Api);
        assert_eq!(forbidden(result), expected, "{prop} {session}");
    }
}

#[test]
fn all_conditions_must_hold() {
    let both =
        rule(json!({"login": true, "additional": [{"key": "a", "value": 1}, {"key": "b", "value": 2}]}));
    assert_eq!(evaluate(&both, Some(&json!({"a": 1, "b": 2})), Surface::Api), Ok(()));
    let failure = evaluate(&both, Some(&json!({"a": 1, "b": 3})), Surface::Api);
    assert!(matches!(failure, Err(AuthFailure::Forbidden { key, .. }) if key == "b"));
}

#[test]
fn rules_that_cannot_mean_anything_are_refused_when_read() {
    for (text, names) in [
        (json!({"login": true, "additional": [{"key": "a", "type": "bigint"}]}), "bigint"),
        (json!({"login": true, "additional": [{"key": "a", "type": "String"}]}), "String"),
        (json!({"login": true, "additional": [{"key": "a", "mustBeTruthy": true}]}), "mustBeTruthy"),
        (json!({"login": true, "additional": [{"value": 1}]}), "key"),
        (json!({"login": true, "additional": [{"key": ""}]}), "empty `key`"),
        (json!({"login": true, "additional": [{"key": "a", "value": {}}]}), "never strictly equal"),
        (json!({"login": 1}), "boolean"),
        (json!({"logn": true}), "logn"),
    ] {
        let error = serde_json::from_value::<AuthRule>(text).unwrap_err().to_string();
        assert!(error.contains(names), "{error}");
    }
}

#[test]
fn a_rule_survives_being_written() {
    let text = json!({"login": true, "additional": [
        {"key": "a", "value": null, "type": "string", "nullish": false, "mustBeFalsy": true}, {"key": "b"}]});
    assert_eq!(serde_json::to_value(rule(text.clone())).unwrap(), text);
}

proptest! {
    #[test]
    fn reading_and_evaluating_never_panic(prop in any_json(), session in any_json()) {
        if let Ok(rule) = serde_json::from_value::<AuthRule>(json!({"additional": [prop]})) {
            let _ = evaluate(&rule, Some(&session), Surface::Api);
        }
        let _ = evaluate(&condition(json!({"key": "a", "value": 1})), Some(&session), Surface::Sync);
    }
}
