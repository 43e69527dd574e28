//! Ports and the end of a server (wire protocol §6.3).

use std::sync::Arc;
use std::time::Duration;

use luckystack_http::{HostIdentity, Phase, Readiness, Server};
use luckystack_topology::ProjectConfig;
use tokio::net::TcpListener;

use crate::support::start;

fn project() -> ProjectConfig {
    ProjectConfig::defaults("presets".as_ref(), ".".as_ref())
}

async fn bind(project: &ProjectConfig) -> Result<Server, luckystack_http::HttpError> {
    Server::bind(project, &HostIdentity::default(), Arc::new(Readiness::new())).await
}

#[tokio::test]
async fn a_taken_port_is_left_for_the_next_free_one() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut project = project();
    project.listen.port = taken.local_addr().unwrap().port();
    let server = bind(&project).await.unwrap();
    assert!(server.local_addr().port() > project.listen.port);
    assert_eq!(server.taken_port(), Some(project.listen.port));
    assert_eq!(server.url(), format!("http://localhost:{}", server.local_addr().port()));
}

#[tokio::test]
async fn port_0_takes_any_and_nothing_was_taken() {
    let mut project = project();
    project.listen.port = 0;
    let server = bind(&project).await.unwrap();
    assert_ne!(server.local_addr().port(), 0);
    assert_eq!(server.taken_port(), None);
}

#[tokio::test]
async fn an_address_that_cannot_be_bound_is_named() {
    let mut project = project();
    project.listen.host = "192.0.2.1".to_owned();
    let message = bind(&project).await.unwrap_err().to_string();
    assert!(message.contains("192.0.2.1:4100") && message.contains("--host"), "{message}");
    project.listen.host = "no such host".to_owned();
    let message = bind(&project).await.unwrap_err().to_string();
    assert!(message.contains("no such host") && message.contains("listen.host"), "{message}");
}

#[tokio::test]
async fn a_drain_finishes_what_is_in_flight_and_says_that_it_closes() {
    let mut server = start(|_| ()).await;
    let mut idle = server.client().await;
    idle.write(server.request("GET /livez", "", "")).await;
    assert_eq!(idle.response().await.unwrap().status, 200);
    let mut busy = server.client().await;
    busy.write(server.request("GET /api/gate/0/v1", "", "")).await;
    server.wait_for("began api/gate/0/v1").await;
    let address = server.address;
    let request = server.request("GET /livez", "", "");
    let gate = {
        let readiness = Arc::clone(&server.readiness);
        let script = server.script();
        let draining = tokio::spawn(server.handle.shutdown());
        assert!(idle.is_closed().await, "an idle connection is closed at once");
        assert_eq!(readiness.phase(), Phase::Draining);
        assert!(!draining.is_finished());
        script.open_gate();
        let received = busy.response().await.unwrap();
        assert_eq!((received.status, received.header("connection")), (200, Some("close")));
        busy.write(request).await;
        assert!(busy.is_closed().await);
        draining
    };
    assert_eq!(gate.await.unwrap().cut_off, 0);
    TcpListener::bind(address).await.expect("the port is free again");
}

#[tokio::test]
async fn a_drain_cuts_off_what_does_not_end() {
    let mut server = start(|project| project.http.drain_timeout = Duration::from_millis(100)).await;
    let mut busy = server.client().await;
    busy.write(server.request("GET /api/gate/0/v1", "", "")).await;
    server.wait_for("began api/gate/0/v1").await;
    let mut events = server.events;
    assert_eq!(server.handle.shutdown().await.cut_off, 1);
    assert!(busy.is_closed().await);
    assert_eq!(events.recv().await.unwrap(), "dropped api/gate/0/v1");
}
