//! Latencies, counted by size: some nanoseconds a sample, however many there are.

/// Counts of microseconds, in steps of about three in a hundred.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

/// Below it every microsecond has a place of its own.
const EXACT: u64 = 1 << STEP_BITS;
/// Steps between a power of two and the next: 2 to the power of this.
const STEP_BITS: u32 = 5;
/// Enough for an hour.
const PLACES: usize = 1024;

impl Histogram {
    pub(crate) fn new() -> Self {
        Histogram { counts: vec![0; PLACES], total: 0 }
    }

    pub(crate) fn record(&mut self, micros: u64) {
        self.counts[place(micros)] += 1;
        self.total += 1;
    }

    pub(crate) fn clear(&mut self) {
        self.counts.fill(0);
        self.total = 0;
    }

    /// The microseconds that this share of the samples did not exceed; NaN without samples.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let wanted = (self.total as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (place, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return highest(place) as f64;
            }
        }
        f64::NAN
    }
}

fn place(micros: u64) -> usize {
    if micros < EXACT {
        return micros as usize;
    }
    let power = micros.ilog2() - STEP_BITS;
    let place = (u64::from(power) << STEP_BITS) + (micros >> power);
    (place as usize).min(PLACES - 1)
}

/// The largest value that is counted there.
fn highest(place: usize) -> u64 {
    let place = place as u64;
    if place < 2 * EXACT {
        return place;
    }
    let power = (place >> STEP_BITS) - 1;
    ((((place & (EXACT - 1)) | EXACT) + 1) << power) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_place() {
        for micros in (0..5000).chain([10_000, 123_456, 1_000_000, 60_000_000]) {
            let at = place(micros);
            assert!(micros <= highest(at), "{micros}");
            assert!(at == 0 || micros > highest(at - 1), "{micros}");
            assert!(highest(at) as f64 <= micros as f64 * 1.04 + 1.0, "{micros}");
        }
    }

    #[test]
    fn quantiles_are_of_the_samples() {
        let mut histogram = Histogram::new();
        assert!(histogram.quantile(0.5).is_nan());
        (1..=20).for_each(|micros| histogram.record(micros));
        assert_eq!((histogram.quantile(0.5), histogram.quantile(1.0)), (10.0, 20.0));
        histogram.clear();
        histogram.record(7);
        assert_eq!(histogram.quantile(0.99), 7.0);
    }
}
