//! Programs that tests talk to and this repository does not build: databases, browsers.
//!
//! What is missing is installed from the system's packages, once, as the toolchains are.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use crate::guests::{repository, target};

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

/// The folder of a program for Node in `tests/<name>`, with its packages, which are installed once for all
/// processes.
pub fn node_program(name: &str) -> PathBuf {
    let sources = repository().join("tests").join(name);
    let dir = target().join(format!("test-{name}"));
    fs::create_dir_all(&dir).unwrap();
    let lock = File::create(dir.join(".lock")).unwrap();
    lock.lock().unwrap();
    copy_all(&sources, &dir);
    let wanted = fs::read(sources.join("package.json")).unwrap();
    // Written last: what is there is complete.
    let marker = dir.join(".installed");
    if fs::read(&marker).ok().as_ref() != Some(&wanted) {
        let output = Command::new(program("npm", &[], "npm"))
            .args(["install", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&dir)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "npm install: {}", String::from_utf8_lossy(&output.stderr));
        fs::write(&marker, &wanted).unwrap();
    }
    dir
}

/// Copies the files of a folder and those below; those that are there already are left alone, since another
/// process may be reading them.
fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let source = entry.unwrap().path();
        let name = source.file_name().unwrap();
        let place = to.join(name);
        if name == "node_modules" {
            continue;
        }
        if source.is_dir() {
            copy_all(&source, &place);
            continue;
        }
        let wanted = fs::read(&source).unwrap();
        if fs::read(&place).ok().as_ref() != Some(&wanted) {
            fs::write(&place, wanted).unwrap();
        }
    }
}

/// A port of the loopback interface that nobody listens on.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
