//! The comparison: all workloads on all runtimes, in rounds, each run in a process of its own.
//!
//! Rounds are interleaved: every runtime runs a workload before the first one runs it again. So
//! what disturbs the machine for a while disturbs all of them alike. Nothing of one run (warm
//! caches, memory, threads that linger) is left to the next one.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use trefoil::Model;
use trefoil_bench::contender::Contender;
use trefoil_bench::workloads::{self, Workload};

use crate::arguments::Compare;
use crate::lane::Lane;
use crate::machine::{self, Machine};
use crate::problem::Problem;
use crate::progress::Progress;
use crate::spread::Spread;
use crate::verdict::{self, Verdict};
use crate::{results, single, table};

/// How many rounds there are when nobody asks for a number, and there is time for them.
const ROUNDS: u64 = 5;

/// When nobody asks for a number, a round is begun only if it will probably have ended after so
/// long. The models have three minutes; each further runtime has what one of them has.
const TIME_OF_A_CONTENDER: Duration = Duration::from_secs(55);

/// A run that takes longer hangs. The longest ones take a few seconds.
const LIMIT: Duration = Duration::from_secs(30);

/// What is compared: a workload, perhaps with a parameter set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) workload: &'static Workload,
    pub(crate) setting: Option<&'static str>,
}

impl Case {
    pub(crate) fn name(&self) -> String {
        match self.setting {
            None => self.workload.name.into(),
            Some(pair) => format!("{} {pair}", self.workload.name),
        }
    }
}

/// One case, on all runtimes.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) case: Case,
    pub(crate) lanes: Vec<Lane>,
}

/// Everything that was measured.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) machine: Machine,
    pub(crate) date: String,
    pub(crate) rounds: u64,
    pub(crate) elapsed: Duration,
    pub(crate) rows: Vec<Row>,
}

impl Row {
    /// The lanes that are judged.
    pub(crate) fn models(&self) -> Vec<&Lane> {
        let is_model = |lane: &&Lane| matches!(lane.contender, Contender::Model(_));
        self.lanes.iter().filter(is_model).collect()
    }

    /// The lanes that are shown, and not judged.
    pub(crate) fn peers(&self) -> Vec<&Lane> {
        let is_peer = |lane: &&Lane| matches!(lane.contender, Contender::Peer(_));
        self.lanes.iter().filter(is_peer).collect()
    }

    /// Who has won among the models. The peers are shown, and not judged.
    pub(crate) fn verdict(&self) -> Verdict {
        let model = |lane: &Lane| match lane.contender {
            Contender::Model(model) => Some((model, lane.time())),
            Contender::Migrating | Contender::Peer(_) => None,
        };
        let times: Vec<(Model, Option<Spread>)> = self.lanes.iter().filter_map(model).collect();
        verdict::judge(&times, self.case.workload.scenario.predicted())
    }
}

impl Comparison {
    /// How many runs have failed, and why, with their names.
    pub(crate) fn failures(&self) -> Vec<String> {
        let lanes = self
            .rows
            .iter()
            .flat_map(|row| row.lanes.iter().map(move |lane| (row, lane)));
        lanes
            .filter_map(|(row, lane)| {
                let why = lane.failure.as_ref()?;
                Some(format!("{} on {}: {why}", row.case.name(), lane.contender))
            })
            .collect()
    }
}

/// Compares, prints the table, and writes the results.
pub(crate) fn compare(asked: &Compare) -> Result<(), Problem> {
    // Refused now rather than in three minutes.
    results::check_writable(&asked.output)?;
    let comparison = measure(asked)?;
    crate::print(&table::draw(&comparison))?;
    results::write(&comparison, &asked.output)?;
    crate::print(&format!("results   {}\n", asked.output.display()))?;
    match comparison.failures().len() {
        0 => Ok(()),
        count => Err(Problem::Failed(format!(
            "{count} measurements failed; the reasons stand below the table"
        ))),
    }
}

fn measure(asked: &Compare) -> Result<Comparison, Problem> {
    let (machine, date) = (Machine::this(), machine::now());
    let mut rows = rows(&asked.only)?;
    let lanes: usize = rows.iter().map(|row| row.lanes.len()).sum();
    let most = asked.rounds.unwrap_or(ROUNDS);
    let progress = Progress::new(most * lanes as u64);
    let limit = TIME_OF_A_CONTENDER * Contender::available().len() as u32;
    let start = Instant::now();
    let mut rounds = 0;
    while rounds < most {
        for row in &mut rows {
            let case = row.case;
            for lane in &mut row.lanes {
                progress.begin(rounds + 1, &case.name(), lane.contender);
                lane.run(case.workload.name, None, LIMIT);
                progress.done();
            }
        }
        rounds += 1;
        let next_end = start.elapsed() * (rounds as u32 + 1) / rounds as u32;
        if asked.rounds.is_none() && next_end > limit {
            break;
        }
    }
    progress.finish();
    Ok(Comparison {
        machine,
        date,
        rounds,
        elapsed: start.elapsed(),
        rows,
    })
}

fn rows(only: &[&'static Workload]) -> Result<Vec<Row>, Problem> {
    let is_asked_for = |workload: &&Workload| {
        only.is_empty() || only.iter().any(|asked| asked.name == workload.name)
    };
    let cases = workloads::ALL
        .into_iter()
        .filter(is_asked_for)
        .flat_map(cases);
    cases.map(row).collect()
}

fn row(case: Case) -> Result<Row, Problem> {
    let settings: Vec<String> = case.setting.into_iter().map(Into::into).collect();
    let lane = |contender| {
        let order = single::order(case.workload, contender, &settings)?;
        Ok(Lane::new(contender, order))
    };
    let lanes: Result<_, Problem> = Contender::available().into_iter().map(lane).collect();
    Ok(Row {
        case,
        lanes: lanes?,
    })
}

/// A workload as it is, and once more for contrast.
fn cases(workload: &'static Workload) -> impl Iterator<Item = Case> {
    let contrast = workload.contrast.map(Some);
    let settings = std::iter::once(None).chain(contrast);
    settings.map(move |setting| Case { workload, setting })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lane::tests::lane;

    #[test]
    fn every_workload_is_compared_and_some_twice() {
        let names: Vec<_> = rows(&[])
            .unwrap()
            .iter()
            .map(|row| row.case.name())
            .collect();
        assert_eq!(names.len(), workloads::ALL.len() + 5);
        assert!(names.contains(&"blocking direct=1".into()));
        assert!(names.contains(&"select channels=16".into()));
        assert!(names.contains(&"idle_connections idle=0".into()));
        for row in rows(&[]).unwrap() {
            assert_eq!(row.lanes.len(), Contender::available().len());
        }
    }

    #[test]
    fn only_some_can_be_asked_for() {
        let ring = workloads::find("ring").unwrap();
        assert_eq!(rows(&[ring]).unwrap().len(), 1);
    }

    #[test]
    fn a_lane_that_failed_has_no_time() {
        let mut lane = lane(Contender::Model(Model::Green), &[]);
        assert_eq!(lane.time(), None);
        lane.failure = Some("wrong result".into());
        let row = Row {
            case: rows(&[]).unwrap()[0].case,
            lanes: vec![lane],
        };
        assert_eq!(row.verdict().outcome, verdict::Outcome::None);
        let comparison = Comparison {
            machine: Machine::this(),
            date: machine::now(),
            rounds: 1,
            elapsed: Duration::ZERO,
            rows: vec![row],
        };
        assert_eq!(comparison.failures(), ["spawn_join on green: wrong result"]);
    }
}
