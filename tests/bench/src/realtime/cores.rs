//! Which core does what: the server under measurement has one, the generator another.

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::report::note;

/// The cores of this program: those that it may use, and the two that were chosen of them. Dropped, this gives
/// it back all.
pub(crate) struct Cores {
    all: CpuSet,
    /// The server's and the generator's; none on a machine with one core.
    two: Option<(usize, usize)>,
}

impl Cores {
    /// Takes the first two.
    pub(crate) fn take() -> anyhow::Result<Cores> {
        let all = sched_getaffinity(None).context("cannot read which cores there are")?;
        let mut own = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
        let two = own.next().zip(own.next());
        if two.is_none() {
            note("one core only: server and generator share it");
        }
        let cores = Cores { all, two };
        cores.run_on(two.map(|(_, generator)| generator))?;
        Ok(cores)
    }

    /// Runs `start`, whose children keep the server's core.
    pub(crate) fn of_the_server<T>(&self, start: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        self.run_on(self.two.map(|(server, _)| server))?;
        let started = start();
        self.run_on(self.two.map(|(_, generator)| generator))?;
        started
    }

    fn run_on(&self, core: Option<usize>) -> anyhow::Result<()> {
        let mut chosen = self.all;
        if let Some(core) = core {
            chosen.clear();
            chosen.set(core);
        }
        sched_setaffinity(None, &chosen).context("cannot choose a core")
    }
}

impl Drop for Cores {
    fn drop(&mut self) {
        // It has run there before.
        let _ = self.run_on(None);
    }
}

/// Allows as many open files as the system lets this program, and the servers that it starts.
pub(crate) fn raise_open_files(wanted: u64) -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    anyhow::ensure!(
        most >= wanted,
        "{wanted} open files are needed and {most} allowed: raise the hard limit (ulimit -Hn)"
    );
    if limit.current.is_some_and(|current| current < most) {
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    }
    Ok(())
}
