//! Reads any bytes as the body of a poll.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use luckystack_socketio::Event;
use luckystack_socketio::packet::socket::{self, Body, Decoder, MAX_ATTACHMENTS, Packet};
use luckystack_socketio::packet::{Text, engine};

fuzz_target!(|bytes: &[u8]| {
    let Ok(body) = Text::new(Bytes::copy_from_slice(bytes)) else { return };
    let mut decoder = Decoder::new(MAX_ATTACHMENTS);
    for packet in engine::decode_body(body) {
        let read = match packet {
            Ok(engine::Packet::Message(message)) => decoder.text(&message),
            Ok(engine::Packet::Binary(binary)) => decoder.binary(binary),
            Ok(_) => continue,
            Err(_) => return,
        };
        match read {
            Ok(Some(packet)) => check(&packet),
            Ok(None) => {}
            Err(_) => return,
        }
    }
});

/// What passes is JSON, and an event is read from what is written of it.
fn check(packet: &Packet) {
    match &packet.body {
        Body::Connect { auth } => auth.iter().for_each(is_json),
        Body::Disconnect => {}
        Body::Ack { args, .. } => args.iter().for_each(is_json),
        Body::Event(event) => {
            event.args.iter().for_each(is_json);
            let args: Vec<&[u8]> = event.args.iter().map(|arg| &arg[..]).collect();
            let mut out = Vec::new();
            let namespace = packet.namespace.as_str();
            socket::event(&mut out, namespace, &event.name, &args, event.attachments.len());
            let read = read(out, &event.attachments);
            assert_eq!(read.namespace, packet.namespace);
            let Body::Event(Event { name, args, ack: None, attachments }) = read.body else {
                panic!("an event became something else")
            };
            assert_eq!(name, event.name);
            assert_eq!(args, event.args);
            assert_eq!(attachments, event.attachments);
        }
    }
}

fn is_json(text: &Bytes) {
    assert!(serde_json::from_slice::<&serde_json::value::RawValue>(text).is_ok());
}

fn read(message: Vec<u8>, attachments: &[Bytes]) -> Packet {
    let text = Text::new(Bytes::from(message)).expect("UTF-8");
    let Ok(engine::Packet::Message(message)) = engine::decode(&text) else { panic!("no message") };
    let mut decoder = Decoder::new(MAX_ATTACHMENTS);
    let mut packet = decoder.text(&message).expect("a packet");
    for attachment in attachments {
        packet = decoder.binary(attachment.clone()).expect("an attachment");
    }
    packet.expect("complete")
}
