//! `compare`: one workload on chosen runtimes, in rounds, each run in a process of its own, and the
//! time of each runtime as a multiple of the first one's.
//!
//! In each round every runtime runs once, in the order in which they were named (A B C A B C), and
//! the ratios are those of the runs of one round. A runtime may be named twice: how far the ratio
//! of the two is from 1 shows what the machine's noise is.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use trefoil_bench::workloads::Workload;

use crate::arguments::Contest as Asked;
use crate::lane::Lane;
use crate::machine::{self, Machine};
use crate::problem::Problem;
use crate::progress::Progress;
use crate::single;

mod drawing;
mod json;

/// Everything that was measured.
#[derive(Debug)]
struct Contest {
    machine: Machine,
    date: String,
    rounds: u64,
    elapsed: Duration,
    workload: &'static Workload,
    /// At least one.
    lanes: Vec<Lane>,
}

impl Contest {
    /// Whom all others are compared with.
    fn first(&self) -> &Lane {
        &self.lanes[0]
    }

    fn failures(&self) -> Vec<String> {
        let failure = |lane: &Lane| Some(format!("{}: {}", lane.contender, lane.failure.as_ref()?));
        self.lanes.iter().filter_map(failure).collect()
    }
}

/// Compares, and prints what was measured.
pub(crate) fn hold(asked: &Asked) -> Result<(), Problem> {
    let contest = measure(asked)?;
    crate::print(&match asked.json {
        true => json::of(&contest),
        false => drawing::draw(&contest),
    })?;
    match contest.failures().len() {
        0 => Ok(()),
        count => Err(Problem::Failed(format!(
            "{count} of the runtimes failed; the reasons stand with the results"
        ))),
    }
}

fn measure(asked: &Asked) -> Result<Contest, Problem> {
    let (machine, date) = (Machine::this(), machine::now());
    let mut lanes = lanes(asked)?;
    let progress = Progress::new(asked.rounds * lanes.len() as u64);
    let start = Instant::now();
    for round in 1..=asked.rounds {
        for lane in &mut lanes {
            progress.begin(round, asked.workload.name, lane.contender);
            lane.run(asked.workload.name, asked.workers, asked.limit());
            progress.done();
        }
    }
    progress.finish();
    Ok(Contest {
        machine,
        date,
        rounds: asked.rounds,
        elapsed: start.elapsed(),
        workload: asked.workload,
        lanes,
    })
}

/// Refuses what cannot be measured before anything is.
fn lanes(asked: &Asked) -> Result<Vec<Lane>, Problem> {
    let lane = |&contender| {
        single::refuse_if_absent(contender)?;
        let order = single::order(asked.workload, contender, &asked.settings)?;
        Ok(Lane::new(contender, order))
    };
    asked.runtimes.iter().map(lane).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lane::tests::lane;
    use trefoil_bench::contender::Contender;
    use trefoil_bench::workloads;

    /// Two rounds of `ring`, of two runtimes that differ by a half, and one that has failed.
    pub(super) fn contest() -> Contest {
        let known = |name: &str| name.parse::<Contender>().unwrap();
        let mut failed = lane(known("kernel"), &[]);
        failed.failure = Some("wrong result".into());
        Contest {
            machine: Machine::this(),
            date: "2026-11-25 10:00 UTC".into(),
            rounds: 2,
            elapsed: Duration::from_secs(3),
            workload: workloads::find("ring").unwrap(),
            lanes: vec![
                lane(known("hybrid"), &[100.0, 200.0]),
                lane(known("green"), &[150.0, 300.0]),
                failed,
            ],
        }
    }

    #[test]
    fn failures_are_told_with_their_runtime() {
        assert_eq!(contest().failures(), ["kernel: wrong result"]);
        assert_eq!(contest().first().contender.name(), "hybrid");
    }
}
