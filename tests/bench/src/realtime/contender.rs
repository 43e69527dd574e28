//! The two servers: the host with the service `bench`, and the npm socket.io server.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use clap::ValueEnum;

use crate::Options;
use crate::auth;
use crate::project::{Project, Workshop, run};
use crate::realtime::cores::Cores;
use crate::realtime::swarm::Swarm;
use crate::report::note;
use crate::server::{Server, free_port};

/// Sessions that the members of a room share out among themselves.
pub(crate) const SESSIONS: usize = 200;

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Who {
    /// The host.
    Host,
    /// The npm socket.io server.
    Node,
}

/// How servers are started.
pub(crate) struct Stable<'a> {
    workshop: &'a Workshop,
    pub(crate) cores: Cores,
    project: Project,
    node: PathBuf,
}

/// A running server.
pub(crate) struct Contender {
    pub(crate) who: Who,
    pub(crate) server: Server,
    /// Cookies of sessions whose sockets are in the room from when they connect.
    pub(crate) cookies: Vec<String>,
}

impl Who {
    /// Those that take part.
    pub(crate) fn all(options: &Options) -> Vec<Who> {
        options.only.map_or_else(|| vec![Who::Host, Who::Node], |only| vec![only])
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Who::Host => "host",
            Who::Node => "socket.io 4.8, Node",
        }
    }
}

impl<'a> Stable<'a> {
    pub(crate) fn open(workshop: &'a Workshop, options: &Options) -> anyhow::Result<Stable<'a>> {
        let who = Who::all(options);
        let mut services = Vec::new();
        if who.contains(&Who::Host) {
            let component = fs::read(workshop.realtime()?);
            services.push(component.context("realtime.wasm is missing; run without --no-build")?);
        }
        let services = services.iter().map(|component| ("bench", &component[..], ""));
        let project = workshop.project("realtime", services)?;
        let node = install(workshop)?;
        Ok(Stable { workshop, cores: Cores::take()?, project, node })
    }

    /// Starts one, on the server's core, with so many sessions.
    pub(crate) fn start(&self, who: Who, sessions: usize) -> anyhow::Result<Contender> {
        let port = free_port()?;
        let (mut command, path, log) = match who {
            Who::Host => (self.host(port), "/readyz", "realtime-host"),
            Who::Node => (self.node(port), "/", "realtime-node"),
        };
        let log = self.workshop.log(log);
        let (server, _, _) = self.cores.of_the_server(|| Server::start(&mut command, port, path, &log))?;
        let cookies = match who {
            Who::Host => sign_in(port, sessions)?,
            Who::Node => (0..sessions).map(|n| format!("token={n:064x}")).collect(),
        };
        Ok(Contender { who, server, cookies })
    }

    fn host(&self, port: u16) -> Command {
        let mut command = self.workshop.host(&self.project, port);
        command.env_remove("REDIS_URL").env_remove("REDIS_HOST");
        for setting in
            ["rate_limiting.enabled=false", "rate_limiting.auth.enabled=false", "backplane.store=\"sqlite\""]
        {
            command.args(["--set", setting]);
        }
        command
    }

    fn node(&self, port: u16) -> Command {
        let mut command = Command::new("node");
        command.current_dir(&self.node).arg("server.mjs");
        command.env("PORT", port.to_string()).env("NODE_ENV", "production");
        command
    }
}

impl Contender {
    /// Clients of it: members of the room, or strangers without a session.
    pub(crate) fn clients(&self, count: usize, members: bool) -> anyhow::Result<Swarm> {
        let mut swarm = Swarm::new(self.server.port())?;
        if members {
            swarm.connect(count, &self.cookies)?;
            swarm.await_membership()?;
        } else {
            swarm.connect(count, &[])?;
        }
        swarm.clear();
        Ok(swarm)
    }
}

/// Registers users, and has each join the room, which their sessions then remember.
fn sign_in(port: u16, sessions: usize) -> anyhow::Result<Vec<String>> {
    if sessions > 0 {
        note(format!("registering {sessions} users"));
    }
    let cookies = (0..sessions).map(|user| auth::register(port, user)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut swarm = Swarm::new(port)?;
    swarm.connect(cookies.len(), &cookies)?;
    swarm.join()?;
    Ok(cookies)
}

/// Installs what the lock file names, in the working folder.
fn install(workshop: &Workshop) -> anyhow::Result<PathBuf> {
    let dir = workshop.file("realtime");
    fs::create_dir_all(&dir)?;
    for file in ["package.json", "package-lock.json", "server.mjs"] {
        fs::copy(workshop.source(&format!("realtime/{file}")), dir.join(file))?;
    }
    let mut npm = Command::new("npm");
    run(npm.current_dir(&dir).args(["ci", "--no-audit", "--no-fund"]))
        .context("the socket.io server is the baseline and needs Node 20 or newer with npm")?;
    Ok(dir)
}
