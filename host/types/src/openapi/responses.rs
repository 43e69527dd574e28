//! Answers of API routes: envelopes, streams, and the errors that the host itself gives.

use luckystack_plugins::manifest::RateLimit;
use luckystack_topology::Method;
use serde_json::json;

use super::{component, media, reference};
use crate::catalog::Api;
use crate::json::{Node, Object};
use crate::type_map::login;

/// The host's own errors: status, component, codes.
const ERRORS: [(&str, &str, &str); 7] = [
    (
        "400",
        "BadRequest",
        "The input is not what the route takes: `api.invalidInputType`, `api.invalidRequestFormat`.",
    ),
    ("401", "Unauthorized", "Nobody is signed in: `auth.required`."),
    ("403", "Forbidden", "The session does not suffice: `auth.forbidden`, `auth.csrfMismatch`."),
    (
        "405",
        "MethodNotAllowed",
        "Another method is wanted: `api.methodNotAllowed`, with the parameter `method`.",
    ),
    ("413", "PayloadTooLarge", "The body is too large: `api.payloadTooLarge`."),
    ("415", "UnsupportedMediaType", "The body is neither JSON nor a form: `api.unsupportedMediaType`."),
    ("429", "RateLimitExceeded", "Too many calls: `api.rateLimitExceeded`, with the parameter `seconds`."),
];

/// The answers of one route.
pub(super) fn responses(api: &Api<'_>) -> Object {
    let has_body = api.route.http_method() != Method::Get;
    let limited = !matches!(api.route.rate_limit, Some(RateLimit::Switch(_)));
    let mut responses = Object::new().with("200", success(api));
    for (status, name, _) in ERRORS {
        let given = match status {
            "401" | "403" => login(api.route),
            "413" | "415" => has_body,
            "429" => limited,
            _ => true,
        };
        if given {
            responses = responses.with(status, shared(name));
        }
    }
    responses.with("default", shared("Error"))
}

fn shared(name: &str) -> Object {
    Object::new().with("$ref", format!("#/components/responses/{name}"))
}

fn success(api: &Api<'_>) -> Object {
    let result: Option<Node> =
        api.route.output.as_ref().map(|_| reference(&component(api, Some("output"))).into());
    let required = if result.is_some() {
        json!(["status", "httpStatus", "result"])
    } else {
        json!(["status", "httpStatus"])
    };
    let envelope = Object::new()
        .with("type", "object")
        .with(
            "properties",
            Object::new()
                .with("status", json!({ "const": "success" }))
                .with("httpStatus", json!({ "type": "integer" }))
                .with("result", result.unwrap_or_else(|| true.into())),
        )
        .with("required", required);
    let mut content = Object::new().with("application/json", media(envelope));
    if api.stream.is_some() {
        let about = "Events: `stream` for each chunk, then `final` with the envelope, success or error. The data of \
                     each is JSON on one line.";
        let events = media(json!({ "type": "string", "description": about }))
            .with("x-stream-chunk", reference(&component(api, Some("stream"))));
        content = content.with("text/event-stream", events);
    }
    Object::new().with("description", "Success.").with("content", content)
}

/// All components: the routes' schemas, the error envelope, the errors, and how callers say who they are.
pub(super) fn components(schemas: Object) -> Object {
    let schemas = schemas.with(
        "Error",
        json!({
            "type": "object",
            "description": "What every call may answer instead of a success.",
            "properties": {
                "status": { "const": "error" },
                "message": { "type": "string", "description": "The error in the language of the caller." },
                "errorCode": { "type": "string", "description": "Stable key, such as `api.invalidInputType`." },
                "errorParams": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "key": { "type": "string" },
                            "value": { "type": ["string", "number", "boolean"] },
                        },
                        "required": ["key", "value"],
                    },
                },
                "httpStatus": { "type": "integer" },
            },
            "required": ["status", "message", "errorCode"],
        }),
    );
    let mut answers = Object::new();
    for (_, name, about) in ERRORS {
        answers = answers.with(name, error(about));
    }
    answers = answers.with("Error", error("Any other error, the handler's own among them."));
    Object::new().with("schemas", schemas).with("responses", answers).with(
        "securitySchemes",
        Object::new()
            .with(
                "cookie",
                json!({
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "token",
                    "description": "The session's token. In this mode, requests other than GET carry the session's \
                                    CSRF token (from `GET /auth/csrf`) in the header `x-csrf-token`.",
                }),
            )
            .with(
                "bearer",
                json!({
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The session's token, where the project's sessions are based on tokens.",
                }),
            ),
    )
}

fn error(about: &str) -> Object {
    let content = Object::new().with("application/json", media(reference("Error")));
    Object::new().with("description", about).with("content", content)
}
