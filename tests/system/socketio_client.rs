//! The stock client of socket.io against the real program: what a page of an app sees (wire protocol §2, §3.1,
//! §4, §8, Appendix C). The scenarios are in `tests/socketio`.

use luckystack_tests::guests::Guest;
use luckystack_tests::socketio::Scenario;
use luckystack_tests::{Project, RedisServer};

use crate::identity_door::restart;
use crate::project;

/// A host with a front door and a board.
fn board() -> Project {
    project().guest(Guest::Session).guest(Guest::Board)
}

/// With presence, and times that a test can wait for.
fn watched() -> Project {
    board()
        .set("presence.enabled=true")
        .set("presence.grace_tab_switch=\"5s\"")
        .set("presence.grace_transport=\"60s\"")
        .set("presence.grace_other=\"500ms\"")
}

async fn play(project: Project, name: &str) {
    let host = project.start().await;
    Scenario::play(name, &[host.url()]).await;
}

macro_rules! scenarios {
    ($($name:ident on $project:expr;)*) => {$(
        #[tokio::test]
        async fn $name() {
            play($project, stringify!($name)).await;
        }
    )*};
}

scenarios! {
    polling_alone on board();
    websocket_alone on board();
    upgrade on board();
    what_the_framework_does_not_use on board();
    other_namespace on board();
    refused_origin on board().set("http.cors.allowed_origins=[\"https://app.example\"]");
    too_large on board().set("socket.max_payload=\"64KiB\"");
    token_mode on board().set("session.based_token=true");
    cookie_mode on board();

    calls on board();
    cancelled_call on board();

    rooms on board();
    more_rooms_than_a_session_may_have on board().set("socket.max_rooms_per_session=3");

    both_halves on board();
    order on board();
    ignore_self on board();
    streams on board();
    cancelled_sync on board();
    refusals on board();
    everybody on
        board().set("sync.allow_client_receiver_all=true").set("sync.require_room_membership=false");

    second_login on board();
    logout on board();
    updates on board().set("session.based_token=true").set("socket.location_provider_enabled=true");

    tab_switch on watched();
    lost_connection on watched();
    idle on watched().set("presence.afk_timeout=\"5s\"").set("presence.afk_interval=\"200ms\"");
    presence_off on board();

    call_with_a_chunk on board();
    join_then_sync_with_both_halves on board();
    streams_and_cancel on board();
    second_login_elsewhere on board();
}

/// At two hosts of the same app.
async fn play_at_two(project: Project, name: &str) {
    let redis = RedisServer::start().await;
    let project = project.set(&format!("backplane.url={}", redis.url()));
    let a = project.serve(&[]).await;
    let b = project.serve(&[]).await;
    Scenario::play(name, &[a.url(), b.url()]).await;
}

#[tokio::test]
async fn sync_between_hosts() {
    play_at_two(board(), "sync_between_hosts").await;
}

#[tokio::test]
async fn sessions_between_hosts() {
    play_at_two(board(), "sessions_between_hosts").await;
}

#[tokio::test]
async fn presence_between_hosts() {
    let project = watched().set("presence.afk_timeout=\"5s\"").set("presence.afk_interval=\"200ms\"");
    play_at_two(project, "presence_between_hosts").await;
}

#[tokio::test]
async fn host_restarts() {
    let project = board().set("backplane.store=sqlite");
    let mut host = project.serve(&[]).await;
    let mut scenario = Scenario::start("host_restarts", &[host.url()]).await;
    while let Some(how) = scenario.wants().await {
        if how == "crash" {
            let port = host.port();
            host.kill().await;
            drop(host);
            host = project.serve(&["--port", &port.to_string()]).await;
        } else {
            host = restart(host, &project).await;
        }
        scenario.go_on().await;
    }
}

#[tokio::test]
async fn closing() {
    let host = watched().start().await;
    let mut scenario = Scenario::start("closing", &[host.url()]).await;
    while scenario.wants().await.is_some() {
        host.wait_for_log("grace expired: client namespace disconnect, session deleted: true").await;
        scenario.go_on().await;
    }
}

#[tokio::test]
async fn unseen() {
    let host = watched().start().await;
    let mut scenario = Scenario::start("unseen", &[host.url()]).await;
    while let Some(what) = scenario.wants().await {
        let line = match &*what {
            "suppressed" => "presence: afk in silent,lobby told 0",
            _ => "presence: back in silent,lobby told 0",
        };
        host.wait_for_log(line).await;
        scenario.go_on().await;
    }
    assert_eq!(host.log_lines("reconnected: ").len(), 1);
}

#[tokio::test]
async fn turned_on() {
    let host = board().start().await;
    let file = host.dir().join("presets/project.toml");
    let before = std::fs::read_to_string(&file).unwrap();
    let mut scenario = Scenario::start("turned_on", &[host.url()]).await;
    let mut changes = 0;
    while let Some(what) = scenario.wants().await {
        changes += 1;
        std::fs::write(&file, format!("{before}\n[presence]\nenabled = {}\n", what == "on")).unwrap();
        host.hang_up();
        host.wait_for_log_line("swapped   configuration", changes).await;
        scenario.go_on().await;
    }
    assert_eq!(changes, 2);
}
