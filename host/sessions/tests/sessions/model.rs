//! Random stories, told to the real thing and to a model.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use luckystack_backplane::{Memory, Redis, SharedBackplane};
use luckystack_sessions::{EndReason, Sessions};
use luckystack_tests::RedisServer;
use luckystack_topology::SessionConfig;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::stage::Stage;
use crate::*;

#[derive(Clone, Debug)]
enum Step {
    Create {
        user: usize,
        superseded: Option<usize>,
    },
    Read(usize),
    Peek(usize),
    Update(usize),
    UpdateUser(usize),
    End(usize),
    EndOthers {
        user: usize,
        keep: Option<usize>,
    },
    /// Somebody else deletes the key, or it expires.
    Vanish(usize),
    /// Somebody else writes the session.
    Write {
        token: usize,
        user: usize,
    },
    Clear,
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let step = prop_oneof![
        4 => (0..3_usize, proptest::option::of(0..8_usize))
            .prop_map(|(user, superseded)| Step::Create { user, superseded }),
        6 => (0..8_usize).prop_map(Step::Read),
        1 => (0..8_usize).prop_map(Step::Peek),
        4 => (0..8_usize).prop_map(Step::Update),
        1 => (0..3_usize).prop_map(Step::UpdateUser),
        3 => (0..8_usize).prop_map(Step::End),
        1 => (0..3_usize, proptest::option::of(0..8_usize))
            .prop_map(|(user, keep)| Step::EndOthers { user, keep }),
        2 => (0..8_usize).prop_map(Step::Vanish),
        2 => (0..8_usize, 0..3_usize).prop_map(|(token, user)| Step::Write { token, user }),
        1 => Just(Step::Clear),
    ];
    proptest::collection::vec((0..2_usize, step), 1..40)
}

/// What is known of a session: its user, and how often it was changed.
type Truth = BTreeMap<String, (String, u64)>;

struct Story {
    hosts: [Sessions; 2],
    backplane: SharedBackplane,
    is_single: bool,
    /// By number: those made, and some that were only ever written by others.
    tokens: Vec<String>,
    truth: Truth,
}

impl Story {
    async fn begin(backplane: SharedBackplane, hosts: [Sessions; 2], is_single: bool) -> Story {
        for host in &hosts {
            host.reconfigure(&if is_single { SessionConfig::default() } else { unlimited() });
        }
        hosts[0].clear().await.unwrap();
        let tokens = (0..4).map(|n| format!("raw-{n}")).collect();
        Story { hosts, backplane, is_single, tokens, truth: Truth::new() }
    }

    fn token(&self, number: usize) -> String {
        // The last ones made, so that many steps meet the same.
        let from = self.tokens.len().saturating_sub(8);
        self.tokens[from + number % (self.tokens.len() - from)].clone()
    }

    /// As both hosts see it, in the end. `by` sees it at once.
    async fn check(&self, by: Option<usize>, token: &str) {
        let expected = self.truth.get(token).cloned();
        for (n, host) in self.hosts.iter().enumerate() {
            let seen = async || {
                let session = live(host, token).await;
                session.map(|session| {
                    let changes = session.fields().get("changes").and_then(Value::as_u64).unwrap_or_default();
                    (session.user_id.clone(), changes)
                })
            };
            if by == Some(n) {
                assert_eq!(seen().await, expected, "host {n} does not see its own work");
            } else {
                until("the other host sees it", async || seen().await == expected).await;
            }
        }
    }

    /// The user's sessions that end with one call, and are found by it: those that are in the set.
    async fn in_set(&self, user: &str) -> Vec<String> {
        self.backplane.members(&user_key(user)).await.unwrap()
    }

