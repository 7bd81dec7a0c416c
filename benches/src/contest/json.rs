//! A comparison of chosen runtimes as JSON.
#![forbid(unsafe_code)]

use serde::Serialize;

use super::Contest;
use crate::lane::Lane;
use crate::machine::Machine;
use crate::results::RuntimeResults;
use crate::spread::Spread;

#[derive(Serialize)]
struct ContestResults<'a> {
    date: &'a str,
    machine: &'a Machine,
    workload: &'static str,
    operation: &'static str,
    rounds: u64,
    seconds: f64,
    /// Whom the ratios are of.
    first: &'static str,
    runtimes: Vec<ContestantResults<'a>>,
}

#[derive(Serialize)]
struct ContestantResults<'a> {
    /// Its time as a multiple of the first one's.
    ratio: Option<Spread>,
    /// The same in each round.
    ratios: Vec<f64>,
    #[serde(flatten)]
    results: RuntimeResults<'a>,
}

/// All of it, as a text.
pub(super) fn of(contest: &Contest) -> String {
    let first = contest.first();
    let results = ContestResults {
        date: &contest.date,
        machine: &contest.machine,
        workload: contest.workload.name,
        operation: contest.workload.operation,
        rounds: contest.rounds,
        seconds: contest.elapsed.as_secs_f64(),
        first: first.contender.name(),
        runtimes: contest
            .lanes
            .iter()
            .map(|lane| of_lane(lane, first))
            .collect(),
    };
    // Its numbers are finite, and its keys are texts.
    serde_json::to_string_pretty(&results).expect("results have a JSON form") + "\n"
}

fn of_lane<'a>(lane: &'a Lane, first: &Lane) -> ContestantResults<'a> {
    ContestantResults {
        ratio: lane.ratio(first),
        ratios: lane.ratios(first),
        results: RuntimeResults::of(lane),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::contest;
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn all_that_was_measured_is_there() {
        let json: Value = serde_json::from_str(&of(&contest())).unwrap();
        assert_eq!(json["workload"], "ring");
        assert_eq!(json["first"], "hybrid");
        assert_eq!(json["rounds"], 2);
        let green = &json["runtimes"][1];
        assert_eq!(green["name"], "green");
        assert_eq!(green["ratios"], json!([1.5, 1.5]));
        assert_eq!(green["ratio"]["median"], 1.5);
        assert_eq!(green["ns_per_op"]["max"], 300.0);
        assert_eq!(green["runs"].as_array().unwrap().len(), 2);
        let kernel = &json["runtimes"][2];
        assert_eq!(kernel["failure"], "wrong result");
        assert_eq!(kernel["ratio"], Value::Null);
    }
}
