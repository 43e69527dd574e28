//! The lane: where calls go that outlive their first tick.
//!
//! Most calls end within microseconds and run to their end on the thread that received them. A call
//! that is still computing when its first tick is over moves, in the middle of its execution, to the
//! lane: a few threads of lower priority, as many as there are cores. So a service whose handlers
//! all spin takes the cores' idle time, not the time of the others.
//!
//! In the lane, services take turns: every tick a call gives its core back and waits for a
//! [`Turn`], and the next turn goes to the service that has waited longest, not to the call. A
//! service with one slow call is therefore not behind the hundred calls of another.
//!
//! A call whose caller goes away (the future is dropped) is told so ([`CallContext::abort`]) and
//! finishes in the lane within its deadline, so that what it was doing is done whole.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::call::CallContext;

/// Priority of the lane's threads: with +10 a busy core gives them about a tenth.
const NICE: i32 = 10;

/// The lane's threads and the turns on them.
#[derive(Debug)]
pub struct Lane {
    runtime: Option<Runtime>,
    turns: Arc<Turns>,
}

impl Lane {
    /// Starts the lane with one thread per core.
    pub fn start(cores: usize) -> std::io::Result<Lane> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(cores)
            .thread_name("lane")
            .enable_all()
            .on_thread_start(|| {
                // On Linux the priority belongs to the calling thread. Without it the lane still works,
                // at the priority of everything else.
                if let Err(error) = rustix::process::setpriority_process(None, NICE) {
                    tracing::debug!(%error, "the lane keeps its priority");
                }
            })
            .build()?;
        Ok(Lane { runtime: Some(runtime), turns: Arc::new(Turns::new(cores)) })
    }

    /// The turns on the lane's threads.
    pub fn turns(&self) -> &Arc<Turns> {
        &self.turns
    }

    fn spawn<F>(&self, future: F) -> Option<JoinHandle<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        self.runtime.as_ref().map(|runtime| runtime.spawn(future))
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Dropping a runtime blocks, which async contexts forbid; calls still in the lane end here.
            runtime.shutdown_background();
        }
    }
}

