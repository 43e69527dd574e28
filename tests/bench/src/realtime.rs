//! Sockets: the host beside the npm socket.io server (default engine, one process), with the same clients.
//!
//! The server has one core and the clients another. What is compared is the CPU time of the server's process
//! per frame that a client received, or per call that was answered. Every frame carries a number; a turn in
//! which a client was not sent each of them once is no measurement.

mod contender;
mod cores;
mod frames;
mod histogram;
mod steady;
mod swarm;
mod work;

use std::iter;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};

use crate::Options;
use crate::project::Workshop;
use crate::realtime::contender::{Contender, SESSIONS, Stable};
use crate::realtime::work::{ECHO, Talk, Turns, Work};
use crate::report::{Bound, Report, Table, json_of, line, note};
use crate::stats::Series;

pub(crate) use contender::Who;
pub(crate) use steady::load;

/// Open files of a server and of the clients, some room included.
const FILES: u64 = 6000;
/// Connections whose memory is measured.
const IDLE: usize = 2000;
/// Connections that are there before, so that what a server had left over from its start is used up.
const FIRST: usize = 1000;
/// Until what a connection took for a moment is given back.
const SETTLE: Duration = Duration::from_secs(2);

pub(crate) fn measure(workshop: &Workshop, options: &Options, report: &mut Report) -> anyhow::Result<()> {
    cores::raise_open_files(FILES)?;
    let stable = Stable::open(workshop, options)?;
    rooms(&stable, options, report)?;
    if options.work.is_none() {
        memory(&stable, options, report)?;
        one_reads_nothing(&stable, options, report)?;
    }
    Ok(())
}

/// One kind of work, and the turns of all servers at it.
struct Measured {
    work: Work,
    turns: Vec<(Who, Turns)>,
}

fn rooms(stable: &Stable<'_>, options: &Options, report: &mut Report) -> anyhow::Result<()> {
    report.begin("Sockets: rooms and calls, server on one core, clients on another");
    let mut contenders = Vec::new();
    for who in Who::all(options) {
        let contender = stable.start(who, SESSIONS)?;
        contender.server.pause()?;
        contenders.push(contender);
    }
    let chosen = |work: &Work| options.work.as_ref().is_none_or(|text| work.what.contains(text.as_str()));
    let turns = || contenders.iter().map(|contender| (contender.who, Turns::default())).collect();
    let mut measured: Vec<_> =
        work::ALL.into_iter().filter(chosen).map(|work| Measured { work, turns: turns() }).collect();
    ensure!(!measured.is_empty(), "no work has that in its name");
    for round in 1..=options.rounds {
        note(format!("round {round} of {}", options.rounds));
        for Measured { work, turns } in &mut measured {
            for (contender, (_, turns)) in contenders.iter().zip(turns) {
                contender.server.resume()?;
                turns.push(work.turn(contender, options.seconds)?);
                contender.server.pause()?;
            }
        }
    }
    let mut table = Table::new([
        "work, server",
        "CPU µs each",
        "per second",
        "p50 ms",
        "p99 ms",
        "RSS MiB",
        "out of order",
    ]);
    for Measured { work, turns } in &measured {
        for (who, turns) in turns {
            table.row(turns.row(format!("{}: {}", work.what, who.name())));
        }
    }
    table.print();
    let mut numbers = Vec::new();
    for Measured { work, turns } in &measured {
        let mut of_it: serde_json::Map<_, _> =
            turns.iter().map(|(who, turns)| (who.name().to_owned(), turns.json())).collect();
        if let [(Who::Host, host), (Who::Node, node)] = &turns[..] {
            let cheaper = node.cpu.over(&host.cpu);
            line(format!("{}: {} times cheaper than Node", work.what, cheaper.shown(2)));
            let what = format!("{}: Node's CPU over the host's", work.what);
            report.target(what, &cheaper, Bound::AtLeast(work.target), "×");
            of_it.insert("cheaper".to_owned(), json_of(&cheaper));
        }
        of_it.insert("work".to_owned(), work.what.into());
        numbers.push(Value::Object(of_it));
    }
    report.add("rooms", numbers.into());
    Ok(())
}

/// What a connection takes that says nothing: a stranger's, and one with a session and a room.
fn memory(stable: &Stable<'_>, options: &Options, report: &mut Report) -> anyhow::Result<()> {
    report.begin("Sockets: memory per idle connection");
    let mut taken: Vec<(Who, [Series; 2])> =
        Who::all(options).into_iter().map(|who| (who, Default::default())).collect();
    for round in 1..=options.rounds {
        note(format!("round {round} of {}", options.rounds));
        for (who, taken) in &mut taken {
            for (members, taken) in [false, true].into_iter().zip(taken) {
                taken.push(per_connection(stable, *who, members)?);
            }
        }
    }
    let mut table = Table::new(["KiB per connection of 2000", "anonymous", "with a session, in a room"]);
    let mut numbers = Vec::new();
    for (who, [strangers, members]) in &taken {
        table.row([who.name().to_owned(), strangers.shown(1), members.shown(1)]);
        numbers.push(json!({
            "server": who.name(), "anonymousKiB": json_of(strangers), "memberKiB": json_of(members),
        }));
        if *who == Who::Host {
            const KIB_PER_KILOBYTE: f64 = 1000.0 / 1024.0;
            let kilobytes =
                strangers.over(&iter::repeat_n(KIB_PER_KILOBYTE, options.rounds as usize).collect());
            report.target("resident memory per idle connection", &kilobytes, Bound::AtMost(10.0), " KB");
        }
    }
    table.print();
    report.add("connections", numbers.into());
    Ok(())
}

