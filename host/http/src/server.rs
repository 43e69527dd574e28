//! The listener: binds, accepts up to its limit, drains.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use luckystack_topology::ProjectConfig;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::access::{Access, Gate};
use crate::connection;
use crate::dispatch::Dispatch;
use crate::endpoints::{Endpoints, HostIdentity};
use crate::error::HttpError;
use crate::headers;
use crate::ip::{ProxyTrust, peer_ip};
use crate::lifecycle::{Command, Patience, Registry};
use crate::origin::OriginPolicy;
use crate::rate::RequestRate;
use crate::readiness::Readiness;
use crate::service::{Connection, Shared};
use crate::sockets::Realtime;
use crate::static_files::StaticFiles;
use crate::tls;
use crate::uploads::Uploads;

/// Ports tried after the configured one.
const PORTS_TRIED: u16 = 100;
/// Pauses after an accept that failed for want of something: doubled up to the longer one.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How often the log says that the listener is full or failing.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(10);
/// How long connections may take to notice that they are cut off.
const CUT_OFF: Duration = Duration::from_secs(1);

/// A server that listens and does not answer yet.
pub struct Server {
    listener: TcpListener,
    local_addr: SocketAddr,
    requested_port: u16,
    tls: Option<TlsAcceptor>,
    project: ProjectConfig,
    headers: http::HeaderMap,
    endpoints: Endpoints,
    files: Option<StaticFiles>,
    readiness: Arc<Readiness>,
    state: Option<HostState>,
    access: Option<Access>,
    realtime: Option<Realtime>,
}

/// Tells the host's state as JSON text, for `/_host`.
#[derive(Clone)]
pub struct HostState(Arc<dyn Fn() -> String + Send + Sync>);

impl HostState {
    /// Calls `tell` for every request.
    pub fn new(tell: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    pub(crate) fn tell(&self) -> String {
        (self.0)()
    }
}

impl std::fmt::Debug for HostState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HostState")
    }
}

/// A running server. Dropping the handle leaves it running.
#[derive(Debug)]
pub struct ServerHandle {
    local_addr: SocketAddr,
    accepting: JoinHandle<()>,
    sweeping: JoinHandle<()>,
    registry: Arc<Registry>,
    readiness: Arc<Readiness>,
    drain_timeout: Duration,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that had not finished in time and were cut off.
    pub cut_off: usize,
}

/// Says something at most once per interval.
#[derive(Debug, Default)]
struct Complaint {
    last: Option<Instant>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl Server {
    /// Checks everything that is configured for HTTP and binds the port: the configured one, or the
    /// next free one after it; port 0 takes any.
    pub async fn bind(
        project: &ProjectConfig,
        identity: &HostIdentity,
        readiness: Arc<Readiness>,
    ) -> Result<Self, HttpError> {
        let tls = project.tls.as_ref().map(tls::acceptor).transpose()?;
        let headers = headers::common(&project.http)?;
        let files = project.paths.public.as_deref().map(StaticFiles::open).transpose()?;
        let (listener, local_addr) = listen(&project.listen.host, project.listen.port).await?;
        Ok(Self {
            listener,
            local_addr,
            requested_port: project.listen.port,
            tls,
            project: project.clone(),
            headers,
            endpoints: Endpoints::new(&project.http, identity),
            files,
            readiness,
            state: None,
            access: None,
            realtime: None,
        })
    }

    /// Answers `GET /_host` with the host's state. It names files and what is wrong with them: for
    /// developers and operators, not for strangers.
    #[must_use]
    pub fn with_state(mut self, state: HostState) -> Self {
        self.state = Some(state);
        self
    }

    /// Knows people. A server without it is one without login: everybody is anonymous, and what changes
    /// something needs the double-submit token of §5.9.
    #[must_use]
    pub fn with_access(mut self, access: Access) -> Self {
        self.access = Some(access);
        self
    }

    /// Answers sockets and `/sync/…`. Without it there are no sockets, and sync calls are
    /// `sync.ioUnavailable`.
    #[must_use]
    pub fn with_realtime(mut self, realtime: Realtime) -> Self {
        self.realtime = Some(realtime);
        self
    }

    /// Whether the origin policy lets pages of this origin (`https://host[:port]`) call: those a login may
    /// return to.
    pub fn origin_check(&self) -> impl Fn(&str) -> bool + Send + Sync + 'static {
        let origins = self.origins();
        move |origin| origins.allows(origin)
    }

    fn origins(&self) -> OriginPolicy {
        let cors = &self.project.http.cors;
        // Prefixes are exempt where an application registers them; nothing of this host does.
        OriginPolicy::new(
            self.local_addr,
            &self.project.listen.host,
            &cors.allowed_origins,
            cors.allow_localhost,
            &[],
        )
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The configured port, when that was taken and another one is listened on.
    #[must_use]
    pub fn taken_port(&self) -> Option<u16> {
        let requested = self.requested_port;
        (requested != 0 && requested != self.local_addr.port()).then_some(requested)
    }

    /// The address that a person on this machine can open.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let ip = self.local_addr.ip();
        let port = self.local_addr.port();
        if ip.is_unspecified() || ip.is_loopback() {
            format!("{scheme}://localhost:{port}")
        } else {
            format!("{scheme}://{}", self.local_addr)
        }
    }

