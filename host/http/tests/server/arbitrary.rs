//! Whatever is sent, there is an answer or a closed connection, and the server lives on.

use std::sync::LazyLock;

use proptest::prelude::*;
use tokio::io::AsyncWriteExt;
use tokio::runtime::Runtime;

use crate::support::{Client, Started, start};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
});

static SERVER: LazyLock<Started> = LazyLock::new(|| {
    // Entered by threads of the tests, which are not the runtime's.
    RUNTIME.block_on(start(|project| project.http.max_requests_per_second_per_connection = None))
});

/// Sends bytes, says that there are no more, and reads to the end.
async fn exchange(bytes: &[u8]) -> Vec<u8> {
    let mut client: Client = SERVER.client().await;
    client.write(bytes).await;
    let _ = client.stream.shutdown().await;
    client.rest().await
}

async fn is_alive() -> bool {
    SERVER.ask("GET /livez", "", "").await.status == 200
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn raw_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        LazyLock::force(&SERVER);
        RUNTIME.block_on(async {
            exchange(&bytes).await;
            prop_assert!(is_alive().await);
            Ok(())
        })?;
    }

    #[test]
    fn bytes_after_the_http2_preface_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        LazyLock::force(&SERVER);
        RUNTIME.block_on(async {
            exchange(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", &bytes[..]].concat()).await;
            prop_assert!(is_alive().await);
            Ok(())
        })?;
    }

    #[test]
    fn every_request_has_one_answer(
        method in "(GET|POST|PUT|DELETE|OPTIONS|HEAD|PATCH|[A-Z]{1,8})",
        path in "(/|/api/|/sync/|/assets/|\\*|http://x/)[!-~]{0,40}",
        name in "(Origin|Referer|Content-Type|Accept|X-Request-Id|traceparent|X-Forwarded-For|X-Language|Expect|[A-Za-z-]{1,12})",
        value in "[ -~]{0,60}",
        media in "(application/json|application/x-www-form-urlencoded|text/plain)",
        body in ".{0,80}",
    ) {
        LazyLock::force(&SERVER);
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nOrigin: {}\r\nContent-Type: {media}\r\n{name}: {value}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            SERVER.origin(), body.len(),
        );
        RUNTIME.block_on(async {
            let mut client: Client = SERVER.client().await;
            client.write(&request).await;
            if let Some(head) = client.head().await {
                let status = if head.status == 100 { client.head().await.map_or(0, |head| head.status) } else { head.status };
                prop_assert!(matches!(status, 200 | 204 | 400 | 403 | 404 | 405 | 413 | 414 | 415 | 417 | 431), "{status}: {request}");
            }
            prop_assert!(is_alive().await);
            Ok(())
        })?;
    }
}