    async fn tell(&mut self, by: usize, step: Step) {
        let host = self.hosts[by].clone();
        match step {
            Step::Create { user: number, superseded } => {
                let id = format!("u{number}");
                let superseded = superseded.map(|number| self.token(number));
                let others = self.in_set(&id).await;
                let session = host.create(user(&id), superseded.as_deref()).await.unwrap();
                assert!(!self.tokens.contains(&session.token));
                if self.is_single {
                    let gone = |token: &String| self.truth.get(token).is_some_and(|(of, _)| *of == id);
                    let gone: Vec<String> = others.into_iter().filter(gone).collect();
                    for token in gone {
                        self.truth.remove(&token);
                        self.check(Some(by), &token).await;
                    }
                }
                if let Some(token) = superseded {
                    self.truth.remove(&token);
                    self.check(Some(by), &token).await;
                }
                self.truth.insert(session.token.clone(), (id, 0));
                self.tokens.push(session.token.clone());
                self.check(Some(by), &session.token).await;
            }
            Step::Read(number) => self.check(None, &self.token(number)).await,
            Step::Peek(number) => {
                let token = self.token(number);
                let session = host.peek(&token).await.unwrap();
                assert_eq!(session.is_some(), self.truth.contains_key(&token));
            }
            Step::Update(number) => {
                let token = self.token(number);
                let changed = host.update(&token, &mut change).await.unwrap();
                assert_eq!(changed.is_some(), self.truth.contains_key(&token));
                self.truth.entry(token.clone()).and_modify(|(_, changes)| *changes += 1);
                self.check(Some(by), &token).await;
            }
            Step::UpdateUser(number) => {
                let id = format!("u{number}");
                let mut expected = BTreeSet::new();
                for token in self.in_set(&id).await {
                    if let Some((of, changes)) = self.truth.get_mut(&token)
                        && *of == id
                    {
                        *changes += 1;
                        expected.insert(token);
                    }
                }
                assert_eq!(host.update_user(&id, &mut change).await.unwrap(), expected.len());
                for token in expected {
                    self.check(Some(by), &token).await;
                }
            }
            Step::End(number) => {
                let token = self.token(number);
                let ended = host.end(&token, EndReason::Logout).await.unwrap();
                assert_eq!(ended, self.truth.remove(&token).is_some());
                self.check(Some(by), &token).await;
            }
            Step::EndOthers { user, keep } => {
                let id = format!("u{user}");
                let keep = keep.map(|number| self.token(number));
                let mut expected = Vec::new();
                for token in self.in_set(&id).await {
                    if Some(&token) != keep.as_ref()
                        && self.truth.get(&token).is_some_and(|(of, _)| *of == id)
                    {
                        self.truth.remove(&token);
                        expected.push(token);
                    }
                }
                assert_eq!(host.end_others(&id, keep.as_deref()).await.unwrap(), expected.len());
                for token in expected {
                    self.check(Some(by), &token).await;
                }
            }
            Step::Vanish(number) => {
                let token = self.token(number);
                if self.backplane.is_shared() {
                    self.backplane.delete(&session_key(&token)).await.unwrap();
                    self.truth.remove(&token);
                }
                self.check(None, &token).await;
            }
            Step::Write { token, user } => {
                let (token, id) = (self.token(token), format!("u{user}"));
                if self.backplane.is_shared() {
                    let value = Bytes::from(json!({ "id": id, "changes": 0 }).to_string());
                    self.backplane.set(&session_key(&token), value, Some(PATIENCE * 100)).await.unwrap();
                    self.backplane.add(&user_key(&id), &token, PATIENCE * 100).await.unwrap();
                    self.truth.insert(token.clone(), (id, 0));
                }
                self.check(None, &token).await;
            }
            Step::Clear => {
                host.clear().await.unwrap();
                self.truth.clear();
                for token in &self.tokens {
                    self.check(Some(by), token).await;
                }
            }
        }
    }

    async fn end(mut self) {
        for token in std::mem::take(&mut self.tokens) {
            self.check(None, &token).await;
        }
    }
}

fn change(fields: &mut serde_json::Map<String, Value>) {
    let changes = fields.get("changes").and_then(Value::as_u64).unwrap_or_default();
    fields.insert("changes".into(), (changes + 1).into());
}

fn tell_stories(cases: u32, runtime: &Runtime, begin: impl AsyncFn(bool) -> Story) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    runner
        .run(&(any::<bool>(), steps()), |(is_single, steps)| {
            runtime.block_on(async {
                let mut story = begin(is_single).await;
                for (by, step) in steps {
                    story.tell(by, step).await;
                }
                story.end().await;
            });
            Ok(())
        })
        .unwrap();
}

