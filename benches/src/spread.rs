//! Median, least and most of several measurements of the same thing.
//!
//! The median, because a disturbance makes a run slower and never faster; least and most, because
//! they show how much the runs differ. Two spreads that overlap show no difference.
#![forbid(unsafe_code)]

use serde::Serialize;

/// Of one or more measurements.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// `None` if there is no value.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (&min, &max) = (values.first()?, values.last()?);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            1 => values[middle],
            _ => (values[middle - 1] + values[middle]) / 2.0,
        };
        Some(Spread { median, min, max })
    }

    /// Whether some value lies between the least and the most of both.
    pub(crate) fn overlaps(&self, other: &Spread) -> bool {
        self.min <= other.max && other.min <= self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(values: &[f64]) -> Spread {
        Spread::of(values.iter().copied()).unwrap()
    }

    #[test]
    fn the_median_is_the_middle_or_between_the_two_middle_ones() {
        let odd = spread(&[9.0, 1.0, 2.0]);
        assert_eq!((odd.median, odd.min, odd.max), (2.0, 1.0, 9.0));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 9.0]).median, 3.0);
        assert_eq!(spread(&[7.0]).median, 7.0);
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn spreads_overlap_where_they_share_a_value() {
        let low = spread(&[1.0, 3.0]);
        for (values, overlaps) in [([3.0, 5.0], true), ([2.0, 2.5], true), ([3.1, 5.0], false)] {
            assert_eq!(low.overlaps(&spread(&values)), overlaps);
            assert_eq!(spread(&values).overlaps(&low), overlaps);
        }
    }
}
