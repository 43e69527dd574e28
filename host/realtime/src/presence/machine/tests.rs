use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use luckystack_socketio::Reason;
use luckystack_topology::PresenceConfig;
use proptest::prelude::*;

use super::{Action, Machine};

const REASONS: [Reason; 8] = [
    Reason::TransportClose,
    Reason::TransportError,
    Reason::PingTimeout,
    Reason::ParseError,
    Reason::ClientNamespaceDisconnect,
    Reason::ServerNamespaceDisconnect,
    Reason::ServerShuttingDown,
    Reason::QueueOverflow,
];

fn enabled() -> PresenceConfig {
    PresenceConfig { enabled: true, ..PresenceConfig::default() }
}

/// A machine and its clock.
struct Rig {
    machine: Machine,
    now: Instant,
}

impl Rig {
    fn new() -> Rig {
        Rig::with(&enabled())
    }

    fn with(config: &PresenceConfig) -> Rig {
        let now = Instant::now();
        Rig { machine: Machine::new(config, now), now }
    }

    fn connect(&mut self, socket: &str) -> Vec<Action> {
        self.machine.connected(&"t".into(), &socket.into(), self.now);
        self.machine.actions()
    }

    fn disconnect(&mut self, socket: &str, reason: Reason) -> Vec<Action> {
        self.machine.disconnected(&"t".into(), &socket.into(), reason, self.now);
        self.machine.actions()
    }

    fn hide(&mut self, socket: &str) -> Vec<Action> {
        self.machine.intentional_disconnect(&"t".into(), &socket.into());
        self.machine.actions()
    }

    fn act(&mut self, socket: &str) {
        self.machine.activity(&"t".into(), &socket.into(), self.now);
    }

    /// Lets time pass, ticking whenever something is due; what was decided, and how many seconds later.
    fn pass(&mut self, seconds: u64) -> Vec<(u64, Action)> {
        let (start, end) = (self.now, self.now + Duration::from_secs(seconds));
        let mut decided = Vec::new();
        while let Some(next) = self.machine.next().filter(|next| *next <= end) {
            self.now = next.max(self.now);
            self.machine.tick(self.now);
            let after = (self.now - start).as_secs();
            decided.extend(self.machine.actions().into_iter().map(|action| (after, action)));
        }
        self.now = end;
        decided
    }
}

fn left(reason: Reason, tab_switch: bool) -> Action {
    Action::Left { token: "t".into(), reason, tab_switch }
}

fn hidden() -> Action {
    Action::Hidden { token: "t".into(), grace: Duration::from_secs(20) }
}

fn idle() -> Action {
    Action::Idle { token: "t".into(), timeout: Duration::from_secs(300) }
}

fn back() -> Action {
    Action::Back { token: "t".into() }
}

#[test]
fn the_grace_depends_on_the_reason() {
    for (reason, seconds) in [
        (Reason::TransportClose, Some(60)),
        (Reason::TransportError, Some(60)),
        (Reason::QueueOverflow, Some(60)),
        (Reason::PingTimeout, None),
        (Reason::ParseError, Some(2)),
        (Reason::ClientNamespaceDisconnect, Some(2)),
        (Reason::ServerNamespaceDisconnect, Some(2)),
        (Reason::ServerShuttingDown, Some(2)),
    ] {
        let mut rig = Rig::new();
        rig.connect("a");
        assert_eq!(rig.disconnect("a", reason), []);
        let expected: Vec<_> = seconds.map(|after| (after, left(reason, false))).into_iter().collect();
        assert_eq!(rig.pass(1000), expected, "{reason:?}");
    }
}

#[test]
fn a_hidden_tab_is_afk_at_once_and_leaves_after_its_own_grace() {
    let mut rig = Rig::new();
    rig.connect("a");
    assert_eq!(rig.hide("a"), [hidden()]);
    assert_eq!(rig.hide("a"), [], "once for a connection");
    rig.disconnect("a", Reason::ServerNamespaceDisconnect);
    assert_eq!(rig.pass(1000), [(20, left(Reason::ServerNamespaceDisconnect, true))]);
}

#[test]
fn who_comes_back_in_time_is_back_and_does_not_leave() {
    let mut rig = Rig::new();
    assert_eq!(rig.connect("a"), [], "nobody was away");
    rig.disconnect("a", Reason::TransportClose);
    assert_eq!(rig.pass(59), []);
    assert_eq!(rig.connect("b"), [back()]);
    assert_eq!(rig.pass(200), []);
    rig.disconnect("b", Reason::TransportClose);
    assert_eq!(rig.pass(200), [(60, left(Reason::TransportClose, false))], "and the next grace is whole");
    assert_eq!(rig.connect("c"), [], "who was gone is new");
}

