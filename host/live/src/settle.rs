//! When a path has come to rest.
//!
//! An editor saves by writing a file beside and renaming it, or by truncating and writing in place; a
//! copy takes seconds; a tool deletes and writes anew; a checkout changes a hundred files. What follows
//! from each is waited for as long as it is likely to come:
//!
//! - **written whole** (closed after writing, or renamed into place): ready after a short pause, which every
//!   further such event prolongs, up to a bound, so that many files at once are one change;
//! - **being written** (touched, and not closed yet): ready when it is closed, or after it was left alone for
//!   long, for file systems that do not tell;
//! - **gone**: ready after a longer pause, because many programs replace a file by removing it first.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A burst of events is over when none came for this long.
const PAUSE: Duration = Duration::from_millis(15);
/// A burst that does not end is looked at nevertheless.
const LONGEST_BURST: Duration = Duration::from_millis(200);
/// A file that is being written and does not say when it is done. Where the system tells when a writer
/// closes its file, only links and device files never do, and a copy that stalls (a slow disk, a busy
/// machine) must not be read half; elsewhere this is how every file comes to rest.
const UNCLOSED: Duration = Duration::from_millis(if cfg!(target_os = "linux") { 5000 } else { 400 });
/// A file that is gone, and may be about to come back.
const GONE: Duration = Duration::from_millis(250);

/// What happened to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It exists, or more of it does; its writer is not done.
    Touched,
    /// Its writer is done.
    Whole,
    /// It is no longer there.
    Gone,
}

/// Paths that are not at rest yet.
#[derive(Debug, Default)]
pub struct Settling {
    paths: HashMap<PathBuf, (Step, Instant)>,
    /// When the burst of [`Step::Whole`] began, and its latest.
    burst: Option<(Instant, Instant)>,
}

impl Settling {
    /// Something happened to a path.
    pub fn step(&mut self, path: &Path, step: Step, now: Instant) {
        if step == Step::Whole {
            let began = self.burst.map_or(now, |(began, _)| began);
            self.burst = Some((began, now));
        }
        self.paths.insert(path.to_owned(), (step, now));
        // What was written whole may be written again, or gone, before its burst is over.
        if step != Step::Whole && !self.paths.values().any(|(step, _)| *step == Step::Whole) {
            self.burst = None;
        }
    }

    /// When to ask [`Settling::take`] next; none when everything is at rest.
    pub fn due(&self) -> Option<Instant> {
        let slow = self.paths.values().filter_map(|(step, since)| match step {
            Step::Whole => None,
            Step::Touched => Some(*since + UNCLOSED),
            Step::Gone => Some(*since + GONE),
        });
        slow.chain(self.burst_ends()).min()
    }

    /// The paths that have come to rest by `now`.
    pub fn take(&mut self, now: Instant) -> Vec<PathBuf> {
        let burst_over = self.burst_ends().is_some_and(|ends| ends <= now);
        let ready = |step: Step, since: Instant| match step {
            Step::Whole => burst_over,
            Step::Touched => since + UNCLOSED <= now,
            Step::Gone => since + GONE <= now,
        };
        if burst_over {
            self.burst = None;
        }
        let mut taken: Vec<PathBuf> = Vec::new();
        self.paths.retain(|path, (step, since)| {
            let ready = ready(*step, *since);
            if ready {
                taken.push(path.clone());
            }
            !ready
        });
        taken.sort();
        taken
    }

    fn burst_ends(&self) -> Option<Instant> {
        let (began, last) = self.burst?;
        Some((last + PAUSE).min(began + LONGEST_BURST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    /// Feeds steps (path, step, ms) and answers with what is taken when, until all is at rest.
    fn run(steps: &[(&str, Step, u64)]) -> Vec<(u64, Vec<String>)> {
        let start = Instant::now();
        let mut settling = Settling::default();
        let mut taken = Vec::new();
        let mut steps = steps.iter().peekable();
        loop {
            let next = steps.peek().map(|(_, _, millis)| at(start, *millis));
            match (next, settling.due()) {
                (None, None) => return taken,
                (Some(next), due) if due.is_none_or(|due| next <= due) => {
                    let (path, step, _) = steps.next().unwrap();
                    settling.step(Path::new(path), *step, next);
                }
                (_, due) => {
                    let due = due.unwrap();
                    let paths = settling.take(due);
                    assert!(!paths.is_empty(), "asked at the due time, something is due");
                    let shown = paths.iter().map(|path| path.display().to_string()).collect();
                    taken.push(((due - start).as_millis() as u64, shown));
                }
            }
        }
    }

    fn took(millis: u64, paths: &[&str]) -> (u64, Vec<String>) {
        (millis, paths.iter().map(|path| (*path).to_owned()).collect())
    }

    #[test]
    fn a_file_renamed_into_place_is_ready_after_a_short_pause() {
        assert_eq!(run(&[("a", Step::Whole, 0)]), [took(15, &["a"])]);
    }

    #[test]
    fn a_slow_copy_is_waited_for_until_it_is_closed() {
        let copy = [
            ("a", Step::Touched, 0),
            ("a", Step::Touched, 300),
            ("a", Step::Touched, 600),
            ("a", Step::Whole, 900),
        ];
        assert_eq!(run(&copy), [took(915, &["a"])]);
    }

    #[test]
    fn a_writer_that_never_says_it_is_done_is_given_up_on() {
        let rest = 100 + UNCLOSED.as_millis() as u64;
        assert_eq!(run(&[("a", Step::Touched, 0), ("a", Step::Touched, 100)]), [took(rest, &["a"])]);
    }

    #[test]
    fn a_file_that_is_removed_and_written_anew_is_one_change() {
        let saved = [("a", Step::Gone, 0), ("a", Step::Touched, 40), ("a", Step::Whole, 60)];
        assert_eq!(run(&saved), [took(75, &["a"])]);
    }

    #[test]
    fn a_file_that_stays_away_is_gone() {
        assert_eq!(run(&[("a", Step::Gone, 0)]), [took(250, &["a"])]);
    }

    #[test]
    fn many_files_at_once_are_one_change() {
        let steps: Vec<_> = (0..10).map(|n| (["a", "b", "c"][n as usize % 3], Step::Whole, n * 5)).collect();
        assert_eq!(run(&steps), [took(60, &["a", "b", "c"])]);
    }

    #[test]
    fn a_burst_that_does_not_end_is_looked_at_nevertheless() {
        let steps: Vec<_> = (0..60).map(|n| ("a", Step::Whole, n * 10)).collect();
        let taken = run(&steps);
        assert_eq!(taken[0], took(200, &["a"]));
        assert!(taken.len() >= 3);
    }

    proptest! {
        /// Whatever happens in whatever order: every path that something happened to is taken after
        /// its last step, and in the end all is at rest.
        #[test]
        fn nothing_is_lost(
            steps in prop::collection::vec((0..5usize, 0..3usize, 0..100u64), 1..60)
        ) {
            let names = ["a", "b", "c", "d", "e"];
            let kinds = [Step::Touched, Step::Whole, Step::Gone];
            let mut time = 0;
            let steps: Vec<_> = steps.into_iter().map(|(path, kind, pause)| {
                time += pause;
                (names[path], kinds[kind], time)
            }).collect();
            let taken = run(&steps);
            for (path, _, last) in steps.iter().rev() {
                let after = taken.iter().any(|(when, paths)| when >= last && paths.iter().any(|p| p == path));
                prop_assert!(after, "{path} was never taken after {last} ms");
            }
        }
    }
}
