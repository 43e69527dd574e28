//! What is measured: the ways in which a server is put to work, each until its time is over.

use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::realtime::contender::Contender;
use crate::realtime::swarm::{FIRST_NUMBER, PATIENCE, ROOM, Swarm};
use crate::report::json_of;
use crate::stats::Series;

/// Before each turn, unmeasured: JavaScript is compiled while it runs.
const WARM_UP: Duration = Duration::from_millis(1500);

/// One way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Work {
    pub(crate) what: &'static str,
    /// Clients.
    pub(crate) clients: usize,
    pub(crate) kind: Kind,
    /// How many times cheaper than Node the host is to be.
    pub(crate) target: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One client says so many things at once to a room of all; the next when everybody has heard them.
    Room { route: &'static str, burst: u64 },
    /// Every client calls, and again when it is answered.
    Calls,
}

/// The route that tells everybody the same.
pub(crate) const ECHO: &str = "bench/echo/v1";
/// The route that tells each something else.
const PRIVATE: &str = "bench/private/v1";

pub(crate) const ALL: [Work; 5] = [
    Work {
        what: "bursts of 50 messages to a room of 200",
        clients: 200,
        kind: Kind::Room { route: ECHO, burst: 50 },
        target: 6.0,
    },
    Work {
        what: "bursts of 50 messages to a room of 1000",
        clients: 1000,
        kind: Kind::Room { route: ECHO, burst: 50 },
        target: 4.5,
    },
    Work {
        what: "one message at a time to a room of 200",
        clients: 200,
        kind: Kind::Room { route: ECHO, burst: 1 },
        target: 2.0,
    },
    Work {
        what: "bursts of 10 messages, another frame for each of 200",
        clients: 200,
        kind: Kind::Room { route: PRIVATE, burst: 10 },
        target: 2.0,
    },
    Work { what: "calls and answers over 32 sockets", clients: 32, kind: Kind::Calls, target: 1.3 },
];

/// What one turn cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// µs of the server's CPU per delivery, or per call: user and system, all threads.
    pub(crate) cpu: f64,
    pub(crate) per_second: f64,
    /// Milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// KiB.
    pub(crate) rss: f64,
    /// Deliveries out of their order.
    pub(crate) reordered: u64,
}

/// Turns of one server at one kind of work.
#[derive(Default)]
pub(crate) struct Turns {
    pub(crate) cpu: Series,
    per_second: Series,
    p50: Series,
    p99: Series,
    rss: Series,
    reordered: u64,
}

impl Turns {
    pub(crate) fn push(&mut self, cost: Cost) {
        self.cpu.push(cost.cpu);
        self.per_second.push(cost.per_second);
        self.p50.push(cost.p50);
        self.p99.push(cost.p99);
        self.rss.push(cost.rss / 1024.0);
        self.reordered += cost.reordered;
    }

    pub(crate) fn row(&self, what: String) -> [String; 7] {
        [
            what,
            self.cpu.shown(2),
            self.per_second.shown(0),
            self.p50.shown(2),
            self.p99.shown(2),
            self.rss.shown(0),
            self.reordered.to_string(),
        ]
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "cpuMicros": json_of(&self.cpu), "perSecond": json_of(&self.per_second), "p50Millis": json_of(&self.p50),
            "p99Millis": json_of(&self.p99), "rssMiB": json_of(&self.rss), "reordered": self.reordered,
        })
    }
}

impl Work {
    /// One turn, with clients of its own.
    pub(crate) fn turn(self, contender: &Contender, seconds: u64) -> anyhow::Result<Cost> {
        let mut swarm = contender.clients(self.clients, true)?;
        let mut talk = Talk::default();
        self.run(&mut swarm, &mut talk, WARM_UP)?;
        swarm.clear();
        talk.clear();
        let (before, began) = (contender.server.cpu()?, Instant::now());
        let done = self.run(&mut swarm, &mut talk, Duration::from_secs(seconds))?;
        let took = began.elapsed().as_secs_f64();
        let used = contender.server.cpu()? - before;
        let millis = |share| swarm.seen.latency.quantile(share) / 1e3;
        Ok(Cost {
            cpu: used * 1e6 / done as f64,
            per_second: done as f64 / took,
            p50: millis(0.5),
            p99: millis(0.99),
            rss: contender.server.memory()?.rss,
            reordered: swarm.seen.reordered,
        })
    }

