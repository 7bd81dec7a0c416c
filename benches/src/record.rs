//! A run as one line of JSON: how a child process tells the comparison what it has measured, and
//! what `--json` prints.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::contender::Contender;
use crate::held::Held;
use crate::lateness::Lateness;
use crate::measurement::Measurement;
use crate::parameters::Parameters;
use crate::run::Run;
use crate::usage;

/// What is told about one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The name of the runtime.
    pub runtime: String,
    /// The name of the workload.
    pub workload: String,
    /// All its parameters.
    pub params: BTreeMap<String, u64>,
    /// On how many OS threads the runtime ran its threads at the same time.
    pub workers: usize,
    /// How many operations were done.
    pub ops: u64,
    /// How long they took, by the clock.
    pub seconds: f64,
    /// The time of one operation, in nanoseconds.
    pub ns_per_op: f64,
    /// The CPU time that the process used meanwhile, on all cores; of the echo workloads this is
    /// the server's alone.
    pub cpu_seconds: f64,
    /// The CPU time of one operation, in nanoseconds.
    pub cpu_ns_per_op: f64,
    /// The most memory that the process has held, in bytes.
    pub peak_bytes: u64,
    /// The time of one operation in each round, in nanoseconds, where the same operations are done
    /// again and again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rounds: Vec<f64>,
    /// What the threads of the workload held, where the workload is about that. Its fields stand
    /// among those of the record.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// How late the threads of the workload woke, where they slept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lateness: Option<Lateness>,
    /// How long requests took until their answers came, in the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Lateness>,
}

impl Record {
    /// The record of a run of this process.
    #[must_use]
    pub fn new(contender: Contender, workload: &str, parameters: &Parameters, run: Run) -> Record {
        let measurement = run.measurement;
        let seconds = measurement.elapsed.as_secs_f64();
        let cpu_seconds = measurement.cpu.as_secs_f64();
        let per_op = 1e9 / measurement.ops as f64;
        let named = |(name, value): (&str, u64)| (name.to_string(), value);
        Record {
            runtime: contender.name().into(),
            workload: workload.into(),
            params: parameters.iter().map(named).collect(),
            workers: run.workers,
            ops: measurement.ops,
            seconds,
            ns_per_op: seconds * per_op,
            cpu_seconds,
            cpu_ns_per_op: cpu_seconds * per_op,
            peak_bytes: usage::peak(),
            rounds: per_op_of_rounds(&measurement),
            held: measurement.held,
            lateness: measurement.lateness,
            latency: measurement.latency,
        }
    }

    /// The record as one line.
    ///
    /// # Panics
    ///
    /// Never: its numbers are finite, and its keys are texts.
    #[must_use]
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).expect("a record has a JSON form")
    }

    /// Reads what [`to_line`](Record::to_line) wrote.
    ///
    /// # Errors
    ///
    /// If it is something else.
    pub fn from_line(line: &str) -> Result<Record, serde_json::Error> {
        serde_json::from_str(line)
    }
}

/// Each round does the same number of operations.
fn per_op_of_rounds(measurement: &Measurement) -> Vec<f64> {
    let rounds = &measurement.rounds;
    let ops = measurement.ops as f64 / rounds.len() as f64;
    let per_op = |round: &Duration| round.as_secs_f64() * 1e9 / ops;
    rounds.iter().map(per_op).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::Weight;
    use trefoil::Model;

    const HELD: Held = Held {
        resident_bytes: 40_960,
        resident_bytes_per_thread: 4096.0,
        page_table_bytes_per_thread: 8.5,
        mappings: 70,
    };

    const LATE: Lateness = Lateness {
        p50_ns: 1,
        p99_ns: 2,
        last_ns: 3,
    };

    fn record(held: Option<Held>, lateness: Option<Lateness>) -> Record {
        let workload = crate::workloads::find("ring").unwrap();
        let run = Run {
            measurement: Measurement {
                ops: 1000,
                elapsed: Duration::from_micros(50),
                cpu: Duration::from_micros(80),
                rounds: vec![Duration::from_micros(10), Duration::from_micros(40)],
                held,
                lateness,
                latency: None,
            },
            workers: 2,
        };
        let parameters = Parameters::defaults(workload.parameters, Weight::Light);
        Record::new(Contender::Model(Model::Green), "ring", &parameters, run)
    }

    #[test]
    fn the_line_has_the_agreed_fields() {
        let line = record(None, None).to_line();
        let head = concat!(
            r#"{"runtime":"green","workload":"ring","params":{"rounds":3000,"threads":500},"#,
            r#""workers":2,"ops":1000,"seconds":0.00005,"ns_per_op":50.0,"#,
        );
        assert!(line.replace("5e-5", "0.00005").starts_with(head), "{line}");
        assert!(line.ends_with(r#""rounds":[20.0,80.0]}"#), "{line}");
        assert!(!line.contains('\n') && !line.contains("resident"));
    }

    #[test]
    fn what_was_held_stands_among_the_other_fields() {
        let line = record(Some(HELD), Some(LATE)).to_line();
        for field in [
            r#""resident_bytes":40960,"#,
            r#""resident_bytes_per_thread":4096.0,"#,
            r#""page_table_bytes_per_thread":8.5,"#,
            r#""mappings":70,"#,
            r#""lateness":{"p50_ns":1,"p99_ns":2,"last_ns":3}"#,
        ] {
            assert!(line.contains(field), "{field} is missing: {line}");
        }
    }

    #[test]
    fn a_line_is_read_back() {
        for (held, lateness) in [(None, None), (Some(HELD), None), (Some(HELD), Some(LATE))] {
            let record = record(held, lateness);
            assert_eq!(Record::from_line(&record.to_line()).unwrap(), record);
        }
        assert!(Record::from_line("wrong result").is_err());
    }
}
