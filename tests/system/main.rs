//! Whole-system tests: the real program on real files, real clients, components good and hostile.
//!
//! One module a topic; those called `sandbox_*` hold one test for every row of the sandbox promises,
//! with an ordinary service under load beside the attack. Those called `identity_*` are about who somebody
//! is, and those called `attacks_*` about people who want to be somebody else.

#![expect(clippy::unwrap_used, reason = "tests: what fails here fails the test, with its line")]

mod attacks_enumeration;
mod attacks_input;
mod attacks_oauth;
mod attacks_secrets;
mod attacks_sessions;
mod board;
mod broken_files;
mod browser;
mod building;
mod cache;
mod check;
mod cli;
mod conformance;
mod drain;
mod examples;
mod formatters;
mod functions;
mod hooks;
mod identity_account;
mod identity_cluster;
mod identity_codes;
mod identity_door;
mod identity_hooks;
mod identity_login;
mod identity_oauth;
mod identity_rules;
mod identity_sessions;
mod identity_stores;
mod identity_story;
mod identity_users;
mod limits;
mod mutations;
mod presets;
mod protocols;
mod refusals;
mod sandbox_crash;
mod sandbox_flood;
mod sandbox_grants;
mod sandbox_health;
mod sandbox_output;
mod sandbox_state;
mod sandbox_time;
mod socket_calls;
mod socket_cluster;
mod socket_hall;
mod socket_rooms;
mod socket_sync;
mod socketio_client;
mod story;
mod streams;
mod swap;

use std::time::{Duration, Instant};

use luckystack_tests::guests::Guest;
use luckystack_tests::{Answer, Call, Host, Load, Project};

const PROGRAM: &str = env!("CARGO_BIN_EXE_luckystack-host");

/// The ordinary route: twenty vehicles.
const ORDINARY: &str = "/api/vehicles/getAll/v1";

/// An empty project.
fn project() -> Project {
    Project::new(PROGRAM)
}

/// The repository's own project.
fn example() -> Project {
    Project::example(PROGRAM)
}

/// The ordinary service and the hostile one, which has these settings; nothing else runs beside them.
fn arena(settings: &str) -> Project {
    project()
        .guest(Guest::Vehicles)
        .guest(Guest::Hostile)
        .service("hostile", settings)
        // Load from one address would otherwise meet the limits of one client.
        .settings(
            "[rate_limiting]\nenabled = false\n\n[http]\nmax_requests_per_second_per_connection = false\n",
        )
        .alone()
}

/// Attacks while the ordinary service is under ordinary load, which must not notice.
async fn under_load<T>(host: &Host, attack: impl Future<Output = T>) -> T {
    let load = Load::start(host, ORDINARY, 4).await;
    let outcome = attack.await;
    load.finish().await.assert_undisturbed();
    outcome
}

/// Sends a request over many connections at once; each answer, and how long it took.
async fn volley(host: &Host, call: Call, connections: usize) -> Vec<(Answer, Duration)> {
    let mut sending = Vec::new();
    for _ in 0..connections {
        let mut connection = host.connect().await;
        let call = call.clone();
        sending.push(async move {
            let started = Instant::now();
            (connection.send(call).await, started.elapsed())
        });
    }
    futures::future::join_all(sending).await
}

/// How many calls the instance that answers next has seen: 1 from a clean one.
async fn calls_seen(host: &Host) -> u64 {
    host.get("/api/hostile/healthy/v1").await.result()["calls"].as_u64().unwrap_or_default()
}
