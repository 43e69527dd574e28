//! Frames sent while a batch of events is dispatched are queued, and written when it is done: one write for
//! each connection they are for, however many they are.
//!
//! A cork is a thread's: what other threads send goes out at once, and takes what was held back here along.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::session::Session;

/// Bytes queued for one connection from which it is not made to wait for the end of the batch.
pub(crate) const ENOUGH: usize = 64 << 10;
/// Places for connections kept from one batch to the next.
const KEPT: usize = 4096;

#[derive(Default)]
struct Cork {
    depth: u32,
    /// Has a connection with [`ENOUGH`].
    is_urgent: bool,
    touched: Vec<Arc<Session>>,
}

thread_local! {
    static CORK: RefCell<Cork> = RefCell::default();
}

/// Holds back what is sent from this thread until it is dropped; within another it does nothing.
pub(crate) struct Corked {
    /// Belongs to the thread.
    _here: PhantomData<*const ()>,
}

/// Which thread's cork; never 0.
fn this() -> usize {
    CORK.try_with(|cork| std::ptr::from_ref(cork).addr()).unwrap_or(1)
}

pub(crate) fn enter() -> Corked {
    let _ = CORK.try_with(|cork| cork.borrow_mut().depth += 1);
    Corked { _here: PhantomData }
}

/// The cork that holds back what this thread sends, if one does.
pub(crate) fn current() -> Option<usize> {
    let corked = CORK.try_with(|cork| cork.borrow().depth > 0).unwrap_or(false);
    corked.then(this)
}

/// Something was queued for a connection that this cork did not hold back before.
pub(crate) fn touch(session: &Arc<Session>) {
    let _ = CORK.try_with(|cork| cork.borrow_mut().touched.push(Arc::clone(session)));
}

/// A connection has [`ENOUGH`] waiting.
pub(crate) fn hurry() {
    let _ = CORK.try_with(|cork| cork.borrow_mut().is_urgent = true);
}

impl Corked {
    /// Writes what was held back if a connection has enough of it. Not while holding a lock.
    pub(crate) fn relieve(&self) {
        if CORK.try_with(|cork| cork.borrow().is_urgent).unwrap_or(false) {
            self.flush();
        }
    }

    /// Writes what was held back. Not while holding a lock.
    pub(crate) fn flush(&self) {
        let owner = this();
        let taken = CORK.try_with(|cork| {
            let mut cork = cork.borrow_mut();
            cork.is_urgent = false;
            std::mem::take(&mut cork.touched)
        });
        let Ok(mut touched) = taken else { return };
        if touched.is_empty() {
            return;
        }
        for session in touched.drain(..) {
            session.uncork(owner);
        }
        touched.shrink_to(KEPT);
        let _ = CORK.try_with(|cork| {
            let mut cork = cork.borrow_mut();
            // Waking somebody may have queued something.
            if cork.touched.is_empty() {
                cork.touched = touched;
            }
        });
    }
}

impl Drop for Corked {
    fn drop(&mut self) {
        let last = CORK.try_with(|cork| cork.borrow().depth == 1).unwrap_or(false);
        if last {
            self.flush();
        }
        let _ = CORK.try_with(|cork| cork.borrow_mut().depth -= 1);
    }
}
