//! Opens the realtime layer of a project.

use std::sync::Arc;

use luckystack_backplane::{Keys, SharedBackplane};
use luckystack_identity::Identity;
use luckystack_pipeline::Pipeline;
use luckystack_pipeline::sync::SyncOverHttp;
use luckystack_sessions::Hooks;
use luckystack_socketio::{Bus, ClusterError, ClusterSettings, Io};
use luckystack_topology::ProjectConfig;

use crate::app::Front;
use crate::client::Client;
use crate::http_sync::Calls;
use crate::notices::Notices;
use crate::presence::Presence;
use crate::rules::{self, Rules};
use crate::shared::Shared;

/// What it stands on.
pub struct Parts {
    /// The configuration.
    pub project: ProjectConfig,
    /// Answers calls.
    pub pipeline: Pipeline,
    /// Login and sessions; none on a host without login: every socket is anonymous.
    pub identity: Option<Identity>,
    /// Plugins that take part.
    pub hooks: Arc<dyn Hooks>,
    /// Where other hosts are met; none for a host alone.
    pub bus: Option<Arc<dyn Bus>>,
}

/// Why it did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The other hosts cannot be met.
    #[error("sockets cannot be shared with other hosts: {0}")]
    Cluster(#[from] ClusterError),
}

/// The realtime layer. Cheap to clone.
#[derive(Clone)]
pub struct Realtime {
    shared: Arc<Shared>,
}

impl Realtime {
    /// Opens it. Needs a running tokio runtime.
    ///
    /// # Errors
    /// The other hosts cannot be met.
    pub async fn open(parts: Parts) -> Result<Realtime, OpenError> {
        let Parts { project, pipeline, identity, hooks, bus } = parts;
        let sessions = identity.as_ref().map(|identity| identity.sessions().clone());
        let rules = Rules::new(&project);
        let shared = Shared::new(pipeline, identity, Arc::clone(&hooks), rules, bus.is_some());
        let socket = &project.socket;
        let io = Io::new(rules::transport(socket), Arc::new(Front(Arc::clone(&shared))));
        shared.set_io(io.clone());
        if let Some(bus) = bus {
            let settings =
                ClusterSettings { prefix: socket.redis_prefix.clone(), timeout: socket.cluster_timeout };
            io.join_cluster(bus, settings).await?;
        }
        if let Some(sessions) = sessions {
            let notices = Notices::follow(Arc::clone(&shared), sessions.events());
            let token_of = |socket: &luckystack_socketio::Socket| Client::of(socket)?.token.clone();
            let presence = Presence::start(&project.presence, io, sessions, hooks, token_of);
            shared.set_people(presence, notices);
        }
        Ok(Realtime { shared })
    }

    /// Shares with the other hosts when each socket was last active (§8), so that a tab that is idle here
    /// and one that is busy elsewhere are one person. Once, before the first client; without it, each host
    /// knows its own sockets.
    pub fn share_activity(&self, backplane: SharedBackplane, keys: &Keys) {
        if let Some(presence) = self.shared.presence() {
            presence.share_activity(backplane, keys);
        }
    }

    /// The socket.io server, for the listener.
    pub fn io(&self) -> &Io {
        self.shared.io()
    }

    /// Answers `/sync/…`.
    pub fn sync_over_http(&self) -> Arc<dyn SyncOverHttp> {
        Arc::new(Calls(Arc::clone(&self.shared)))
    }

    /// Applies a changed configuration from now on; what the transport was opened with stays.
    pub fn reconfigure(&self, project: &ProjectConfig) {
        self.shared.rules.store(Arc::new(Rules::new(project)));
        if let Some(presence) = self.shared.presence() {
            presence.reconfigure(&project.presence);
        }
    }

    /// Disconnects everybody and ends.
    pub async fn close(&self) {
        // First of all, or those who are disconnected would count as gone.
        if let Some(presence) = self.shared.presence() {
            presence.close();
        }
        self.io().close().await;
        if let Some(notices) = self.shared.notices() {
            notices.close();
        }
    }
}

impl std::fmt::Debug for Realtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Realtime")
    }
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}
