//! From an edit to the first answer of the new code, with `--dev`: a component replaced, and a source saved.
//!
//! A component is replaced by itself with another text in its data: what a compiler would yield for another
//! constant. Its other bytes, and so the work of compiling it, are the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::json;

use crate::Options;
use crate::client;
use crate::compile;
use crate::project::{Workshop, run};
use crate::report::{Bound, Report, Table, json_of, note};
use crate::server::{Server, free_port};
use crate::stats::Series;

/// What stands in a source where a version goes; as long as any version.
const MARK: &str = "MARK0000";
/// Medians of ten.
const ROUNDS: u32 = 10;
/// Building Python takes seconds.
const SOURCE_ROUNDS: u32 = 5;
const PATIENCE: Duration = Duration::from_secs(180);

/// A language, its service and its handler.
struct Subject {
    language: &'static str,
    service: &'static str,
    /// The file with the mark, and the others.
    source: (&'static str, &'static str),
    others: &'static [(&'static str, &'static str)],
    /// Milliseconds from the replaced file to the answer.
    bound: f64,
}

const SUBJECTS: [Subject; 3] = [
    Subject {
        language: "Rust",
        service: "editrust",
        source: (
            "src/lib.rs",
            "use luckystack::prelude::*;\n\n#[api]\nfn get_mark() -> Result<&'static str, HandlerError> {\n    Ok(\"MARK0000, in a text too long to be anything but data\")\n}\n\nluckystack::plugin! { service = \"editrust\", handlers = [get_mark] }\n",
        ),
        others: &[(
            "Cargo.toml",
            "[package]\nname = \"editrust\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\n[lib]\ncrate-type = [\"cdylib\"]\n\n[dependencies]\nluckystack = { path = \"SDK/rust\" }\nschemars = \"1\"\nserde = { version = \"1\", features = [\"derive\"] }\n\n[workspace]\n",
        )],
        bound: 200.0,
    },
    Subject {
        language: "TypeScript",
        service: "editts",
        source: (
            "_api/getMark_v1.ts",
            "export const auth = { login: false };\nexport interface ApiParams { data: {} }\nexport const main = async (_: ApiParams) => ({ status: 'success' as const, result: 'MARK0000, in a text too long to be anything but data' });\n",
        ),
        others: &[],
        bound: 600.0,
    },
    Subject {
        language: "Python",
        service: "editpy",
        source: (
            "_api/getMark_v1.py",
            "from luckystack import api\n\n\n@api\ndef main() -> str:\n    return \"MARK0000, in a text too long to be anything but data\"\n",
        ),
        others: &[],
        bound: 2500.0,
    },
];

pub(crate) fn measure(workshop: &Workshop, _options: &Options, report: &mut Report) -> anyhow::Result<()> {
    report.begin("Edit: with --dev, from an edit to the first answer of the new code");
    let mut table = Table::new([
        "language",
        "component MB",
        "file replaced, ms",
        "source saved, s",
        "of it the compiler, s",
    ]);
    let mut compilers =
        Table::new(["language", "Cranelift, s", "Winch, s", "Cranelift, unchanged functions kept, s"]);
    let mut numbers = serde_json::Map::new();
    for subject in &SUBJECTS {
        note(format!("{}: building", subject.language));
        let project = Project::make(workshop, subject)?;
        let component = project.build(workshop, subject)?;
        let edited = replaced(&component, MARK.as_bytes(), mark(1).as_bytes());
        let compiled = compile::measure(&component, &edited)?;
        compilers.row([
            subject.language.into(),
            compiled.cranelift.shown(2),
            compiled.winch.shown(2),
            compiled.incremental.shown(2),
        ]);
        let swapped = project.replace(workshop, subject, &component)?;
        let (saved, compiler) = project.save(workshop, subject)?;
        table.row([
            subject.language.into(),
            format!("{:.2}", component.len() as f64 / 1e6),
            swapped.shown(0),
            saved.shown(2),
            compiler.shown(2),
        ]);
        let what = format!("component replaced to first answer, {}", subject.language);
        report.target(&what, &swapped, Bound::AtMost(subject.bound), " ms");
        numbers.insert(
            subject.language.to_owned(),
            json!({ "replacedMillis": json_of(&swapped), "savedSeconds": json_of(&saved), "compilerSeconds": json_of(&compiler), "compiled": compiled.json() }),
        );
    }
    table.print();
    compilers.print();
    report.add("edit", numbers.into());
    Ok(())
}

/// A project with one service in one language.
struct Project {
    dir: PathBuf,
    plugin: PathBuf,
}

impl Project {
    fn make(workshop: &Workshop, subject: &Subject) -> anyhow::Result<Project> {
        let dir = workshop.file(&format!("edit-{}", subject.service));
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        let plugin = dir.join("plugins").join(subject.service);
        fs::create_dir_all(dir.join("presets"))?;
        fs::create_dir_all(dir.join("target"))?;
        // One standard library for all, where it is built from source.
        std::os::unix::fs::symlink(workshop.guests(), dir.join("target/guests"))?;
        fs::write(dir.join("presets/edit.toml"), format!("services = [\"{}\"]\n", subject.service))?;
        fs::write(
            dir.join("presets/project.toml"),
            "[paths]\nplugins = \"plugins\"\n\n[rate_limiting]\nenabled = false\n",
        )?;
        let sdk = workshop.sdk().display().to_string();
        for (name, text) in subject.others.iter().chain([&subject.source]) {
            let file = plugin.join(name);
            fs::create_dir_all(file.parent().context("a file without a folder")?)?;
            fs::write(file, text.replace("SDK", &sdk))?;
        }
        Ok(Project { dir, plugin })
    }

