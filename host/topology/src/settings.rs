//! Settings of one service: how its instances live, what they may use, and what they are granted.
//!
//! The rule: no bare constant. Every default carries its reason; the numbers come from the
//! measurements of the design, and every one of them can be set per service in its preset.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::document::Value;
use crate::grants::{Grants, HttpGrant, KeyValueGrant};
use crate::project::EngineConfig;
use crate::reader::{Reader, Wrong, boolean, choice, duration, integer, list, size, text, word};
use crate::units::format_size;

/// How long an instance of a component lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InstancePolicy {
    /// One instance serves many calls, one at a time, until it is recycled.
    Reused,
    /// Every call gets an instance of its own.
    PerCall,
}

/// Settings of one service, from `[service.NAME]` of its preset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSettings {
    /// `instances`. Default reused: a fresh instance costs about 13 µs more in Rust and 3 to 20
    /// times the call in JavaScript and Python, and any trap, timeout or limit discards the
    /// instance anyway. A service that must not see its own earlier calls asks for `"per-call"`.
    pub instances: InstancePolicy,
    /// `max_calls_per_instance`. Default 10 000: spreads the cost of an instance so thin that it
    /// cannot be measured, and still bounds what a slow leak in a guest can gather.
    pub max_calls_per_instance: u64,
    /// `max_idle`. Default 60 s: longer than the pause between two polls of a client, short enough
    /// that a burst's instances are gone before anyone looks at the memory graph.
    pub max_idle: Duration,
    /// `memory`, linear memory per instance in bytes. Default 64 MiB: a Python guest starts near
    /// 40 MiB, everything else is far below.
    pub memory: u64,
    /// `deadline`, wall clock per call. Default 5 s: what a person still waits for.
    pub deadline: Duration,
    /// `hook_deadline`, wall clock per hook. Default 250 ms: hooks stand in the way of other
    /// services' calls, and 20 of them at worst stay within one call's deadline.
    pub hook_deadline: Duration,
    /// `concurrency`, live instances at once. Default 32: beyond the cores of ordinary machines
    /// (calls wait on their imports), and 16 services at full load fit the engine's 512.
    pub concurrency: u32,
    /// `queue`, callers that may wait for an instance; beyond it a call is refused with a retry
    /// hint. Default 256, eight a live instance: at 5 ms a call the last in the queue waits 40 ms.
    /// A longer queue only makes everybody late.
    pub queue: u32,
    /// `max_output`, bytes of one result. Default 1 MiB, the same as the largest input.
    pub max_output: u64,
    /// `max_stream_chunk`, bytes of one streamed chunk. Default 256 KiB: larger ones defeat the
    /// purpose of a stream and sit in the buffers of every recipient.
    pub max_stream_chunk: u64,
    /// `max_stream`, bytes that one call may stream. Default 64 MiB: a call that streams at 10 MiB/s
    /// for its whole deadline stays below.
    pub max_stream: u64,
    /// `max_log_lines`, log lines per call. Default 1000: more is no log but a flood.
    pub max_log_lines: u32,
    /// `degraded_after`, consecutive failures before health says degraded. Default 5: bad luck
    /// rarely strikes five times in a row.
    pub degraded_after: u32,
    /// `[grants]`. Nothing is granted by default.
    pub grants: Grants,
    /// `session_fields`: fields of the caller's session that the service may set. None by default.
    pub session_fields: Vec<String>,
    /// `[config]`: what the service reads through `wasi:config`.
    pub config: BTreeMap<String, String>,
    /// `[pin]`: file name of a component to the SHA-256 (lower-case hex) that its bytes must have.
    pub pin: BTreeMap<String, String>,
}

const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// One page of WebAssembly: no component runs in less.
const WASM_PAGE: u64 = 64 << 10;
/// What 32-bit linear memory can address.
const WASM_MAX_MEMORY: u64 = 4 << 30;
/// A bound for sizes that nobody means to reach, so that sums of them cannot overflow.
const LARGEST: u64 = 1 << 40;

// ---------------------------------------------------------------------------------------------

impl Default for ServiceSettings {
    fn default() -> Self {
        Self {
            instances: InstancePolicy::Reused,
            max_calls_per_instance: 10_000,
            max_idle: Duration::from_secs(60),
            memory: 64 << 20,
            deadline: Duration::from_secs(5),
            hook_deadline: Duration::from_millis(250),
            concurrency: 32,
            queue: 256,
            max_output: 1 << 20,
            max_stream_chunk: 256 << 10,
            max_stream: 64 << 20,
            max_log_lines: 1000,
            degraded_after: 5,
            grants: Grants::default(),
            session_fields: Vec::new(),
            config: BTreeMap::new(),
            pin: BTreeMap::new(),
        }
    }
}

impl ServiceSettings {
    /// The settings of a service that has no section, under this engine: the defaults, lowered to
    /// what the engine allows at all.
    pub(crate) fn within(engine: &EngineConfig) -> Self {
        let defaults = Self::default();
        Self {
            memory: defaults.memory.min(engine.max_memory),
            concurrency: defaults.concurrency.min(engine.max_instances),
            ..defaults
        }
    }