fn per_connection(stable: &Stable<'_>, who: Who, members: bool) -> anyhow::Result<f64> {
    let contender = stable.start(who, if members { SESSIONS } else { 0 })?;
    let first = contender.clients(FIRST, members)?;
    std::thread::sleep(SETTLE);
    let before = contender.server.memory()?.rss;
    let swarm = contender.clients(IDLE, members)?;
    std::thread::sleep(SETTLE);
    let after = contender.server.memory()?.rss;
    first.all_open()?;
    swarm.all_open()?;
    Ok((after - before) / IDLE as f64)
}

/// Readers, and one who reads nothing.
const READERS: usize = 100;
/// Bytes of each message beside its numbers.
const PAD: usize = 4096;
/// Messages at once, and how often: many times what may wait for one client.
const BURST: u64 = 50;
const BURSTS: usize = 100;

/// A burst to healthy readers and one that reads nothing: nothing may be missing, and nobody else closed.
fn one_reads_nothing(stable: &Stable<'_>, options: &Options, report: &mut Report) -> anyhow::Result<()> {
    report.begin("Sockets: 100 readers, and one who reads nothing, 5000 messages of 4 KiB");
    let mut table =
        Table::new(["server", "lost to readers", "closed", "who reads nothing", "RSS MiB", "peak MiB"]);
    let mut numbers = Vec::new();
    for who in Who::all(options) {
        let contender = stable.start(who, SESSIONS)?;
        let found = deaf_one(&contender)?;
        table.row([
            who.name().to_owned(),
            found.lost.to_string(),
            found.closed.to_string(),
            format!(
                "{} after {} frames, {} missing among them",
                if found.cut { "closed" } else { "kept" },
                found.heard,
                found.holes
            ),
            format!("{:.0}", found.before / 1024.0),
            format!("{:.0}", found.peak / 1024.0),
        ]);
        if who == Who::Host {
            let lost = iter::once(found.lost as f64).collect();
            report.target("frames lost to healthy readers", &lost, Bound::AtMost(0.0), "");
            let closed = iter::once(found.closed as f64).collect();
            report.target("healthy readers closed", &closed, Bound::AtMost(0.0), "");
            let cut = iter::once(f64::from(u8::from(found.cut))).collect();
            report.target("of one that reads nothing, closed", &cut, Bound::AtLeast(1.0), "");
            let holes = iter::once(found.holes as f64).collect();
            report.target("frames missing among those that it got", &holes, Bound::AtMost(0.0), "");
        }
        numbers.push(found.json(who));
    }
    table.print();
    report.add("oneReadsNothing", numbers.into());
    Ok(())
}

/// What became of them.
struct Found {
    lost: u64,
    /// Readers whose connection ended.
    closed: usize,
    /// Whether the one's connection ended.
    cut: bool,
    /// Frames that it found when it read at last: the beginning of all.
    heard: u64,
    /// Frames that were sent before the last of these and are not among them.
    holes: u64,
    before: f64,
    peak: f64,
}

impl Found {
    fn json(&self, who: Who) -> Value {
        json!({
            "server": who.name(), "lost": self.lost, "readersClosed": self.closed, "oneClosed": self.cut,
            "oneHeard": self.heard, "oneMissed": self.holes, "rssKiB": self.before, "peakKiB": self.peak,
        })
    }
}

fn deaf_one(contender: &Contender) -> anyhow::Result<Found> {
    let mut swarm = contender.clients(READERS + 1, true)?;
    let one = READERS;
    swarm.set_deaf(one, true)?;
    let before = contender.server.memory()?.rss;
    let pad = "x".repeat(PAD);
    let mut talk = Talk::default();
    for _ in 0..BURSTS {
        talk.burst(&mut swarm, 0, ECHO, BURST, Some(&pad))?;
        let goal = talk.said() * READERS as u64;
        // What is lost or closed is what is looked for: it ends the wait, and the rest is counted below.
        let done =
            swarm.until("lost", swarm::PATIENCE, |seen| seen.deliveries >= goal || !seen.closed.is_empty());
        if done.is_err() || !swarm.seen.closed.is_empty() {
            break;
        }
    }
    let peak = contender.server.peak()?;
    let lost = (0..READERS).map(|reader| talk.said() - swarm.tally(reader).count).sum();
    let closed = swarm.seen.closed.iter().filter(|(client, _)| *client != one).count();
    swarm.set_deaf(one, false)?;
    // A kept connection says everything now; one that is closed ends after what was under way.
    let everything = talk.said();
    let deadline = Instant::now() + swarm::PATIENCE;
    let cut = loop {
        swarm.turn(Some(Duration::from_millis(10)))?;
        let cut = swarm.seen.closed.iter().any(|(client, _)| *client == one);
        if cut || swarm.tally(one).count >= everything || Instant::now() > deadline {
            break cut;
        }
    };
    let swarm::Tally { count: heard, last, .. } = swarm.tally(one);
    let holes = (last + 1).saturating_sub(swarm::FIRST_NUMBER + heard);
    Ok(Found { lost, closed, cut, heard, holes, before, peak })
}