    /// This boot's own name, as `/_health` tells it.
    #[must_use]
    pub fn boot_uuid(&self) -> &str {
        self.endpoints.boot_uuid()
    }

    /// Starts answering. Needs a running tokio runtime.
    pub fn serve<D: Dispatch>(self, dispatch: D) -> ServerHandle {
        let origins = self.origins();
        let gate = Gate::new(&self.project, self.access);
        let uploads = Uploads::new(&self.project);
        let config = self.project.http;
        let registry = Registry::new();
        let patience = Patience {
            header_read: config.header_read_timeout,
            idle: config.keep_alive_timeout,
            write: config.write_timeout,
        };
        let drain_timeout = config.drain_timeout;
        let trust = if config.trust_proxy {
            ProxyTrust::Hops(config.trusted_proxy_hop_count as usize)
        } else {
            ProxyTrust::None
        };
        let shared = Arc::new(Shared {
            dispatch,
            headers: self.headers,
            origins,
            endpoints: self.endpoints,
            files: self.files,
            state: self.state,
            readiness: Arc::clone(&self.readiness),
            trust,
            gate,
            uploads,
            realtime: self.realtime,
            config,
        });
        ServerHandle {
            local_addr: self.local_addr,
            accepting: tokio::spawn(accept(self.listener, self.tls, shared, Arc::clone(&registry))),
            sweeping: tokio::spawn(Arc::clone(&registry).sweep(patience)),
            registry,
            readiness: self.readiness,
            drain_timeout,
        }
    }
}

impl ServerHandle {
    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.registry.len()
    }

    /// Stops accepting, lets what is in flight finish for `http.drain_timeout`, then cuts off the rest
    /// (§6.3). Idle connections are closed at once; others are told with their next response.
    pub async fn shutdown(self) -> Drained {
        self.readiness.set_draining();
        self.accepting.abort();
        // Waited for, so that the port is free when this returns.
        let _ = self.accepting.await;
        self.registry.ask_all(Command::Drain);
        let mut cut_off = 0;
        if tokio::time::timeout(self.drain_timeout, self.registry.wait_empty()).await.is_err() {
            cut_off = self.registry.len();
            self.registry.ask_all(Command::Kill);
            let _ = tokio::time::timeout(CUT_OFF, self.registry.wait_empty()).await;
        }
        self.sweeping.abort();
        Drained { cut_off }
    }
}

/// Binds the first free port from `port` on.
async fn listen(host: &str, port: u16) -> Result<(TcpListener, SocketAddr), HttpError> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let host_error = |source| HttpError::Host { host: host.to_owned(), source };
    let mut address = tokio::net::lookup_host((bare, port))
        .await
        .map_err(host_error)?
        .next()
        .ok_or_else(|| host_error(io::ErrorKind::NotFound.into()))?;
    let last = if port == 0 { 0 } else { port.saturating_add(PORTS_TRIED) };
    for candidate in port..=last {
        address.set_port(candidate);
        match TcpListener::bind(address).await {
            Ok(listener) => {
                let local = listener.local_addr().map_err(|source| HttpError::Bind { address, source })?;
                return Ok((listener, local));
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(source) => return Err(HttpError::Bind { address, source }),
        }
    }
    Err(HttpError::NoFreePort { host: host.to_owned(), first: port, last })
}

/// Accepts for ever. A full server leaves clients in the system's queue until a place is free.
async fn accept<D: Dispatch>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared<D>>,
    registry: Arc<Registry>,
) {
    let protocols = Arc::new(connection::protocols(&shared.config));
    let most = shared.config.max_connections;
    let places = Arc::new(Semaphore::new(most as usize));
    let (mut full, mut failing) = (Complaint::default(), Complaint::default());
    let mut pause = SHORTEST_PAUSE;
    let mut id = 0u64;
    loop {
        if places.available_permits() == 0 && full.is_due() {
            tracing::warn!(
                max_connections = most,
                "all connections are taken; new clients wait (http.max_connections)"
            );
        }
        // Never closed while this task holds it.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (tcp, peer) = match listener.accept().await {
            Ok(accepted) => {
                pause = SHORTEST_PAUSE;
                accepted
            }
            // The client gave up while it waited.
            Err(error) if is_the_clients(&error) => continue,
            Err(error) => {
                if failing.is_due() {
                    tracing::error!(%error, "cannot accept connections; is the limit of open files too low (ulimit -n)?");
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                continue;
            }
        };
        // A socket that refuses this is about to fail anyway, and says so when it is read.
        let _ = tcp.set_nodelay(true);
        id += 1;
        let registration = registry.register(id);
        let connection = Arc::new(Connection {
            shared: Arc::clone(&shared),
            state: Arc::clone(&registration.state),
            peer: peer_ip(peer),
            secure: tls.is_some(),
            rate: shared.config.max_requests_per_second_per_connection.map(RequestRate::new),
        });
        let (tls, protocols) = (tls.clone(), Arc::clone(&protocols));
        tokio::spawn(async move {
            connection::serve(tcp, tls, protocols, connection, registration).await;
            drop(place);
        });
    }
}

fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

impl Complaint {
    fn is_due(&mut self) -> bool {
        let due = self.last.is_none_or(|last| last.elapsed() >= COMPLAINT_INTERVAL);
        if due {
            self.last = Some(Instant::now());
        }
        due
    }
}