    pub(crate) fn read(r: &mut Reader<'_, '_>, engine: &EngineConfig) -> Self {
        let mut s = Self::within(engine);
        r.set(
            "instances",
            &mut s.instances,
            choice(&[("reused", InstancePolicy::Reused), ("per-call", InstancePolicy::PerCall)]),
        );
        r.set("max_calls_per_instance", &mut s.max_calls_per_instance, integer(1..=1_000_000_000_000));
        r.set("max_idle", &mut s.max_idle, duration(MILLISECOND..=DAY));
        r.set("memory", &mut s.memory, |node| {
            let memory = size(WASM_PAGE..=WASM_MAX_MEMORY)(node)?;
            if memory > engine.max_memory {
                return Err(Wrong::value(
                    format!(
                        "is {}, but `engine.max_memory` is {}",
                        format_size(memory),
                        format_size(engine.max_memory)
                    ),
                    "lower it, or raise engine.max_memory in project.toml",
                ));
            }
            Ok(memory)
        });
        r.set("deadline", &mut s.deadline, duration(MILLISECOND..=HOUR));
        r.set("hook_deadline", &mut s.hook_deadline, duration(MILLISECOND..=HOUR));
        r.set("concurrency", &mut s.concurrency, |node| {
            let concurrency = integer(1..=EngineConfig::MOST_INSTANCES)(node)?;
            if concurrency > engine.max_instances {
                return Err(Wrong::value(
                    format!("is {concurrency}, but `engine.max_instances` is {}", engine.max_instances),
                    "lower it, or raise engine.max_instances in project.toml",
                ));
            }
            Ok(concurrency)
        });
        r.set("queue", &mut s.queue, integer(0..=1_000_000));
        r.set("max_output", &mut s.max_output, size(1..=LARGEST));
        r.set("max_stream_chunk", &mut s.max_stream_chunk, size(1..=LARGEST));
        r.set("max_stream", &mut s.max_stream, size(1..=LARGEST));
        r.set("max_log_lines", &mut s.max_log_lines, integer(0..=u32::MAX));
        r.set("degraded_after", &mut s.degraded_after, integer(1..=u32::MAX));
        s.grants = r.section("grants", read_grants);
        s.session_fields = r.get("session_fields", list(word)).unwrap_or_default();
        s.config = read_config(r);
        s.pin = read_pins(r);
        s.warn_of_settings_without_effect(r);
        s
    }

    /// A setting that is read and then has no effect would be worse than one that is refused.
    fn warn_of_settings_without_effect(&self, r: &mut Reader<'_, '_>) {
        if self.instances != InstancePolicy::PerCall {
            return;
        }
        for key in ["max_calls_per_instance", "max_idle"] {
            if let Some(at) = r.place(key).cloned() {
                let path = r.path_of(key);
                r.findings.push(
                    at.warning(
                        "setting-without-effect",
                        format!("`{path}` has no effect with instances = \"per-call\""),
                        "remove it, or set instances = \"reused\"",
                    )
                    .key(path),
                );
            }
        }
    }
}

fn read_grants(r: &mut Reader<'_, '_>) -> Grants {
    let http = r.get("http", list(|node| HttpGrant::parse(&text(node)?))).unwrap_or_default();
    let is_table = r.entry("keyvalue").is_some_and(|e| matches!(e.node.value, Value::Table(_)));
    let keyvalue = if is_table {
        r.section_if_present("keyvalue", |r| {
            let mut grant = KeyValueGrant::default();
            r.set("max_value", &mut grant.max_value, size(1..=LARGEST));
            r.set("max_total", &mut grant.max_total, size(1..=LARGEST));
            if let (true, Some(at)) = (grant.max_value > grant.max_total, r.place("max_value").cloned()) {
                let path = r.path_of("max_value");
                r.findings.push(
                    at.error(
                        "invalid-value",
                        format!("`{path}` is larger than the whole store (`max_total`)"),
                        "lower max_value or raise max_total",
                    )
                    .key(path),
                );
            }
            grant
        })
    } else {
        r.get("keyvalue", |node| {
            boolean(node).map_err(|_| {
                Wrong::kind(
                    "true, false or a table",
                    node,
                    "write keyvalue = true, or keyvalue = { max_value = \"1MiB\", max_total = \"64MiB\" }",
                )
            })
        })
        .unwrap_or(false)
        .then(KeyValueGrant::default)
    };
    let mut flag = |key| r.get(key, boolean).unwrap_or(false);
    Grants {
        http,
        keyvalue,
        sessions: flag("sessions"),
        accounts: flag("accounts"),
        uploads: flag("uploads"),
    }
}

fn read_config(r: &mut Reader<'_, '_>) -> BTreeMap<String, String> {
    let mut config = BTreeMap::new();
    for (key, entry) in r.open("config") {
        let path = r.path_of(&format!("config.{key}"));
        match &entry.node.value {
            Value::String(value) => {
                config.insert(key.to_owned(), value.clone());
            }
            _ => Wrong::kind("a string", &entry.node, "quote it: guests read configuration as text").report(
                &entry.node.at,
                &path,
                r.findings,
            ),
        }
    }
    config
}

fn read_pins(r: &mut Reader<'_, '_>) -> BTreeMap<String, String> {
    let mut pins = BTreeMap::new();
    for (file, entry) in r.open("pin") {
        let path = r.path_of(&format!("pin.\"{file}\""));
        let is_file_name = file.ends_with(".wasm") && !file.contains(['/', '\\']);
        let result = if is_file_name {
            text(&entry.node).and_then(|hash| {
                let hash = hash.to_ascii_lowercase();
                if hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return Ok(hash);
                }
                let remedy = format!("write the 64 hexadecimal digits that `sha256sum {file}` prints");
                Err(Wrong::value("is no SHA-256", remedy))
            })
        } else {
            // Without quotes, TOML reads `vehicles.wasm` as a table.
            let remedy = "write the bare file name in quotes: \"vehicles.wasm\" = \"…\"";
            Err(Wrong::value("does not name a component file", remedy).at(&entry.at))
        };
        match result {
            Ok(hash) => {
                pins.insert(file.to_owned(), hash);
            }
            Err(wrong) => wrong.report(&entry.node.at, &path, r.findings),
        }
    }
    pins
}
