//! Who has won a workload, and whether the classic comparison has predicted that.
//!
//! The leaders are the model with the lowest median, and every model whose runs overlap with that
//! one's: between those the runs show no difference. What is said of the prediction:
//!
//! | the leaders | |
//! |---|---|
//! | are all among the predicted | as predicted |
//! | are none of them among the predicted | not as predicted |
//! | are some here and some there | a draw: the difference is within the noise |
#![forbid(unsafe_code)]

use trefoil::Model;

use crate::spread::Spread;

/// What the measurements say about one workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Who is ahead, the lowest median first.
    pub(crate) leaders: Vec<Model>,
    /// How that agrees with the prediction.
    pub(crate) outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    AsPredicted,
    NotAsPredicted,
    Draw,
    /// A model has failed, so nobody has won.
    None,
}

impl Outcome {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Outcome::AsPredicted => "as predicted",
            Outcome::NotAsPredicted => "not as predicted",
            Outcome::Draw => "a draw",
            Outcome::None => "no verdict",
        }
    }
}

/// Judges one workload. A model without a spread has failed.
pub(crate) fn judge(times: &[(Model, Option<Spread>)], predicted: &[Model]) -> Verdict {
    let complete: Option<Vec<(Model, Spread)>> = times
        .iter()
        .map(|(model, spread)| Some((*model, (*spread)?)))
        .collect();
    let leaders = leaders(complete.unwrap_or_default());
    let outcome = outcome(&leaders, predicted);
    Verdict { leaders, outcome }
}

fn leaders(mut times: Vec<(Model, Spread)>) -> Vec<Model> {
    times.sort_by(|(_, left), (_, right)| left.median.total_cmp(&right.median));
    let Some(&(_, best)) = times.first() else {
        return Vec::new();
    };
    times.retain(|(_, spread)| spread.overlaps(&best));
    times.into_iter().map(|(model, _)| model).collect()
}

fn outcome(leaders: &[Model], predicted: &[Model]) -> Outcome {
    let hits = leaders.iter().filter(|model| predicted.contains(model));
    match hits.count() {
        _ if leaders.is_empty() => Outcome::None,
        0 => Outcome::NotAsPredicted,
        hits if hits == leaders.len() => Outcome::AsPredicted,
        _ => Outcome::Draw,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trefoil::Model::{Green, Hybrid, Kernel};

    /// The verdict on runs of kernel, green and hybrid.
    fn verdict(runs: [&[f64]; 3], predicted: &[Model]) -> Verdict {
        let times: Vec<_> = Model::ALL
            .into_iter()
            .zip(runs)
            .map(|(model, runs)| (model, Spread::of(runs.iter().copied())))
            .collect();
        judge(&times, predicted)
    }

    #[test]
    fn the_lowest_median_wins() {
        let verdict = verdict([&[90.0, 95.0], &[1.0, 2.0], &[3.0, 4.0]], &[Green, Hybrid]);
        assert_eq!(verdict.leaders, [Green]);
        assert_eq!(verdict.outcome, Outcome::AsPredicted);
    }

    #[test]
    fn another_winner_is_not_as_predicted() {
        let verdict = verdict([&[1.0, 2.0], &[5.0, 6.0], &[3.0, 4.0]], &[Hybrid]);
        assert_eq!(verdict.leaders, [Kernel]);
        assert_eq!(verdict.outcome, Outcome::NotAsPredicted);
    }

    #[test]
    fn another_winner_within_the_noise_is_a_draw() {
        let verdict = verdict([&[1.0, 3.5], &[5.0, 6.0], &[3.0, 4.0]], &[Hybrid]);
        assert_eq!(verdict.leaders, [Kernel, Hybrid]);
        assert_eq!(verdict.outcome, Outcome::Draw);
    }

    #[test]
    fn so_is_the_predicted_winner_if_another_is_within_the_noise() {
        let verdict = verdict([&[3.0, 4.0], &[9.0, 9.0], &[1.0, 3.5]], &[Hybrid]);
        assert_eq!(verdict.leaders, [Hybrid, Kernel]);
        assert_eq!(verdict.outcome, Outcome::Draw);
    }

    #[test]
    fn predicted_models_that_draw_among_each_other_are_as_predicted() {
        let verdict = verdict([&[9.0, 9.0], &[1.0, 3.0], &[2.0, 4.0]], &[Green, Hybrid]);
        assert_eq!(verdict.leaders, [Green, Hybrid]);
        assert_eq!(verdict.outcome, Outcome::AsPredicted);
    }

    #[test]
    fn nobody_wins_where_one_has_failed() {
        let verdict = verdict([&[9.0], &[], &[1.0]], &[Hybrid]);
        assert_eq!(verdict.leaders, []);
        assert_eq!(verdict.outcome, Outcome::None);
    }
}
