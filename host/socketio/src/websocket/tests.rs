use bytes::Bytes;
use http::header::{CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use proptest::prelude::*;

use super::{CloseCode, Framed, Header, Message, Opcode, Reader, Refused, Violation, accept, close};
use crate::packet::Text;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A client's frame, with `first` as its first byte.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        len @ 0..126 => out.push(0x80 | len as u8),
        len @ 126..0x1_0000 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}

/// What a reader makes of bytes that come in `chunks`.
fn read_chunks<'a>(
    max: usize,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Message>, Option<Violation>) {
    let mut reader = Reader::new(max);
    let mut messages = Vec::new();
    for mut chunk in chunks {
        loop {
            match reader.next(&mut chunk) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(violation) => return (messages, Some(violation)),
            }
        }
        assert!(chunk.is_empty());
    }
    (messages, None)
}

fn read(bytes: &[u8]) -> (Vec<Message>, Option<Violation>) {
    read_chunks(1 << 20, [bytes])
}

fn code(bytes: &[u8]) -> CloseCode {
    read(bytes).1.expect("a violation").code
}

fn text(text: &str) -> Message {
    Message::Text(Text::from(text.to_owned()))
}

#[test]
fn messages_are_read_whole_and_in_fragments() {
    assert_eq!(read(&frame(0x81, b"hello")), (vec![text("hello")], None));
    assert_eq!(read(&frame(0x82, &[0, 1])), (vec![Message::Binary(Bytes::from_static(&[0, 1]))], None));
    assert_eq!(read(&frame(0x81, b"")), (vec![text("")], None));
    let large = "é".repeat(40_000);
    assert_eq!(read(&frame(0x81, large.as_bytes())), (vec![text(&large)], None));
    // A character in two fragments, and a ping between them.
    let bytes = [frame(0x01, b"h\xc3"), frame(0x89, b"?"), frame(0x00, b""), frame(0x80, b"\xa9")].concat();
    assert_eq!(read(&bytes), (vec![Message::Ping(Bytes::from_static(b"?")), text("hé")], None));
}

#[test]
fn an_idle_reader_keeps_nothing() {
    let mut reader = Reader::new(100);
    let bytes = [frame(0x81, b"hello"), frame(0x89, b"")].concat();
    let (first, second) = bytes.split_at(3);
    let mut chunk = first;
    assert_eq!(reader.next(&mut chunk), Ok(None));
    assert!(!reader.is_idle());
    let mut chunk = second;
    assert_eq!(reader.next(&mut chunk), Ok(Some(text("hello"))));
    assert_eq!(reader.next(&mut chunk), Ok(Some(Message::Ping(Bytes::new()))));
    assert!(reader.is_idle());
}

#[test]
fn messages_can_be_taken_one_by_one() {
    let mut reader = Reader::new(100);
    let bytes = [frame(0x81, b"a"), frame(0x81, b"b")].concat();
    let mut chunk = &bytes[..];
    assert_eq!(reader.next(&mut chunk), Ok(Some(text("a"))));
    assert_eq!(chunk, frame(0x81, b"b"));
}

#[test]
fn a_broken_rule_is_answered_with_its_code() {
    use CloseCode::{InvalidText, Protocol};
    let unmasked = [0x81, 0x02, b'h', b'i'];
    let no_minimal_16 = [&[0x81, 0x80 | 126, 0, 2][..], &MASK, b"xx"].concat();
    let no_minimal_64 = [&[0x81, 0x80 | 127, 0, 0, 0, 0, 0, 0, 1, 0][..], &MASK].concat();
    let negative = [&[0x81, 0x80 | 127, 0x80, 0, 0, 0, 0, 0, 0, 0][..], &MASK].concat();
    let cases: &[(&str, &[u8], CloseCode)] = &[
        ("unmasked", &unmasked, Protocol),
        ("first reserved bit", &frame(0xc1, b"a"), Protocol),
        ("second reserved bit", &frame(0xa1, b"a"), Protocol),
        ("third reserved bit", &frame(0x91, b"a"), Protocol),
        ("reserved data opcode", &frame(0x83, b"a"), Protocol),
        ("reserved control opcode", &frame(0x8b, b"a"), Protocol),
        ("ping in fragments", &frame(0x09, b"a"), Protocol),
        ("close in fragments", &frame(0x08, b""), Protocol),
        ("ping of 126 bytes", &frame(0x89, &[0; 126]), Protocol),
        ("continuation of nothing", &frame(0x80, b"a"), Protocol),
        ("text within a message", &[frame(0x01, b"a"), frame(0x81, b"b")].concat(), Protocol),
        ("binary within a message", &[frame(0x01, b"a"), frame(0x82, b"b")].concat(), Protocol),
        ("16-bit length for 2", &no_minimal_16, Protocol),
        ("64-bit length for 256", &no_minimal_64, Protocol),
        ("length with its highest bit", &negative, Protocol),
        ("close of one byte", &frame(0x88, &[3]), Protocol),
        ("close with 999", &frame(0x88, &999u16.to_be_bytes()), Protocol),
        ("close with 1004", &frame(0x88, &1004u16.to_be_bytes()), Protocol),
        ("close with 1005", &frame(0x88, &1005u16.to_be_bytes()), Protocol),
        ("close with 1006", &frame(0x88, &1006u16.to_be_bytes()), Protocol),
        ("close with 1015", &frame(0x88, &1015u16.to_be_bytes()), Protocol),
        ("close with 2999", &frame(0x88, &2999u16.to_be_bytes()), Protocol),
        ("close with 5000", &frame(0x88, &5000u16.to_be_bytes()), Protocol),
        ("text that is not UTF-8", &frame(0x81, b"\xff"), InvalidText),
        ("text that ends in a character", &frame(0x81, b"\xc3"), InvalidText),
        ("a surrogate", &frame(0x81, b"\xed\xa0\x80"), InvalidText),
        ("fragments that are not UTF-8", &[frame(0x01, b"\xc3"), frame(0x80, b"a")].concat(), InvalidText),
        ("close reason that is not UTF-8", &frame(0x88, b"\x03\xe8\xff"), InvalidText),
    ];
    for (name, bytes, expected) in cases {
        assert_eq!(code(bytes), *expected, "{name}");
    }
}

