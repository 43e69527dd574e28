//! Calls with a session beside calls without, over the same connections to the same host: with the embedded
//! store, and with Redis.
//!
//! Several users call in turns, so that no session is the last one looked up. A route that everybody may
//! call is measured: what differs is who asks.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use crate::Options;
use crate::client;
use crate::project::{LIST, Workshop};
use crate::report::{Bound, Report, Table, json_of, note};
use crate::server::{Sample, Server, free_port};
use crate::stats::Series;

/// How many users call in turns.
const USERS: usize = 64;
/// How long Redis may take to start.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is asked.
const PAUSE: Duration = Duration::from_millis(10);

/// A redis-server of the bench's own. Dropping it kills it.
struct Redis {
    child: Child,
    port: u16,
}

/// One host and its turns so far.
struct Subject {
    what: &'static str,
    server: Server,
    /// Scripts of both kinds of requests: made alike, so that the generator costs the same.
    scripts: [String; 2],
    anonymous: Turns,
    signed_in: Turns,
    _redis: Option<Redis>,
}

#[derive(Default)]
struct Turns {
    cpu: Series,
    per_second: Series,
    p99: Series,
}

impl Turns {
    fn push(&mut self, sample: Sample) {
        self.cpu.push(sample.cpu);
        self.per_second.push(sample.load.per_second);
        self.p99.push(sample.load.p99.as_secs_f64() * 1e3);
    }

    fn row(&self, what: String) -> [String; 4] {
        [what, self.per_second.shown(0), self.cpu.shown(1), self.p99.shown(2)]
    }

    fn json(&self) -> Value {
        json!({
            "requestsPerSecond": json_of(&self.per_second), "cpuMicros": json_of(&self.cpu),
            "p99Millis": json_of(&self.p99),
        })
    }
}

pub(crate) fn measure(workshop: &Workshop, options: &Options, report: &mut Report) -> anyhow::Result<()> {
    report.begin("Sessions: GET a list of 20 objects, anonymous and signed in, 32 connections");
    let mut subjects = vec![
        Subject::start(workshop, "embedded store", None)?,
        Subject::start(workshop, "Redis", Some(Redis::start()?))?,
    ];
    for subject in &subjects {
        subject.server.sample_with(LIST, 2, Some(&subject.scripts[1]))?;
        subject.server.pause()?;
    }
    for round in 1..=options.rounds {
        note(format!("round {round} of {}", options.rounds));
        for subject in &mut subjects {
            subject.turn(options.seconds)?;
        }
    }
    let mut table = Table::new(["the list of 20 objects", "requests/s", "CPU µs/request", "p99 ms"]);
    for subject in &subjects {
        table.row(subject.anonymous.row(format!("{}: anonymous", subject.what)));
        table.row(subject.signed_in.row(format!("{}: signed in", subject.what)));
    }
    table.print();
    let mut numbers = Vec::new();
    for subject in &subjects {
        let ratio = subject.signed_in.per_second.over(&subject.anonymous.per_second);
        report.target(
            format!("{}: throughput signed in, over anonymous", subject.what),
            &ratio,
            Bound::AtLeast(0.85),
            "×",
        );
        numbers.push(json!({
            "store": subject.what, "ratio": json_of(&ratio), "anonymous": subject.anonymous.json(),
            "signedIn": subject.signed_in.json(),
        }));
    }
    report.add("auth", numbers.into());
    Ok(())
}

