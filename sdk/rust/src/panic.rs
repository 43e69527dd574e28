//! A panic ends the call and the instance. Before it does, its message goes to the service's log.

use std::sync::atomic::{AtomicBool, Ordering};

/// Once per instance: the first export that is called installs it.
pub(crate) fn install_hook() {
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if INSTALLED.swap(true, Ordering::Relaxed) {
        return;
    }
    std::panic::set_hook(Box::new(|info| {
        // "panicked at src/lib.rs:12:5:\nmessage"
        crate::host::log(crate::log::Level::Error, "panic", &info.to_string());
    }));
}
