//! A real PostgreSQL server of a test's own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::programs::{free_port, program};

/// What the server says once it takes connections.
const READY: &str = "database system is ready to accept connections";
/// How long it may take to say so.
const PATIENCE: Duration = Duration::from_secs(60);
/// A port found free may be taken a moment later: how often another is tried.
const ATTEMPTS: usize = 3;
/// The superuser's password; a test that looks for it in a message finds nothing else.
const PASSWORD: &str = "p4ss-word-of-postgres";

/// A running server with an empty database `postgres`, on loopback. What it answered survives its own
/// end, not the machine's, and it is the faster for it. Dropping it kills it.
#[derive(Debug)]
pub struct PostgresServer {
    child: Child,
    port: u16,
    bin: PathBuf,
    account: Option<Account>,
    dir: TempDir,
}

/// Whom the server runs as, since it refuses to run as root.
#[derive(Clone, Copy, Debug)]
struct Account {
    user: u32,
    group: u32,
}

impl PostgresServer {
    /// Makes a cluster, starts a server on it, and waits until it takes connections.
    pub async fn start() -> PostgresServer {
        let bin = bin();
        let account = rustix::process::geteuid().is_root().then(account);
        let dir = tempfile::Builder::new().prefix("luckystack-postgres-").tempdir().unwrap();
        initialise(&bin, account, dir.path()).await;
        let (child, port) = serve(&bin, account, dir.path(), None).await;
        PostgresServer { child, port, bin, account, dir }
    }

    /// `postgres://postgres:<password>@127.0.0.1:<port>/postgres`.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The address of another database on this server.
    pub fn url_of(&self, database: &str) -> String {
        format!("postgres://postgres:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The superuser's password.
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// Makes an empty database and returns its address.
    pub async fn create_database(&self, name: &str) -> String {
        self.sql("postgres", &format!("CREATE DATABASE \"{name}\"")).await;
        self.url_of(name)
    }

    /// Runs statements in a database, as another program would, and returns what they print: a line a row,
    /// fields divided by `|`.
    pub async fn sql(&self, database: &str, statements: &str) -> String {
        let output = tokio::process::Command::new(self.bin.join("psql"))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"])
            .arg("--dbname")
            .arg(self.url_of(database))
            .arg("--command")
            .arg(statements)
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{statements}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Ends it at once, as a crash would; what it held is kept.
    pub async fn kill(&mut self) {
        self.end();
    }

    /// Starts it again at the same port.
    pub async fn restart(&mut self) {
        self.end();
        (self.child, _) = serve(&self.bin, self.account, self.dir.path(), Some(self.port)).await;
    }

    /// An immediate shutdown: unlike after SIGKILL, the processes that serve connections are gone too.
    fn end(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = kill_process(Pid::from_child(&self.child), Signal::QUIT);
            let _ = self.child.wait();
        }
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.end();
    }
}

/// The folder with the server's programs. Debian puts only a few of them on the `PATH`.
fn bin() -> PathBuf {
    let places: Vec<String> =
        (12..=30).rev().map(|version| format!("/usr/lib/postgresql/{version}/bin")).collect();
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    // Through links, to the folder that has the others as well.
    let initdb = program("initdb", &places, "postgresql").canonicalize().unwrap();
    initdb.parent().unwrap().to_owned()
}

/// The account `postgres`, which the package makes, or else `nobody`.
fn account() -> Account {
    let accounts = fs::read_to_string("/etc/passwd").unwrap();
    let find = |name: &str| {
        let fields = accounts.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let fields = fields.into_iter().find(|fields| fields[0] == name)?;
        Some(Account { user: fields[2].parse().ok()?, group: fields[3].parse().ok()? })
    };
    find("postgres").or_else(|| find("nobody")).expect("an account to run PostgreSQL as: postgres or nobody")
}

/// One of the server's programs, run by its account.
fn command(bin: &Path, account: Option<Account>, name: &str, dir: &Path) -> Command {
    let mut command = Command::new(bin.join(name));
    if let Some(account) = account {
        command.uid(account.user).gid(account.group);
    }
    command.current_dir(dir).env("LC_ALL", "C").env_remove("PGDATA").stdin(Stdio::null());
    command
}

async fn initialise(bin: &Path, account: Option<Account>, dir: &Path) {
    let password = dir.join("password");
    fs::write(&password, PASSWORD).unwrap();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    if let Some(account) = account {
        for path in [dir, &password] {
            chown(path, Some(account.user), Some(account.group)).unwrap();
        }
    }
    let mut command = command(bin, account, "initdb", dir);
    command
        .args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"])
        .arg("--pgdata")
        .arg(dir.join("data"))
        .arg("--pwfile")
        .arg(&password);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
}

async fn serve(bin: &Path, account: Option<Account>, dir: &Path, port: Option<u16>) -> (Child, u16) {
    let mut said = String::new();
    for _ in 0..ATTEMPTS {
        let port = port.unwrap_or_else(free_port);
        match attempt(bin, account, dir, port).await {
            Ok(child) => return (child, port),
            Err(error) => said = error,
        }
    }
    panic!("PostgreSQL did not start: {said}");
}

async fn attempt(bin: &Path, account: Option<Account>, dir: &Path, port: u16) -> Result<Child, String> {
    let mut child = command(bin, account, "postgres", dir)
        .arg("-D")
        .arg(dir.join("data"))
        .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
        .args(["-c", "fsync=off", "-c", "full_page_writes=off"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Read to its end: a server whose log nobody reads stops when the pipe is full.
    let said = Arc::new(Mutex::new(String::new()));
    let (ready, is_ready) = oneshot::channel();
    let log = BufReader::new(child.stderr.take().unwrap());
    let heard = said.clone();
    std::thread::spawn(move || {
        let mut ready = Some(ready);
        for line in log.lines().map_while(Result::ok) {
            if let Some(ready) = ready.take_if(|_| line.contains(READY)) {
                let _ = ready.send(());
            } else if ready.is_some() {
                let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
                heard.push_str(&line);
                heard.push('\n');
            }
        }
    });
    if let Ok(Ok(())) = tokio::time::timeout(PATIENCE, is_ready).await {
        return Ok(child);
    }
    let _ = child.kill();
    let _ = child.wait();
    let said = said.lock().unwrap_or_else(PoisonError::into_inner);
    Err(said.clone())
}
