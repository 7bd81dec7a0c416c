//! The comparison as JSON, for other programs and for later.
#![forbid(unsafe_code)]

use std::fs::{self, OpenOptions};
use std::path::Path;

use serde::Serialize;

use trefoil::Model;
use trefoil_bench::record::Record;

use crate::comparison::{Comparison, Row};
use crate::lane::Lane;
use crate::machine::Machine;
use crate::problem::Problem;
use crate::spread::Spread;

#[derive(Serialize)]
struct Results<'a> {
    date: &'a str,
    machine: &'a Machine,
    rounds: u64,
    seconds: f64,
    workloads: Vec<WorkloadResults<'a>>,
}

#[derive(Serialize)]
struct WorkloadResults<'a> {
    name: String,
    scenario: &'static str,
    operation: &'static str,
    predicted: Vec<&'static str>,
    leaders: Vec<&'static str>,
    outcome: &'static str,
    runtimes: Vec<RuntimeResults<'a>>,
}

/// Of one runtime.
#[derive(Serialize)]
pub(crate) struct RuntimeResults<'a> {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'a str>,
    ns_per_op: Option<Spread>,
    cpu_ns_per_op: Option<Spread>,
    peak_bytes: Option<Spread>,
    runs: &'a [Record],
}

/// Checks that the file can be written, and leaves what is in it.
pub(crate) fn check_writable(path: &Path) -> Result<(), Problem> {
    let mut options = OpenOptions::new();
    let opened = options.append(true).create(true).open(path);
    opened.map(drop).map_err(|error| refused(path, &error))
}

/// Writes the file.
pub(crate) fn write(comparison: &Comparison, path: &Path) -> Result<(), Problem> {
    fs::write(path, to_json(comparison)).map_err(|error| refused(path, &error))
}

fn refused(path: &Path, error: &std::io::Error) -> Problem {
    let path = path.display();
    Problem::Failed(format!("cannot write {path}: {error}; use --output"))
}

fn to_json(comparison: &Comparison) -> String {
    let results = Results {
        date: &comparison.date,
        machine: &comparison.machine,
        rounds: comparison.rounds,
        seconds: comparison.elapsed.as_secs_f64(),
        workloads: comparison.rows.iter().map(of_row).collect(),
    };
    // Its numbers are finite, and its keys are texts.
    serde_json::to_string_pretty(&results).expect("results have a JSON form") + "\n"
}

fn of_row(row: &Row) -> WorkloadResults<'_> {
    let names = |models: &[Model]| models.iter().map(|model| model.name()).collect();
    let workload = row.case.workload;
    let verdict = row.verdict();
    WorkloadResults {
        name: row.case.name(),
        scenario: workload.scenario.name(),
        operation: workload.operation,
        predicted: names(workload.scenario.predicted()),
        leaders: names(&verdict.leaders),
        outcome: verdict.outcome.name(),
        runtimes: row.lanes.iter().map(RuntimeResults::of).collect(),
    }
}

impl RuntimeResults<'_> {
    pub(crate) fn of(lane: &Lane) -> RuntimeResults<'_> {
        RuntimeResults {
            name: lane.contender.name(),
            failure: lane.failure.as_deref(),
            ns_per_op: lane.time(),
            cpu_ns_per_op: lane.spread(|record| record.cpu_ns_per_op),
            peak_bytes: lane.spread(|record| record.peak_bytes as f64),
            runs: &lane.records,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::comparison;
    use serde_json::Value;

    #[test]
    fn all_that_was_measured_is_there() {
        let json: Value = serde_json::from_str(&to_json(&comparison())).unwrap();
        assert_eq!(json["rounds"], 2);
        let row = &json["workloads"][0];
        assert_eq!(row["name"], "ring");
        assert_eq!(row["leaders"], serde_json::json!(["green"]));
        assert_eq!(row["outcome"], "as predicted");
        let kernel = &row["runtimes"][0];
        assert_eq!(kernel["ns_per_op"]["max"], 2000.0);
        assert_eq!(kernel["runs"].as_array().unwrap().len(), 2);
        assert_eq!(kernel.get("failure"), None);
    }

    #[test]
    fn a_failure_is_no_time() {
        let mut comparison = comparison();
        comparison.rows[0].lanes[0].failure = Some("wrong result".into());
        let json: Value = serde_json::from_str(&to_json(&comparison)).unwrap();
        let kernel = &json["workloads"][0]["runtimes"][0];
        assert_eq!(kernel["failure"], "wrong result");
        assert_eq!(kernel["ns_per_op"], Value::Null);
        assert_eq!(json["workloads"][0]["outcome"], "no verdict");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_refused_early() {
        let problem = check_writable(Path::new("/no/such/folder/results.json")).unwrap_err();
        assert!(problem.to_string().contains("--output"), "{problem}");
    }
}
