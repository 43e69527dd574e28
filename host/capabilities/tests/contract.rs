//! The contract's own imports and the small standard ones, called by real components.

#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]

mod support;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use luckystack_plugins::call::SinkFuture;
use luckystack_plugins::error::Stage;
use luckystack_plugins::{CallContext, CallError, FunctionResolver, HandlerError, StreamSink};
use luckystack_topology::{KeyValueGrant, ServiceSettings};
use parking_lot::Mutex;

use support::{Host, answer, call, log, log_of, run};

/// Remembers what it is sent.
#[derive(Default)]
struct Sink {
    sent: Mutex<Vec<String>>,
    gone: AtomicBool,
}

impl Sink {
    fn record(&self, what: String) -> SinkFuture<'_> {
        self.sent.lock().push(what);
        Box::pin(std::future::ready(true))
    }
}

impl StreamSink for Sink {
    fn emit(&self, chunk: Bytes) -> SinkFuture<'_> {
        self.record(format!("emit {}", str::from_utf8(&chunk).unwrap()))
    }
    fn broadcast(&self, chunk: Bytes) -> SinkFuture<'_> {
        self.record(format!("broadcast {}", str::from_utf8(&chunk).unwrap()))
    }
    fn to(&self, tokens: &[String], chunk: Bytes) -> SinkFuture<'_> {
        self.record(format!("to {} {}", tokens.join("+"), str::from_utf8(&chunk).unwrap()))
    }
    fn to_recipient(&self, recipient: u32, chunk: Bytes) -> SinkFuture<'_> {
        self.record(format!("to-recipient {recipient} {}", str::from_utf8(&chunk).unwrap()))
    }
    fn aborted(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }
}

fn streaming() -> (Arc<CallContext>, Arc<Sink>) {
    let sink = Arc::new(Sink::default());
    let mut call = call();
    call.sink = Some(Arc::clone(&sink) as Arc<dyn StreamSink>);
    (Arc::new(call), sink)
}

const EMIT: &str = r#"
    (import "luckystack:plugin/stream@0.1.0" "emit" (func $emit (param i32 i32) (result i32)))
    ;; end of imports
    (func $run (param $args i32) (param $len i32) (result i32)
        (call $bool (call $emit (local.get $args) (local.get $len))))
"#;

/// Emits its arguments until nobody listens, or for ever.
const EMIT_WITHOUT_END: &str = r#"
    (import "luckystack:plugin/stream@0.1.0" "emit" (func $emit (param i32 i32) (result i32)))
    ;; end of imports
    (func $run (param $args i32) (param $len i32) (result i32)
        (loop $again (drop (call $emit (local.get $args) (local.get $len))) (br $again))
        (unreachable))
"#;

#[tokio::test]
async fn chunks_reach_the_listener_on_one_line() {
    let host = Host::start();
    let plugin = host.plugin("emit", ServiceSettings::default(), EMIT).await;
    let (call, sink) = streaming();
    let result = run(&plugin, &call, "{\n\"a\": 1}").await;
    assert_eq!(result.unwrap().unwrap(), b"true");
    assert_eq!(*sink.sent.lock(), ["emit { \"a\": 1}"]);
}

#[tokio::test]
async fn chunks_that_nobody_listens_to_are_dropped() {
    let host = Host::start();
    let plugin = host.plugin("emit-alone", ServiceSettings::default(), EMIT).await;
    assert_eq!(answer(&plugin, "{}").await, "false", "the call does not stream");
    let (call, sink) = streaming();
    call.abort();
    assert_eq!(run(&plugin, &call, "{}").await.unwrap().unwrap(), b"false", "the caller has gone");
    assert!(sink.sent.lock().is_empty());
}

#[tokio::test]
async fn broadcast_and_to_reach_their_audience() {
    let guest = r#"
        (import "luckystack:plugin/stream@0.1.0" "broadcast" (func $broadcast (param i32 i32) (result i32)))
        (import "luckystack:plugin/stream@0.1.0" "to" (func $to (param i32 i32 i32 i32) (result i32)))
        ;; end of imports
        (data (i32.const 4096) "t1t2")
        (func $run (param $args i32) (param $len i32) (result i32)
            (drop (call $broadcast (local.get $args) (local.get $len)))
            (i32.store (i32.const 32) (i32.const 4096))
            (i32.store (i32.const 36) (i32.const 2))
            (i32.store (i32.const 40) (i32.const 4098))
            (i32.store (i32.const 44) (i32.const 2))
            (call $bool (call $to (i32.const 32) (i32.const 2) (local.get $args) (local.get $len))))
    "#;
    let host = Host::start();
    let plugin = host.plugin("audience", ServiceSettings::default(), guest).await;
    let (call, sink) = streaming();
    assert_eq!(run(&plugin, &call, "{}").await.unwrap().unwrap(), b"true");
    assert_eq!(*sink.sent.lock(), ["broadcast {}", "to t1+t2 {}"]);
}

