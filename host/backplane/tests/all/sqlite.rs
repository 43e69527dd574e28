//! What SQLite promises beside the list: what a restart keeps, whose the file is, what a damaged one is.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use luckystack_backplane::{Backplane as _, BackplaneError, Sqlite};

use crate::{LONG, bytes, eventually};

#[tokio::test]
async fn a_restart_keeps_what_lives() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.db");
    let sqlite = Sqlite::open(&file).await.unwrap();
    let short = Duration::from_millis(50);
    sqlite.set("value", bytes("x"), Some(LONG)).await.unwrap();
    sqlite.set("forever", bytes("y"), None).await.unwrap();
    sqlite.set("brief", bytes("z"), Some(short)).await.unwrap();
    sqlite.add("brief-set", "m", short).await.unwrap();
    sqlite.count("counter", LONG).await.unwrap();
    sqlite.count("counter", LONG).await.unwrap();
    for member in ["c", "a", "b"] {
        sqlite.add("set", member, LONG).await.unwrap();
    }
    sqlite.close().await;
    assert!(matches!(sqlite.get("value").await, Err(BackplaneError::Unavailable { .. })));
    assert!(!sqlite.is_up());
    // All of it is in the one file.
    assert!(!folder.path().join("state.db-wal").exists());

    let sqlite = Sqlite::open(&file).await.unwrap();
    let living = sqlite.get_living("value").await.unwrap().unwrap();
    assert_eq!(living.value, "x");
    assert!(living.remaining.unwrap() <= LONG);
    assert_eq!(sqlite.get_living("forever").await.unwrap().unwrap().remaining, None);
    assert_eq!(sqlite.counted("counter").await.unwrap().unwrap().count, 2);
    assert_eq!(sqlite.count("counter", LONG).await.unwrap().count, 3);
    assert_eq!(sqlite.members("set").await.unwrap(), ["c", "a", "b"]);
    eventually("the brief have gone", || async {
        sqlite.get("brief").await.unwrap().is_none() && sqlite.members("brief-set").await.unwrap().is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_crash_keeps_what_was_answered() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.db");
    let sqlite = Sqlite::open(&file).await.unwrap();
    sqlite.set("value", bytes("x"), None).await.unwrap();
    // The files as a crash leaves them: the last writes in the log beside.
    let after = folder.path().join("after");
    fs::create_dir(&after).unwrap();
    for name in ["state.db", "state.db-wal"] {
        fs::copy(folder.path().join(name), after.join(name)).unwrap();
    }
    let sqlite = Sqlite::open(&after.join("state.db")).await.unwrap();
    assert_eq!(sqlite.get("value").await.unwrap().unwrap(), "x");
}

#[tokio::test]
async fn a_second_host_at_the_same_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.db");
    let first = Sqlite::open(&file).await.unwrap();
    let error = Sqlite::open(&file).await.unwrap_err();
    assert!(matches!(error, BackplaneError::Refused { .. }));
    let text = error.to_string();
    assert!(text.contains("state.db") && text.contains("data folder") && text.contains("Redis"), "{text}");
    first.set("still", bytes("here"), None).await.unwrap();
    first.close().await;
    let second = Sqlite::open(&file).await.unwrap();
    assert!(second.get("still").await.unwrap().is_some());
}

#[tokio::test]
async fn nobody_else_reads_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data/deep/state.db");
    let sqlite = Sqlite::open(&file).await.unwrap();
    sqlite.set("secret", bytes("x"), None).await.unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    for entry in fs::read_dir(file.parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[tokio::test]
async fn a_damaged_file_is_said_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.db");
    let sqlite = Sqlite::open(&file).await.unwrap();
    for n in 0..500 {
        sqlite.set(&format!("key{n}"), bytes("some value that takes room"), None).await.unwrap();
    }
    sqlite.close().await;
    let whole = fs::read(&file).unwrap();
    let mut torn = whole.clone();
    let middle = torn.len() / 2;
    torn[4096..middle].fill(0xa5);
    for content in [b"this was never a database, whatever its name says".repeat(100), torn] {
        fs::write(&file, &content).unwrap();
        let error = Sqlite::open(&file).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("state.db") && text.contains("damaged") && text.contains("backup"), "{text}");
        assert_eq!(fs::read(&file).unwrap(), content);
    }
    // The remedy works.
    fs::write(&file, &whole).unwrap();
    let sqlite = Sqlite::open(&file).await.unwrap();
    assert!(sqlite.get("key499").await.unwrap().is_some());
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.db");
    Sqlite::open(&file).await.unwrap().close().await;
    // `user_version`, as the file format has it: 4 bytes at 60, the highest first.
    let mut content = fs::read(&file).unwrap();
    content[60..64].copy_from_slice(&99_u32.to_be_bytes());
    fs::write(&file, &content).unwrap();
    let text = Sqlite::open(&file).await.unwrap_err().to_string();
    assert!(text.contains("state.db") && text.contains("newer version"), "{text}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a-file");
    fs::write(&file, "x").unwrap();
    let text = Sqlite::open(&file.join("state.db")).await.unwrap_err().to_string();
    assert!(text.contains("a-file/state.db") && text.contains("data folder"), "{text}");
}