    /// Works for a while; how many deliveries or answers came of it. Nothing may be missing.
    fn run(self, swarm: &mut Swarm, talk: &mut Talk, time: Duration) -> anyhow::Result<u64> {
        let end = Instant::now() + time;
        match self.kind {
            Kind::Room { route, burst } => {
                let mut heard = 0;
                while Instant::now() < end {
                    talk.burst(swarm, 0, route, burst, None)?;
                    heard += burst * swarm.len() as u64;
                    swarm
                        .until("not everybody heard everything", PATIENCE, |seen| seen.deliveries >= heard)?;
                }
                talk.check(swarm, 0..swarm.len())?;
                Ok(heard)
            }
            Kind::Calls => calls(swarm, talk, end),
        }
    }
}

fn calls(swarm: &mut Swarm, talk: &mut Talk, end: Instant) -> anyhow::Result<u64> {
    let mut ready: Vec<usize> = (0..swarm.len()).collect();
    let (mut asked, mut answered) = (0_u64, 0_u64);
    loop {
        let over = Instant::now() >= end;
        for index in ready.drain(..).filter(|_| !over) {
            talk.call(swarm, index)?;
            asked += 1;
        }
        if over && answered == asked {
            return Ok(answered);
        }
        swarm.until("a call was not answered", PATIENCE, |seen| !seen.answered.is_empty())?;
        std::mem::swap(&mut ready, &mut swarm.seen.answered);
        answered += ready.len() as u64;
    }
}

/// What one client has said to the room so far, since the counts were last cleared.
pub(crate) struct Talk {
    next: u64,
    count: u64,
    sum: u64,
    index: u64,
    text: Vec<u8>,
}

impl Default for Talk {
    fn default() -> Self {
        Talk { next: FIRST_NUMBER, count: 0, sum: 0, index: 0, text: Vec::new() }
    }
}

impl Talk {
    /// Says `burst` things to the room at once.
    pub(crate) fn burst(
        &mut self,
        swarm: &mut Swarm,
        speaker: usize,
        route: &str,
        burst: u64,
        pad: Option<&str>,
    ) -> anyhow::Result<()> {
        use std::io::Write;
        for _ in 0..burst {
            let (number, sent) = (self.next, swarm.now());
            self.next += 1;
            self.count += 1;
            self.sum = self.sum.wrapping_add(number);
            self.index += 1;
            self.text.clear();
            write!(self.text, r#"42["sync",{{"name":"sync/{route}","data":{{"seq":{number},"sent":{sent}"#)?;
            if let Some(pad) = pad {
                write!(self.text, r#","pad":"{pad}""#)?;
            }
            let index = self.index;
            write!(self.text, r#"}},"cb":"{route}","receiver":"{ROOM}","responseIndex":{index}}}]"#)?;
            swarm.put(speaker, &self.text);
        }
        swarm.flush(speaker)
    }

    /// Calls on behalf of one client.
    pub(crate) fn call(&mut self, swarm: &mut Swarm, client: usize) -> anyhow::Result<()> {
        self.index += 1;
        let (index, sent) = (self.index, swarm.now());
        let number = FIRST_NUMBER + index;
        let event = format!(
            r#"42["apiRequest",{{"name":"api/{ECHO}","data":{{"seq":{number},"sent":{sent}}},"responseIndex":{index}}}]"#
        );
        swarm.say(client, event.as_bytes())
    }

    /// Fails unless each of them has heard everything once.
    pub(crate) fn check(
        &self,
        swarm: &Swarm,
        clients: impl IntoIterator<Item = usize>,
    ) -> anyhow::Result<()> {
        for client in clients {
            let tally = swarm.tally(client);
            ensure!(
                (tally.count, tally.sum) == (self.count, self.sum),
                "client {client} was sent {} of {} messages, or some of them twice",
                tally.count,
                self.count
            );
        }
        Ok(())
    }

    /// Begins to count anew.
    pub(crate) fn clear(&mut self) {
        (self.count, self.sum) = (0, 0);
    }

    /// Messages since then.
    pub(crate) fn said(&self) -> u64 {
        self.count
    }
}
