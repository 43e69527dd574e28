//! Promise: what imports something it was not granted is refused at load; what it was granted reaches no
//! further than the grant.

use luckystack_tests::guests::Guest;
use luckystack_tests::{Act, Call, Forge, Host};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::{arena, under_load};

fn skipped(host: &Host, file: &str) -> String {
    let banner = host.banner();
    let mut lines = banner.lines().skip_while(|line| !(line.starts_with("skipped") && line.contains(file)));
    let message = lines.next().unwrap_or_else(|| panic!("{file} was not skipped\n{banner}"));
    let help = lines.next().filter(|line| line.trim_start().starts_with("help:"));
    format!("{message}\n{}", help.unwrap_or_else(|| panic!("no remedy for {file}\n{banner}")))
}

#[tokio::test]
async fn an_import_without_its_grant_is_refused_and_the_message_says_what_to_grant() {
    for (granted, import, missing) in [
        ("", "wasi:", "under [service.outbound.grants]"),
        ("grants.http = [\"example.com\"]", "wasi:keyvalue", "keyvalue"),
        ("grants.keyvalue = true", "wasi:http", "http = ["),
    ] {
        let host = arena("").guest(Guest::Outbound).service("outbound", granted).start().await;
        let message = skipped(&host, "outbound.wasm");
        for part in ["stage: link", import, "the service outbound was not granted", missing, "preset"] {
            assert!(message.contains(part), "{part:?} is missing in {message}");
        }
        host.post("/api/outbound/increment/v1", &json!({})).await.assert_error(404, "api.notFound");
        assert_eq!(host.get(crate::ORDINARY).await.status, 200);
    }
}

#[tokio::test]
async fn an_import_that_no_host_offers_is_refused() {
    let evil = Forge::new("rogue", "rogue").api("spin", Act::success(json!(1))).import(
        "evil:corp/backdoor@1.0.0",
        "open",
        "",
    );
    let host = arena("").forged("rogue", "rogue.wasm", &evil).start().await;
    let message = skipped(&host, "rogue.wasm");
    assert!(
        message.contains("it imports evil:corp/backdoor@1.0.0, which this host does not offer"),
        "{message}"
    );
    assert!(message.contains("stage: link") && message.contains("the host offers: "), "{message}");
}

/// Answers every connection with 200 and a body, for ever.
async fn neighbour() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = tcp.read(&mut [0; 4096]).await;
                let answer = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\ninner";
                let _ = tcp.write_all(answer.as_bytes()).await;
                let _ = tcp.shutdown().await;
            });
        }
    });
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outbound_http_reaches_what_the_grant_names_and_nothing_else() {
    let inner = neighbour().await;
    let other = neighbour().await;
    let grants = format!("grants.http = [{inner:?}, \"example.com\"]\ngrants.keyvalue = true");
    let host = arena("").guest(Guest::Outbound).service("outbound", &grants).start().await;
    let fetch = async |url: &str| host.post("/api/outbound/fetch/v1", &json!({ "url": url })).await;
    under_load(&host, async {
        assert_eq!(fetch(&inner).await.result(), json!({ "status": 200, "body": "inner" }));
        let port = inner.rsplit(':').next().unwrap_or_default();
        for url in [
            other.clone(),
            format!("http://localhost:{port}"),
            format!("http://[::1]:{port}"),
            format!("https://127.0.0.1:{port}"),
            format!("http://example.com:{port}"),
            "http://example.org/".to_owned(),
            host.url().to_owned(),
        ] {
            fetch(&url).await.assert_error(403, "outbound.denied");
        }
    })
    .await;
}

#[tokio::test]
async fn a_grant_of_every_public_host_opens_no_private_address() {
    let inner = neighbour().await;
    let port = inner.rsplit(':').next().unwrap_or_default();
    let grants = format!("grants.http = [\"*\", \"*:{port}\"]\ngrants.keyvalue = true");
    let host = arena("").guest(Guest::Outbound).service("outbound", &grants).start().await;
    for url in [
        inner.clone(),
        format!("http://localhost:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://10.0.0.1/".to_owned(),
    ] {
        let answer = host.post("/api/outbound/fetch/v1", &json!({ "url": url })).await;
        answer.assert_error(403, "outbound.denied");
    }
}

#[tokio::test]
async fn a_key_value_store_belongs_to_its_service_and_outlives_its_instances() {
    let host = arena("")
        .guest(Guest::Outbound)
        .service(
            "outbound",
            "instances = \"per-call\"\ngrants.http = [\"example.com\"]\ngrants.keyvalue = true",
        )
        .start()
        .await;
    let mut connection = host.connect().await;
    for expected in 1..=3 {
        let call = Call::post("/api/outbound/increment/v1").json(&json!({}));
        assert_eq!(connection.send(call).await.result(), expected);
    }
}
