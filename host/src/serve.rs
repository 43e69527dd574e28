//! Serving: bind, build, load, answer, and stop when told to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use luckystack_http::{HostIdentity, Readiness, Server};
use luckystack_pipeline::Pipeline;
use luckystack_pipeline::locale::Locales;
use luckystack_topology::Topology;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::Level;

use crate::project::Project;
use crate::terminal::{complain, count, line, note, note_at};
use crate::{banner, boot, build};

/// Subscribers of `preServerStop` may take this long (wire protocol §6.3).
const STOP_HOOKS: Duration = Duration::from_secs(10);

/// Runs until a signal ends it; whether it ended as it should.
pub(crate) async fn run(mut project: Project, no_build: bool) -> anyhow::Result<bool> {
    let started = Instant::now();
    let mut signals = Signals::install()?;
    let readiness = Arc::new(Readiness::new());
    // Bound before anything slow, so that a wrong address is known at once; connections wait until the
    // plugins are there.
    let server =
        Server::bind(&project.topology.project, &identity(&project.topology), Arc::clone(&readiness)).await?;

    let build_started = Instant::now();
    let mut built = 0;
    if !no_build {
        let outcome = tokio::select! {
            outcome = build::build(&project, build::Which::Stale) => outcome,
            () = signals.next() => return Ok(true),
        };
        for failure in &outcome.failures {
            complain(failure);
        }
        built = outcome.built;
        project.rediscover();
    }
    let building = if built > 0 { build_started.elapsed() } else { Duration::ZERO };

    let loaded = boot::load(&project).await?;
    let (locales, problems) = Locales::load(&project.topology.project.paths.locales);
    for problem in &problems {
        note_at(Level::WARN, format!("warning: {problem}"));
    }
    let locales = locales.with_default(&project.topology.project.default_language);
    let listing = banner::listing(&project, &loaded);
    let plugins = loaded.table.plugins().len();
    let cached = loaded.cached;

    let pipeline = Pipeline::new(&project.topology.project, locales, is_production());
    pipeline.swap(loaded.table);
    loaded.runtime.spawn_sweeper();
    let url = server.url();
    let taken = server.taken_port();
    let handle = server.serve(pipeline.clone());
    readiness.set_ready();

    line(listing.trim_end());
    line("");
    if let Some(port) = taken {
        line(format!("port {port} is taken; using the next free one"));
    }
    line(format!("listening on {url}"));
    let mut took = format!("ready in {} ms", (started.elapsed() - building).as_millis());
    if built > 0 {
        took += &format!(" after building {} for {:.1} s", count(built, "plugin"), building.as_secs_f64());
    }
    line(format!("{took} ({}, {cached} from the cache)", count(plugins, "plugin")));

    signals.next().await;
    note("stopping: finishing what is in flight; a second signal stops at once");
    let stopping = async {
        let hooks = pipeline.pre_server_stop("signal", STOP_HOOKS);
        let _ = tokio::time::timeout(STOP_HOOKS, hooks).await;
        handle.shutdown().await
    };
    let drained = tokio::select! {
        drained = stopping => drained,
        () = signals.next() => {
            note("stopped at once");
            return Ok(false);
        }
    };
    match drained.cut_off {
        0 => note("stopped"),
        cut => note(format!("stopped; {} had not finished in time", count(cut, "connection"))),
    }
    // Held to the end: its threads run the plugins of the last calls.
    drop(loaded.runtime);
    Ok(true)
}

/// Signals that ask the host to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn install() -> anyhow::Result<Signals> {
        let install = |kind| signal(kind).context("cannot listen for signals");
        Ok(Signals {
            terminate: install(SignalKind::terminate())?,
            interrupt: install(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// `LUCKYSTACK_ENV`, else `NODE_ENV`, else `development` (wire protocol §6.3).
fn env_key() -> String {
    let of = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    of("LUCKYSTACK_ENV").or_else(|| of("NODE_ENV")).unwrap_or_else(|| "development".into())
}

fn is_production() -> bool {
    std::env::var("NODE_ENV").is_ok_and(|env| env == "production") || env_key() == "production"
}

/// What `/_health` tells: the environment, and the values that must agree between hosts.
fn identity(topology: &Topology) -> HostIdentity {
    let env_key = env_key();
    let mut keys: Vec<String> = Vec::new();
    if let Some(deploy) = &topology.deploy
        && let Some(environment) = deploy.environments.get(&env_key)
    {
        for resource in [&environment.redis, &environment.mongo].into_iter().flatten() {
            if let Some(resource) = deploy.resources.get(resource) {
                keys.extend(resource.synchronized_env_keys.iter().cloned());
            }
        }
    }
    keys.sort();
    keys.dedup();
    let synchronized = keys.into_iter().map(|key| {
        let value = std::env::var(&key).ok();
        (key, value)
    });
    HostIdentity { synchronized: synchronized.collect(), env_key }
}
