//! WASI with an empty context and outbound HTTP, used by real components.

#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]

mod support;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use luckystack_plugins::error::Stage;
use luckystack_plugins::{CallContext, CallError};
use luckystack_topology::{HostPattern, HttpGrant, ServiceSettings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use support::{Host, answer, call, log_of, run};

/// Writes its arguments to standard output, or to standard error when they begin with `!`.
const PRINT: &str = r#"
    (import "wasi:cli/stdout@0.2.12" "get-stdout" (func $stdout (result i32)))
    (import "wasi:cli/stderr@0.2.12" "get-stderr" (func $stderr (result i32)))
    (import "wasi:io/streams@0.2.12" "[method]output-stream.blocking-write-and-flush"
        (func $write (param i32 i32 i32 i32)))
    (import "wasi:io/streams@0.2.12" "[resource-drop]output-stream" (func $drop (param i32)))
    ;; end of imports
    (func $run (param $args i32) (param $len i32) (result i32)
        (local $stream i32)
        (local.set $stream
            (if (result i32) (i32.eq (i32.load8_u (local.get $args)) (i32.const 33))
                (then (call $stderr))
                (else (call $stdout))))
        (call $write (local.get $stream) (local.get $args) (local.get $len) (i32.const 32))
        (call $drop (local.get $stream))
        (call $digit (i32.load8_u (i32.const 32))))
"#;

#[tokio::test]
async fn standard_output_and_error_go_to_the_services_log_by_line() {
    let host = Host::start();
    let plugin = host.plugin("prints", ServiceSettings::default(), PRINT).await;
    let first = Arc::new(call());
    for args in ["one\ntw", "o\n\n\u{1b}[31mred\r\n", "!careful\n", "half"] {
        assert_eq!(run(&plugin, &first, args).await.unwrap().unwrap(), b"0");
    }
    let lines =
        |call: &CallContext| log_of(call).into_iter().map(|(l, m)| format!("{l} {m}")).collect::<Vec<_>>();
    assert_eq!(lines(&first), ["INFO one", "INFO two", "INFO \\u{1b}[31mred", "WARN !careful"]);

    let second = Arc::new(call());
    run(&plugin, &second, "next\nunfinished").await.unwrap().unwrap();
    assert_eq!(lines(&first).last().unwrap(), "INFO half", "the next call's line is not glued to it");
    assert_eq!(lines(&second), ["INFO next"]);
    drop(plugin);
    assert_eq!(lines(&second), ["INFO next", "INFO unfinished"], "an instance's end ends its line");
}

#[tokio::test]
async fn output_without_line_ends_is_cut_and_bounded() {
    let host = Host::start();
    let settings = ServiceSettings { max_log_lines: 3, ..ServiceSettings::default() };
    let plugin = host.plugin("prints-much", settings, PRINT).await;
    let call = Arc::new(call());
    for _ in 0..16 {
        run(&plugin, &call, "x".repeat(4000)).await.unwrap().unwrap();
    }
    let lines = log_of(&call);
    assert_eq!(lines.len(), 4, "three lines and the notice");
    assert!(lines[..3].iter().all(|(_, line)| line.len() == 8192));
    assert!(lines[3].1.starts_with("log limit reached"));
}

#[tokio::test]
async fn there_is_no_environment() {
    let guest = r#"
        (import "wasi:cli/environment@0.2.12" "get-environment" (func $get (param i32)))
        ;; end of imports
        (func $run (param $args i32) (param $len i32) (result i32)
            (call $get (i32.const 32))
            (call $digit (i32.load (i32.const 36))))
    "#;
    let host = Host::start();
    let plugin = host.plugin("environment", ServiceSettings::default(), guest).await;
    assert_eq!(answer(&plugin, "").await, "0");
}

#[tokio::test]
async fn random_bytes_come_in_bounded_portions() {
    let guest = r#"
        (import "wasi:random/random@0.2.12" "get-random-bytes" (func $get (param i64 i32)))
        ;; end of imports
        (func $run (param $args i32) (param $len i32) (result i32)
            (call $get
                (select (i64.const 32) (i64.const 1048577) (i32.eqz (local.get $len)))
                (i32.const 32))
            (call $ok (i32.load (i32.const 32)) (i32.load (i32.const 36))))
    "#;
    let host = Host::start();
    let plugin = host.plugin("random", ServiceSettings::default(), guest).await;
    let draw = || async { run(&plugin, &Arc::new(call()), "").await.unwrap().unwrap() };
    assert_eq!(draw().await.len(), 32);
    assert_ne!(draw().await, draw().await);
    assert!(matches!(run(&plugin, &Arc::new(call()), "too many").await, Err(CallError::Trap(_))));
}

#[tokio::test]
async fn sleeping_does_not_outlive_the_call() {
    let guest = r#"
        (import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration" (func $after (param i64) (result i32)))
        (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))
        (import "wasi:io/poll@0.2.12" "[resource-drop]pollable" (func $drop (param i32)))
        ;; end of imports
        (func $run (param $args i32) (param $len i32) (result i32)
            (local $pollable i32)
            (local.set $pollable
                (call $after (select (i64.const 1000000) (i64.const 3600000000000) (i32.eqz (local.get $len)))))
            (call $block (local.get $pollable))
            (call $drop (local.get $pollable))
            (call $none))
    "#;
    let host = Host::start();
    let plugin = host.plugin("sleeper", ServiceSettings::default(), guest).await;
    assert_eq!(answer(&plugin, "").await, "none", "a millisecond passes");
    let mut call = call();
    call.deadline = Instant::now() + Duration::from_millis(50);
    assert!(matches!(run(&plugin, &Arc::new(call), "an hour").await, Err(CallError::Timeout(_))));
}

/// Sends GET http://ARGS/ and answers the status, or `e` and the number of the error code.
const FETCH: &str = r#"
    (import "wasi:http/types@0.2.12" "[constructor]fields" (func $fields (result i32)))
    (import "wasi:http/types@0.2.12" "[constructor]outgoing-request" (func $request (param i32) (result i32)))
    (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-scheme"
        (func $set-scheme (param i32 i32 i32 i32 i32) (result i32)))
    (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-authority"
        (func $set-authority (param i32 i32 i32 i32) (result i32)))
    (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-path-with-query"
        (func $set-path (param i32 i32 i32 i32) (result i32)))
    (import "wasi:http/outgoing-handler@0.2.12" "handle" (func $handle (param i32 i32 i32 i32)))
    (import "wasi:http/types@0.2.12" "[method]future-incoming-response.subscribe"
        (func $subscribe (param i32) (result i32)))
    (import "wasi:http/types@0.2.12" "[method]future-incoming-response.get" (func $get (param i32 i32)))
    (import "wasi:http/types@0.2.12" "[method]incoming-response.status" (func $status (param i32) (result i32)))
    (import "wasi:http/types@0.2.12" "[resource-drop]incoming-response" (func $drop-response (param i32)))
    (import "wasi:http/types@0.2.12" "[resource-drop]future-incoming-response" (func $drop-future (param i32)))
    (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))
    (import "wasi:io/poll@0.2.12" "[resource-drop]pollable" (func $drop-pollable (param i32)))
    ;; end of imports
    (data (i32.const 4104) "/")
    (func $decimal (param $at i32) (param $value i32)
        (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $value) (i32.const 10))))
        (i32.store8 (i32.sub (local.get $at) (i32.const 1))
            (i32.add (i32.const 48) (i32.rem_u (i32.div_u (local.get $value) (i32.const 10)) (i32.const 10)))))
    (func $failed (param $code i32) (result i32)
        (call $decimal (i32.const 4098) (local.get $code))
        (i32.store8 (i32.const 4096) (i32.const 101))
        (call $ok (i32.const 4096) (i32.const 3)))
    (func $run (param $args i32) (param $len i32) (result i32)
        (local $request i32) (local $future i32) (local $pollable i32) (local $response i32) (local $status i32)
        (local.set $request (call $request (call $fields)))
        (drop (call $set-scheme
            (local.get $request) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)))
        (drop (call $set-authority (local.get $request) (i32.const 1) (local.get $args) (local.get $len)))
        (drop (call $set-path (local.get $request) (i32.const 1) (i32.const 4104) (i32.const 1)))
        (call $handle (local.get $request) (i32.const 0) (i32.const 0) (i32.const 64))
        (if (i32.load8_u (i32.const 64)) (then (return (call $failed (i32.load8_u (i32.const 72))))))
        (local.set $future (i32.load (i32.const 72)))
        (local.set $pollable (call $subscribe (local.get $future)))
        (call $block (local.get $pollable))
        (call $drop-pollable (local.get $pollable))
        (call $get (local.get $future) (i32.const 128))
        (call $drop-future (local.get $future))
        (if (i32.load8_u (i32.const 144)) (then (return (call $failed (i32.load8_u (i32.const 152))))))
        (local.set $response (i32.load (i32.const 152)))
        (local.set $status (call $status (local.get $response)))
        (call $drop-response (local.get $response))
        (call $decimal (i32.const 4098) (local.get $status))
        (i32.store8 (i32.const 4096)
            (i32.add (i32.const 48) (i32.div_u (local.get $status) (i32.const 100))))
        (call $ok (i32.const 4096) (i32.const 3)))
