//! `updateLocation` (wire protocol §2.8): where in the application a session is.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};

use crate::client::Client;
use crate::shared::Shared;

const MAX_PATH: usize = 2048;
const MAX_PARAMS: usize = 50;
const MAX_KEY: usize = 256;
const MAX_VALUE: usize = 1024;

/// Saves a location. Everything else is ignored.
pub(crate) fn update(
    shared: &Arc<Shared>,
    client: &Arc<Client>,
    payload: &Bytes,
) -> Option<BoxFuture<'static, ()>> {
    if !shared.rules.load().locations {
        return None;
    }
    client.token.as_ref()?;
    let location = read(payload)?;
    let (shared, client) = (Arc::clone(shared), Arc::clone(client));
    Some(Box::pin(async move { save(&shared, &client, location).await }))
}

async fn save(shared: &Shared, client: &Client, location: Value) {
    let (Some(sessions), Some(token)) = (shared.sessions(), &client.token) else { return };
    let _turn = shared.turns.of(token).await;
    let mut before = None;
    let saved = sessions
        .update(token, &mut |fields| before = fields.insert("location".into(), location.clone()))
        .await;
    match saved {
        Ok(Some(_)) => shared.tell(
            "onLocationUpdate",
            || json!({ "token": &**token, "oldLocation": before, "newLocation": location }),
        ),
        Ok(None) => {}
        Err(error) => tracing::error!(%error, "a session's location was not saved"),
    }
}

/// The location of a payload: its path and parameters, and nothing else that it holds.
fn read(payload: &[u8]) -> Option<Value> {
    let Ok(Value::Object(mut payload)) = serde_json::from_slice(payload) else { return None };
    let path = payload.remove("pathName")?;
    let is_path = path
        .as_str()
        .is_some_and(|path| path.starts_with('/') && !path.contains('\0') && length(path) <= MAX_PATH);
    if !is_path {
        return None;
    }
    let mut location = Map::from_iter([("pathName".to_owned(), path)]);
    if let Some(params) = payload.remove("searchParams") {
        let params = params.as_object().filter(|params| are_params(params))?;
        location.insert("searchParams".into(), params.clone().into());
    }
    Some(location.into())
}

fn are_params(params: &Map<String, Value>) -> bool {
    params.len() <= MAX_PARAMS
        && params.iter().all(|(key, value)| {
            length(key) <= MAX_KEY && value.as_str().is_some_and(|value| length(value) <= MAX_VALUE)
        })
}

/// As JavaScript counts.
fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(payload: &Value) -> Option<Value> {
        read(payload.to_string().as_bytes())
    }

    #[test]
    fn a_location_is_a_path_with_parameters() {
        for payload in [
            json!({ "pathName": "/" }),
            json!({ "pathName": "/a/b", "searchParams": {} }),
            json!({ "pathName": "/a", "searchParams": { "q": "1" } }),
            json!({ "pathName": format!("/{}", "x".repeat(2047)) }),
            json!({ "pathName": "/", "searchParams": { "k".repeat(256): "v".repeat(1024) } }),
        ] {
            assert_eq!(location(&payload), Some(payload));
        }
        let more = json!({ "pathName": "/", "junk": "x".repeat(9999) });
        assert_eq!(location(&more), Some(json!({ "pathName": "/" })));
    }

    #[test]
    fn everything_else_is_ignored() {
        let many: Map<String, Value> = (0..51).map(|n| (n.to_string(), "x".into())).collect();
        for payload in [
            json!(null),
            json!([]),
            json!({}),
            json!({ "pathName": 1 }),
            json!({ "pathName": "" }),
            json!({ "pathName": "a" }),
            json!({ "pathName": "/\u{0}" }),
            json!({ "pathName": format!("/{}", "x".repeat(2048)) }),
            json!({ "pathName": "/", "searchParams": null }),
            json!({ "pathName": "/", "searchParams": ["a"] }),
            json!({ "pathName": "/", "searchParams": { "a": 1 } }),
            json!({ "pathName": "/", "searchParams": { "k".repeat(257): "" } }),
            json!({ "pathName": "/", "searchParams": { "k": "v".repeat(1025) } }),
            json!({ "pathName": "/", "searchParams": many }),
        ] {
            assert_eq!(location(&payload), None, "{payload}");
        }
        assert_eq!(read(b"{"), None);
    }
}
