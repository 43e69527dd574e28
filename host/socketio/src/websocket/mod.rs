//! The server's side of RFC 6455: handshake, frames in, frames out. No extensions, no subprotocols.

mod frame;
mod handshake;
mod reader;

#[cfg(test)]
mod tests;

pub use self::frame::{Framed, Header, Opcode, close};
pub use self::handshake::{Refused, accept};
pub use self::reader::{Message, Reader};

/// Why a connection is closed (§7.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum CloseCode {
    /// It has served its purpose.
    Normal = 1000,
    /// The server stops.
    GoingAway = 1001,
    /// What came is no frame of a client.
    Protocol = 1002,
    /// What came cannot be used.
    Unsupported = 1003,
    /// Text that is not UTF-8.
    InvalidText = 1007,
    /// Against the server's rules.
    Policy = 1008,
    /// Larger than the server takes.
    TooBig = 1009,
    /// The server failed.
    Internal = 1011,
}

/// What a client did wrong; it is told the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Violation {
    /// For the close frame.
    pub code: CloseCode,
    /// For the log.
    pub reason: &'static str,
}

impl Violation {
    const fn protocol(reason: &'static str) -> Violation {
        Violation { code: CloseCode::Protocol, reason }
    }
}
