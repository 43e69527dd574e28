//! A host that cannot keep its state does not start, and says what to do.

use std::fs;

use luckystack_tests::Project;

use crate::identity_door::door;

/// Runs a host that must not come up, and returns what it says.
async fn refusal(project: &Project) -> String {
    let output = project.run(&[]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("the host cannot keep its state"), "{said}");
    assert!(!said.contains("geheim"), "no password is shown: {said}");
    said
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_named_without_its_password() {
    for setting in [
        "backplane.url=redis://user:geheim@127.0.0.1:9",
        "backplane.url=rediss://:geheim@127.0.0.1:9/0",
        "users.url=postgres://user:geheim@127.0.0.1:9/app",
    ] {
        let said = refusal(&door().set(setting)).await;
        assert!(said.contains("127.0.0.1:9"), "{said}");
    }
}

#[tokio::test]
async fn a_damaged_file_is_named_and_left_alone() {
    for file in ["users.sqlite", "backplane.sqlite"] {
        let project = door();
        let mut host = project.serve(&[]).await;
        host.terminate();
        host.exit().await;
        let path = project.dir().join("data").join(file);
        fs::write(&path, "this was a database once").unwrap();
        let said = refusal(&project).await;
        assert!(said.contains(file), "{said}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "this was a database once");
    }
}

#[tokio::test]
async fn two_hosts_do_not_share_a_file() {
    let project = door();
    let host = project.serve(&[]).await;
    let said = refusal(&project).await;
    assert!(said.contains("another host uses this file"), "{said}");
    assert_eq!(host.get("/readyz").await.status, 200, "the first one goes on");
}

#[tokio::test]
async fn what_people_must_not_read_is_readable_by_the_host_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let host = door().start().await;
    let data = host.dir().join("data");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for file in ["users.sqlite", "backplane.sqlite"] {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
}
