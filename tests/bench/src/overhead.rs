//! What a call costs beyond the guest's own time, without a socket.
//!
//! The same call is made at three depths (the whole pipeline, the plugin host, wasmtime alone), in
//! small batches that take turns. The difference of two depths is the cost of what lies between.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use luckystack_pipeline::locale::Locales;
use luckystack_pipeline::{Call, Pipeline, Prepared, Table as Routes};
use luckystack_plugins::engine::EngineSettings;
use luckystack_plugins::{CallContext, Caller, Plugin, Runtime, ServiceRuntime, Transport};
use luckystack_topology::{Method, Overrides, Prefix, Topology};
use serde_json::{Value, json};

use crate::Options;
use crate::project::{LIST, Workshop};
use crate::raw::{RawApi, RawEngine, RawHooks};
use crate::report::{Bound, Report, Table};
use crate::stats::Series;

/// As long as the ones that the host makes.
pub(crate) const REQUEST_ID: &str = "0b64f3cf-5d0c-4d6b-8f3a-2a0f2b7f6f43";

/// Calls between two looks at the clock: long against the clock, short against the time slice of a
/// busy machine.
const BATCH: u32 = 20;
/// Before the first batch that counts.
const WARM_UP: Duration = Duration::from_millis(500);

/// What a hook of the audit plugin gets for a call.
const AUDITED: &[u8] = br#"{"routeName":"api/vehicles/getAll/v1","durationMs":0.012}"#;

/// A thing to time, and its times so far in µs a call.
struct Timed<W> {
    what: W,
    micros: Series,
}

impl<W> Timed<W> {
    fn new(what: W) -> Self {
        Timed { what, micros: Series::default() }
    }

    fn record(&mut self, took: Duration) {
        self.micros.push(took.as_secs_f64() * 1e6 / f64::from(BATCH));
    }
}

/// A route with everything needed to call it at each depth.
struct Depths {
    route: Arc<str>,
    pipeline: Timed<Pipeline>,
    plugin: Timed<Arc<Plugin>>,
    raw: Timed<RawApi>,
}

/// Everything that takes turns.
struct Subject {
    list: Depths,
    /// The list once more, with a subscriber of `postApiExecute`.
    audited: Timed<Pipeline>,
    hook: Timed<RawHooks>,
    /// A handler that returns next to nothing.
    constant: Depths,
    /// The plugin host behind all of it: its threads run the calls.
    _runtime: Arc<Runtime>,
    _engine: RawEngine,
}

pub(crate) fn measure(workshop: &Workshop, options: &Options, report: &mut Report) -> anyhow::Result<()> {
    report.begin("Overhead: µs a call, in process, one call at a time");
    let seconds = options.seconds * u64::from(options.rounds);
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (list, constant, vehicles, audit, hostile) = (
        LIST.trim_start_matches('/'),
        "api/hostile/healthy/v1",
        workshop.vehicles(),
        workshop.audit(),
        workshop.hostile()?,
    );
    let topology = topology(workshop)?;
    let subject = tokio.block_on(async {
        let runtime = Arc::new(Runtime::start(
            &EngineSettings::default(),
            luckystack_capabilities::all(luckystack_capabilities::Options::default()),
            Some(&workshop.file("cache")),
        )?);
        let mut loaded = Vec::new();
        for (service, file) in [("vehicles", &vehicles), ("audit", &audit), ("hostile", &hostile)] {
            let settings = Arc::clone(topology.service_settings(service));
            let service = runtime.service(service, settings)?;
            let (plugin, _) = runtime.load(file, &service).await?;
            loaded.push((plugin, service));
        }
        let engine = RawEngine::start()?;
        let bytes = |file| std::fs::read(file).context("a component is missing; run without --no-build");
        anyhow::Ok(Subject {
            list: Depths {
                route: list.into(),
                pipeline: Timed::new(pipeline(&topology, &loaded[..1])?),
                plugin: Timed::new(Arc::clone(&loaded[0].0)),
                raw: Timed::new(engine.api(&bytes(&vehicles)?).await?),
            },
            audited: Timed::new(pipeline(&topology, &loaded[..2])?),
            hook: Timed::new(engine.hooks(&bytes(&audit)?).await?),
            constant: Depths {
                route: constant.into(),
                pipeline: Timed::new(pipeline(&topology, &loaded[2..])?),
                plugin: Timed::new(Arc::clone(&loaded[2].0)),
                raw: Timed::new(engine.api(&bytes(&hostile)?).await?),
            },
            _runtime: runtime,
            _engine: engine,
        })
    })?;
    // On a worker, where the host's calls run too.
    let running = tokio.spawn(subject.run(Duration::from_secs(seconds)));
    let subject = tokio.block_on(running)??;
    publish(&subject, report);
    Ok(())
}