"#;

/// Position of `HTTP-request-denied` among the error codes of `wasi:http`.
const DENIED: &str = "e15";

#[tokio::test]
async fn a_guest_reaches_the_hosts_that_it_was_granted_and_no_other() {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 1024];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(b"HTTP/1.1 418 I'm a teapot\r\ncontent-length: 0\r\n\r\n").await;
        }
    });
    let host = Host::start();
    let mut settings = ServiceSettings::default();
    let loopback = HostPattern::Address(IpAddr::V4(Ipv4Addr::LOCALHOST));
    settings.grants.http.push(HttpGrant { scheme: None, host: loopback, port: Some(port) });
    let plugin = host.plugin("fetches", settings, FETCH).await;
    assert_eq!(answer(&plugin, format!("127.0.0.1:{port}")).await, "418");

    let call = Arc::new(call());
    assert_eq!(run(&plugin, &call, "api.example.com").await.unwrap().unwrap(), DENIED.as_bytes());
    let lines = log_of(&call);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(
        lines[0].1,
        "outbound request to http://api.example.com:80 refused: add `api.example.com` to `http` under [service.fetches.grants] in the preset"
    );
}

#[tokio::test]
async fn http_that_was_not_granted_is_refused_at_load() {
    let host = Host::start();
    let service = host.service("no-http", ServiceSettings::default());
    let error = host.load(&service, FETCH).await.unwrap_err();
    assert_eq!(error.stage, Stage::Link);
    assert!(error.message.contains("wasi:http/"), "{error}");
    assert!(
        error.remedy.contains("http = [") && error.remedy.contains("[service.no-http.grants]"),
        "{error}"
    );
}
