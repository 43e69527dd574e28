use std::path::Path;

use luckystack_backplane::{Memory, Redis};
use luckystack_tests::RedisServer;

use super::*;

/// How long something that has to happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn project(on_error: OnStoreError) -> ProjectConfig {
    let mut project = ProjectConfig::defaults(Path::new("/"), Path::new("/"));
    project.name = "app".to_owned();
    project.rate_limiting.store = RateLimitStore::Redis;
    project.rate_limiting.on_store_error = on_error;
    project
}

async fn limits(server: &RedisServer, on_error: OnStoreError) -> Limits {
    let backplane: SharedBackplane = Arc::new(Redis::connect(&server.url()).await.unwrap());
    let project = project(on_error);
    let memory = Arc::new(RateLimiter::new(project.rate_limiting.window, 100));
    Limits::new(&project, memory, Some(&backplane))
}

fn shared(limits: &Limits) -> &SharedLimiter {
    match limits {
        Limits::Shared(shared) => shared,
        Limits::Memory(_) => panic!("counts in memory"),
    }
}

/// Waits until the store is seen to be down, or up.
async fn store_is(limiter: &SharedLimiter, up: bool) {
    let so = async {
        while limiter.backplane.is_up() != up {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, so).await.unwrap();
}

#[tokio::test]
async fn two_hosts_count_together() {
    let server = RedisServer::start().await;
    let (here, there) =
        (limits(&server, OnStoreError::Deny).await, limits(&server, OnStoreError::Deny).await);
    let (here, there) = (shared(&here), shared(&there));
    assert_eq!(here.check("ip:1:api:all", 2).await, Decision::Allowed);
    assert_eq!(there.check("ip:1:api:all", 2).await, Decision::Allowed);
    let Decision::Exceeded { seconds, count } = here.check("ip:1:api:all", 2).await else { panic!() };
    assert_eq!(count, 3);
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert_eq!(there.check("ip:2:api:all", 2).await, Decision::Allowed);
    // No limit counts nothing.
    assert_eq!(here.check("unlimited", 0).await, Decision::Allowed);
    // The keys are those of Node (wire protocol §5.1).
    assert_eq!(server.command(&["GET", "app:rate-limit:ip:1:api:all"]).await, "$1\r\n3\r\n");
    assert_eq!(server.command(&["DBSIZE"]).await, ":2\r\n");
    let left = server.command(&["PTTL", "app:rate-limit:ip:1:api:all"]).await;
    let left: i64 = left.trim_start_matches(':').trim().parse().unwrap();
    assert!((1..=60_000).contains(&left), "{left}");
    // In memory nothing was counted.
    assert!(here.memory.is_empty());
}

#[tokio::test]
async fn a_window_that_ends_begins_anew() {
    let server = RedisServer::start().await;
    let limits = limits(&server, OnStoreError::Deny).await;
    let limiter = shared(&limits);
    limiter.check("k", 1).await;
    assert!(matches!(limiter.check("k", 1).await, Decision::Exceeded { .. }));
    server.command(&["DEL", "app:rate-limit:k"]).await;
    assert_eq!(limiter.check("k", 1).await, Decision::Allowed);
}

#[tokio::test]
async fn without_the_store_a_host_counts_for_itself_and_shares_again_when_it_is_back() {
    let mut server = RedisServer::start().await;
    let limits = limits(&server, OnStoreError::Memory).await;
    let limiter = shared(&limits);
    assert_eq!(limiter.check("k", 1).await, Decision::Allowed);
    server.kill().await;
    store_is(limiter, false).await;
    // Its own count begins with the outage.
    assert_eq!(limiter.check("k", 2).await, Decision::Allowed);
    assert_eq!(limiter.check("k", 2).await, Decision::Allowed);
    assert!(matches!(limiter.check("k", 2).await, Decision::Exceeded { count: 3, .. }));
    assert!(limiter.outage.is_on.load(Ordering::Relaxed));
    server.restart().await;
    store_is(limiter, true).await;
    assert_eq!(limiter.check("k", 2).await, Decision::Allowed);
    assert_eq!(server.command(&["GET", "app:rate-limit:k"]).await, "$1\r\n1\r\n");
}

#[tokio::test]
async fn without_the_store_calls_are_refused_where_that_is_asked_for() {
    let mut server = RedisServer::start().await;
    let limits = limits(&server, OnStoreError::Deny).await;
    let limiter = shared(&limits);
    assert_eq!(limiter.check("k", 5).await, Decision::Allowed);
    server.kill().await;
    store_is(limiter, false).await;
    assert_eq!(limiter.check("k", 5).await, Decision::Exceeded { seconds: 60, count: 0 });
    assert_eq!(limiter.check("unlimited", 0).await, Decision::Allowed);
    server.restart().await;
    store_is(limiter, true).await;
    assert_eq!(limiter.check("k", 5).await, Decision::Allowed);
    assert!(limiter.memory.is_empty());
}

#[tokio::test]
async fn a_reset_forgets_what_was_counted_anywhere() {
    let server = RedisServer::start().await;
    let limits = limits(&server, OnStoreError::Memory).await;
    let limiter = shared(&limits);
    for key in ["a", "b"] {
        limiter.check(key, 1).await;
    }
    limiter.memory.check("c", 1, Instant::now());
    server.command(&["SET", "app:rate-limits", "of somebody else"]).await;
    limits.clear().await.unwrap();
    assert!(limiter.memory.is_empty());
    assert_eq!(server.command(&["DBSIZE"]).await, ":1\r\n");
    assert_eq!(limiter.check("a", 1).await, Decision::Allowed);
}

#[tokio::test]
async fn a_backplane_that_is_not_shared_counts_nothing() {
    let backplane: SharedBackplane = Arc::new(Memory::new());
    let memory = Arc::new(RateLimiter::new(Duration::from_secs(60), 100));
    let mut project = project(OnStoreError::Memory);
    assert!(matches!(Limits::new(&project, memory.clone(), Some(&backplane)), Limits::Memory(_)));
    assert!(matches!(Limits::new(&project, memory.clone(), None), Limits::Memory(_)));
    let server = RedisServer::start().await;
    let redis: SharedBackplane = Arc::new(Redis::connect(&server.url()).await.unwrap());
    assert!(matches!(Limits::new(&project, memory.clone(), Some(&redis)), Limits::Shared(_)));
    project.rate_limiting.store = RateLimitStore::Memory;
    assert!(matches!(Limits::new(&project, memory, Some(&redis)), Limits::Memory(_)));
}

#[test]
fn an_outage_is_over_when_nothing_has_failed_for_a_while() {
    let outage = Outage::default();
    let error = BackplaneError::Unavailable { store: "redis".into(), reason: "gone".into() };
    outage.has_begun(&error, OnStoreError::Memory);
    outage.is_over();
    assert!(outage.is_on.load(Ordering::Relaxed), "a late answer ended it");
    *outage.last.lock() = Some(Instant::now() - QUIET);
    outage.is_over();
    assert!(!outage.is_on.load(Ordering::Relaxed));
}
