//! A buffer to read into, shared by all connections of a thread: an idle one holds none.

use std::cell::Cell;

/// Bytes read at once.
const SIZE: usize = 64 << 10;

thread_local! {
    static BUFFER: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// The thread's buffer, or a new one while it is taken.
pub(crate) fn take() -> Box<[u8]> {
    BUFFER.try_with(Cell::take).ok().flatten().unwrap_or_else(|| vec![0; SIZE].into_boxed_slice())
}

pub(crate) fn give(buffer: Box<[u8]>) {
    let _ = BUFFER.try_with(|kept| kept.set(Some(buffer)));
}
