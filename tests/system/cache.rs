//! The compile cache: a second start compiles nothing; whatever happens to an entry is a miss and no
//! error; a folder that others could write to is closed or refused.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use luckystack_tests::guests::Guest;
use luckystack_tests::{Host, Project};
use sha2::{Digest, Sha256};

use crate::{ORDINARY, project};

/// A host whose cache is below `base`.
fn with_cache(base: &Path) -> Project {
    project().guest(Guest::Vehicles).env("XDG_CACHE_HOME", base.to_string_lossy())
}

fn cached(host: &Host) -> String {
    let banner = host.banner();
    banner.lines().find(|line| line.starts_with("ready in")).unwrap_or_else(|| panic!("{banner}")).to_owned()
}

/// The one entry's file with this extension.
fn entry(base: &Path, extension: &str) -> PathBuf {
    let mut found: Vec<_> = fs::read_dir(base.join("luckystack-host"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(extension))
        .collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

async fn assert_serves(host: &Host) {
    assert_eq!(host.get(ORDINARY).await.result().as_array().map(Vec::len), Some(20));
}

#[tokio::test]
async fn the_second_start_takes_compiled_code_from_the_cache() {
    let base = tempfile::tempdir().unwrap();
    let host = with_cache(base.path()).start().await;
    assert!(cached(&host).ends_with("(1 plugin, 0 from the cache)"), "{}", cached(&host));
    let host = with_cache(base.path()).beside(&host).start().await;
    assert!(cached(&host).ends_with("(1 plugin, 1 from the cache)"), "{}", cached(&host));
    assert_serves(&host).await;
}

#[tokio::test]
async fn a_damaged_entry_is_made_anew() {
    let base = tempfile::tempdir().unwrap();
    drop(with_cache(base.path()).start().await);
    let code = || entry(base.path(), ".cwasm");
    let flip = |path: PathBuf, at: usize| {
        let mut bytes = fs::read(&path).unwrap();
        let at = at.min(bytes.len() - 1);
        bytes[at] ^= 0xff;
        fs::write(path, bytes).unwrap();
    };
    let with_sum = |bytes: &[u8]| {
        fs::write(code(), bytes).unwrap();
        let sum: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        fs::write(entry(base.path(), ".sum"), sum).unwrap();
    };
    let damages: [(&str, &dyn Fn()); 9] = [
        ("a bit of the code", &|| flip(code(), 100_000)),
        ("the code's header", &|| flip(code(), 20)),
        ("half of the code", &|| fs::write(code(), &fs::read(code()).unwrap()[..5000]).unwrap()),
        ("all of the code", &|| fs::write(code(), b"").unwrap()),
        ("the code is gone", &|| fs::remove_file(code()).unwrap()),
        ("the checksum", &|| fs::write(entry(base.path(), ".sum"), "cafe").unwrap()),
        ("no text for a checksum", &|| fs::write(entry(base.path(), ".sum"), b"\xff\xfe").unwrap()),
        ("other bytes with their checksum", &|| with_sum(b"not compiled code at all")),
        ("no bytes with their checksum", &|| with_sum(b"")),
    ];
    for (what, damage) in damages {
        damage();
        let host = with_cache(base.path()).start().await;
        assert!(cached(&host).ends_with("(1 plugin, 0 from the cache)"), "{what}: {}", cached(&host));
        assert_serves(&host).await;
        drop(host);
        let host = with_cache(base.path()).start().await;
        assert!(cached(&host).ends_with("(1 plugin, 1 from the cache)"), "{what} was not mended");
    }
}

#[tokio::test]
async fn a_damaged_manifest_is_asked_for_again() {
    let base = tempfile::tempdir().unwrap();
    drop(with_cache(base.path()).start().await);
    let good = fs::read(entry(base.path(), ".manifest.json")).unwrap();
    for damaged in [&b""[..], b"{", b"\xff", b"{\"name\":\"other\"}", &good[..good.len() / 2]] {
        fs::write(entry(base.path(), ".manifest.json"), damaged).unwrap();
        let host = with_cache(base.path()).start().await;
        assert_serves(&host).await;
        assert_eq!(fs::read(entry(base.path(), ".manifest.json")).unwrap(), good);
    }
}

#[tokio::test]
async fn a_folder_that_is_open_to_others_is_closed() {
    let base = tempfile::tempdir().unwrap();
    let dir = base.path().join("luckystack-host");
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).unwrap();
    let host = with_cache(base.path()).start().await;
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    assert_serves(&host).await;
}

#[tokio::test]
async fn what_is_no_folder_of_its_own_is_refused_with_its_name() {
    let base = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let dir = base.path().join("luckystack-host");
    let link: &dyn Fn() = &|| symlink(elsewhere.path(), &dir).unwrap();
    let file: &dyn Fn() = &|| fs::write(&dir, "in the way").unwrap();
    for make in [link, file] {
        make();
        let output = with_cache(base.path()).run(&["--no-build"]).await;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{error}");
        let name = dir.to_string_lossy().into_owned();
        assert!(error.contains(&name) && error.contains("cannot hold compiled code"), "{error}");
        fs::remove_file(&dir).unwrap();
    }
}

#[tokio::test]
async fn the_cache_can_be_put_elsewhere() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("compiled");
    let setting = format!("paths.cache={:?}", dir.to_string_lossy());
    let host = project().guest(Guest::Vehicles).start_with(&["--set", &setting]).await;
    assert_serves(&host).await;
    assert!(fs::read_dir(&dir).unwrap().count() >= 3);
}