#[tokio::test]
async fn a_chunk_reaches_the_recipient_whose_place_was_named() {
    let guest = r#"
        (import "luckystack:plugin/stream@0.1.0" "to-recipient" (func $to (param i32 i32 i32) (result i32)))
        ;; end of imports
        (func $run (param $args i32) (param $len i32) (result i32)
            (call $bool (call $to (i32.const 7) (local.get $args) (local.get $len))))
    "#;
    let host = Host::start();
    let plugin = host.plugin("recipient", ServiceSettings::default(), guest).await;
    let (call, sink) = streaming();
    assert_eq!(run(&plugin, &call, "{}").await.unwrap().unwrap(), b"true");
    assert_eq!(*sink.sent.lock(), ["to-recipient 7 {}"]);
    assert_eq!(answer(&plugin, "{}").await, "false", "there are no recipients");
}

#[tokio::test]
async fn a_guest_sees_that_its_caller_has_gone() {
    let guest = r#"
        (import "luckystack:plugin/stream@0.1.0" "aborted" (func $aborted (result i32)))
        ;; end of imports
        (func $run (param $args i32) (param $len i32) (result i32) (call $bool (call $aborted)))
    "#;
    let host = Host::start();
    let plugin = host.plugin("aborted", ServiceSettings::default(), guest).await;
    let (call, sink) = streaming();
    assert_eq!(run(&plugin, &call, "").await.unwrap().unwrap(), b"false");
    sink.gone.store(true, Ordering::Relaxed);
    assert_eq!(run(&plugin, &call, "").await.unwrap().unwrap(), b"true");
}

#[tokio::test]
async fn a_chunk_that_breaks_a_bound_ends_the_call() {
    let host = Host::start();
    let settings = ServiceSettings { max_stream_chunk: 20, ..ServiceSettings::default() };
    let plugin = host.plugin("bounds", settings, EMIT).await;
    for (chunk, why) in [
        ("[1]", "a stream chunk must be a JSON object"),
        ("{\"a\":", "a stream chunk must be a JSON object"),
        (
            "{\"a\":\"0123456789012\"}",
            "a stream chunk has 21 bytes, the service's limit max_stream_chunk is 20",
        ),
    ] {
        let (call, sink) = streaming();
        match run(&plugin, &call, chunk).await {
            Err(CallError::Trap(message)) => assert!(message.contains(why), "{chunk}: {message}"),
            other => panic!("{chunk}: {other:?}"),
        }
        assert!(sink.sent.lock().is_empty());
    }
    let (call, _) = streaming();
    let next = run(&plugin, &call, "{\"a\":\"012345678901\"}").await;
    assert_eq!(next.unwrap().unwrap(), b"true", "the next call is none the worse");
}

