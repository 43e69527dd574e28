//! Frames and acknowledgements of sync calls (wire protocol §4.5, §4.6, §4.9), spliced from the bytes that
//! handlers gave.
//!
//! Hot: one buffer per frame, one copy of what goes into it, and no tree of a payload.

use crate::envelope::{ErrorEnvelope, Shape};
use crate::json::{JsonError, object_members, write_str};

/// Keys of a stream frame that are the framework's, whatever a chunk says.
const FRAMEWORK_KEYS: [&str; 3] = ["cb", "fullName", "status"];

/// What all frames of one fanout share.
#[derive(Debug)]
pub(super) struct Frames {
    /// `{"cb":…,"fullName":…`, without the end of the object.
    head: Vec<u8>,
    /// `<fullName> sync success` as a JSON string.
    message: Vec<u8>,
}

impl Frames {
    pub(super) fn new(callback: &str, full: &str) -> Frames {
        let mut head = Vec::with_capacity(callback.len() + full.len() + 24);
        head.push(b'{');
        write_names(&mut head, Some(callback), full);
        let mut message = Vec::with_capacity(full.len() + 16);
        write_str(&mut message, &success_message(full));
        Frames { head, message }
    }

    /// A recipient's success. `message` is a JSON string; without one it is the usual.
    pub(super) fn success(
        &self,
        server_output: &[u8],
        client_output: &[u8],
        message: Option<&[u8]>,
    ) -> Vec<u8> {
        let message = message.unwrap_or(&self.message);
        splice(&[
            &self.head,
            b",\"serverOutput\":",
            server_output,
            b",\"clientOutput\":",
            client_output,
            b",\"message\":",
            message,
            b",\"status\":\"success\"}",
        ])
    }

    /// A recipient's error.
    pub(super) fn error(&self, envelope: &ErrorEnvelope) -> Vec<u8> {
        let mut frame = Vec::with_capacity(self.head.len() + envelope.message.len() + 96);
        frame.extend_from_slice(&self.head);
        let open = frame.len();
        envelope.write(&mut frame, Shape::Full);
        // Its own members go on where the names end.
        frame[open] = b',';
        frame
    }

    /// A chunk for one recipient.
    pub(super) fn stream(&self, chunk: &[u8]) -> Result<Vec<u8>, JsonError> {
        stream_with(chunk, |frame| frame.extend_from_slice(&self.head[1..]))
    }
}

/// A chunk for many: `{…chunk, cb, fullName, status:"stream"}`; no `cb` when the caller sent none.
pub(super) fn stream(chunk: &[u8], callback: Option<&str>, full: &str) -> Result<Vec<u8>, JsonError> {
    stream_with(chunk, |frame| write_names(frame, callback, full))
}

/// What the caller is told over a socket.
pub(super) fn acknowledgement(full: &str, server_output: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(full.len() + 16);
    write_str(&mut message, &format!("sync {full} success"));
    acknowledge(&message, server_output)
}

/// What the caller is told over HTTP: the server half's message when it is a string, else the usual.
pub(super) fn response(full: &str, server_output: &[u8]) -> Vec<u8> {
    if let Some(message) = message_of(server_output) {
        return acknowledge(message, server_output);
    }
    let mut message = Vec::with_capacity(full.len() + 16);
    write_str(&mut message, &success_message(full));
    acknowledge(&message, server_output)
}

/// The `message` of an object, as a JSON string; none when it has none or another value there.
pub(super) fn message_of(output: &[u8]) -> Option<&[u8]> {
    let members = object_members(output).ok()?;
    let message = members.get("message")?.value;
    (message.first() == Some(&b'"')).then_some(message)
}

fn acknowledge(message: &[u8], server_output: &[u8]) -> Vec<u8> {
    splice(&[b"{\"status\":\"success\",\"message\":", message, b",\"result\":", server_output, b"}"])
}

fn success_message(full: &str) -> String {
    format!("{full} sync success")
}

fn write_names(out: &mut Vec<u8>, callback: Option<&str>, full: &str) {
    if let Some(callback) = callback {
        out.extend_from_slice(b"\"cb\":");
        write_str(out, callback);
        out.push(b',');
    }
    out.extend_from_slice(b"\"fullName\":");
    write_str(out, full);
}

fn stream_with(chunk: &[u8], names: impl FnOnce(&mut Vec<u8>)) -> Result<Vec<u8>, JsonError> {
    let members = object_members(chunk)?;
    let mut frame = Vec::with_capacity(chunk.len() + 160);
    frame.push(b'{');
    members.append_where(&mut frame, |member| !FRAMEWORK_KEYS.iter().any(|key| member.key_is(key)));
    if frame.len() > 1 {
        frame.push(b',');
    }
    names(&mut frame);
    frame.extend_from_slice(b",\"status\":\"stream\"}");
    Ok(frame)
}

