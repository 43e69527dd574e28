//! Shutdown: what is in flight finishes, nothing new begins, a second signal ends it.

use std::time::{Duration, Instant};

use luckystack_tests::{Call, Host};
use tokio::net::TcpStream;

use crate::arena;

/// A host whose route `spin` takes a second and then fails.
async fn slow() -> Host {
    arena("deadline = \"1500ms\"").start_with(&["-v"]).await
}

/// Begins a call that takes its time; returns when it is running.
async fn begin(host: &Host) -> tokio::task::JoinHandle<(u16, bool)> {
    let mut connection = host.connect().await;
    // Connected and used: it is no longer on its way in when the signal comes.
    assert_eq!(connection.send(Call::get("/livez")).await.status, 200);
    let running = host.connect().await.stream(Call::get("/api/hostile/follow/v1"));
    let mut events = running.await;
    assert_eq!(events.next().await.unwrap().data["number"], 1);
    tokio::spawn(async move {
        let last = events.next().await.unwrap();
        (events.status, last.name == "final")
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_in_flight_finishes_and_new_connections_are_refused() {
    let mut host = slow().await;
    let running = begin(&host).await;
    let mut idle = host.connect().await;
    assert_eq!(idle.send(Call::get("/livez")).await.status, 200);
    host.terminate();
    host.wait_for_log("stopping").await;
    let refused = async {
        while TcpStream::connect(host.address()).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), refused).await.expect("the port is closed");
    // The idle connection is closed: its next request finds nobody, or the one after it where a busy
    // machine had not closed it yet.
    let closed = async { while idle.try_send(Call::get("/livez")).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(5), closed).await.expect("the idle connection is closed");
    assert_eq!(running.await.unwrap(), (200, true), "its client got the whole answer");
    assert!(host.exit().await.success());
    assert!(host.log().contains("stopped"), "{}", host.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_stops_at_once() {
    let mut host = arena("deadline = \"60s\"").start().await;
    let running = begin(&host).await;
    host.terminate();
    host.wait_for_log("stopping").await;
    let asked = Instant::now();
    host.terminate();
    let status = host.exit().await;
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert!(!status.success());
    running.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_does_not_finish_in_time_is_cut_off() {
    let mut host = arena("deadline = \"60s\"").start_with(&["--set", "http.drain_timeout=1s"]).await;
    let running = begin(&host).await;
    host.terminate();
    assert!(host.exit().await.success());
    host.wait_for_log("1 connection had not finished in time").await;
    running.abort();
}

#[tokio::test]
async fn an_idle_host_stops_at_once() {
    let mut host = arena("").start().await;
    let asked = Instant::now();
    host.terminate();
    assert!(host.exit().await.success());
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
}
