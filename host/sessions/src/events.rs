//! What sockets must be told, and how hosts tell each other.
//!
//! On a shared backplane every host says what it did on the channel `<project>:session-events`, one JSON
//! object a message:
//!
//! | field | meaning |
//! |---|---|
//! | `v` | 1; messages with another number are ignored |
//! | `from` | the host that says it, a random name; its own messages are ignored, it has told its sockets |
//! | `type` | `updated`, `replaced` or `loggedOut`; others are ignored |
//! | `token` | whose sockets |
//! | `session` | `updated` only: the object of `updateSession`, as text |
//! | `userId` | `replaced` only: the user. It means `sessionReplaced` and then `logout` |
//!
//! Messages are for sockets only. That a session has ended or changed is known from the store itself, so
//! a message that is lost with a connection costs a socket its notice and nothing else: its next call is
//! refused all the same. Two hosts that change one session within the same milliseconds may tell a socket
//! the older object last; the next change brings the newer.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Version of the messages.
const VERSION: u32 = 1;

/// Something sockets of a session must be told, on this host, whichever host it happened on.
///
/// A receiver that is more than [`BACKLOG`](crate::BACKLOG) events behind loses the oldest and is told so
/// ([`RecvError::Lagged`](tokio::sync::broadcast::error::RecvError::Lagged)). What it lost are notices:
/// the calls of a session that has ended are refused without them.
#[derive(Clone, PartialEq, Eq)]
pub enum SessionEvent {
    /// The session changed: `updateSession` with this object (§2.6), JSON without the token.
    Updated {
        /// Whose sockets.
        token: Arc<str>,
        /// The session object.
        session: Bytes,
        /// Whether it was changed on this host, and not on another one that tells of it.
        here: bool,
    },
    /// A login elsewhere ended the session: `sessionReplaced`.
    Replaced {
        /// Whose sockets.
        token: Arc<str>,
        /// The user.
        user_id: Arc<str>,
    },
    /// The session ended: `logout` `"success"`, and the sockets leave its room.
    LoggedOut {
        /// Whose sockets.
        token: Arc<str>,
    },
}

/// A message between hosts.
#[derive(Debug, Serialize, Deserialize)]
struct Message {
    v: u32,
    from: String,
    #[serde(flatten)]
    notice: Notice,
}

/// What happened to a session.
#[derive(Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(crate) enum Notice {
    Updated {
        token: Arc<str>,
        /// JSON as text: it is passed on as it is.
        session: String,
    },
    #[serde(rename_all = "camelCase")]
    Replaced {
        token: Arc<str>,
        user_id: Arc<str>,
    },
    LoggedOut {
        token: Arc<str>,
    },
}

// --- Notice ---

impl Notice {
    pub(crate) fn token(&self) -> &str {
        match self {
            Notice::Updated { token, .. } | Notice::Replaced { token, .. } | Notice::LoggedOut { token } => {
                token
            }
        }
    }

    /// What sockets are told, in this order; `here` when this host is where it happened.
    pub(crate) fn events(self, here: bool) -> impl Iterator<Item = SessionEvent> {
        let (first, second) = match self {
            Notice::Updated { token, session } => {
                (SessionEvent::Updated { token, session: Bytes::from(session), here }, None)
            }
            Notice::Replaced { token, user_id } => {
                let ended = SessionEvent::LoggedOut { token: token.clone() };
                (SessionEvent::Replaced { token, user_id }, Some(ended))
            }
            Notice::LoggedOut { token } => (SessionEvent::LoggedOut { token }, None),
        };
        std::iter::once(first).chain(second)
    }

    /// As a message of the host `from`.
    pub(crate) fn write(&self, from: &str) -> Bytes {
        let message = Message { v: VERSION, from: from.into(), notice: self.clone() };
        serde_json::to_vec(&message).expect("a message of texts can be written").into()
    }

    /// What a message of another host says; none for what this one need not or cannot understand.
    pub(crate) fn read(message: &[u8], own: &str) -> Option<Notice> {
        #[derive(Deserialize)]
        struct Head {
            v: u32,
        }
        // Another version's messages may look different in everything else.
        let head: Head = serde_json::from_slice(message).ok()?;
        if head.v != VERSION {
            return None;
        }
        let message: Message = serde_json::from_slice(message).ok()?;
        (message.from != own).then_some(message.notice)
    }
}

/// Without tokens and sessions.
impl fmt::Debug for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Notice::Updated { .. } => "Updated",
            Notice::Replaced { .. } => "Replaced",
            Notice::LoggedOut { .. } => "LoggedOut",
        })
    }
}

/// Without tokens and sessions.
impl fmt::Debug for SessionEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionEvent::Updated { .. } => f.write_str("Updated"),
            SessionEvent::Replaced { user_id, .. } => f.debug_tuple("Replaced").field(user_id).finish(),
            SessionEvent::LoggedOut { .. } => f.write_str("LoggedOut"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Notice, SessionEvent};

    fn all() -> [Notice; 3] {
        [
            Notice::Updated { token: "t".into(), session: r#"{"id":"u"}"#.into() },
            Notice::Replaced { token: "t".into(), user_id: "u".into() },
            Notice::LoggedOut { token: "t".into() },
        ]
    }

    #[test]
    fn messages_have_the_documented_shape() {
        let written = all().map(|notice| String::from_utf8(notice.write("h").to_vec()).unwrap());
        assert_eq!(
            written,
            [
                r#"{"v":1,"from":"h","type":"updated","token":"t","session":"{\"id\":\"u\"}"}"#,
                r#"{"v":1,"from":"h","type":"replaced","token":"t","userId":"u"}"#,
                r#"{"v":1,"from":"h","type":"loggedOut","token":"t"}"#,
            ]
        );
    }

    #[test]
    fn other_hosts_messages_are_read_and_own_ones_are_not() {
        for notice in all() {
            assert!(Notice::read(&notice.write("other"), "own") == Some(notice.clone()));
            assert!(Notice::read(&notice.write("own"), "own").is_none());
        }
    }

    #[test]
    fn what_is_not_understood_is_ignored() {
        for message in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"v":2,"from":"h","type":"loggedOut","token":"t"}"#,
            r#"{"v":1,"from":"h","type":"promoted","token":"t"}"#,
            r#"{"v":1,"from":"h","type":"updated","token":"t"}"#,
            r#"{"v":1,"type":"loggedOut","token":"t"}"#,
        ] {
            assert!(Notice::read(message.as_bytes(), "own").is_none(), "{message}");
        }
        let more = r#"{"v":1,"from":"h","type":"loggedOut","token":"t","since":7}"#;
        assert!(Notice::read(more.as_bytes(), "own").is_some());
    }

    #[test]
    fn a_replaced_session_is_logged_out_too() {
        let [_, replaced, _] = all();
        let events: Vec<_> = replaced.events(true).collect();
        assert!(
            events
                == [
                    SessionEvent::Replaced { token: "t".into(), user_id: "u".into() },
                    SessionEvent::LoggedOut { token: "t".into() },
                ]
        );
    }

    #[test]
    fn tokens_are_not_shown() {
        let notice = Notice::Updated { token: "s3cret".into(), session: "s3cret".into() };
        assert!(!format!("{notice:?}").contains("s3cret"));
        for event in notice.events(true) {
            assert!(!format!("{event:?}").contains("s3cret"));
        }
    }
}
