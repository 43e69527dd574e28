//! Serving: bind, build, load, answer, and stop when told to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use luckystack_backplane::Keys;
use luckystack_http::{HostIdentity, HostState, Readiness, Server};
use luckystack_identity::Identity;
use luckystack_pipeline::{Pipeline, Prepared};
use luckystack_realtime::{OverRedis, Parts, Realtime};
use luckystack_sessions::Hooks;
use luckystack_socketio::Bus;
use luckystack_topology::{ProjectConfig, Topology};
use luckystack_users::SharedUsers;
use luckystack_users::component::{ComponentUsers, LivePlugin};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::Level;

use crate::boot_uuid::BootUuid;
use crate::cli::Common;
use crate::keep::{DevOptions, Keeper};
use crate::login::{self, Ground};
use crate::plugin_hooks::PluginHooks;
use crate::project::Project;
use crate::state::State;
use crate::stores::Stores;
use crate::terminal::{complain, count, line, note, note_at, status};
use crate::{banner, boot, build, stores};

/// Subscribers of `preServerStop` may take this long (wire protocol §6.3).
const STOP_HOOKS: Duration = Duration::from_secs(10);

/// Runs until a signal ends it; whether it ended as it should.
pub(crate) async fn run(
    mut project: Project,
    common: &Common,
    dev: Option<DevOptions>,
) -> anyhow::Result<bool> {
    let started = Instant::now();
    let mut signals = Signals::install()?;
    let readiness = Arc::new(Readiness::new());
    // Bound before anything slow, so that a wrong address is known at once; connections wait until the
    // plugins are there.
    let mut server =
        Server::bind(&project.topology.project, &identity(&project.topology), Arc::clone(&readiness)).await?;

    let build_started = Instant::now();
    let mut built = 0;
    // With --dev sources are built while the host serves what there is.
    if !common.no_build && dev.is_none() {
        let outcome = tokio::select! {
            outcome = build::build_stale(&project, common.jobs()) => outcome,
            () = signals.stop() => return Ok(true),
        };
        for failure in &outcome.failures {
            complain(failure);
        }
        built = outcome.built;
        project.rediscover();
    }
    let building = if built > 0 { build_started.elapsed() } else { Duration::ZERO };

    let config = &project.topology.project;
    let (stores, loaded) = tokio::try_join!(stores::open(config), boot::load(&project, dev.is_some()))?;
    let listing = banner::listing(&project, &loaded);
    let plugins = loaded.table.plugins().len();
    let cached = loaded.cached;
    let (live, door) = (loaded.live, loaded.door);

    let pipeline = live.pipeline().clone();
    live.runtime().spawn_sweeper();
    let state = Arc::new(State::new(if dev.is_some() { "dev" } else { "serve" }, Arc::clone(&live)));
    if project.topology.project.http.host_state.unwrap_or(dev.is_some()) {
        let state = Arc::clone(&state);
        server = server.with_state(HostState::new(move || state.json()));
    }
    let url = server.url();
    pipeline.use_backplane(&project.topology.project, Arc::clone(&stores.backplane));
    let hooks: Arc<dyn Hooks> = Arc::new(PluginHooks::new(pipeline.clone()));
    door.announce_to(Arc::clone(&hooks));
    let ground = Ground {
        backplane: Arc::clone(&stores.backplane),
        users: stores.users.clone().or_else(|| kept_by_component(&project.topology.project, &pipeline)),
        hooks: Arc::clone(&hooks),
        may_return_to: Arc::new(server.origin_check()),
        url: url.clone(),
    };
    let access = login::open(&project.topology.project, ground).await?;
    let identity = access.identity.clone();
    if let Some(identity) = &identity {
        door.open(identity.clone());
    }
    server = server.with_access(access);
    let realtime = open_realtime(&project.topology.project, &pipeline, &identity, hooks, &stores).await?;
    if let Some(realtime) = &realtime {
        server = server.with_realtime(luckystack_http::Realtime {
            io: realtime.io().clone(),
            sync: realtime.sync_over_http(),
        });
    }
    let _boot_uuid = BootUuid::announce(&stores.backplane, &env_key(), server.boot_uuid());
    let taken = server.taken_port();
    let mut keeper =
        Keeper::new(project, common.clone(), Arc::clone(&live), state, identity, realtime.clone(), dev)
            .await?;
    let handle = server.serve(pipeline.clone());
    readiness.set_ready();

    line(listing.trim_end());
    line("");
    line(&stores.description);
    if let Some(port) = taken {
        line(format!("port {port} is taken; using the next free one"));
    }
    line(format!("listening on {url}"));
    let mut took = format!("ready in {} ms", (started.elapsed() - building).as_millis());
    if built > 0 {
        took += &format!(" after building {} for {:.1} s", count(built, "plugin"), building.as_secs_f64());
    }
    line(format!("{took} ({}, {cached} from the cache)", count(plugins, "plugin")));

    keeper.run(&mut signals).await;
    drop(keeper);
    status("");
    note("stopping: finishing what is in flight; a second signal stops at once");
    let stopping = async {
        let hooks = pipeline.pre_server_stop("signal", STOP_HOOKS);
        let _ = tokio::time::timeout(STOP_HOOKS, hooks).await;
        // First: a poll that hangs would keep its connection to the end of the drain.
        if let Some(realtime) = &realtime {
            realtime.close().await;
        }
        handle.shutdown().await
    };
    let drained = tokio::select! {
        drained = stopping => drained,
        () = signals.stop() => {
            note("stopped at once");
            return Ok(false);
        }
    };
    match drained.cut_off {
        0 => note("stopped"),
        cut => note(format!("stopped; {} had not finished in time", count(cut, "connection"))),
    }
    // Held to the end: its threads run the plugins of the last calls.
    drop(live);
    stores.close().await;
    Ok(true)
}

