//! RFC 6455: what breaks a rule of it is answered with the close code for it.

use luckystack_socketio::{Reason, Settings};

use crate::app::World;
use crate::websocket::{BINARY, CLOSE, Frame, LAST, PING, PONG, TEXT, WebSocket, frame, header};

/// Sends bytes that are wrong; the close code that is answered.
async fn code(bytes: &[u8]) -> Option<u16> {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    world.connected().await;
    client.send_bytes(bytes).await;
    let code = client.closed().await;
    assert_eq!(world.disconnected().await, Reason::TransportError);
    assert_eq!(world.server.io.stats().misused, 1);
    code
}

#[tokio::test]
async fn a_frame_that_is_not_masked_is_refused_with_1002() {
    assert_eq!(code(&[LAST | TEXT, 1, b'3']).await, Some(1002));
}

#[tokio::test]
async fn reserved_bits_are_refused_with_1002() {
    for bit in [0x40, 0x20, 0x10] {
        assert_eq!(code(&frame(LAST | bit | TEXT, b"3")).await, Some(1002), "{bit}");
    }
}

#[tokio::test]
async fn unknown_opcodes_are_refused_with_1002() {
    for opcode in [3, 7, 11, 15] {
        assert_eq!(code(&frame(LAST | opcode, b"3")).await, Some(1002), "{opcode}");
    }
}

#[tokio::test]
async fn control_frames_in_fragments_are_refused_with_1002() {
    for opcode in [CLOSE, PING, PONG] {
        assert_eq!(code(&frame(opcode, b"")).await, Some(1002), "{opcode}");
    }
}

#[tokio::test]
async fn control_frames_of_more_than_125_bytes_are_refused_with_1002() {
    for opcode in [CLOSE, PING, PONG] {
        assert_eq!(code(&header(LAST | opcode, 126)).await, Some(1002), "{opcode}");
    }
}

#[tokio::test]
async fn a_continuation_of_nothing_is_refused_with_1002() {
    assert_eq!(code(&frame(LAST, b"3")).await, Some(1002));
    assert_eq!(code(&[frame(TEXT, b"3"), frame(LAST, b""), frame(LAST, b"")].concat()).await, Some(1002));
}

#[tokio::test]
async fn a_message_within_another_is_refused_with_1002() {
    for opcode in [TEXT, BINARY] {
        let frames = [frame(TEXT, b"4"), frame(LAST | opcode, b"3")].concat();
        assert_eq!(code(&frames).await, Some(1002), "{opcode}");
    }
}

#[tokio::test]
async fn text_that_is_not_utf_8_is_refused_with_1007() {
    assert_eq!(code(&frame(LAST | TEXT, b"42[\"e\",\"\xff\"]")).await, Some(1007));
    assert_eq!(code(&frame(LAST | TEXT, b"42[\"e\",\"\xed\xa0\x80\"]")).await, Some(1007));
    assert_eq!(code(&[frame(TEXT, b"4\xc3"), frame(LAST, b"(")].concat()).await, Some(1007));
}

#[tokio::test]
async fn close_codes_that_may_not_be_sent_are_refused_with_1002() {
    for wrong in [0u16, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65_535] {
        assert_eq!(code(&frame(LAST | CLOSE, &wrong.to_be_bytes())).await, Some(1002), "{wrong}");
    }
}

#[tokio::test]
async fn a_close_frame_of_one_byte_is_refused_with_1002() {
    assert_eq!(code(&frame(LAST | CLOSE, b"x")).await, Some(1002));
}

#[tokio::test]
async fn a_close_reason_that_is_not_utf_8_is_refused_with_1007() {
    assert_eq!(code(&frame(LAST | CLOSE, b"\x03\xe8\xff")).await, Some(1007));
}

#[tokio::test]
async fn lengths_that_are_longer_than_needed_are_refused_with_1002() {
    assert_eq!(code(&[LAST | TEXT, 0x80 | 126, 0, 1, 0, 0, 0, 0, b'3']).await, Some(1002));
    let mut long = vec![LAST | TEXT, 0x80 | 127];
    long.extend_from_slice(&1u64.to_be_bytes());
    long.extend_from_slice(&[0, 0, 0, 0, b'3']);
    assert_eq!(code(&long).await, Some(1002));
}

#[tokio::test]
async fn a_ping_is_answered_with_what_it_carried() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    for payload in [&b""[..], b"hi", &[0xff; 125]] {
        client.send_bytes(&frame(LAST | PING, payload)).await;
        assert_eq!(client.frame().await, Some(Frame { opcode: PONG, payload: payload.to_vec() }));
    }
}

#[tokio::test]
async fn a_pong_that_nobody_asked_for_is_nothing() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    client.send_bytes(&frame(LAST | PONG, b"hi")).await;
    client.send(r#"42["echo",1]"#).await;
    assert_eq!(client.text().await, r#"42["back",1]"#);
}

#[tokio::test]
async fn a_message_may_come_in_fragments_with_control_frames_between() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    let text = "42[\"echo\",\"é\"]".as_bytes();
    // Cut within the character.
    let at = text.iter().position(|&byte| byte == 0xc3).expect("é") + 1;
    let frames =
        [frame(TEXT, &text[..at]), frame(LAST | PING, b"?"), frame(0, b""), frame(LAST, &text[at..])];
    client.send_bytes(&frames.concat()).await;
    assert_eq!(client.frame().await, Some(Frame { opcode: PONG, payload: b"?".to_vec() }));
    assert_eq!(client.text().await, r#"42["back","é"]"#);
}

#[tokio::test]
async fn a_frame_may_come_byte_by_byte() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    for byte in frame(LAST | TEXT, br#"42["echo",1]"#) {
        client.send_bytes(&[byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.text().await, r#"42["back",1]"#);
}

#[tokio::test]
async fn nothing_after_a_close_frame_is_read() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    world.connected().await;
    let frames = [frame(LAST | CLOSE, b"\x03\xe8"), frame(LAST | TEXT, br#"42["e"]"#)].concat();
    client.send_bytes(&frames).await;
    assert_eq!(client.closed().await, Some(1000));
    assert_eq!(world.disconnected().await, Reason::TransportClose);
    assert!(world.has_seen_nothing().await);
}