fn topology(workshop: &Workshop) -> anyhow::Result<Topology> {
    let flags = ["rate_limiting.default_api_limit=1000000000", "rate_limiting.default_ip_limit=1000000000"];
    let overrides = Overrides { flags: flags.map(str::to_owned).to_vec(), ..Overrides::default() };
    let loaded = luckystack_topology::load(&workshop.fleet().config, &overrides);
    if loaded.has_errors() {
        bail!("presets/ has errors; `luckystack-host check` lists them");
    }
    loaded.topology.context("presets/ cannot be read")
}

fn pipeline(topology: &Topology, loaded: &[(Arc<Plugin>, Arc<ServiceRuntime>)]) -> anyhow::Result<Pipeline> {
    let (locales, _) = Locales::load(&topology.project.paths.locales);
    let pipeline = Pipeline::new(&topology.project, locales, false);
    let plugins = loaded.iter().map(|(plugin, _)| Prepared::new(Arc::clone(plugin)));
    let plugins = plugins.collect::<Result<Vec<_>, _>>()?;
    let services = loaded.iter().map(|(_, service)| Arc::clone(service)).collect();
    let (table, refused) = Routes::new(plugins, services, Default::default());
    ensure!(refused.is_empty(), "a plugin was refused: {refused:?}");
    pipeline.swap(table);
    Ok(pipeline)
}

fn caller() -> Caller {
    Caller {
        session: None,
        ip: "127.0.0.1".into(),
        language: "en".into(),
        request_id: REQUEST_ID.into(),
        traceparent: None,
        transport: Transport::Http,
    }
}

impl Subject {
    async fn run(mut self, time: Duration) -> anyhow::Result<Subject> {
        let warm = Instant::now();
        while warm.elapsed() < WARM_UP {
            self.round().await?;
        }
        for series in self.series() {
            *series = Series::default();
        }
        let started = Instant::now();
        while started.elapsed() < time {
            self.round().await?;
        }
        Ok(self)
    }

    /// One batch of each.
    async fn round(&mut self) -> anyhow::Result<()> {
        let caller = caller();
        self.list.round(&caller).await?;
        call_pipeline(&mut self.audited, &self.list.route, &caller).await?;
        let started = Instant::now();
        for _ in 0..BATCH {
            self.hook.what.handle("postApiExecute", AUDITED).await?;
        }
        self.hook.record(started.elapsed());
        self.constant.round(&caller).await
    }

    fn series(&mut self) -> [&mut Series; 8] {
        let Subject { list, audited, hook, constant, .. } = self;
        let [a, b, c] = list.series();
        let [d, e, f] = constant.series();
        [a, b, c, &mut audited.micros, &mut hook.micros, d, e, f]
    }
}

impl Depths {
    async fn round(&mut self, caller: &Caller) -> anyhow::Result<()> {
        call_pipeline(&mut self.pipeline, &self.route, caller).await?;
        let started = Instant::now();
        for _ in 0..BATCH {
            let deadline = Instant::now() + Duration::from_secs(2);
            let context = CallContext::new(Arc::clone(&self.route), caller.clone(), deadline);
            let answer = self.plugin.what.call_api(Arc::new(context), Bytes::from_static(b"{}")).await?;
            ensure!(answer.is_ok(), "the handler failed");
        }
        self.plugin.record(started.elapsed());
        let started = Instant::now();
        for _ in 0..BATCH {
            self.raw.what.call(&self.route).await?;
        }
        self.raw.record(started.elapsed());
        Ok(())
    }