#[test]
fn a_message_above_the_limit_is_refused_before_it_has_come() {
    let max = 10;
    let (messages, none) = read_chunks(max, [&frame(0x81, &[b'a'; 10])[..]]);
    assert_eq!((messages.len(), none), (1, None));
    let header = &frame(0x82, &[0; 11])[..2];
    // One byte of length is known with the second byte, and the mask is not waited for.
    assert_eq!(read_chunks(max, [header]).1.expect("a violation").code, CloseCode::TooBig);
    let huge = [0x82, 0x80 | 127, 0x7f, 255, 255, 255, 255, 255, 255, 255];
    assert_eq!(read_chunks(max, [&huge[..]]).1.expect("a violation").code, CloseCode::TooBig);
    let fragments = [frame(0x01, &[b'a'; 6]), frame(0x00, &[b'a'; 4]), frame(0x80, b"a")].concat();
    assert_eq!(read_chunks(max, [&fragments[..]]).1.expect("a violation").code, CloseCode::TooBig);
    // Control frames do not count.
    let ping = frame(0x89, &[0; 125]);
    assert_eq!(read_chunks(max, [&ping[..]]).1, None);
}

#[test]
fn nothing_is_read_after_a_close_frame() {
    let bytes = [frame(0x88, &1000u16.to_be_bytes()), frame(0x81, b"late"), vec![0xff]].concat();
    assert_eq!(read(&bytes), (vec![Message::Close(Some(1000))], None));
    assert_eq!(read(&[frame(0x88, b""), frame(0x81, b"late")].concat()), (vec![Message::Close(None)], None));
    assert_eq!(read(&frame(0x88, b"\x0b\xb8bye")).0, [Message::Close(Some(3000))]);
}

#[test]
fn pings_and_closes_are_answered_with_what_they_carried() {
    assert_eq!(Message::Ping(Bytes::from_static(b"hi")).answer(), Some(vec![0x8a, 2, b'h', b'i']));
    assert_eq!(Message::Close(Some(1001)).answer(), Some(vec![0x88, 2, 3, 0xe9]));
    assert_eq!(Message::Close(None).answer(), Some(vec![0x88, 0]));
    assert_eq!(close(Some(CloseCode::Protocol)), [0x88, 2, 3, 0xea]);
    assert_eq!(close(None), [0x88, 0]);
}