fn splice(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::envelope::sync;

    fn read(frame: &[u8]) -> Value {
        serde_json::from_slice(frame)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(frame)))
    }

    #[test]
    fn frames_are_those_of_the_reference_exchange() {
        let full = "sync/board/moveCard/v1";
        let output = br#"{"status":"success","moved":true}"#;
        assert_eq!(
            acknowledgement(full, output),
            br#"{"status":"success","message":"sync sync/board/moveCard/v1 success","result":{"status":"success","moved":true}}"#
        );
        let frames = Frames::new(full, full);
        assert_eq!(
            frames.success(output, br#"{"status":"success","mine":false}"#, None),
            br#"{"cb":"sync/board/moveCard/v1","fullName":"sync/board/moveCard/v1","serverOutput":{"status":"success","moved":true},"clientOutput":{"status":"success","mine":false},"message":"sync/board/moveCard/v1 sync success","status":"success"}"#
        );
        assert_eq!(
            stream(br#"{"progress":10}"#, Some("doc/render/v1"), "sync/doc/render/v1").unwrap(),
            br#"{"progress":10,"cb":"doc/render/v1","fullName":"sync/doc/render/v1","status":"stream"}"#
        );
    }

    #[test]
    fn an_error_frame_is_an_envelope_with_the_names_of_the_fanout() {
        let frames = Frames::new("board/moveCard/v1", "sync/board/moveCard/v1");
        let envelope = ErrorEnvelope::new(sync::CLIENT_REJECTED).param("why", "closed");
        assert_eq!(
            read(&frames.error(&envelope)),
            json!({
                "cb": "board/moveCard/v1", "fullName": "sync/board/moveCard/v1", "status": "error",
                "message": "sync.clientRejected", "errorCode": "sync.clientRejected",
                "errorParams": [{ "key": "why", "value": "closed" }], "httpStatus": 400,
            })
        );
    }

    #[test]
    fn framework_keys_overwrite_those_of_a_chunk_however_they_are_written() {
        let chunk = br#"{"cb":1,"a":1,"\u0063b":2,"status":"success","fullName":null,"b":2}"#;
        assert_eq!(
            stream(chunk, Some("x"), "sync/a/b/v1").unwrap(),
            br#"{"a":1,"b":2,"cb":"x","fullName":"sync/a/b/v1","status":"stream"}"#
        );
        // A caller that sent no callback leaves none, not the chunk's.
        assert_eq!(
            stream(br#"{"cb":1}"#, None, "sync/a/b/v1").unwrap(),
            br#"{"fullName":"sync/a/b/v1","status":"stream"}"#
        );
        assert!(stream(b"[1]", None, "sync/a/b/v1").is_err());
    }

    #[test]
    fn the_message_of_a_server_half_is_that_of_an_http_response() {
        let message = |output: &str| read(&response("sync/a/b/v1", output.as_bytes()))["message"].clone();
        assert_eq!(message(r#"{"status":"success","message":"moved \"it\""}"#), "moved \"it\"");
        assert_eq!(message(r#"{"status":"success","message":7}"#), "sync/a/b/v1 sync success");
        assert_eq!(message(r#"{"status":"success"}"#), "sync/a/b/v1 sync success");
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(key(), inner, 0..4)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    fn key() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("cb".to_owned()),
            Just("fullName".to_owned()),
            Just("status".to_owned()),
            Just("message".to_owned()),
            any::<String>(),
        ]
    }

    fn object() -> impl Strategy<Value = Value> {
        prop::collection::hash_map(key(), any_json(), 0..6)
            .prop_map(|members| members.into_iter().collect::<Value>())
    }

    proptest! {
        /// Splicing says what building a tree and writing it would say.
        #[test]
        fn spliced_frames_say_what_built_ones_would(
            server in object(), client in object(), chunk in object(), pretty in any::<bool>(),
            callback in any::<String>(), full in any::<String>(), has_callback in any::<bool>(),
        ) {
            let text = |value: &Value| match pretty {
                true => serde_json::to_vec_pretty(value).unwrap(),
                false => serde_json::to_vec(value).unwrap(),
            };
            let frames = Frames::new(&callback, &full);
            let message = client.get("message").filter(|message| message.is_string());
            let expected = json!({
                "cb": callback, "fullName": full, "serverOutput": server, "clientOutput": client,
                "message": message.cloned().unwrap_or_else(|| format!("{full} sync success").into()),
                "status": "success",
            });
            let client = text(&client);
            prop_assert_eq!(read(&frames.success(&text(&server), &client, message_of(&client))), expected);

            let callback = has_callback.then_some(callback.as_str());
            let mut expected = chunk.clone();
            let members = expected.as_object_mut().unwrap();
            members.remove("cb");
            if let Some(callback) = callback {
                members.insert("cb".into(), callback.into());
            }
            members.insert("fullName".into(), full.as_str().into());
            members.insert("status".into(), "stream".into());
            prop_assert_eq!(read(&stream(&text(&chunk), callback, &full).unwrap()), expected);
        }
    }
}
