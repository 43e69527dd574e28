//! What is said over a connection, as text: Engine.IO packets and, in their messages, Socket.IO packets.
//!
//! The rule kept here: text is looked at once. A message is scanned for being the packet that it claims to
//! be, and its arguments are handed on as slices of it; nothing is built that nobody asked for. What the
//! scanner lets pass is valid JSON, and what it does not let pass ends the connection.

pub mod engine;
mod json;
mod placeholders;
pub mod socket;
mod text;

#[cfg(test)]
mod tests;

pub use self::json::{MAX_DEPTH, escape};
pub use self::text::Text;

/// Why what a client sent is no packet. Says nothing of what was in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not UTF-8.
    #[error("the text is not UTF-8")]
    Utf8,
    /// No Engine.IO packet begins like that.
    #[error("unknown Engine.IO packet type")]
    EngineType,
    /// After `b` stands no base64.
    #[error("the binary packet is not base64")]
    Base64,
    /// No Socket.IO packet of a client begins like that.
    #[error("unknown Socket.IO packet type")]
    SocketType,
    /// The number of attachments is none.
    #[error("the number of attachments cannot be read")]
    Attachments,
    /// More attachments than a packet may have.
    #[error("a packet has too many attachments")]
    TooManyAttachments,
    /// The acknowledgement's number is none.
    #[error("the number of the acknowledgement cannot be read")]
    AckId,
    /// The payload is not JSON.
    #[error("the payload is not JSON")]
    Json,
    /// The payload is JSON, but not what a packet of that type carries.
    #[error("the payload does not fit the packet")]
    Payload,
    /// More arguments than an event may have.
    #[error("an event has too many arguments")]
    TooManyArguments,
    /// An event has a name that the protocol keeps for itself.
    #[error("the event's name is reserved")]
    ReservedName,
    /// Text came where an attachment was due.
    #[error("text came where an attachment was due")]
    TextForAttachment,
    /// An attachment came that nobody announced.
    #[error("binary data came that no packet had announced")]
    UnexpectedBinary,
    /// Placeholders and attachments do not fit.
    #[error("placeholders and attachments do not fit")]
    Placeholders,
}