#[tokio::test]
async fn emitting_without_end_is_ended_with_and_without_a_listener() {
    let host = Host::start();
    let settings = ServiceSettings { max_stream: 1000, ..ServiceSettings::default() };
    let plugin = host.plugin("flood", settings, EMIT_WITHOUT_END).await;
    let (heard, sink) = streaming();
    for call in [heard, Arc::new(call())] {
        match run(&plugin, &call, "{\"a\":123}").await {
            Err(CallError::Trap(message)) => {
                assert!(message.contains("limit max_stream is 1000"), "{message}")
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(sink.sent.lock().len(), 111);
}

struct Echo;

impl FunctionResolver for Echo {
    fn call(
        &self,
        parent: Arc<CallContext>,
        name: String,
        args: Bytes,
    ) -> Pin<Box<dyn Future<Output = Result<Bytes, HandlerError>> + Send + '_>> {
        Box::pin(async move {
            match &*name {
                "geo/distance" => Ok(format!("{}{}", parent.depth, str::from_utf8(&args).unwrap()).into()),
                _ => Err(HandlerError::new("functions.notFound", 404)),
            }
        })
    }
}

fn function_call(name: &str) -> String {
    let length = name.len();
    format!(
        r#"
        (import "luckystack:plugin/function-call@0.1.0" "call" (func $call (param i32 i32 i32 i32 i32)))
        ;; end of imports
        (data (i32.const 4096) "{name}")
        (func $run (param $args i32) (param $len i32) (result i32)
            (call $call (i32.const 4096) (i32.const {length}) (local.get $args) (local.get $len) (i32.const 32))
            (i32.const 32))
        "#
    )
}

#[tokio::test]
async fn functions_answer_or_fail_by_code() {
    let host = Host::start();
    let known = host.plugin("known", ServiceSettings::default(), &function_call("geo/distance")).await;
    let unknown = host.plugin("unknown", ServiceSettings::default(), &function_call("geo/nothing")).await;
    let call_at = |depth: u8| {
        let mut call = call();
        call.functions = Some(Arc::new(Echo));
        call.depth = depth;
        Arc::new(call)
    };
    assert_eq!(run(&known, &call_at(0), "[1]").await.unwrap().unwrap(), b"0[1]");
    assert_eq!(run(&known, &call_at(7), "null").await.unwrap().unwrap(), b"7null");

    let failures = [
        (&unknown, call_at(0), "[1]", "functions.notFound", 404),
        (&known, call_at(8), "[1]", "functions.callDepthExceeded", 500),
        (&known, call_at(0), "[1", "functions.invalidArgs", 400),
        (&known, call_at(0), "", "functions.invalidArgs", 400),
        (&known, Arc::new(call()), "[1]", "functions.unavailable", 500),
    ];
    for (plugin, call, args, code, status) in failures {
        let error = run(plugin, &call, args).await.unwrap().unwrap_err();
        assert_eq!((&*error.error_code, error.http_status), (code, Some(status)));
    }
}

/// Logs its arguments behind the first character, which is the level.
const LOG: &str = r#"
    (import "wasi:logging/logging@0.1.0-draft" "log" (func $log (param i32 i32 i32 i32 i32)))
    ;; end of imports
    (data (i32.const 4096) "fleetstarting")
    (func $run (param $args i32) (param $len i32) (result i32)
        (call $log
            (i32.sub (i32.load8_u (local.get $args)) (i32.const 48))
            (i32.const 4096) (i32.const 5)
            (i32.add (local.get $args) (i32.const 1)) (i32.sub (local.get $len) (i32.const 1)))
        (call $none))
    (func $describing
        (call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 4101) (i32.const 8)))
"#;

#[tokio::test]
async fn log_lines_are_attributed_and_stay_one_line() {
    let host = Host::start();
    let plugin = host.plugin("logs", ServiceSettings::default(), LOG).await;
    let call = Arc::new(call());
    for args in ["0trace", "1debug", "2two\nlines", "3warn", "4error", "5critical"] {
        run(&plugin, &call, args).await.unwrap().unwrap();
    }
    let lines = log(|line| line["fields"]["request_id"] == *call.caller.request_id);
    let seen: Vec<_> = lines
        .iter()
        .map(|line| (line["level"].as_str().unwrap(), line["fields"]["message"].as_str().unwrap()))
        .collect();
    assert_eq!(
        seen,
        [
            // The log's own level is debug.
            ("DEBUG", "debug"),
            ("INFO", "two\\nlines"),
            ("WARN", "warn"),
            ("ERROR", "error"),
            ("ERROR", "critical")
        ]
    );
    for line in &lines {
        assert_eq!(line["target"], "plugin");
        assert_eq!(line["fields"]["service"], "logs");
        assert_eq!(line["fields"]["route"], "api/svc/run/v1");
        assert_eq!(line["fields"]["context"], "fleet");
    }
    assert_eq!(lines[4]["fields"]["critical"], true);
    let loading = log(|line| line["fields"]["service"] == "logs" && line["fields"]["route"] == "(loading)");
    assert_eq!(loading.len(), 1);
    assert_eq!(loading[0]["fields"]["message"], "starting");
}

#[tokio::test]
async fn a_call_has_a_bounded_number_of_log_lines() {
    let host = Host::start();
    let settings = ServiceSettings { max_log_lines: 2, ..ServiceSettings::default() };
    let plugin = host.plugin("log-limit", settings, LOG).await;
    let call = Arc::new(call());
    for _ in 0..5 {
        run(&plugin, &call, "2line").await.unwrap().unwrap();
    }
    let lines = log_of(&call);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(lines[1].1, "line");
    assert!(lines[2].0 == "WARN" && lines[2].1.starts_with("log limit reached"), "{lines:?}");
    assert_eq!(answer(&plugin, "2line").await, "none", "the next call starts from zero");
}

#[tokio::test]
async fn a_guest_reads_its_services_configuration() {
    let guest = r#"
        (import "wasi:config/store@0.2.0-rc.1" "get" (func $get (param i32 i32 i32)))
        (import "wasi:config/store@0.2.0-rc.1" "get-all" (func $get-all (param i32)))
        ;; end of imports
        (func $run (param $args i32) (param $len i32) (result i32)
            (if (i32.eqz (local.get $len))
                (then
                    (call $get-all (i32.const 32))
                    (return (call $digit (i32.load (i32.const 40))))))
            (call $get (local.get $args) (local.get $len) (i32.const 32))
            (if (result i32) (i32.load8_u (i32.const 36))
                (then (call $ok (i32.load (i32.const 40)) (i32.load (i32.const 44))))
                (else (call $none))))
    "#;
    let host = Host::start();
    let mut settings = ServiceSettings::default();
    settings.config.insert("region".into(), "eu-west".into());
    settings.config.insert("limit".into(), "7".into());
    let plugin = host.plugin("config", settings, guest).await;
    assert_eq!(answer(&plugin, "region").await, "eu-west");
    assert_eq!(answer(&plugin, "missing").await, "none");
    assert_eq!(answer(&plugin, "").await, "2", "get-all has them all");
}

/// `i`: increments `n` and answers it. `o…`: opens the store of that name; 0 or 1 + the error's kind.
const KEY_VALUE: &str = r#"
    (import "wasi:keyvalue/store@0.2.0-draft" "open" (func $open (param i32 i32 i32)))
    (import "wasi:keyvalue/store@0.2.0-draft" "[resource-drop]bucket" (func $drop (param i32)))
    (import "wasi:keyvalue/atomics@0.2.0-draft" "increment" (func $increment (param i32 i32 i32 i64 i32)))
    ;; end of imports
    (data (i32.const 4096) "defaultn")
    (func $run (param $args i32) (param $len i32) (result i32)
        (local $bucket i32)
        (if (i32.eq (i32.load8_u (local.get $args)) (i32.const 111))
            (then
                (call $open
                    (i32.add (local.get $args) (i32.const 1)) (i32.sub (local.get $len) (i32.const 1))
                    (i32.const 32))
                (if (i32.load8_u (i32.const 32))
                    (then (return (call $digit (i32.add (i32.load8_u (i32.const 36)) (i32.const 1))))))
                (call $drop (i32.load (i32.const 36)))
                (return (call $digit (i32.const 0)))))
        (call $open (i32.const 4096) (i32.const 7) (i32.const 32))
        (if (i32.load8_u (i32.const 32)) (then (unreachable)))
        (local.set $bucket (i32.load (i32.const 36)))
        (call $increment (local.get $bucket) (i32.const 4103) (i32.const 1) (i64.const 1) (i32.const 64))
        (call $drop (local.get $bucket))
        (if (i32.load8_u (i32.const 64)) (then (unreachable)))
        (call $digit (i32.wrap_i64 (i64.load (i32.const 72)))))
"#;

#[tokio::test]
async fn a_services_store_survives_swaps_and_reloads_and_is_its_own() {
    let host = Host::start();
    let granted = || {
        let mut settings = ServiceSettings::default();
        settings.grants.keyvalue = Some(KeyValueGrant::default());
        settings
    };
    let first = host.plugin("counter", granted(), KEY_VALUE).await;
    assert_eq!(answer(&first, "i").await, "1");
    assert_eq!(answer(&first, "i").await, "2");
    let reloaded = host.plugin("counter", granted(), KEY_VALUE).await;
    assert_eq!(answer(&reloaded, "i").await, "3");
    let other = host.plugin("other-counter", granted(), KEY_VALUE).await;
    assert_eq!(answer(&other, "i").await, "1");

    assert_eq!(answer(&first, "odefault").await, "0");
    assert_eq!(answer(&first, "ocounter").await, "1", "no-such-store");
    assert_eq!(answer(&first, "o").await, "1", "no-such-store");
}

#[tokio::test]
async fn a_store_that_was_not_granted_is_refused_at_load() {
    let host = Host::start();
    let service = host.service("no-store", ServiceSettings::default());
    let error = host.load(&service, KEY_VALUE).await.unwrap_err();
    assert_eq!(error.stage, Stage::Link);
    assert!(error.message.contains("wasi:keyvalue/"), "{error}");
    assert!(
        error.remedy.contains("keyvalue = true") && error.remedy.contains("[service.no-store.grants]"),
        "{error}"
    );
}

#[tokio::test]
async fn while_a_component_is_loaded_its_imports_fail_politely() {
    let guest = r#"
        (import "luckystack:plugin/stream@0.1.0" "emit" (func $emit (param i32 i32) (result i32)))
        (import "luckystack:plugin/stream@0.1.0" "aborted" (func $aborted (result i32)))
        (import "luckystack:plugin/function-call@0.1.0" "call" (func $call (param i32 i32 i32 i32 i32)))
        (import "luckystack:plugin/session-api@0.1.0" "get" (func $session (param i32 i32 i32)))
        (import "luckystack:plugin/session-api@0.1.0" "update" (func $update (param i32 i32 i32 i32 i32)))
        (import "luckystack:plugin/session-api@0.1.0" "end" (func $end (param i32 i32) (result i32)))
        (import "luckystack:plugin/accounts@0.1.0" "get" (func $account (param i32 i32 i32)))
        (import "luckystack:plugin/accounts@0.1.0" "delete" (func $delete (param i32 i32 i32)))
        (import "luckystack:plugin/uploads@0.1.0" "put" (func $put (param i32 i32 i32 i32 i32)))
        (import "wasi:keyvalue/store@0.2.0-draft" "open" (func $open (param i32 i32 i32)))
        ;; end of imports
        (data (i32.const 4096) "{}default")
        (func $assert (param i32) (if (i32.eqz (local.get 0)) (then (unreachable))))
        (func $describing
            (call $assert (i32.eqz (call $emit (i32.const 4096) (i32.const 2))))
            (call $assert (i32.eqz (call $aborted)))
            (call $call (i32.const 4098) (i32.const 7) (i32.const 4096) (i32.const 2) (i32.const 32))
            (call $assert (i32.eq (i32.load8_u (i32.const 32)) (i32.const 1)))
            (call $session (i32.const 4098) (i32.const 7) (i32.const 64))
            (call $assert (i32.eqz (i32.load8_u (i32.const 64))))
            (call $assert (i32.eqz (call $end (i32.const 4098) (i32.const 7))))
            (call $update (i32.const 4098) (i32.const 7) (i32.const 4096) (i32.const 2) (i32.const 128))
            (call $assert (i32.eq (i32.load8_u (i32.const 128)) (i32.const 1)))
            (call $account (i32.const 4098) (i32.const 7) (i32.const 160))
            (call $assert (i32.eq (i32.load8_u (i32.const 160)) (i32.const 1)))
            (call $delete (i32.const 4098) (i32.const 7) (i32.const 192))
            (call $assert (i32.eq (i32.load8_u (i32.const 192)) (i32.const 1)))
            (call $put (i32.const 4098) (i32.const 7) (i32.const 4096) (i32.const 2) (i32.const 224))
            (call $assert (i32.eq (i32.load8_u (i32.const 224)) (i32.const 1)))
            (call $open (i32.const 4098) (i32.const 7) (i32.const 96))
            (call $assert (i32.eq (i32.load8_u (i32.const 96)) (i32.const 1)))
            ;; access-denied
            (call $assert (i32.eq (i32.load8_u (i32.const 100)) (i32.const 1))))
        (func $run (param $args i32) (param $len i32) (result i32) (call $none))
    "#;
    let host = Host::start();
    let mut settings = ServiceSettings::default();
    settings.grants.keyvalue = Some(KeyValueGrant::default());
    (settings.grants.accounts, settings.grants.uploads) = (true, true);
    let plugin = host.plugin("loading", settings, guest).await;
    assert_eq!(answer(&plugin, "").await, "none");
}