/// Nobody is refused for asking so much.
fn patient() -> SessionConfig {
    SessionConfig { max_unknown_tokens: None, ..unlimited() }
}

#[test]
fn one_host_on_its_own_store_agrees_with_the_model() {
    let runtime = Runtime::new().unwrap();
    tell_stories(200, &runtime, async |is_single| {
        let backplane: SharedBackplane = Arc::new(Memory::new());
        let host = open(&backplane, &patient()).await;
        Story::begin(backplane, [host.clone(), host], is_single).await
    });
}

#[test]
fn two_hosts_on_one_store_agree_with_the_model() {
    let runtime = Runtime::new().unwrap();
    tell_stories(100, &runtime, async |is_single| {
        let backplane: SharedBackplane = Stage::shared();
        let hosts = [open(&backplane, &patient()).await, open(&backplane, &patient()).await];
        Story::begin(backplane, hosts, is_single).await
    });
}

#[test]
fn two_hosts_on_one_redis_agree_with_the_model() {
    let runtime = Runtime::new().unwrap();
    let (server, backplane, hosts) = runtime.block_on(async {
        let server = RedisServer::start().await;
        let connect = async || Arc::new(Redis::connect(&server.url()).await.unwrap()) as SharedBackplane;
        let (one, two, own) = (connect().await, connect().await, connect().await);
        let hosts = [open(&one, &patient()).await, open(&two, &patient()).await];
        (server, own, hosts)
    });
    tell_stories(30, &runtime, async |is_single| {
        Story::begin(backplane.clone(), hosts.clone(), is_single).await
    });
    drop(server);
}

/// Many at once, in no order that anybody knows.
#[test]
fn whatever_happens_at_once_what_has_ended_is_refused_and_no_change_is_lost() {
    let runtime = Runtime::new().unwrap();
    let mut runner = TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() });
    runner
        .run(&proptest::collection::vec((0..2_usize, 0..3_usize, 0..6_u8), 1..60), |steps| {
            runtime.block_on(async {
                let backplane: SharedBackplane = Stage::shared();
                let hosts = [open(&backplane, &patient()).await, open(&backplane, &patient()).await];
                let mut tokens = Vec::new();
                for _ in 0..3 {
                    tokens.push(hosts[0].create(user("u1"), None).await.unwrap().token.clone());
                }
                let tasks = steps.into_iter().map(|(by, number, what)| {
                    let (host, token) = (hosts[by].clone(), tokens[number].clone());
                    tokio::spawn(async move {
                        match what {
                            0 => {
                                host.end(&token, EndReason::Logout).await.unwrap();
                                // At once, whoever it was that ended it on this host.
                                assert!(host.cached(&token).is_none());
                                assert!(live(&host, &token).await.is_none());
                                None
                            }
                            1 | 2 => {
                                let changed = host.update(&token, &mut change).await.unwrap();
                                changed.is_some().then_some((number, 1))
                            }
                            _ => {
                                live(&host, &token).await;
                                None
                            }
                        }
                    })
                });
                let mut changes = [0_u64; 3];
                for answer in futures::future::join_all(tasks.collect::<Vec<_>>()).await {
                    if let Some((number, more)) = answer.unwrap() {
                        changes[number] += more;
                    }
                }
                let set = backplane.members(&user_key("u1")).await.unwrap();
                for (token, changes) in tokens.iter().zip(changes) {
                    let stored = backplane.get(&session_key(token)).await.unwrap();
                    for host in &hosts {
                        until("the host sees what is stored", async || {
                            let seen = live(host, token).await.map(|session| session.user.clone());
                            seen == stored
                        })
                        .await;
                    }
                    if let Some(stored) = stored {
                        let stored: Value = serde_json::from_slice(&stored).unwrap();
                        assert_eq!(
                            stored.get("changes").and_then(Value::as_u64).unwrap_or_default(),
                            changes
                        );
                        assert!(set.contains(token));
                    }
                }
            });
            Ok(())
        })
        .unwrap();
}
