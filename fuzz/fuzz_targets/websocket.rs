//! Reads any bytes as a client's frames, whole and in pieces. The first byte says how large the pieces are.
#![no_main]

use libfuzzer_sys::fuzz_target;
use luckystack_socketio::websocket::{Message, Reader, Violation};

/// Low enough to be reached.
const MAX_PAYLOAD: usize = 1000;

fuzz_target!(|bytes: &[u8]| {
    let Some((&size, bytes)) = bytes.split_first() else { return };
    let whole = read([bytes]);
    let pieces = read(bytes.chunks(usize::from(size).max(1)));
    assert_eq!(whole, pieces);
    for message in &whole.0 {
        let len = match message {
            Message::Text(text) => text.as_bytes().len(),
            Message::Binary(bytes) | Message::Ping(bytes) => bytes.len(),
            Message::Pong | Message::Close(_) => 0,
        };
        assert!(len <= MAX_PAYLOAD);
        let _ = message.answer();
    }
});

fn read<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Message>, Option<Violation>) {
    let mut reader = Reader::new(MAX_PAYLOAD);
    let mut messages = Vec::new();
    for mut chunk in chunks {
        loop {
            match reader.next(&mut chunk) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(violation) => return (messages, Some(violation)),
            }
        }
    }
    (messages, None)
}
