//! What every call would say while something is down, said now and then.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How often.
const INTERVAL: Duration = Duration::from_secs(10);

/// Something worth saying once an interval.
#[derive(Debug, Default)]
pub(crate) struct Complaint {
    last: Mutex<Option<Instant>>,
}

impl Complaint {
    /// Whether it is time to say it; then it has been said.
    pub(crate) fn is_due(&self) -> bool {
        let mut last = self.last.lock();
        let is_due = last.is_none_or(|last| last.elapsed() >= INTERVAL);
        if is_due {
            *last = Some(Instant::now());
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::Complaint;

    #[test]
    fn it_is_said_once_an_interval() {
        let complaint = Complaint::default();
        assert!(complaint.is_due());
        assert!(!complaint.is_due());
    }
}
