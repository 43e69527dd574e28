use std::fs;
use std::path::Path;
use std::sync::Mutex as StdMutex;
use std::time::{Duration, Instant};

use tokio::process::Command;

use super::*;
use crate::install::{SILENCE, TAIL, is_debian_release, run_unless_silent};
use crate::progress::{Event, Quiet};
use crate::rust::find::Compiler;

/// Keeps the text of what happened.
#[derive(Default)]
struct Kept(StdMutex<Vec<String>>);

impl Progress for Kept {
    fn event(&self, event: Event<'_>) {
        let text = match event {
            Event::Running { command } => format!("$ {command}"),
            Event::Output { text } => text.to_owned(),
            other => format!("{other:?}"),
        };
        self.0.lock().unwrap().push(text);
    }
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

fn compiler(sysroot: &Path) -> Compiler {
    Compiler {
        rustc: "/usr/bin/rustc".into(),
        is_cargos: true,
        version: "1.96.0".to_owned(),
        host: "x86_64-unknown-linux-gnu".to_owned(),
        sysroot: sysroot.to_owned(),
    }
}

#[tokio::test]
async fn a_command_is_reported_before_it_runs_and_its_failure_is_kept() {
    let kept = Kept::default();
    let step =
        Step { program: "sh".to_owned(), arguments: vec!["-c".into(), "echo no such target; exit 3".into()] };
    let attempt = run(&step, &kept).await.unwrap();
    assert_eq!(*kept.0.lock().unwrap(), ["$ sh -c echo no such target; exit 3", "no such target"]);
    assert_eq!(attempt.result, "exit status: 3\nno such target");
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_an_attempt_too() {
    let step = Step { program: "/no/such/program".to_owned(), arguments: Vec::new() };
    let attempt = run(&step, &Quiet).await.unwrap();
    assert!(attempt.result.contains("No such file"), "{}", attempt.result);
}

#[tokio::test]
async fn only_the_end_of_a_long_output_is_kept() {
    let error = run_unless_silent(shell("seq 100; exit 1"), SILENCE, &Quiet).await.unwrap_err();
    assert_eq!(error.lines().count(), 1 + TAIL);
    assert!(error.ends_with("\n99\n100"), "{error}");
}

#[tokio::test]
async fn an_installer_that_falls_silent_is_stopped() {
    let start = Instant::now();
    let silence = Duration::from_millis(200);
    let error = run_unless_silent(shell("echo downloading; sleep 600"), silence, &Quiet).await.unwrap_err();
    assert_eq!(error, "stopped: it printed nothing for 0.2 seconds\ndownloading");
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn debians_packages_are_those_that_are_missing() {
    let root = tempfile::tempdir().unwrap();
    let sysroot = root.path().join("rustup");
    let lld = sysroot.join("lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld");
    fs::create_dir_all(lld.parent().unwrap()).unwrap();
    fs::write(lld, "").unwrap();
    let dangling = root.path().join("bin");
    fs::create_dir(&dangling).unwrap();
    std::os::unix::fs::symlink("lld-22", dangling.join("rust-lld")).unwrap();

    let cargo = Some("/opt/rust/cargo".into());
    let cases: [(Probes, &str); 4] = [
        (Probes { cargo: cargo.clone(), compilers: vec![compiler(&sysroot)], ..Probes::default() }, ""),
        (Probes { compilers: vec![compiler(&sysroot)], ..Probes::default() }, " cargo-web"),
        (Probes { cargo: cargo.clone(), ..Probes::default() }, " rust-web-llvm"),
        (Probes { cargo, path: vec![dangling], ..Probes::default() }, " rust-web-llvm lld-22"),
    ];
    for (probes, more) in cases {
        let [update, install] = Debian::for_probes(&probes).steps();
        assert_eq!(update.to_string(), "apt-get update -qq");
        let expected = format!(
            "apt-get install -y -qq --no-remove -o DPkg::Lock::Timeout=120 rustc-web rust-web-src{more}"
        );
        assert_eq!(install.to_string(), expected);
    }
}

#[test]
fn debian_and_its_descendants_are_recognised() {
    let cases = [
        ("PRETTY_NAME=\"Debian\"\nID=debian\n", true),
        ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", true),
        ("ID=ubuntu\nID_LIKE=debian\n", true),
        ("ID=fedora\n", false),
        ("ID_LIKE=\"rhel fedora\"\nNAME=debian\n", false),
        ("", false),
    ];
    for (text, expected) in cases {
        assert_eq!(is_debian_release(text), expected, "{text}");
    }
}

#[test]
fn packages_are_not_installed_by_an_ordinary_user() {
    let path = std::env::var_os("PATH");
    let path: Vec<PathBuf> = path.iter().flat_map(std::env::split_paths).collect();
    let probes = Probes { path, ..Probes::default() };
    match Debian::offers(&probes, false) {
        Err(Some(attempt)) => assert_eq!(attempt.result, "not run: it needs root"),
        other => assert!(!is_debian(&probes.path) && other == Err(None), "{other:?}"),
    }
}

#[test]
fn the_error_names_everything_tried_and_the_exact_commands() {
    let probes = Probes { rustup: Some("/opt/rust/rustup".into()), ..Probes::default() };
    let tried = vec![
        Attempt { what: "/usr/bin/rustc (1.96.0)".to_owned(), result: "no sources".to_owned() },
        Attempt {
            what: "rustup target add".to_owned(),
            result: "exit status: 1\nno route to host".to_owned(),
        },
    ];
    let text = missing(&probes, tried).to_string();
    let expected = "a Rust toolchain for wasm32-unknown-unknown is missing. Tried:\n  \
                    - /usr/bin/rustc (1.96.0): no sources\n  \
                    - rustup target add: exit status: 1\n      no route to host\n\
                    Install it with this:\n    rustup target add wasm32-unknown-unknown";
    assert_eq!(text, expected);
}
