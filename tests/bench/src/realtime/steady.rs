//! Thousands of connections for a while, most of them idle, and a room that is told something at a steady rate.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::Options;
use crate::project::Workshop;
use crate::realtime::contender::{Contender, SESSIONS, Stable, Who};
use crate::realtime::work::{ECHO, Talk};
use crate::realtime::{FILES, cores, swarm};
use crate::report::{Bound, Report, Table, note};
use crate::stats::Series;

/// Members of the room, and all others.
const MEMBERS: usize = 1000;
const IDLE: usize = 4000;
/// Messages to the room a second.
const RATE: u64 = 10;
/// Calls a second, by all who are connected in turns.
const CALLS: u64 = 50;
/// Before memory is looked at for the first time.
const WARM_UP: Duration = Duration::from_secs(10);

/// What was seen of one server.
struct Seen {
    deliveries: u64,
    calls: u64,
    cpu_share: f64,
    p50: f64,
    p99: f64,
    worst: f64,
    /// MiB at the beginning, in the middle and at the end.
    rss: [f64; 3],
    reordered: u64,
}

pub(crate) fn load(workshop: &Workshop, options: &Options, report: &mut Report) -> anyhow::Result<()> {
    cores::raise_open_files(FILES)?;
    let stable = Stable::open(workshop, options)?;
    report.begin(&format!(
        "Load: {} connections, {RATE} messages a second to a room of {MEMBERS}, {CALLS} calls a second, for {} s",
        MEMBERS + IDLE,
        options.duration
    ));
    let mut table = Table::new([
        "server",
        "deliveries",
        "lost",
        "calls",
        "CPU %",
        "p50 ms",
        "p99 ms",
        "longest ms",
        "RSS MiB: start, middle, end",
    ]);
    let mut numbers = Vec::new();
    for who in Who::all(options) {
        note(who.name());
        let seen = watch(&stable.start(who, SESSIONS)?, Duration::from_secs(options.duration))?;
        let [start, middle, end] = seen.rss;
        table.row([
            who.name().to_owned(),
            seen.deliveries.to_string(),
            // A turn in which anything is missing fails.
            "0".to_owned(),
            seen.calls.to_string(),
            format!("{:.1}", seen.cpu_share * 100.0),
            format!("{:.2}", seen.p50),
            format!("{:.2}", seen.p99),
            format!("{:.1}", seen.worst),
            format!("{start:.1}, {middle:.1}, {end:.1}"),
        ]);
        if who == Who::Host {
            let growth: Series = std::iter::once(end / start).collect();
            report.target("memory at the end of the load, over its start", &growth, Bound::AtMost(1.05), "×");
        }
        numbers.push(json!({
            "server": who.name(), "deliveries": seen.deliveries, "lost": 0, "calls": seen.calls,
            "cpuShare": seen.cpu_share, "p50Millis": seen.p50, "p99Millis": seen.p99,
            "longestMillis": seen.worst, "rssMiB": seen.rss, "reordered": seen.reordered,
        }));
    }
    table.print();
    report.add("load", numbers.into());
    Ok(())
}

fn watch(contender: &Contender, duration: Duration) -> anyhow::Result<Seen> {
    let mut swarm = swarm::Swarm::new(contender.server.port())?;
    swarm.connect(MEMBERS, &contender.cookies)?;
    swarm.await_membership()?;
    swarm.connect(IDLE, &[])?;
    swarm.clear();
    let mut steady = Steady { swarm, talk: Talk::default(), calls: 0, answers: 0 };
    steady.go_on(WARM_UP)?;
    steady.settle()?;
    steady.swarm.clear();
    steady.talk.clear();
    (steady.calls, steady.answers) = (0, 0);

    let rss = || Ok::<f64, anyhow::Error>(contender.server.memory()?.rss / 1024.0);
    let (cpu, began) = (contender.server.cpu()?, Instant::now());
    let start = rss()?;
    steady.go_on(duration / 2)?;
    let middle = rss()?;
    steady.go_on(duration / 2)?;
    let cpu_share = (contender.server.cpu()? - cpu) / began.elapsed().as_secs_f64();
    let end = rss()?;
    steady.settle()?;
    steady.talk.check(&steady.swarm, 0..MEMBERS)?;
    steady.swarm.all_open()?;
    let millis = |share| steady.swarm.seen.latency.quantile(share) / 1e3;
    Ok(Seen {
        deliveries: steady.swarm.seen.deliveries,
        calls: steady.calls,
        cpu_share,
        p50: millis(0.5),
        p99: millis(0.99),
        worst: millis(1.0),
        rss: [start, middle, end],
        reordered: steady.swarm.seen.reordered,
    })
}

struct Steady {
    swarm: swarm::Swarm,
    talk: Talk,
    calls: u64,
    answers: u64,
}

impl Steady {
    /// Keeps the rates for so long.
    fn go_on(&mut self, duration: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        let (mut messages, mut calls) = (0, 0);
        let due = |rate: u64, count: u64| began + Duration::from_secs(1) * count as u32 / rate as u32;
        loop {
            let now = Instant::now();
            if now >= began + duration {
                return Ok(());
            }
            if now >= due(RATE, messages) {
                messages += 1;
                self.talk.burst(&mut self.swarm, 0, ECHO, 1, None)?;
            }
            if now >= due(CALLS, calls) {
                calls += 1;
                let client = self.calls as usize % self.swarm.len();
                self.calls += 1;
                self.talk.call(&mut self.swarm, client)?;
            }
            let next = due(RATE, messages).min(due(CALLS, calls));
            self.swarm.turn(Some(next.saturating_duration_since(Instant::now())))?;
            self.answers += self.swarm.seen.answered.drain(..).count() as u64;
            self.swarm.all_open()?;
        }
    }

    /// Waits for everything that is under way.
    fn settle(&mut self) -> anyhow::Result<()> {
        let (deliveries, answers) = (self.talk.said() * MEMBERS as u64, self.calls - self.answers);
        self.swarm.until("not everybody was told everything", swarm::PATIENCE, |seen| {
            seen.deliveries >= deliveries && seen.answered.len() as u64 >= answers
        })
    }
}
