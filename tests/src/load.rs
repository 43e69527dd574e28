//! Ordinary load beside an attack: did it see an error, did it stall?

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::client::Call;
use crate::host::Host;

/// A request that takes longer has stalled. Alone it takes a millisecond; on a machine that is busy
/// with other things some hundreds. The attacks run for longer than this, so that a request that
/// waited for one would show.
pub const STALL: Duration = Duration::from_millis(1500);

/// Requests one after another, over some connections, until told to stop.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<Report>>,
}

/// What became of an ordinary load.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Requests that were answered as they should.
    pub answered: usize,
    /// Answers that were none or other than they should be.
    pub errors: Vec<String>,
    /// The slowest request.
    pub slowest: Duration,
}

impl Load {
    /// Starts GETs of `path` over `connections` connections; returns when each has had one answer.
    pub async fn start(host: &Host, path: &str, connections: usize) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let expected = host.get(path).await;
        assert_eq!(expected.status, 200, "{}", expected.text());
        let mut workers = Vec::new();
        for _ in 0..connections {
            let mut connection = host.connect().await;
            assert_eq!(connection.send(Call::get(path)).await.body, expected.body);
            let (stop, path, expected) = (Arc::clone(&stop), path.to_owned(), expected.body.clone());
            workers.push(tokio::spawn(async move {
                let mut report = Report::default();
                while !stop.load(Ordering::Relaxed) {
                    let started = Instant::now();
                    let answer = connection.try_send(Call::get(&path)).await;
                    report.slowest = report.slowest.max(started.elapsed());
                    match answer {
                        Ok(answer) if answer.status == 200 && answer.body == expected => report.answered += 1,
                        Ok(answer) => report.errors.push(format!("{} {}", answer.status, answer.text())),
                        Err(error) => {
                            report.errors.push(error);
                            break;
                        }
                    }
                    // Ordinary clients pause: the load is there to notice, not to saturate.
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                report
            }));
        }
        Load { stop, workers }
    }

    /// Stops, and tells what became of it.
    pub async fn finish(self) -> Report {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Report::default();
        for worker in self.workers {
            let report = worker.await.unwrap();
            all.answered += report.answered;
            all.errors.extend(report.errors);
            all.slowest = all.slowest.max(report.slowest);
        }
        all
    }
}

impl Report {
    /// Asserts that nobody noticed anything.
    #[track_caller]
    pub fn assert_undisturbed(&self) {
        assert!(
            self.errors.is_empty(),
            "the ordinary load saw {} errors, the first: {}",
            self.errors.len(),
            self.errors[0]
        );
        assert!(self.slowest < STALL, "a request of the ordinary load took {:?}", self.slowest);
        assert!(self.answered > 0, "the ordinary load was never answered");
    }
}
