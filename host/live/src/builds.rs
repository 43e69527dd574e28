//! Builds in the background.
//!
//! Plugins are built side by side, up to a number of jobs. A save during a build of the same plugin ends
//! that build and begins anew, because its result would be old before it is there. Rust plugins share
//! one run of cargo: cargo lets one build at a time into a target folder, and compiles together what they
//! have in common.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::{self, BoxFuture, FutureExt};
use luckystack_devkit::{BuildRequest, Built, Language, Progress, Toolchain};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;

/// How a build ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// What was to be built.
    pub request: BuildRequest,
    /// The component, or the compiler's own words about why there is none.
    pub result: Result<Built, String>,
    /// From its start, waiting for its turn included.
    pub took: Duration,
}

/// Builds that cannot run beside each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Lane {
    Rust,
    Plugin(PathBuf, Language),
}

#[derive(Debug)]
struct Running {
    requests: Vec<BuildRequest>,
    task: AbortHandle,
    number: u64,
}

/// The builds of one host. Dropping it ends them.
pub struct Builds {
    shared: Arc<Shared>,
    running: HashMap<Lane, Running>,
    results: mpsc::UnboundedReceiver<(Lane, u64, Vec<Finished>)>,
    number: u64,
}

struct Shared {
    jobs: Semaphore,
    progress: Arc<dyn Progress>,
    send: mpsc::UnboundedSender<(Lane, u64, Vec<Finished>)>,
    toolchains: Mutex<HashMap<Language, Search>>,
}

/// A toolchain that is being found or installed, or was. It goes on when the build that asked for it is
/// restarted: an installation that a save interrupts would never end.
type Search = future::Shared<BoxFuture<'static, Result<Toolchain, String>>>;

impl Builds {
    /// At most `jobs` builds at a time.
    #[must_use]
    pub fn new(jobs: usize, progress: Arc<dyn Progress>) -> Self {
        let (send, results) = mpsc::unbounded_channel();
        let shared =
            Shared { jobs: Semaphore::new(jobs.max(1)), progress, send, toolchains: Mutex::default() };
        Self { shared: Arc::new(shared), running: HashMap::new(), results, number: 0 }
    }

    /// Builds these, anew where they are being built.
    pub fn start(&mut self, requests: Vec<BuildRequest>) {
        let mut lanes: HashMap<Lane, Vec<BuildRequest>> = HashMap::new();
        for request in requests {
            let lane = match request.language {
                Language::Rust => Lane::Rust,
                other => Lane::Plugin(request.dir.clone(), other),
            };
            lanes.entry(lane).or_default().push(request);
        }
        for (lane, mut requests) in lanes {
            if let Some(running) = self.running.remove(&lane) {
                running.task.abort();
                let others = running.requests.into_iter().filter(|request| !requests.contains(request));
                let others: Vec<_> = others.collect();
                requests.extend(others);
            }
            self.number += 1;
            let (shared, number) = (Arc::clone(&self.shared), self.number);
            let (of, work) = (lane.clone(), requests.clone());
            let task = tokio::spawn(async move {
                let finished = shared.build(work).await;
                // The receiver is gone only when nobody waits any more.
                let _ = shared.send.send((of, number, finished));
            });
            self.running.insert(lane, Running { requests, task: task.abort_handle(), number });
        }
    }

    /// Waits for the next builds to end. Safe to drop at any moment.
    pub async fn next(&mut self) -> Vec<Finished> {
        loop {
            let Some((lane, number, finished)) = self.results.recv().await else {
                return std::future::pending().await;
            };
            // One that ended while it was being replaced tells of sources that are no more.
            if self.running.get(&lane).is_some_and(|running| running.number == number) {
                self.running.remove(&lane);
                return finished;
            }
        }
    }

    /// Folders whose plugins are being built.
    pub fn running(&self) -> impl Iterator<Item = &BuildRequest> {
        self.running.values().flat_map(|running| &running.requests)
    }

    /// Whether nothing is being built.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.running.is_empty()
    }
}

impl Drop for Builds {
    fn drop(&mut self) {
        for running in self.running.values() {
            running.task.abort();
        }
    }
}

impl Shared {
    async fn build(&self, requests: Vec<BuildRequest>) -> Vec<Finished> {
        let began = Instant::now();
        let _job = self.jobs.acquire().await;
        let language = requests[0].language;
        let results: Vec<Result<Built, String>> = match self.toolchain(language).await {
            Err(missing) => requests.iter().map(|_| Err(missing.clone())).collect(),
            Ok(toolchain) => {
                let results = toolchain.build_all(&requests, 1, &*self.progress).await;
                results.into_iter().map(|result| result.map_err(|error| error.to_string())).collect()
            }
        };
        let took = began.elapsed();
        requests
            .into_iter()
            .zip(results)
            .map(|(request, result)| Finished { request, result, took })
            .collect()
    }

    /// Found once; one that is missing is looked for again with the next build.
    async fn toolchain(&self, language: Language) -> Result<Toolchain, String> {
        let search = {
            let mut toolchains = self.toolchains.lock();
            let known = toolchains.get(&language).filter(|known| !matches!(known.peek(), Some(Err(_))));
            match known {
                Some(known) => known.clone(),
                None => {
                    let progress = Arc::clone(&self.progress);
                    let search = async move {
                        let found = Toolchain::find_or_install(language, &*progress).await;
                        found.map_err(|missing| missing.to_string())
                    };
                    let search = search.boxed().shared();
                    tokio::spawn(search.clone());
                    toolchains.insert(language, search.clone());
                    search
                }
            }
        };
        search.await
    }
}

impl std::fmt::Debug for Builds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builds").field("running", &self.running).finish_non_exhaustive()
    }
}
