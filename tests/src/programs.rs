//! Programs that tests talk to and this repository does not build: databases, browsers.
//!
//! What is missing is installed from the system's packages, once, as the toolchains are.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// One installation at a time: the package manager allows no more.
static INSTALLING: Mutex<()> = Mutex::new(());

/// The path of a program, from one of `places` or the `PATH`; `package` is installed when it is nowhere.
pub fn program(name: &str, places: &[&str], package: &str) -> PathBuf {
    let find = || {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        folders.extend(places.iter().map(PathBuf::from));
        folders.into_iter().map(|folder| folder.join(name)).find(|file| file.is_file())
    };
    if let Some(found) = find() {
        return found;
    }
    let _one = INSTALLING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(found) = find() {
        return found;
    }
    let failed = [&["update"][..], &["install", "-y", "--no-install-recommends", package]]
        .into_iter()
        .find_map(|arguments| apt(arguments).err());
    find().unwrap_or_else(|| {
        panic!(
            "`{name}` is needed and could not be installed ({}); run: sudo apt-get install {package}",
            failed.unwrap_or_else(|| format!("the package {package} does not bring it"))
        )
    })
}

fn apt(arguments: &[&str]) -> Result<(), String> {
    let root = rustix::process::geteuid().is_root();
    let mut command = if root { Command::new("apt-get") } else { Command::new("sudo") };
    if !root {
        command.args(["-n", "apt-get"]);
    }
    let output = command
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

/// A port of the loopback interface that nobody listens on.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
