//! The load: `wrk`, one thread, and what it prints.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};

/// Requests in flight, as in all numbers of the design.
pub(crate) const CONNECTIONS: u32 = 32;

/// A run that has begun.
#[derive(Debug)]
pub(crate) struct Running(Child);

/// What a run saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Load {
    pub(crate) requests: u64,
    /// Answers other than 2xx and 3xx.
    pub(crate) failed: u64,
    /// Connections that broke, and requests that timed out.
    pub(crate) broken: u64,
    pub(crate) per_second: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

/// Its arguments for a run; `script` is a Lua file that makes the requests.
pub(crate) fn arguments(port: u16, path: &str, seconds: u64, script: Option<&str>) -> Vec<String> {
    let mut arguments: Vec<String> =
        ["--threads", "1", "--latency", "--timeout", "30s"].map(str::to_owned).into();
    arguments.extend(["--connections".to_owned(), CONNECTIONS.to_string()]);
    arguments.extend(["--duration".to_owned(), format!("{seconds}s")]);
    arguments.extend(script.into_iter().flat_map(|script| ["--script".to_owned(), script.to_owned()]));
    arguments.push(format!("http://127.0.0.1:{port}{path}"));
    arguments
}

/// Starts a run against `path` of a server on this machine.
pub(crate) fn start(port: u16, path: &str, seconds: u64, script: Option<&str>) -> anyhow::Result<Running> {
    let child = Command::new("wrk")
        .args(arguments(port, path, seconds, script))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    match child {
        Ok(child) => Ok(Running(child)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!("wrk is not installed; on Debian and Ubuntu: sudo apt-get install -y wrk")
        }
        Err(error) => Err(error).context("wrk did not start"),
    }
}

/// A whole run in which nothing may go wrong.
pub(crate) fn run(port: u16, path: &str, seconds: u64, script: Option<&str>) -> anyhow::Result<Load> {
    let load = start(port, path, seconds, script)?.finish()?;
    if load.failed > 0 || load.broken > 0 {
        bail!(
            "{path}: {} answers were errors and {} connections broke: nothing to measure",
            load.failed,
            load.broken
        );
    }
    Ok(load)
}

impl Running {
    pub(crate) fn finish(self) -> anyhow::Result<Load> {
        let output = self.0.wait_with_output().context("wrk did not end")?;
        let text = String::from_utf8_lossy(&output.stdout);
        parse(&text).with_context(|| {
            format!(
                "wrk printed something else than a result:\n{text}{}",
                String::from_utf8_lossy(&output.stderr)
            )
        })
    }
}

fn parse(text: &str) -> Option<Load> {
    let after = |label: &str| text.lines().find_map(|line| line.trim().strip_prefix(label).map(str::trim));
    let requests = text.lines().find_map(|line| line.trim().split_once(" requests in ")?.0.parse().ok())?;
    let broken = after("Socket errors:").map_or(0, |counts| {
        counts.split(|c: char| !c.is_ascii_digit()).filter_map(|count| count.parse::<u64>().ok()).sum()
    });
    Some(Load {
        requests,
        failed: after("Non-2xx or 3xx responses:").and_then(|count| count.parse().ok()).unwrap_or(0),
        broken,
        per_second: after("Requests/sec:")?.parse().ok()?,
        p50: duration(after("50%")?)?,
        p99: duration(after("99%")?)?,
    })
}

/// `812.00us`, `1.23ms`, `1.02s`, `2.00m`.
fn duration(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "Running 5s test @ http://127.0.0.1:4100/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.03ms  420.11us   9.40ms   88.35%
    Req/Sec    31.21k     1.60k   34.02k    76.00%
  Latency Distribution
     50%  950.00us
     75%    1.15ms
     90%    1.46ms
     99%    2.64ms
  155351 requests in 5.00s, 417.53MB read
";

    #[test]
    fn a_clean_run_is_read() {
        let load = parse(&format!("{PRINTED}Requests/sec:  31062.90\nTransfer/sec:     83.49MB\n")).unwrap();
        assert_eq!((load.requests, load.failed, load.broken), (155_351, 0, 0));
        assert_eq!((load.p50, load.p99), (Duration::from_micros(950), Duration::from_micros(2640)));
        assert_eq!(load.per_second, 31062.90);
    }

    #[test]
    fn errors_are_counted() {
        let text = format!(
            "{PRINTED}  Socket errors: connect 1, read 2, write 0, timeout 3\n  Non-2xx or 3xx responses: 12\nRequests/sec:  1.00\n"
        );
        let load = parse(&text).unwrap();
        assert_eq!((load.failed, load.broken), (12, 6));
    }

    #[test]
    fn something_else_is_no_result() {
        assert_eq!(parse("unable to connect to 127.0.0.1:4100 Connection refused"), None);
    }

    #[test]
    fn every_unit_of_time_is_understood() {
        for (text, micros) in [("1.50us", 1), ("2.00ms", 2000), ("1.02s", 1_020_000), ("2.00m", 120_000_000)]
        {
            assert_eq!(
                duration(text),
                Some(Duration::from_micros(micros))
                    .filter(|_| micros > 1)
                    .or(Some(Duration::from_nanos(1500))),
                "{text}"
            );
        }
        assert_eq!(duration("5"), None);
    }

    #[test]
    fn wrk_is_told_of_the_script() {
        assert!(arguments(1, "/", 1, Some("x.lua")).windows(2).any(|pair| pair == ["--script", "x.lua"]));
        assert!(!arguments(1, "/", 1, None).contains(&"--script".to_owned()));
    }
}
