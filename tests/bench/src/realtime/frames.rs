//! What goes over a WebSocket, with as little work per frame as there can be: the generator must not be the
//! limit.

use anyhow::{bail, ensure};
use bytes::BufMut;

/// Not zero, so that a server has to unmask as it does for anybody.
const MASK: [u8; 4] = [0x5c, 0x11, 0xa7, 0x3e];

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// One frame of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) kind: Kind,
    pub(crate) payload: &'a [u8],
    /// Bytes with the head.
    pub(crate) size: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Close,
    Control,
}

/// What a text frame says, as far as the benches care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    /// The transport is open.
    Open,
    /// The client has joined the namespace.
    Connected,
    Ping,
    /// One recipient's frame of a fanout.
    Delivery,
    /// The answer to a call.
    Answer,
    /// The answer to `joinRoom` and `getJoinedRooms`.
    Rooms,
    /// Acknowledgements and events that nothing waits for.
    Other,
    /// Nothing that a server should say here.
    Unexpected,
}

/// The first frame in `bytes`; none while a part of it is missing.
pub(crate) fn first(bytes: &[u8]) -> anyhow::Result<Option<Frame<'_>>> {
    let &[head, length, ..] = bytes else { return Ok(None) };
    let (offset, length): (usize, usize) = match length {
        126 => match bytes.get(2..4) {
            Some(wide) => (4, usize::from(u16::from_be_bytes(wide.try_into()?))),
            None => return Ok(None),
        },
        127 => match bytes.get(2..10) {
            Some(wide) => (10, usize::try_from(u64::from_be_bytes(wide.try_into()?))?),
            None => return Ok(None),
        },
        short => (2, usize::from(short)),
    };
    ensure!(bytes[1] & MASKED == 0, "a server masked a frame");
    let kind = match head {
        _ if head & FIN == 0 => bail!("a server sent a message in pieces"),
        _ if head & 0x70 != 0 => bail!("a server set reserved bits"),
        _ if head & 0x0f == TEXT => Kind::Text,
        _ if head & 0x0f == CLOSE => Kind::Close,
        _ if head & 0x0f == PING || head & 0x0f == PONG => Kind::Control,
        _ => bail!("a server sent a frame of kind {}", head & 0x0f),
    };
    let payload = offset.checked_add(length).and_then(|end| bytes.get(offset..end));
    Ok(payload.map(|payload| Frame { kind, payload, size: offset + length }))
}

/// Appends a client's text frame.
pub(crate) fn write(payload: &[u8], out: &mut Vec<u8>) {
    out.push(FIN | TEXT);
    match payload.len() {
        short @ ..126 => out.push(MASKED | short as u8),
        wide @ ..0x1_0000 => {
            out.push(MASKED | 126);
            out.put_u16(wide as u16);
        }
        wider => {
            out.push(MASKED | 127);
            out.put_u64(wider as u64);
        }
    }
    out.extend_from_slice(&MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

/// What a text frame is.
pub(crate) fn packet(payload: &[u8]) -> Packet {
    const EVENT: &[u8] = b"42[\"";
    match payload {
        [b'2'] => Packet::Ping,
        [b'0', ..] => Packet::Open,
        [b'4', b'0', ..] => Packet::Connected,
        _ => match payload.strip_prefix(EVENT) {
            Some(event) if event.starts_with(b"sync\"") => Packet::Delivery,
            Some(event) if event.starts_with(b"apiResponse-") => Packet::Answer,
            Some(event) if event.starts_with(b"getJoinedRooms-") || event.starts_with(b"joinRoom-") => {
                Packet::Rooms
            }
            // An acknowledgement; failures of sync calls are told by it.
            Some(event) if event.starts_with(b"sync-") && find(event, b"\"status\":\"error\"").is_some() => {
                Packet::Unexpected
            }
            Some(_) => Packet::Other,
            None => Packet::Unexpected,
        },
    }
}

/// The number behind `key`, looked for at `hint` first, which then is where it was.
pub(crate) fn number(payload: &[u8], key: &[u8], hint: &mut usize) -> Option<u64> {
    if !payload.get(*hint..).is_some_and(|rest| rest.starts_with(key)) {
        *hint = find(payload, key)?;
    }
    let digits = &payload[*hint + key.len()..];
    let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    (end > 0).then(|| digits[..end].iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

/// Where `needle` begins.
pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_length_are_read_and_partial_ones_waited_for() {
        for length in [0, 125, 126, 0xffff, 0x1_0000] {
            let mut bytes = vec![0x81];
            match length {
                0..126 => bytes.push(length as u8),
                126..0x1_0000 => {
                    bytes.push(126);
                    bytes.put_u16(length as u16);
                }
                _ => {
                    bytes.push(127);
                    bytes.put_u64(length as u64);
                }
            }
            bytes.extend(vec![b'x'; length]);
            for cut in [0, 1, bytes.len() - 1] {
                assert_eq!(first(&bytes[..cut]).unwrap(), None, "{cut} of {length}");
            }
            bytes.extend(b"more");
            let frame = first(&bytes).unwrap().unwrap();
            assert_eq!((frame.kind, frame.payload.len()), (Kind::Text, length));
            assert_eq!(frame.size + 4, bytes.len());
        }
    }

    #[test]
    fn what_a_server_may_not_send_is_refused() {
        assert!(first(&[0x81, 0x80, 0, 0, 0, 0]).is_err());
        assert!(first(&[0x01, 1, b'x']).is_err());
        assert!(first(&[0xc1, 1, b'x']).is_err());
        assert!(first(&[0x82, 1, b'x']).is_err());
    }

    #[test]
    fn what_is_written_is_masked() {
        let mut out = Vec::new();
        write(b"42[]", &mut out);
        assert_eq!(out[..6], [0x81, 0x84, 0x5c, 0x11, 0xa7, 0x3e]);
        let plain: Vec<u8> = out[6..].iter().zip(MASK).map(|(byte, mask)| byte ^ mask).collect();
        assert_eq!(plain, b"42[]");
    }

    #[test]
    fn packets_are_told_apart() {
        for (text, packet_of_it) in [
            ("2", Packet::Ping),
            ("0{\"sid\":1}", Packet::Open),
            ("40{\"sid\":1}", Packet::Connected),
            ("44{\"message\":\"no\"}", Packet::Unexpected),
            ("42[\"sync\",{}]", Packet::Delivery),
            ("42[\"sync-1\",{\"status\":\"success\"}]", Packet::Other),
            ("42[\"sync-1\",{\"status\":\"error\"}]", Packet::Unexpected),
            ("42[\"sync-progress-1\",{}]", Packet::Other),
            ("42[\"apiResponse-7\",{}]", Packet::Answer),
            ("42[\"joinRoom-7\",{}]", Packet::Rooms),
            ("42[\"getJoinedRooms-7\",{}]", Packet::Rooms),
            ("41", Packet::Unexpected),
        ] {
            assert_eq!(packet(text.as_bytes()), packet_of_it, "{text}");
        }
    }

    #[test]
    fn numbers_are_found_wherever_they_stand() {
        let mut hint = 0;
        assert_eq!(number(br#"{"a":1,"seq":42}"#, br#""seq":"#, &mut hint), Some(42));
        assert_eq!(hint, 7);
        assert_eq!(number(br#"{"seq":7,"b":1}"#, br#""seq":"#, &mut hint), Some(7));
        assert_eq!(number(br#"{"seq":"x"}"#, br#""seq":"#, &mut hint), None);
        assert_eq!(number(b"{}", br#""seq":"#, &mut hint), None);
    }
}