/// A turn: the right to compute for one tick in the lane. Given back when dropped.
#[derive(Debug)]
pub struct Turn(Arc<Turns>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

/// Deals turns, service by service.
#[derive(Debug)]
pub struct Turns(Mutex<Queue>);

#[derive(Debug)]
struct Queue {
    free: usize,
    /// Services with waiting calls; the front one is next.
    services: VecDeque<(u32, VecDeque<Arc<Waiter>>)>,
}

#[derive(Debug)]
struct Waiter(Mutex<WaiterState>);

#[derive(Debug)]
enum WaiterState {
    Waiting(Waker),
    Granted,
    Gone,
}

impl Turns {
    fn new(free: usize) -> Self {
        Turns(Mutex::new(Queue { free, services: VecDeque::new() }))
    }

    /// Waits for a turn of `service`. It always goes through the queue, so that it gives way at least
    /// once.
    pub fn wait(self: &Arc<Self>, service: u32) -> WaitForTurn {
        WaitForTurn { turns: Arc::clone(self), service, waiter: None }
    }

    fn give_back(&self) {
        let mut queue = self.0.lock();
        queue.free += 1;
        queue.deal();
    }
}

impl Queue {
    fn enqueue(&mut self, service: u32, waiter: Arc<Waiter>) {
        match self.services.iter_mut().find(|(id, _)| *id == service) {
            Some((_, waiters)) => waiters.push_back(waiter),
            None => self.services.push_back((service, VecDeque::from([waiter]))),
        }
        self.deal();
    }

    /// Gives free turns to the services in their order; a served service goes to the back.
    fn deal(&mut self) {
        while self.free > 0 {
            let Some((service, mut waiters)) = self.services.pop_front() else { return };
            if let Some(waiter) = waiters.pop_front() {
                let mut state = waiter.0.lock();
                if let WaiterState::Waiting(waker) = &*state {
                    waker.wake_by_ref();
                    *state = WaiterState::Granted;
                    self.free -= 1;
                }
            }
            if !waiters.is_empty() {
                self.services.push_back((service, waiters));
            }
        }
    }
}

/// Future of a [`Turn`].
#[derive(Debug)]
pub struct WaitForTurn {
    turns: Arc<Turns>,
    service: u32,
    waiter: Option<Arc<Waiter>>,
}

impl Future for WaitForTurn {
    type Output = Turn;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Turn> {
        let Some(waiter) = &self.waiter else {
            let waiter = Arc::new(Waiter(Mutex::new(WaiterState::Waiting(cx.waker().clone()))));
            self.waiter = Some(Arc::clone(&waiter));
            self.turns.0.lock().enqueue(self.service, waiter);
            return Poll::Pending;
        };
        let mut state = waiter.0.lock();
        match &mut *state {
            WaiterState::Granted => {
                *state = WaiterState::Gone;
                drop(state);
                Poll::Ready(Turn(Arc::clone(&self.turns)))
            }
            WaiterState::Waiting(waker) => {
                waker.clone_from(cx.waker());
                Poll::Pending
            }
            WaiterState::Gone => Poll::Pending,
        }
    }
}

impl Drop for WaitForTurn {
    fn drop(&mut self) {
        if let Some(waiter) = &self.waiter {
            let granted = {
                let mut state = waiter.0.lock();
                matches!(std::mem::replace(&mut *state, WaiterState::Gone), WaiterState::Granted)
            };
            if granted {
                self.turns.give_back();
            }
        }
    }
}

/// What a running call and its future share: whether its tick is over, and its turn.
#[derive(Debug, Default)]
pub struct Pace {
    over: AtomicBool,
    turn: Mutex<Option<Turn>>,
}

impl Pace {
    /// The call's tick is over: it gives its turn back and the returned future waits for the next.
    pub fn next_turn(
        self: &Arc<Self>,
        turns: &Arc<Turns>,
        service: u32,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.over.store(true, Ordering::Relaxed);
        drop(self.turn.lock().take());
        let pace = Arc::clone(self);
        let wait = turns.wait(service);
        Box::pin(async move {
            let turn = wait.await;
            *pace.turn.lock() = Some(turn);
        })
    }
}

/// A call on its way: on the caller's thread first, in the lane when it takes longer.
pub struct Running<T: Send + 'static> {
    state: State<T>,
    pace: Arc<Pace>,
    call: Option<Arc<CallContext>>,
    lane: Arc<Lane>,
}

type Call<T> = Pin<Box<dyn Future<Output = T> + Send>>;

enum State<T> {
    Here(Call<T>),
    InLane(JoinHandle<T>),
    Over,
}

impl<T: Send + 'static> Running<T> {
    /// Wraps a call that shares `pace` with its instance. `call` is told when the caller goes away.
    pub fn new(future: Call<T>, pace: Arc<Pace>, call: Option<Arc<CallContext>>, lane: Arc<Lane>) -> Self {
        Running { state: State::Here(future), pace, call, lane }
    }
}

impl<T: Send + 'static> Future for Running<T> {
    /// None when the lane was shut down under the call.
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = &mut *self;
        if let State::Here(future) = &mut this.state {
            match future.as_mut().poll(cx) {
                Poll::Ready(output) => {
                    this.state = State::Over;
                    return Poll::Ready(Some(output));
                }
                Poll::Pending if this.pace.over.load(Ordering::Relaxed) => {
                    if let State::Here(future) = std::mem::replace(&mut this.state, State::Over) {
                        let paced = Paced { future, pace: Arc::clone(&this.pace) };
                        match this.lane.spawn(paced) {
                            Some(handle) => this.state = State::InLane(handle),
                            None => return Poll::Ready(None),
                        }
                    }
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        match &mut this.state {
            State::InLane(handle) => match Pin::new(handle).poll(cx) {
                Poll::Ready(result) => {
                    this.state = State::Over;
                    Poll::Ready(result.ok())
                }
                Poll::Pending => Poll::Pending,
            },
            State::Here(_) | State::Over => Poll::Ready(None),
        }
    }
}

impl<T: Send + 'static> Drop for Running<T> {
    fn drop(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Over);
        if matches!(state, State::Over) {
            return;
        }
        if let Some(call) = &self.call {
            call.abort();
        }
        if let State::Here(future) = state {
            self.lane.spawn(Paced { future, pace: Arc::clone(&self.pace) });
        }
    }
}

