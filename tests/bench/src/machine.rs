//! What the numbers were taken on.

use std::fs;
use std::process::Command;

use anyhow::Context;
use serde_json::{Value, json};

/// The machine, without anything that names it.
#[derive(Debug)]
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    kernel: String,
    memory_gib: f64,
    node: String,
    wrk: String,
}

pub(crate) fn describe() -> anyhow::Result<Machine> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").context("cannot read /proc/cpuinfo")?;
    let cpu = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let meminfo = fs::read_to_string("/proc/meminfo").context("cannot read /proc/meminfo")?;
    let memory = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    let kernel =
        fs::read_to_string("/proc/sys/kernel/osrelease").context("cannot read the kernel's release")?;
    Ok(Machine {
        cpu: cpu.unwrap_or("unknown").to_owned(),
        cores: std::thread::available_parallelism()?.get(),
        kernel: kernel.trim().to_owned(),
        memory_gib: memory.unwrap_or(f64::NAN) / f64::from(1 << 20),
        node: first_line("node", "--version"),
        wrk: first_line("wrk", "--version"),
    })
}

/// How busy the machine is, our own work included: the average of the last minute.
pub(crate) fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(f64::NAN)
}

impl Machine {
    pub(crate) fn lines(&self) -> Vec<String> {
        vec![
            format!("{}, {} cores, {:.1} GiB", self.cpu, self.cores, self.memory_gib),
            format!("Linux {}, node {}, {}", self.kernel, self.node, self.wrk),
        ]
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "cpu": self.cpu, "cores": self.cores, "memoryGiB": self.memory_gib, "kernel": self.kernel,
            "node": self.node, "wrk": self.wrk,
        })
    }
}

fn first_line(program: &str, argument: &str) -> String {
    // wrk prints its version and exits with 1.
    let output = Command::new(program).arg(argument).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let line = text.lines().next().unwrap_or("not installed");
    line.split(" [").next().unwrap_or(line).trim().to_owned()
}