#[test]
fn headers_are_as_short_as_they_can_be() {
    for (payload, expected) in [
        (0, &[0x81, 0][..]),
        (125, &[0x81, 125]),
        (126, &[0x81, 126, 0, 126]),
        (65_535, &[0x81, 126, 255, 255]),
        (65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] {
        assert_eq!(Header::new(Opcode::Text, payload).as_slice(), expected);
        let framed = Framed::text(payload, |out| out.resize(out.len() + payload, b'x'));
        assert_eq!(&framed.frame()[..expected.len()], expected);
        assert_eq!(framed.payload(), vec![b'x'; payload]);
        assert_eq!(framed.to_payload(), framed.payload());
        assert!(!framed.is_binary());
    }
    assert!(Framed::binary(&[1]).is_binary());
    assert_eq!(&Framed::binary(&[1]).frame()[..], [0x82, 1, 1]);
}

fn opening() -> HeaderMap {
    HeaderMap::from_iter([
        (CONNECTION, HeaderValue::from_static("keep-alive, Upgrade")),
        (UPGRADE, HeaderValue::from_static("WebSocket")),
        (SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")),
        (SEC_WEBSOCKET_KEY, HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==")),
    ])
}

#[test]
fn the_handshake_of_the_rfc_is_accepted() {
    let accepted = accept(&Method::GET, Version::HTTP_11, &opening()).expect("accepted");
    assert_eq!(accepted, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#[test]
fn a_handshake_that_is_none_is_refused() {
    assert_eq!(accept(&Method::POST, Version::HTTP_11, &opening()), Err(Refused::Method));
    assert_eq!(accept(&Method::GET, Version::HTTP_10, &opening()), Err(Refused::HttpVersion));
    assert_eq!(accept(&Method::GET, Version::HTTP_2, &opening()), Err(Refused::HttpVersion));
    let cases: &[(HeaderName, Option<&'static str>, Refused)] = &[
        (CONNECTION, None, Refused::NoUpgrade),
        (CONNECTION, Some("keep-alive"), Refused::NoUpgrade),
        (UPGRADE, None, Refused::NoUpgrade),
        (UPGRADE, Some("h2c"), Refused::NoUpgrade),
        (SEC_WEBSOCKET_VERSION, None, Refused::Version),
        (SEC_WEBSOCKET_VERSION, Some("8"), Refused::Version),
        (SEC_WEBSOCKET_KEY, None, Refused::Key),
        (SEC_WEBSOCKET_KEY, Some("dGhlIHNhbXBsZSBub25jZQ"), Refused::Key),
        (SEC_WEBSOCKET_KEY, Some("c2hvcnQ="), Refused::Key),
        (SEC_WEBSOCKET_KEY, Some("not base64 at all!!!"), Refused::Key),
    ];
    for (name, value, expected) in cases {
        let mut headers = opening();
        headers.remove(name);
        if let Some(value) = value {
            headers.insert(name, HeaderValue::from_static(value));
        }
        assert_eq!(accept(&Method::GET, Version::HTTP_11, &headers), Err(*expected), "{name} {value:?}");
    }
    let mut headers = opening();
    headers.append(SEC_WEBSOCKET_KEY, HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ=="));
    assert_eq!(accept(&Method::GET, Version::HTTP_11, &headers), Err(Refused::Key));
}

/// A client's frames: messages in fragments, control frames between them, now and then a mistake.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..20),
        ".{0,300}".prop_map(String::into_bytes),
        Just(vec![b'x'; 70_000]),
    ];
    let first = prop_oneof![
        20 => Just(0x81u8), 5 => Just(0x82u8), 10 => Just(0x01u8), 10 => Just(0x00u8), 10 => Just(0x80u8),
        5 => Just(0x89u8), 5 => Just(0x8au8), 1 => Just(0x88u8), 1 => any::<u8>(),
    ];
    prop::collection::vec((first, payload).prop_map(|(first, payload)| frame(first, &payload)), 0..8)
        .prop_map(|frames| frames.concat())
}

/// `bytes` cut at each of `cuts`.
fn split<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.sort_unstable();
    let mut chunks = Vec::new();
    let mut from = 0;
    for cut in cuts {
        chunks.push(&bytes[from..cut]);
        from = cut;
    }
    chunks.push(&bytes[from..]);
    chunks
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let (_, violation) = read(&bytes);
        if let Some(violation) = violation {
            prop_assert!(matches!(
                violation.code,
                CloseCode::Protocol | CloseCode::InvalidText | CloseCode::TooBig
            ));
        }
    }

    #[test]
    fn frames_cut_anywhere_are_read_the_same(
        bytes in frames(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let whole = read_chunks(100_000, [&bytes[..]]);
        prop_assert_eq!(&whole, &read_chunks(100_000, split(&bytes, &cuts)));
        if bytes.len() < 2000 {
            prop_assert_eq!(&whole, &read_chunks(100_000, bytes.chunks(1)));
        }
    }

    #[test]
    fn messages_survive_the_way(messages in prop::collection::vec(
        prop_oneof![
            any::<String>().prop_map(|text| Message::Text(Text::from(text))),
            prop::collection::vec(any::<u8>(), 0..300).prop_map(|bytes| Message::Binary(bytes.into())),
        ],
        0..6,
    )) {
        let bytes: Vec<u8> = messages
            .iter()
            .flat_map(|message| match message {
                Message::Text(text) => frame(0x81, text.as_bytes()),
                Message::Binary(bytes) => frame(0x82, bytes),
                _ => unreachable!(),
            })
            .collect();
        prop_assert_eq!(read(&bytes), (messages, None));
    }
}
