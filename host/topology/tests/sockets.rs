//! What the sections for sockets mean: defaults of the original, values, and what is refused.
#![allow(clippy::unwrap_used, reason = "helpers outside of #[test] functions are tests too")]

use std::time::Duration;

use luckystack_topology::{Loaded, Overrides, ProjectConfig, SourceFile, Transports, parse};

fn load(project: &str) -> Loaded {
    let files = [
        SourceFile::new("presets/main.toml", "services = [\"system\"]"),
        SourceFile::new("presets/project.toml", project),
    ];
    parse("presets".as_ref(), &files, &Overrides::default())
}

fn project(text: &str) -> ProjectConfig {
    let loaded = load(text);
    assert_eq!(loaded.findings, [], "{text}");
    loaded.topology.unwrap().project
}

#[test]
fn a_project_that_says_nothing_has_the_originals_defaults() {
    let p = project("");
    let seconds = Duration::from_secs;
    assert_eq!((p.socket.enabled, p.socket.path.as_str()), (true, "/socket.io/"));
    assert_eq!((p.socket.ping_interval, p.socket.ping_timeout), (seconds(25), seconds(20)));
    assert_eq!((p.socket.max_payload, p.socket.max_rooms_per_session), (5 << 20, Some(50)));
    assert_eq!(p.socket.transports, Transports { polling: true, websocket: true });
    assert!(p.socket.allow_upgrades && p.socket.cookie.is_none() && !p.socket.location_provider_enabled);
    assert!(p.sync.require_room_membership && !p.sync.allow_client_receiver_all);
    assert_eq!((p.sync.fanout_yield_every, p.sync.fanout_yield), (100, Duration::from_millis(1)));
    assert!(!p.presence.enabled);
    let graces = (p.presence.grace_tab_switch, p.presence.grace_transport, p.presence.grace_other);
    assert_eq!(graces, (seconds(20), seconds(60), seconds(2)));
    let away = (p.presence.afk_timeout, p.presence.afk_interval, p.presence.afk_refractory);
    assert_eq!(away, (seconds(300), seconds(15), seconds(60)));
}

#[test]
fn everything_can_be_set() {
    let p = project("[socket]\nenabled = false\npath = \"/live\"\n");
    assert_eq!((p.socket.enabled, p.socket.path.as_str()), (false, "/live/"));
    let p = project(
        r#"
        [socket]
        ping_interval = "300ms"
        ping_timeout = "200ms"
        max_payload = "64KiB"
        transports = ["websocket"]
        allow_upgrades = false
        cookie = "io"
        compression_threshold = false
        max_outgoing = "1MiB"
        max_in_flight = 10
        max_connections = 20
        max_rooms_per_session = false
        location_provider_enabled = true
        redis_prefix = "app"
        cluster_timeout = "1s"
        [sync]
        allow_client_receiver_all = true
        require_room_membership = false
        fanout_yield_every = 10
        fanout_yield = "0ms"
        [presence]
        enabled = true
        grace_other = "5s"
        "#,
    );
    assert_eq!(p.socket.transports, Transports { polling: false, websocket: true });
    assert_eq!((p.socket.compression_threshold, p.socket.max_rooms_per_session), (None, None));
    assert_eq!((p.socket.max_payload, p.socket.max_outgoing), (64 << 10, 1 << 20));
    assert_eq!((p.socket.max_in_flight, p.socket.max_connections), (10, 20));
    assert_eq!((p.socket.cookie.as_deref(), p.socket.redis_prefix.as_str()), (Some("io"), "app"));
    assert_eq!((p.sync.fanout_yield_every, p.sync.fanout_yield), (10, Duration::ZERO));
    assert!(p.sync.allow_client_receiver_all && !p.sync.require_room_membership);
    assert!(p.presence.enabled && p.socket.location_provider_enabled && !p.socket.allow_upgrades);
    assert_eq!(p.presence.grace_other, Duration::from_secs(5));
}

#[test]
fn what_cannot_be_meant_is_refused_with_the_key_and_a_remedy() {
    for (section, line, key) in [
        ("socket", "path = \"live\"", "socket.path"),
        ("socket", "path = \"/api/live\"", "socket.path"),
        ("socket", "path = \"/\"", "socket.path"),
        ("socket", "transports = []", "socket.transports"),
        ("socket", "transports = [\"webtransport\"]", "socket.transports"),
        ("socket", "compression_threshold = true", "socket.compression_threshold"),
        ("socket", "max_outgoing = \"1KiB\"", "socket.max_outgoing"),
        ("socket", "ping_intervall = \"1s\"", "socket.ping_intervall"),
        ("sync", "fanout_yield_every = 0", "sync.fanout_yield_every"),
        ("presence", "afk_timeout = \"0s\"", "presence.afk_timeout"),
    ] {
        let findings = load(&format!("[{section}]\n{line}\n")).findings;
        let finding = findings.first().unwrap_or_else(|| panic!("{line} was accepted"));
        assert_eq!(finding.key.as_deref(), Some(key), "{finding:?}");
        assert!(!finding.remedy.is_empty(), "{finding:?}");
    }
}