    fn series(&mut self) -> [&mut Series; 3] {
        [&mut self.pipeline.micros, &mut self.plugin.micros, &mut self.raw.micros]
    }

    /// Rows of the table, from the outside in; and the overhead.
    fn rows(&self, table: &mut Table, what: &str) -> Series {
        let (pipeline, plugin, raw) = (&self.pipeline.micros, &self.plugin.micros, &self.raw.micros);
        let overhead = pipeline.minus(raw);
        table.row([format!("{what}: whole pipeline"), spread(pipeline)]);
        table.row(["– in the guest (wasmtime alone)".into(), spread(raw)]);
        table.row(["– plugin host: place, instance, deadline".into(), spread(&plugin.minus(raw))]);
        table
            .row(["– pipeline: route, limits, validation, envelope".into(), spread(&pipeline.minus(plugin))]);
        table.row(["– **overhead**".into(), spread(&overhead)]);
        overhead
    }

    fn json(&self) -> Value {
        json!({
            "pipeline": quantiles(&self.pipeline.micros), "pluginHost": quantiles(&self.plugin.micros),
            "guest": quantiles(&self.raw.micros), "overhead": quantiles(&self.pipeline.micros.minus(&self.raw.micros)),
        })
    }
}

async fn call_pipeline(timed: &mut Timed<Pipeline>, route: &Arc<str>, caller: &Caller) -> anyhow::Result<()> {
    let started = Instant::now();
    for _ in 0..BATCH {
        let reply = timed
            .what
            .call(Call {
                prefix: Prefix::Api,
                raw_name: route.to_string(),
                method: Some(Method::Get),
                input: Bytes::from_static(b"{}"),
                caller: caller.clone(),
                sink: None,
            })
            .await;
        ensure!(reply.status == 200, "{route} answered {}", reply.status);
    }
    timed.record(started.elapsed());
    Ok(())
}

/// Median, and the middle eighty in a hundred: a batch that was interrupted says nothing.
fn spread(series: &Series) -> String {
    format!("{:.2} ({:.2}–{:.2})", series.median(), series.quantile(0.1), series.quantile(0.9))
}

fn quantiles(series: &Series) -> Value {
    json!({ "median": series.median(), "p10": series.quantile(0.1), "p90": series.quantile(0.9) })
}

fn publish(subject: &Subject, report: &mut Report) {
    let mut table = Table::new(["call", "µs: median (10 %–90 % of batches)"]);
    let overhead = subject.list.rows(&mut table, "list of 20 objects");
    let constant = subject.constant.rows(&mut table, "constant answer");
    let hook = subject.audited.micros.minus(&subject.list.pipeline.micros);
    let hook_overhead = hook.minus(&subject.hook.micros);
    let with_hook = subject.audited.micros.minus(&subject.list.raw.micros).minus(&subject.hook.micros);
    table.row(["one hook component, whole".into(), spread(&hook)]);
    table.row(["– in the guest (wasmtime alone)".into(), spread(&subject.hook.micros)]);
    table.row(["– overhead of the hook".into(), spread(&hook_overhead)]);
    table.row(["list and hook: **overhead of both crossings**".into(), spread(&with_hook)]);
    table.print();
    report.target("overhead of a call beyond guest time (list)", &overhead, Bound::AtMost(5.0), " µs");
    report.target("overhead of a call beyond guest time (constant)", &constant, Bound::AtMost(5.0), " µs");
    report.add(
        "overhead",
        json!({
            "list": subject.list.json(), "constant": subject.constant.json(),
            "hook": { "whole": quantiles(&hook), "guest": quantiles(&subject.hook.micros), "overhead": quantiles(&hook_overhead) },
            "listAndHookOverhead": quantiles(&with_hook),
        }),
    );
}