/// A call in the lane. It holds a turn only while it computes: when it waits for anything else, the
/// turn goes back.
struct Paced<T> {
    future: Call<T>,
    pace: Arc<Pace>,
}

impl<T> Future for Paced<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let poll = self.future.as_mut().poll(cx);
        drop(self.pace.turn.lock().take());
        poll
    }
}

impl<T: Send + 'static> std::fmt::Debug for Running<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.state {
            State::Here(_) => "Running(here)",
            State::InLane(_) => "Running(in the lane)",
            State::Over => "Running(over)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
        Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    fn granted(wait: &mut WaitForTurn) -> Option<Turn> {
        match poll(wait) {
            Poll::Ready(turn) => Some(turn),
            Poll::Pending => None,
        }
    }

    #[test]
    fn turns_alternate_between_services_not_calls() {
        let turns = Arc::new(Turns::new(1));
        let mut holder = turns.wait(1);
        assert!(granted(&mut holder).is_none(), "a turn always gives way once");
        let turn = granted(&mut holder).expect("the only turn is free");
        let mut crowd: Vec<_> = (0..3).map(|_| turns.wait(1)).collect();
        crowd.iter_mut().for_each(|wait| assert!(granted(wait).is_none()));
        let mut single = turns.wait(2);
        assert!(granted(&mut single).is_none());
        drop(turn);
        let first = granted(&mut crowd[0]).expect("service 1 was first in line");
        assert!(granted(&mut single).is_none());
        drop(first);
        let second = granted(&mut single).expect("service 2 is next, before service 1's other calls");
        assert!(granted(&mut crowd[1]).is_none());
        drop(second);
        assert!(granted(&mut crowd[1]).is_some());
    }

    #[test]
    fn a_caller_that_goes_away_does_not_keep_its_turn() {
        let turns = Arc::new(Turns::new(1));
        let mut gone = turns.wait(1);
        assert!(granted(&mut gone).is_none());
        drop(gone);
        let mut next = turns.wait(1);
        assert!(granted(&mut next).is_none());
        assert!(granted(&mut next).is_some(), "the turn granted to the one that left came back");
    }

    #[tokio::test]
    async fn a_dropped_call_is_told_and_finishes_in_the_lane() {
        let lane = Arc::new(Lane::start(1).unwrap());
        let (started, on_started) = tokio::sync::oneshot::channel::<()>();
        let (finished, on_finished) = tokio::sync::oneshot::channel();
        let caller = crate::Caller {
            session: None,
            ip: "".into(),
            language: "".into(),
            request_id: "".into(),
            traceparent: None,
            transport: crate::Transport::Http,
        };
        let call = Arc::new(CallContext::new("r".into(), caller, std::time::Instant::now()));
        let seen = Arc::clone(&call);
        let future = Box::pin(async move {
            on_started.await.unwrap();
            finished.send(seen.is_aborted()).unwrap();
        });
        let mut running =
            Running::new(future, Arc::new(Pace::default()), Some(Arc::clone(&call)), Arc::clone(&lane));
        assert!(poll(&mut running).is_pending());
        drop(running);
        started.send(()).unwrap();
        assert!(on_finished.await.unwrap(), "the call saw that its caller had gone");
    }
}
