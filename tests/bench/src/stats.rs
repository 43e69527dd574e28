//! Medians and ranges.

/// Several measurements of one thing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series(Vec<f64>);

impl Series {
    pub(crate) fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// The value below which this share of the measurements lies; NaN when there are none.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
        let place = share.clamp(0.0, 1.0) * last as f64;
        let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
        below + (above - below) * place.fract()
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    pub(crate) fn min(&self) -> f64 {
        self.quantile(0.0)
    }

    pub(crate) fn max(&self) -> f64 {
        self.quantile(1.0)
    }

    /// The measurements of each round, divided by the other's of the same round.
    pub(crate) fn over(&self, other: &Series) -> Series {
        self.pairs(other, |a, b| a / b)
    }

    /// The measurements of each round, less the other's of the same round.
    pub(crate) fn minus(&self, other: &Series) -> Series {
        self.pairs(other, |a, b| a - b)
    }

    fn pairs(&self, other: &Series, combine: fn(f64, f64) -> f64) -> Series {
        Series(self.0.iter().zip(&other.0).map(|(a, b)| combine(*a, *b)).collect())
    }

    /// `12.3 (11.9–13.0)`: the median, and the range.
    pub(crate) fn shown(&self, decimals: usize) -> String {
        format!("{:.decimals$} ({:.decimals$}–{:.decimals$})", self.median(), self.min(), self.max())
    }
}

impl FromIterator<f64> for Series {
    fn from_iter<T: IntoIterator<Item = f64>>(values: T) -> Self {
        Series(values.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_in_the_middle_whatever_the_order() {
        let of = |values: &[f64]| values.iter().copied().collect::<Series>().median();
        assert_eq!(of(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(of(&[4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(of(&[7.0]), 7.0);
        assert!(of(&[]).is_nan());
    }

    #[test]
    fn ratios_and_differences_are_taken_round_by_round() {
        let (a, b): (Series, Series) =
            ([10.0, 30.0].into_iter().collect(), [5.0, 10.0].into_iter().collect());
        assert_eq!(a.over(&b).shown(1), "2.5 (2.0–3.0)");
        assert_eq!(a.minus(&b).shown(0), "12 (5–20)");
    }
}
