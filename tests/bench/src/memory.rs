//! Resident memory of a loaded idle plugin: a host with a hundred, less a host with ten.

use serde_json::json;

use crate::Options;
use crate::client;
use crate::many::{self, MANY};
use crate::project::Workshop;
use crate::report::{Bound, Report, Table, json_of};
use crate::server::{Memory, Server};
use crate::stats::Series;

const FEW: usize = 10;

/// KiB a plugin, by how they are counted.
#[derive(Default)]
struct PerPlugin {
    rss: Series,
    pss: Series,
    anonymous: Series,
    private: Series,
}

impl PerPlugin {
    fn push(&mut self, few: Memory, many: Memory) {
        let per = |few: f64, many: f64| (many - few) / (MANY - FEW) as f64;
        self.rss.push(per(few.rss, many.rss));
        self.pss.push(per(few.pss, many.pss));
        self.anonymous.push(per(few.anonymous, many.anonymous));
        self.private.push(per(few.private, many.private));
    }

    fn row(&self, what: &str) -> [String; 5] {
        let [rss, pss, private, anonymous] =
            [&self.rss, &self.pss, &self.private, &self.anonymous].map(|series| series.shown(0));
        [what.to_owned(), rss, pss, private, anonymous]
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "rss": json_of(&self.rss), "pss": json_of(&self.pss), "private": json_of(&self.private),
            "anonymous": json_of(&self.anonymous),
        })
    }
}

pub(crate) fn measure(workshop: &Workshop, options: &Options, report: &mut Report) -> anyhow::Result<()> {
    report.begin("Memory: KiB per loaded Rust plugin, from 10 and 100 of them");
    let (few, many) = (many::project(workshop, FEW)?, many::project(workshop, MANY)?);
    // Once unmeasured: a host that had to compile keeps some of the memory that took.
    drop(workshop.serve(&many, &many::list(0))?);
    let (mut idle, mut called) = (PerPlugin::default(), PerPlugin::default());
    for _ in 0..options.rounds {
        // One request to one of them, then to all: each then keeps a live instance.
        let servers = [workshop.serve(&few, &many::list(0))?, workshop.serve(&many, &many::list(0))?];
        idle.push(servers[0].memory()?, servers[1].memory()?);
        call_all(&servers[0], FEW)?;
        call_all(&servers[1], MANY)?;
        called.push(servers[0].memory()?, servers[1].memory()?);
    }
    let mut table = Table::new(["plugin", "resident", "proportional", "private", "anonymous"]);
    table.row(idle.row("loaded, idle"));
    table.row(called.row("called once, its instance kept"));
    table.print();
    const KIB_PER_MEGABYTE: f64 = 1e6 / 1024.0;
    let rounds = options.rounds as usize;
    let megabytes = idle.rss.over(&std::iter::repeat_n(KIB_PER_MEGABYTE, rounds).collect());
    report.target("resident memory per loaded idle plugin", &megabytes, Bound::AtMost(1.0), " MB");
    report.add("memory", json!({ "idleKiB": idle.json(), "calledKiB": called.json() }));
    Ok(())
}

fn call_all(server: &Server, count: usize) -> anyhow::Result<()> {
    for index in 0..count {
        let answer = client::get(server.port(), &many::list(index))?;
        anyhow::ensure!(answer.status == 200, "{} answered {}", many::service(index), answer.status);
    }
    Ok(())
}
