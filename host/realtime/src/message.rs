//! What clients say (wire protocol §2.5): each event's payload, as far as it can be read.
//!
//! Hot: a call's payload is read in one pass that builds no tree, and its input stays the bytes that were
//! received.

use std::borrow::Cow;

use bytes::Bytes;
use luckystack_pipeline::json::{Members, object_members};

use crate::index::Index;

/// `apiRequest`, and what `sync` has in common with it.
#[derive(Debug, PartialEq)]
pub(crate) struct Request {
    /// `name`, when it is a string.
    pub(crate) name: Option<String>,
    /// `data`, when it is an object.
    pub(crate) data: Option<Bytes>,
    /// `responseIndex`, when it is a number.
    pub(crate) index: Option<Index>,
}

/// `sync`.
#[derive(Debug, PartialEq)]
pub(crate) struct SyncRequest {
    pub(crate) request: Request,
    /// `cb`, when it is a string.
    pub(crate) callback: Option<String>,
    /// `receiver` without the white space around it, when it is a string.
    pub(crate) receiver: Option<String>,
    /// Whether `ignoreSelf` is `true`.
    pub(crate) ignore_self: bool,
}

/// `joinRoom`, `leaveRoom` and `getJoinedRooms`.
#[derive(Debug, PartialEq)]
pub(crate) struct RoomRequest {
    /// `group` without the white space around it, when it is a string.
    pub(crate) group: Option<String>,
    pub(crate) index: Index,
}

/// What `/sync` is sent (§4.9).
#[derive(Debug, PartialEq)]
pub(crate) struct SyncBody {
    /// The input; none when `data` is an array.
    pub(crate) data: Option<Bytes>,
    pub(crate) callback: Option<String>,
    pub(crate) receiver: Option<String>,
    pub(crate) ignore_self: bool,
}

impl Request {
    /// Reads a payload; none when it is no object.
    pub(crate) fn read(payload: &Bytes) -> Option<Request> {
        Some(Request::of(&object_members(payload).ok()?, payload))
    }

    fn of(members: &Members<'_>, payload: &Bytes) -> Request {
        let data = members.get("data").filter(|data| data.value.first() == Some(&b'{'));
        Request {
            name: text(members, "name"),
            data: data.map(|data| payload.slice_ref(data.value)),
            index: index(members),
        }
    }
}

impl SyncRequest {
    /// Reads a payload; none when it is no object.
    pub(crate) fn read(payload: &Bytes) -> Option<SyncRequest> {
        let members = object_members(payload).ok()?;
        Some(SyncRequest {
            request: Request::of(&members, payload),
            callback: text(&members, "cb"),
            receiver: trimmed(&members, "receiver"),
            ignore_self: is_true(&members, "ignoreSelf"),
        })
    }
}

impl SyncBody {
    /// Reads a body; none when it is no object.
    pub(crate) fn read(body: &Bytes) -> Option<SyncBody> {
        let members = object_members(body).ok()?;
        let data = match members.get("data").map(|data| (data.value.first(), data.value)) {
            Some((Some(b'{'), object)) => Some(body.slice_ref(object)),
            Some((Some(b'['), _)) => None,
            _ => Some(Bytes::from_static(b"{}")),
        };
        Some(SyncBody {
            data,
            callback: trimmed(&members, "cb").filter(|callback| !callback.is_empty()),
            receiver: trimmed(&members, "receiver"),
            ignore_self: is_true(&members, "ignoreSelf"),
        })
    }
}

impl RoomRequest {
    /// Reads a payload; none without a number to reply to.
    pub(crate) fn read(payload: &Bytes) -> Option<RoomRequest> {
        let members = object_members(payload).ok()?;
        Some(RoomRequest { index: index(&members)?, group: trimmed(&members, "group") })
    }
}

/// The request that `apiCancel` ends: `responseIndex`, as a number or as its text.
pub(crate) fn cancelled_request(payload: &Bytes) -> Option<Index> {
    let members = object_members(payload).ok()?;
    let value = members.get("responseIndex")?;
    match value.as_str() {
        Some(text) => Index::read_text(&text),
        None => Index::read(value.value),
    }
}

/// The sync call that `syncCancel` ends: `cb`, its id.
pub(crate) fn cancelled_sync(payload: &Bytes) -> Option<String> {
    text(&object_members(payload).ok()?, "cb")
}

fn index(members: &Members<'_>) -> Option<Index> {
    Index::read(members.get("responseIndex")?.value)
}

fn text(members: &Members<'_>, name: &str) -> Option<String> {
    members.get(name)?.as_str().map(Cow::into_owned)
}

fn trimmed(members: &Members<'_>, name: &str) -> Option<String> {
    // A byte order mark is white space to JavaScript's trim, though not to Rust's.
    let text = members.get(name)?.as_str()?;
    Some(text.trim_matches(|char: char| char.is_whitespace() || char == '\u{feff}').to_owned())
}