/// Sockets, rooms and sync calls, unless the project wants none.
async fn open_realtime(
    project: &ProjectConfig,
    pipeline: &Pipeline,
    identity: &Option<Identity>,
    hooks: Arc<dyn Hooks>,
    stores: &Stores,
) -> anyhow::Result<Option<Realtime>> {
    if !project.socket.enabled {
        return Ok(None);
    }
    let bus = match &stores.redis {
        Some(redis) => Some(Arc::new(OverRedis(redis.bus().await?)) as Arc<dyn Bus>),
        None => None,
    };
    let parts = Parts {
        project: project.clone(),
        pipeline: pipeline.clone(),
        identity: identity.clone(),
        hooks,
        bus,
    };
    let realtime = Realtime::open(parts).await?;
    if stores.redis.is_some() {
        realtime.share_activity(Arc::clone(&stores.backplane), &Keys::new(&project.name));
    }
    Ok(Some(realtime))
}

/// The accounts of a project whose configuration names a service that keeps them.
fn kept_by_component(project: &ProjectConfig, pipeline: &Pipeline) -> Option<SharedUsers> {
    let service = project.users.component.clone().filter(|_| project.auth.enabled)?;
    let keeper = {
        let (service, pipeline) = (service.clone(), pipeline.clone());
        move || {
            let table = pipeline.table();
            let mut plugins = table.plugins().iter().map(Prepared::plugin);
            let keeper =
                plugins.find(|plugin| **plugin.service().name() == *service && plugin.manifest().user_store);
            keeper.cloned()
        }
    };
    if keeper().is_none() {
        note_at(
            Level::WARN,
            format!(
                "warning: users.component = \"{service}\": no plugin of that service keeps users (userStore in \
                 its manifest); nobody can log in until there is one"
            ),
        );
    }
    let plugin = LivePlugin::new(service, keeper).with_functions(pipeline.functions());
    Some(Arc::new(ComponentUsers::new(plugin)))
}

/// Signals that the host heeds.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn install() -> anyhow::Result<Signals> {
        let install = |kind| signal(kind).context("cannot listen for signals");
        Ok(Signals {
            terminate: install(SignalKind::terminate())?,
            interrupt: install(SignalKind::interrupt())?,
            hang_up: install(SignalKind::hangup())?,
        })
    }

    /// Waits for one that asks to stop.
    pub(crate) async fn stop(&mut self) {
        while self.next().await != Asked::Stop {}
    }

    /// Waits for the next one. Safe to drop at any moment.
    pub(crate) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hang_up.recv() => Asked::Reload,
        }
    }
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// SIGTERM, SIGINT.
    Stop,
    /// SIGHUP: look at the disk again.
    Reload,
}

/// `LUCKYSTACK_ENV`, else `NODE_ENV`, else `development` (wire protocol §6.3).
fn env_key() -> String {
    let of = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    of("LUCKYSTACK_ENV").or_else(|| of("NODE_ENV")).unwrap_or_else(|| "development".into())
}

pub(crate) fn is_production() -> bool {
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