    fn component(&self, subject: &Subject) -> PathBuf {
        self.plugin.join(format!("{}.wasm", subject.service))
    }

    /// The component as its compiler makes it.
    fn build(&self, workshop: &Workshop, subject: &Subject) -> anyhow::Result<Vec<u8>> {
        run(workshop.program().current_dir(&self.dir).arg("build"))?;
        let bytes = fs::read(self.component(subject))?;
        ensure!(
            find(&bytes, MARK.as_bytes()).is_some(),
            "{}: its constant is not in the component",
            subject.language
        );
        Ok(bytes)
    }

    fn start(
        &self,
        workshop: &Workshop,
        subject: &Subject,
        more: &[&str],
    ) -> anyhow::Result<(Server, PathBuf)> {
        let port = free_port()?;
        let log = workshop.log(&format!("edit-{}", subject.service));
        let mut command = workshop.program();
        command.current_dir(&self.dir).args(["--dev", "--port", &port.to_string()]).args(more);
        let (server, _, _) = Server::start(&mut command, port, &route(subject), &log)?;
        settle(&server)?;
        Ok((server, log))
    }

    fn replace(&self, workshop: &Workshop, subject: &Subject, component: &[u8]) -> anyhow::Result<Series> {
        let (server, _) = self.start(workshop, subject, &["--no-build"])?;
        let mut series = Series::default();
        for round in 1..=ROUNDS {
            let mark = mark(round);
            let beside = self.plugin.join(".new");
            fs::write(&beside, replaced(component, MARK.as_bytes(), mark.as_bytes()))?;
            let began = Instant::now();
            fs::rename(&beside, self.component(subject))?;
            until(&server, subject, &mark, began)?;
            series.push(began.elapsed().as_secs_f64() * 1e3);
            settle(&server)?;
        }
        drop(server);
        // The sources are to be newer than what is there.
        fs::remove_file(self.component(subject))?;
        run(workshop.program().current_dir(&self.dir).arg("build"))?;
        Ok(series)
    }

    fn save(&self, workshop: &Workshop, subject: &Subject) -> anyhow::Result<(Series, Series)> {
        let (server, log) = self.start(workshop, subject, &[])?;
        let (mut saved, mut compiler) = (Series::default(), Series::default());
        let source = self.plugin.join(subject.source.0);
        for round in 1..=SOURCE_ROUNDS {
            let mark = mark(1000 + round);
            let text = subject.source.1.replace(MARK, &mark);
            let began = Instant::now();
            fs::write(&source, text)?;
            until(&server, subject, &mark, began)?;
            saved.push(began.elapsed().as_secs_f64());
            compiler.push(compiled(&log)?);
            settle(&server)?;
        }
        Ok((saved, compiler))
    }
}

fn route(subject: &Subject) -> String {
    format!("/api/{}/getMark/v1", subject.service)
}

fn mark(round: u32) -> String {
    format!("MARK{round:04}")
}

/// Asks until the answer is the new one.
fn until(server: &Server, subject: &Subject, mark: &str, began: Instant) -> anyhow::Result<()> {
    loop {
        let answer = client::get(server.port(), &route(subject))?;
        ensure!(
            answer.status == 200,
            "a request failed during a swap: {}",
            String::from_utf8_lossy(&answer.body)
        );
        if find(&answer.body, mark.as_bytes()).is_some() {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            bail!("{}: the new code never answered", subject.language);
        }
        // Polling must not take the processor from what it waits for.
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// After a swap the best code is made; the next edit waits until that is over, as an author's does.
fn settle(server: &Server) -> anyhow::Result<()> {
    let began = Instant::now();
    while find(&client::get(server.port(), "/_host")?.body, b"\"draft\"").is_some() {
        ensure!(began.elapsed() < PATIENCE, "the best code was never made");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Seconds that the last build of a log says its compiler took: `… compiled in 1.2 s)`.
fn compiled(log: &Path) -> anyhow::Result<f64> {
    let text = fs::read_to_string(log)?;
    let last = text.rsplit_once("compiled in ").and_then(|(_, rest)| rest.split_once(" s)"));
    let (seconds, _) = last.context("the log of the host tells of no build")?;
    Ok(seconds.parse()?)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn replaced(bytes: &[u8], what: &[u8], by: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let mut from = 0;
    while let Some(at) = find(&out[from..], what) {
        out[from + at..from + at + what.len()].copy_from_slice(by);
        from += at + what.len();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_is_replaced() {
        assert_eq!(replaced(b"a MARK0000 MARK0000", b"MARK0000", b"MARK0012"), b"a MARK0012 MARK0012");
        assert_eq!(mark(7).len(), MARK.len());
    }
}
