//! A server under measurement: its process, what it used, its end.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::client::{self, Answer};
use crate::wrk::{self, Load};

/// How long a start may take, compiling included.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two tries to connect: short against the milliseconds that are measured.
const PAUSE: Duration = Duration::from_micros(200);

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    port: u16,
    log: PathBuf,
}

/// Memory of a process in KiB, from `smaps_rollup`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Memory {
    /// Resident, shared pages and mapped files included.
    pub(crate) rss: f64,
    /// Resident, shared pages divided by those who share them.
    pub(crate) pss: f64,
    /// Pages that are no file's: what would have to be swapped out.
    pub(crate) anonymous: f64,
    /// Pages that no other process has.
    pub(crate) private: f64,
}

/// What one turn of load cost a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// CPU per request in µs, user and system, all threads.
    pub(crate) cpu: f64,
    pub(crate) load: Load,
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

impl Server {
    /// Starts `command`, whose output goes to `log`, and waits for a good answer to `path`. Also: how
    /// long that took from the start of the process.
    pub(crate) fn start(
        command: &mut Command,
        port: u16,
        path: &str,
        log: &Path,
    ) -> anyhow::Result<(Server, Answer, Duration)> {
        let output = File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("cannot start {:?}", command.get_program()))?;
        let mut server = Server { child, port, log: log.to_owned() };
        loop {
            if let Ok(answer) = client::get(port, path)
                && answer.status == 200
            {
                return Ok((server, answer, started.elapsed()));
            }
            if let Some(status) = server.child.try_wait()? {
                bail!("a server ended by itself ({status}):\n{}", server.output());
            }
            if started.elapsed() > PATIENCE {
                bail!("a server did not answer {path} in time:\n{}", server.output());
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Freezes the process: servers that wait for their turn must not take time from the one measured.
    pub(crate) fn pause(&self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets a frozen process go on.
    pub(crate) fn resume(&self) -> anyhow::Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid =
            i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("a process without an id")?;
        kill_process(pid, signal).context("cannot signal a server")
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    fn output(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// CPU time that the process has used so far, in seconds: user and system, all threads.
    pub(crate) fn cpu(&self) -> anyhow::Result<f64> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        cpu_ticks(&text).map(|ticks| ticks as f64 / TICKS_PER_SECOND).context("cannot read /proc/<pid>/stat")
    }

    /// Puts load on `path` and says what it cost.
    pub(crate) fn sample(&self, path: &str, seconds: u64) -> anyhow::Result<Sample> {
        self.sample_with(path, seconds, None)
    }

    /// The same with requests that a Lua script makes.
    pub(crate) fn sample_with(
        &self,
        path: &str,
        seconds: u64,
        script: Option<&str>,
    ) -> anyhow::Result<Sample> {
        let before = self.cpu()?;
        let load = wrk::run(self.port, path, seconds, script)?;
        Ok(Sample { cpu: (self.cpu()? - before) * 1e6 / load.requests as f64, load })
    }

    /// The most that was ever resident, in KiB.
    pub(crate) fn peak(&self) -> anyhow::Result<f64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        line.and_then(|kib| kib.parse().ok()).context("cannot read /proc/<pid>/status")
    }

    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        memory(&text).context("cannot read /proc/<pid>/smaps_rollup")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `USER_HZ`, which Linux has fixed at 100 for everything in `/proc`.
const TICKS_PER_SECOND: f64 = 100.0;

/// Fields 14 and 15. The second one, the program's name, may hold anything up to its last bracket.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn memory(rollup: &str) -> Option<Memory> {
    let of = |name: &str| {
        let line = rollup.lines().find(|line| line.split_once(':').is_some_and(|(key, _)| key == name))?;
        line.split_ascii_whitespace().nth(1)?.parse::<f64>().ok()
    };
    Some(Memory {
        rss: of("Rss")?,
        pss: of("Pss")?,
        anonymous: of("Anonymous")?,
        private: of("Private_Clean")? + of("Private_Dirty")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_user_and_system() {
        let stat = "12 (a) b) S 1 12 12 0 -1 4194304 100 0 0 0 250 50 7 8 20 0 5 0 100 1 1 1";
        assert_eq!(cpu_ticks(stat), Some(300));
    }

    #[test]
    fn memory_is_read_from_the_rollup() {
        let text = "55d-7ff ---p 00000000 00:00 0 [rollup]\nRss:  100 kB\nPss:  90 kB\nPss_Anon: 1 kB\n\
                    Private_Clean: 5 kB\nPrivate_Dirty: 60 kB\nAnonymous: 61 kB\n";
        assert_eq!(memory(text), Some(Memory { rss: 100.0, pss: 90.0, anonymous: 61.0, private: 65.0 }));
        assert_eq!(memory("Rss: 1 kB"), None);
    }
}