impl Subject {
    fn start(workshop: &Workshop, what: &'static str, redis: Option<Redis>) -> anyhow::Result<Subject> {
        let name = format!("auth-{}", if redis.is_some() { "redis" } else { "sqlite" });
        let project = workshop.fleet_with(&name, |text| Ok(text.to_owned()))?;
        let port = free_port()?;
        let mut command = workshop.host(&project, port);
        command.env_remove("REDIS_URL").env_remove("REDIS_HOST");
        // All users have one address here; anywhere else they have not.
        for setting in ["rate_limiting.auth.enabled=false", "backplane.store=\"sqlite\""] {
            if redis.is_none() || !setting.starts_with("backplane") {
                command.args(["--set", setting]);
            }
        }
        if let Some(redis) = &redis {
            command.args(["--set", &format!("backplane.url=\"redis://127.0.0.1:{}\"", redis.port)]);
        }
        let (server, _, _) = Server::start(&mut command, port, LIST, &workshop.log(&name))?;
        let cookies = (0..USERS).map(|user| register(port, user)).collect::<anyhow::Result<Vec<_>>>()?;
        let write = |kind: &str, text: String| {
            let file = workshop.file(&format!("{name}-{kind}.lua"));
            fs::write(&file, text).map(|()| file.to_string_lossy().into_owned())
        };
        let strangers = vec![String::new(); USERS];
        let scripts = [write("anonymous", lua(&strangers))?, write("signed-in", lua(&cookies))?];
        let (anonymous, signed_in) = (Turns::default(), Turns::default());
        Ok(Subject { what, server, scripts, anonymous, signed_in, _redis: redis })
    }

    fn turn(&mut self, seconds: u64) -> anyhow::Result<()> {
        self.server.resume()?;
        let [anonymous, signed_in] = &self.scripts;
        self.anonymous.push(self.server.sample_with(LIST, seconds, Some(anonymous))?);
        self.signed_in.push(self.server.sample_with(LIST, seconds, Some(signed_in))?);
        self.server.pause()
    }
}

/// Registers a user; the cookie of the session.
pub(crate) fn register(port: u16, user: usize) -> anyhow::Result<String> {
    let password = "a bench of sessions";
    let body = json!({
        "email": format!("user{user}@example.com"), "name": format!("User {user}"), "password": password,
        "confirmPassword": password,
    });
    let answer = client::post(port, "/auth/api/credentials", &body.to_string())?;
    let cookie = answer.headers.iter().find(|(name, _)| name == "set-cookie");
    let Some((_, cookie)) = cookie else {
        bail!("registration was refused: {}", String::from_utf8_lossy(&answer.body));
    };
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    let me = client::get_with(port, "/auth/csrf", &[("cookie", &cookie)])?;
    ensure!(me.status == 200, "the session of user {user} is not live: {}", me.status);
    Ok(cookie)
}

/// A script that sends one request with each cookie in turns, without one where it is empty. They are
/// written before the first is sent.
fn lua(cookies: &[String]) -> String {
    let mut script = "local requests = {}\nlocal next = 0\nfunction init(args)\n".to_owned();
    for (n, cookie) in cookies.iter().enumerate() {
        let headers = if cookie.is_empty() { String::new() } else { format!(" [\"Cookie\"] = {cookie:?} ") };
        script.push_str(&format!("  requests[{}] = wrk.format(\"GET\", nil, {{{headers}}})\n", n + 1));
    }
    script.push_str("end\nfunction request()\n  next = next % #requests + 1\n  return requests[next]\nend\n");
    script
}

impl Redis {
    fn start() -> anyhow::Result<Redis> {
        let port = free_port()?;
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context(
                "redis-server did not start; on Debian and Ubuntu: sudo apt-get install -y redis-server",
            )?;
        let redis = Redis { child, port };
        let started = Instant::now();
        while std::net::TcpStream::connect((std::net::Ipv4Addr::LOCALHOST, port)).is_err() {
            ensure!(started.elapsed() < PATIENCE, "redis-server did not answer");
            std::thread::sleep(PAUSE);
        }
        Ok(redis)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_user_has_a_request() {
        let script = lua(&["token=a".to_owned(), String::new()]);
        assert!(script.contains(r#"requests[1] = wrk.format("GET", nil, { ["Cookie"] = "token=a" })"#));
        assert!(script.contains(r#"requests[2] = wrk.format("GET", nil, {})"#));
    }
}
