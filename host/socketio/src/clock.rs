//! When a session's next ping, and whatever else takes time, is due. Knows no timers: it is told what time
//! it is.

use std::time::{Duration, Instant};

use crate::Settings;

/// How long a client may take to take what is written when it is disconnected, and to say goodbye.
const FAREWELL: Duration = Duration::from_secs(1);

/// What is due when.
#[derive(Debug)]
pub(crate) struct Clock {
    interval: Duration,
    timeout: Duration,
    ping_at: Option<Instant>,
    pong_by: Option<Instant>,
    /// The pong's deadline has been put off once because the client said something else.
    is_put_off: bool,
    /// The client has to have joined.
    pub(crate) join_by: Option<Instant>,
    pub(crate) gone_by: Option<Instant>,
    /// To look again at receivers that are behind.
    pub(crate) look_at: Option<Instant>,
    /// Nothing is read, so no pong either.
    is_paused: bool,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Ping,
    Timeout,
    Join,
    Gone,
}

impl Clock {
    /// Of a session that begins now.
    pub(crate) fn new(settings: &Settings, now: Instant) -> Clock {
        Clock {
            interval: settings.ping_interval,
            timeout: settings.ping_timeout,
            ping_at: Some(now + settings.ping_interval),
            pong_by: None,
            is_put_off: false,
            join_by: Some(now + settings.connect_timeout),
            gone_by: None,
            look_at: None,
            is_paused: false,
        }
    }

    /// When it has to be asked again.
    pub(crate) fn next(&self) -> Option<Instant> {
        [self.ping_at, self.pong_by, self.join_by, self.gone_by, self.look_at].into_iter().flatten().min()
    }

    /// What is due now, one thing after the other.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Due> {
        let is_past = |at: &mut Option<Instant>| at.take_if(|at| *at <= now).is_some();
        is_past(&mut self.look_at);
        if is_past(&mut self.gone_by) {
            return Some(Due::Gone);
        }
        if is_past(&mut self.join_by) {
            return Some(Due::Join);
        }
        if is_past(&mut self.ping_at) {
            self.pong_by = Some(now + self.timeout);
            self.is_put_off = false;
            return Some(Due::Ping);
        }
        if is_past(&mut self.pong_by) {
            if !self.is_paused {
                return Some(Due::Timeout);
            }
            self.pong_by = Some(now + self.timeout);
        }
        None
    }

    /// The client has answered.
    pub(crate) fn pong(&mut self, now: Instant) {
        self.pong_by = None;
        self.ping_at = Some(now + self.interval);
    }

    /// Something else than a pong came: as with Node, a client that is busy sending gets one more timeout.
    pub(crate) fn other(&mut self, now: Instant) {
        if self.pong_by.is_some() && !self.is_put_off {
            self.is_put_off = true;
            self.pong_by = Some(now + self.timeout);
        }
    }

    /// Whether anything is read. A pong has its whole time again once it is.
    pub(crate) fn pause(&mut self, is_paused: bool) {
        if self.is_paused && !is_paused && self.pong_by.is_some() {
            self.pong_by = Some(Instant::now() + self.timeout);
        }
        self.is_paused = is_paused;
    }

    /// The session has ended; the client has `FAREWELL`.
    pub(crate) fn leave(&mut self, now: Instant) {
        *self = Clock {
            ping_at: None,
            pong_by: None,
            join_by: None,
            look_at: None,
            gone_by: Some(now + FAREWELL),
            ..*self
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    /// Pings every 100 ms, waits 50 ms for the pong, and 1 s for the client to join.
    fn clock() -> (Clock, Instant) {
        let settings = Settings {
            ping_interval: Duration::from_millis(100),
            ping_timeout: Duration::from_millis(50),
            connect_timeout: Duration::from_secs(1),
            ..Settings::default()
        };
        let start = Instant::now();
        (Clock::new(&settings, start), start)
    }

    #[test]
    fn the_first_ping_is_due_after_the_interval_and_its_pong_within_the_timeout() {
        let (mut clock, start) = clock();
        assert_eq!(clock.next(), Some(after(start, 100)));
        assert_eq!(clock.due(after(start, 99)), None);
        assert_eq!(clock.due(after(start, 100)), Some(Due::Ping));
        assert_eq!(clock.next(), Some(after(start, 150)));
        assert_eq!(clock.due(after(start, 149)), None);
        assert_eq!(clock.due(after(start, 150)), Some(Due::Timeout));
    }

    #[test]
    fn a_pong_begins_the_interval_again() {
        let (mut clock, start) = clock();
        assert_eq!(clock.due(after(start, 100)), Some(Due::Ping));
        clock.pong(after(start, 120));
        assert_eq!(clock.due(after(start, 219)), None);
        assert_eq!(clock.due(after(start, 220)), Some(Due::Ping));
    }

    #[test]
    fn what_a_client_says_instead_puts_the_pong_off_once() {
        let (mut clock, start) = clock();
        clock.other(after(start, 50));
        assert_eq!(clock.due(after(start, 100)), Some(Due::Ping));
        clock.other(after(start, 140));
        clock.other(after(start, 180));
        assert_eq!(clock.due(after(start, 189)), None);
        assert_eq!(clock.due(after(start, 190)), Some(Due::Timeout));
    }

    #[test]
    fn a_pong_that_is_not_read_is_not_missed() {
        let (mut clock, start) = clock();
        assert_eq!(clock.due(after(start, 100)), Some(Due::Ping));
        clock.pause(true);
        assert_eq!(clock.due(after(start, 150)), None);
        assert_eq!(clock.next(), Some(after(start, 200)));
    }

    #[test]
    fn who_has_to_join_is_asked_once_and_who_leaves_only_has_to_go() {
        let (mut clock, start) = clock();
        clock.pong(after(start, 950));
        assert_eq!(clock.due(after(start, 1000)), Some(Due::Join));
        assert_eq!(clock.due(after(start, 1000)), None);
        clock.leave(after(start, 1000));
        assert_eq!(clock.due(after(start, 1999)), None);
        assert_eq!(clock.due(after(start, 2000)), Some(Due::Gone));
        assert_eq!(clock.next(), None);
    }
}