fn is_true(members: &Members<'_>, name: &str) -> bool {
    members.get(name).is_some_and(|member| member.value == b"true")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn json(text: &str) -> Bytes {
        Bytes::copy_from_slice(text.as_bytes())
    }

    #[test]
    fn a_request_is_read_without_copying_its_data() {
        let payload = json(r#" {"name":"api/a/b/v1","data": {"x":[1]} ,"responseIndex":7} "#);
        let request = Request::read(&payload).unwrap();
        assert_eq!(request.name.as_deref(), Some("api/a/b/v1"));
        assert_eq!(request.index, Index::read(b"7"));
        let data = request.data.unwrap();
        assert_eq!(&data[..], br#"{"x":[1]}"#);
        assert!(payload.as_ptr_range().contains(&data.as_ptr()));
    }

    #[test]
    fn what_has_another_type_is_not_there() {
        for payload in ["null", "[]", "\"x\"", "7", "", "{"] {
            assert_eq!(Request::read(&json(payload)), None, "{payload}");
            assert_eq!(SyncRequest::read(&json(payload)), None, "{payload}");
            assert_eq!(RoomRequest::read(&json(payload)), None, "{payload}");
            assert_eq!(SyncBody::read(&json(payload)), None, "{payload}");
        }
        for payload in ["{}", r#"{"name":1,"data":[],"responseIndex":"7"}"#, r#"{"data":null}"#] {
            let request = Request::read(&json(payload)).unwrap();
            assert_eq!(request, Request { name: None, data: None, index: None }, "{payload}");
        }
        assert_eq!(RoomRequest::read(&json(r#"{"group":"a"}"#)), None);
        assert_eq!(RoomRequest::read(&json(r#"{"group":1,"responseIndex":1}"#)).unwrap().group, None);
    }

    #[test]
    fn a_sync_request_is_read_with_its_receiver_trimmed() {
        let payload = json(
            r#"{"name":"n","data":{},"cb":" c ","receiver":"\u0009 r \ufeff","responseIndex":1,"ignoreSelf":true}"#,
        );
        let sync = SyncRequest::read(&payload).unwrap();
        assert_eq!(sync.callback.as_deref(), Some(" c "));
        assert_eq!(sync.receiver.as_deref(), Some("r"));
        assert!(sync.ignore_self);
        let payload = json(r#"{"ignoreSelf":1,"receiver":2,"cb":{}}"#);
        let sync = SyncRequest::read(&payload).unwrap();
        assert_eq!((sync.callback, sync.receiver, sync.ignore_self), (None, None, false));
    }

    #[test]
    fn a_body_without_data_has_empty_data() {
        for (body, data) in [
            (r#"{"data":{"a":1}}"#, Some(r#"{"a":1}"#)),
            (r#"{"data":null}"#, Some("{}")),
            (r#"{"data":"x"}"#, Some("{}")),
            ("{}", Some("{}")),
            (r#"{"data":[1]}"#, None),
        ] {
            let read = SyncBody::read(&json(body)).unwrap();
            assert_eq!(read.data.as_deref(), data.map(str::as_bytes), "{body}");
        }
        let read = SyncBody::read(&json(r#"{"cb":" c ","receiver":" r "}"#)).unwrap();
        assert_eq!((read.callback.as_deref(), read.receiver.as_deref()), (Some("c"), Some("r")));
        let read = SyncBody::read(&json(r#"{"cb":" ","receiver":7}"#)).unwrap();
        assert_eq!((read.callback, read.receiver), (None, None));
    }

    #[test]
    fn a_request_is_cancelled_by_number_or_text() {
        for payload in [r#"{"responseIndex":7}"#, r#"{"responseIndex":"7"}"#, r#"{"responseIndex":7.0}"#] {
            assert_eq!(cancelled_request(&json(payload)), Index::read(b"7"), "{payload}");
        }
        for payload in [r#"{"responseIndex":"07"}"#, r#"{"responseIndex":null}"#, "{}", "7"] {
            assert_eq!(cancelled_request(&json(payload)), None, "{payload}");
        }
        assert_eq!(cancelled_sync(&json(r#"{"cb":"id"}"#)).as_deref(), Some("id"));
        assert_eq!(cancelled_sync(&json(r#"{"cb":7}"#)), None);
    }

    proptest! {
        #[test]
        fn nothing_that_is_sent_panics(payload in "[\\x00-\\x7f]{0,60}|\\{\"(name|data|cb|group|responseIndex)\":.{0,20}\\}") {
            let payload = json(&payload);
            let _ = (Request::read(&payload), SyncRequest::read(&payload), RoomRequest::read(&payload));
            let _ = (SyncBody::read(&payload), cancelled_request(&payload), cancelled_sync(&payload));
        }
    }
}
