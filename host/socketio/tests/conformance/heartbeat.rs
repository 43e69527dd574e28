//! `2` and `3` (Appendix A): the server asks, the client answers.

use std::time::{Duration, Instant};

use luckystack_socketio::{Reason, Settings};

use crate::app::World;
use crate::polling::Polling;
use crate::websocket::WebSocket;

/// Long enough for a busy machine to answer in time.
const TIMEOUT: Duration = Duration::from_secs(10);

fn settings(interval: u64) -> Settings {
    Settings { ping_interval: Duration::from_millis(interval), ping_timeout: TIMEOUT, ..Settings::default() }
}

fn impatient() -> Settings {
    Settings {
        ping_interval: Duration::from_millis(100),
        ping_timeout: Duration::from_millis(200),
        ..Settings::default()
    }
}

#[tokio::test]
async fn the_first_ping_comes_after_the_interval_over_websocket() {
    let world = World::start(settings(400)).await;
    let started = Instant::now();
    let (mut client, _) = WebSocket::join(&world).await;
    assert_eq!(client.text().await, "2");
    assert!(started.elapsed() >= Duration::from_millis(400));
}

#[tokio::test]
async fn the_first_ping_comes_after_the_interval_over_polling() {
    let world = World::start(settings(400)).await;
    let started = Instant::now();
    let (mut client, _) = Polling::join(&world).await;
    assert_eq!(client.next().await, "2");
    assert!(started.elapsed() >= Duration::from_millis(400));
}

#[tokio::test]
async fn the_time_begins_with_the_session_and_not_with_the_first_poll() {
    let world = World::start(settings(100)).await;
    let mut client = Polling::open(&world).await;
    client.post("40").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(client.next().await.starts_with("40"));
    assert_eq!(client.next().await, "2", "the ping was due long before");
}

#[tokio::test]
async fn intervals_are_not_rounded_up() {
    let world = World::start(settings(50)).await;
    let (mut client, _) = WebSocket::join(&world).await;
    let started = Instant::now();
    for _ in 0..10 {
        assert_eq!(client.text().await, "2");
        client.send("3").await;
    }
    // Half a second, or ten with whole seconds.
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(started.elapsed() >= Duration::from_millis(450), "{:?}", started.elapsed());
}

#[tokio::test]
async fn who_answers_stays_over_websocket() {
    let world = World::start(Settings { ping_timeout: Duration::from_secs(5), ..impatient() }).await;
    let (mut client, _) = WebSocket::join(&world).await;
    for _ in 0..5 {
        assert_eq!(client.text().await, "2");
        client.send("3").await;
    }
    client.send(r#"42["echo",1]"#).await;
    let mut said = client.text().await;
    while said == "2" {
        client.send("3").await;
        said = client.text().await;
    }
    assert_eq!(said, r#"42["back",1]"#);
}

#[tokio::test]
async fn who_answers_stays_over_polling() {
    let world = World::start(Settings { ping_timeout: Duration::from_secs(5), ..impatient() }).await;
    let (mut client, _) = Polling::join(&world).await;
    for _ in 0..5 {
        assert_eq!(client.next().await, "2");
        client.post("3").await;
    }
}

#[tokio::test]
async fn no_pong_closes_a_websocket() {
    let world = World::start(impatient()).await;
    let started = Instant::now();
    let (mut client, _) = WebSocket::join(&world).await;
    world.connected().await;
    assert_eq!(client.text().await, "2");
    client.ended().await;
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert_eq!(world.disconnected().await, Reason::PingTimeout);
    assert_eq!(world.server.io.stats().timed_out, 1);
}

#[tokio::test]
async fn no_pong_closes_a_polling_session() {
    let world = World::start(impatient()).await;
    let (client, _) = Polling::join(&world).await;
    world.connected().await;
    assert_eq!(world.disconnected().await, Reason::PingTimeout);
    assert!(client.is_gone().await);
}

#[tokio::test]
async fn no_pong_ends_a_poll_that_waits() {
    let world = World::start(impatient()).await;
    let (mut client, _) = Polling::join(&world).await;
    assert_eq!(client.next().await, "2");
    let answer = client.poll().await;
    assert!(answer.status == 400 || answer.text() == "1", "{answer:?}");
    assert!(client.is_gone().await);
}

#[tokio::test]
async fn a_client_that_asks_is_closed() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    world.connected().await;
    client.send("2").await;
    client.ended().await;
    assert_eq!(world.disconnected().await, Reason::TransportError);

    let (client, _) = Polling::join(&world).await;
    world.connected().await;
    client.try_post("2").await;
    assert_eq!(world.disconnected().await, Reason::TransportError);
    assert!(client.is_gone().await);
}