#[test]
fn the_mark_of_a_hidden_tab_ends_with_the_return() {
    let mut rig = Rig::new();
    rig.connect("a");
    rig.hide("a");
    rig.disconnect("a", Reason::ServerNamespaceDisconnect);
    assert_eq!(rig.connect("b"), [back()]);
    rig.disconnect("b", Reason::ClientNamespaceDisconnect);
    assert_eq!(rig.pass(100), [(2, left(Reason::ClientNamespaceDisconnect, false))]);
}

#[test]
fn the_first_socket_that_goes_sets_the_grace() {
    let mut rig = Rig::new();
    rig.connect("a");
    rig.connect("b");
    rig.disconnect("a", Reason::TransportClose);
    assert_eq!(rig.pass(30), []);
    rig.disconnect("b", Reason::ClientNamespaceDisconnect);
    assert_eq!(rig.pass(100), [(30, left(Reason::TransportClose, false))]);
}

#[test]
fn a_grace_that_runs_out_beside_another_tab_means_nothing() {
    let mut rig = Rig::new();
    rig.connect("a");
    rig.connect("b");
    rig.disconnect("a", Reason::TransportClose);
    assert_eq!(rig.pass(100), []);
    rig.disconnect("b", Reason::TransportClose);
    assert_eq!(rig.pass(100), [(60, left(Reason::TransportClose, false))]);
}

#[test]
fn who_does_nothing_is_idle_and_told_of_again_after_a_while() {
    let mut rig = Rig::new();
    rig.connect("a");
    let told = rig.pass(450);
    assert_eq!(told, [(315, idle()), (375, idle()), (435, idle())]);
    rig.act("a");
    assert_eq!(rig.pass(300), [], "nobody is told of activity");
    assert_eq!(rig.pass(20), [(15, idle())]);
}

#[test]
fn one_active_tab_is_enough() {
    let mut rig = Rig::new();
    rig.connect("a");
    rig.connect("b");
    for _ in 0..10 {
        assert_eq!(rig.pass(100), []);
        rig.act("b");
    }
    rig.disconnect("b", Reason::TransportClose);
    assert_eq!(rig.pass(15), [(5, idle())], "the other has been idle for long");
}

#[test]
fn of_who_has_logged_out_nothing_is_said() {
    let mut rig = Rig::new();
    rig.connect("a");
    rig.connect("b");
    rig.disconnect("a", Reason::TransportClose);
    rig.machine.logged_out(&"t".into());
    assert_eq!(rig.hide("b"), []);
    assert_eq!(rig.pass(1000), []);
    assert_eq!(rig.disconnect("b", Reason::TransportClose), []);
    assert_eq!(rig.pass(1000), []);
    assert_eq!(rig.machine.next(), None);
}

#[test]
fn it_is_inert_while_it_is_off_and_forgets_when_turned_off() {
    let off = PresenceConfig::default();
    let mut rig = Rig::with(&off);
    rig.connect("a");
    assert_eq!(rig.hide("a"), []);
    rig.disconnect("a", Reason::TransportClose);
    assert_eq!(rig.machine.next(), None);

    rig.machine.reconfigure(&enabled(), rig.now);
    rig.connect("a");
    rig.connect("b");
    rig.disconnect("a", Reason::TransportClose);
    rig.machine.reconfigure(&off, rig.now);
    assert_eq!(rig.pass(1000), []);
    assert_eq!(rig.machine.next(), None);
}

#[test]
fn a_changed_grace_counts_from_the_next_on() {
    let mut rig = Rig::new();
    rig.connect("a");
    rig.disconnect("a", Reason::TransportClose);
    let changed = PresenceConfig { grace_transport: Duration::from_secs(5), ..enabled() };
    rig.machine.reconfigure(&changed, rig.now);
    assert_eq!(rig.pass(100), [(60, left(Reason::TransportClose, false))]);
    rig.connect("b");
    rig.disconnect("b", Reason::TransportClose);
    assert_eq!(rig.pass(100), [(5, left(Reason::TransportClose, false))]);
}

#[derive(Clone, Debug)]
enum Step {
    Connect(usize, usize),
    Disconnect(usize, usize, Reason),
    Hide(usize, usize),
    Act(usize, usize),
    LogOut(usize),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let seat = || (0..2_usize, 0..3_usize);
    prop_oneof![
        4 => seat().prop_map(|(t, s)| Step::Connect(t, s)),
        4 => (seat(), prop::sample::select(&REASONS[..])).prop_map(|((t, s), r)| Step::Disconnect(t, s, r)),
        2 => seat().prop_map(|(t, s)| Step::Hide(t, s)),
        2 => seat().prop_map(|(t, s)| Step::Act(t, s)),
        1 => (0..2_usize).prop_map(Step::LogOut),
        4 => (0..120_000_u64).prop_map(Step::Pass),
    ]
}

/// What a spectator knows of one session.
#[derive(Default)]
struct Seen {
    /// Connected sockets, and when each was last active.
    live: HashMap<usize, Instant>,
    logged_out: bool,
    told_idle: Option<Instant>,
}

proptest! {
    #[test]
    fn nothing_wrong_is_ever_said(steps in prop::collection::vec(step(), 1..120)) {
        let config = enabled();
        let tokens: [Arc<str>; 2] = ["t0".into(), "t1".into()];
        let sockets: [Arc<str>; 3] = ["a".into(), "b".into(), "c".into()];
        let mut now = Instant::now();
        let mut machine = Machine::new(&config, now);
        let mut seen = [Seen::default(), Seen::default()];
        let runs = |machine: &Machine, t: usize| {
            machine.graces.iter().filter(|(_, token)| *token == tokens[t]).count()
        };

        for step in steps.into_iter().chain([Step::Pass(1)]) {
            let before = [runs(&machine, 0), runs(&machine, 1)];
            match step {
                Step::Connect(t, s) => {
                    machine.connected(&tokens[t], &sockets[s], now);
                    seen[t].live.insert(s, now);
                    seen[t].logged_out = false;
                    let expected = vec![Action::Back { token: tokens[t].clone() }; before[t]];
                    prop_assert_eq!(machine.actions(), expected);
                    prop_assert_eq!(runs(&machine, t), 0);
                }
                Step::Disconnect(t, s, reason) => {
                    if seen[t].live.remove(&s).is_none() {
                        continue;
                    }
                    machine.disconnected(&tokens[t], &sockets[s], reason, now);
                    prop_assert_eq!(machine.actions(), []);
                    let begins = reason != Reason::PingTimeout && !seen[t].logged_out;
                    prop_assert_eq!(runs(&machine, t), before[t].max(usize::from(begins)));
                    if seen[t].live.is_empty() {
                        seen[t].told_idle = None;
                    }
                }
                Step::Hide(t, s) => {
                    machine.intentional_disconnect(&tokens[t], &sockets[s]);
                    let actions = machine.actions();
                    prop_assert!(actions.len() <= 1);
                    for action in actions {
                        prop_assert!(seen[t].live.contains_key(&s) && !seen[t].logged_out);
                        let grace = config.grace_tab_switch;
                        prop_assert_eq!(action, Action::Hidden { token: tokens[t].clone(), grace });
                    }
                }
                Step::Act(t, s) => {
                    machine.activity(&tokens[t], &sockets[s], now);
                    seen[t].live.entry(s).and_modify(|active| *active = now);
                    prop_assert_eq!(machine.actions(), []);
                }
                Step::LogOut(t) => {
                    machine.logged_out(&tokens[t]);
                    seen[t].logged_out = true;
                    seen[t].told_idle = None;
                    prop_assert_eq!(machine.actions(), []);
                    prop_assert_eq!(runs(&machine, t), 0);
                }
                Step::Pass(milliseconds) => {
                    let end = now + Duration::from_millis(milliseconds);
                    while let Some(next) = machine.next().filter(|next| *next <= end) {
                        now = next.max(now);
                        machine.tick(now);
                        for action in machine.actions() {
                            let t = tokens.iter().position(|token| token == action.token()).unwrap();
                            prop_assert!(!seen[t].logged_out, "{action:?} of who has logged out");
                            match action {
                                Action::Left { .. } => prop_assert!(seen[t].live.is_empty()),
                                Action::Idle { timeout, .. } => {
                                    prop_assert_eq!(timeout, config.afk_timeout);
                                    prop_assert!(!seen[t].live.is_empty());
                                    let idle = |active: &Instant| now - *active > config.afk_timeout;
                                    prop_assert!(seen[t].live.values().all(idle));
                                    let told = seen[t].told_idle.replace(now);
                                    prop_assert!(told.is_none_or(|at| now - at >= config.afk_refractory));
                                }
                                Action::Back { .. } | Action::Hidden { .. } => prop_assert!(false, "nobody came or went"),
                            }
                        }
                        prop_assert!(machine.next().is_none_or(|next| next > now), "time stands still");
                    }
                    now = end;
                }
            }
            for (t, token) in tokens.iter().enumerate() {
                prop_assert!(runs(&machine, t) <= 1);
                prop_assert_eq!(machine.is_live(token), !seen[t].live.is_empty());
            }
        }

        // Once everybody has gone for good, nothing is kept of them.
        for (t, token) in tokens.iter().enumerate() {
            for s in seen[t].live.keys() {
                machine.disconnected(token, &sockets[*s], Reason::TransportClose, now);
            }
        }
        machine.tick(now + config.grace_transport);
        prop_assert!(machine.sessions.is_empty() && machine.graces.is_empty());
        prop_assert_eq!(machine.next(), None);
    }
}
