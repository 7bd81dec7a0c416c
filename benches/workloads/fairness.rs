//! `fairness`: some threads compute without end, and one sleeps for a moment, again and again. One operation
//! is one sleep; its time is how late the sleeper woke on average.
//!
//! It measures who gets the processor when somebody does not let go of it. There are more threads that
//! compute, the *hogs*, than processors, so the sleeper has to be let in. The record tells how late it woke:
//! half of its sleeps, all but one in a hundred, and the latest. A sleeper that is kept out sleeps seldom,
//! perhaps once, and is then late for nearly the whole run.
//!
//! Parameters: `threads`, how many compute (4); `slice`, how many steps each of them computes before it looks
//! whether the run is over (10,000: some 20 µs); `microseconds`, how long a sleep is (1,000); `milliseconds`,
//! how long the run is (1,000); and `hogs`, what is done about them:
//!
//! | `hogs` | on Trefoil | on others |
//! |---|---|---|
//! | 0 | nothing: plain closures | the same |
//! | 1 | `thread::checkpoint` after each slice | their `yield_now` after each slice |
//! | 2 | a thread of the kernel model for each | as a call that blocks: `spawn_blocking` and its like |
//! | 3 | as 0, by a runtime that has seen such a thread keep its worker, and learns from it (`TREFOIL_RELIEF=1`) | as 0 |
//!
//! On kernel threads all of them are nearly the same: the operating system takes the processor away. So does Go,
//! where 2 says nothing.
//!
//! The clock begins before the first thread is started: a sleeper that cannot even begin its sleep is late.
//! Every slice must have the right result, each hog must have computed one at least, and no sleep may have
//! ended early.
#![forbid(unsafe_code)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use trefoil::Model;
use trefoil::thread::{self, JoinHandle};

use super::{Workload, echo_compute, join};
use crate::failure::Failure;
use crate::lateness::{Lateness, late_by};
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::parameters::Parameter;
use crate::scenario::Scenario;

/// The workload's entry in the list.
pub static WORKLOAD: Workload = Workload {
    name: "fairness",
    about: "a thread that sleeps beside threads that compute without end",
    operation: "a sleep; its time is how late it ended",
    scenario: Scenario::Fairness,
    parameters: &[
        Parameter::new("threads", 4, "threads that compute").within(1, 1_000),
        Parameter::new("slice", 10_000, "steps that they compute at a stretch"),
        Parameter::new("microseconds", 1_000, "how long each sleep is").within(1, 1_000_000),
        Parameter::new("milliseconds", 1_000, "how long all of it takes").within(1, 60_000),
        Parameter::new(
            "hogs",
            0,
            "0: plain closures, 1: let others run after each slice, 2: kernel threads, 3: learned ones",
        )
        .within(0, 3),
    ],
    contrast: Some("hogs=1"),
    run,
};

/// A stall of ten times the monitor's limit counts as two, which are enough to learn from.
const LESSON: Duration = Duration::from_millis(300);

/// What is done about the threads that compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hogs {
    /// Nothing.
    Plain,
    /// They let others run after each slice.
    GiveWay,
    /// They have kernel threads of their own.
    OnKernelThreads,
    /// Nothing, by who has seen one of them before.
    Learned,
}

impl Hogs {
    fn of(order: &Order) -> Hogs {
        match order.get("hogs") {
            0 => Hogs::Plain,
            1 => Hogs::GiveWay,
            2 => Hogs::OnKernelThreads,
            _ => Hogs::Learned,
        }
    }
}

fn run(order: &Order) -> Result<Measurement, Failure> {
    if Hogs::of(order) == Hogs::Learned {
        teach(order)?;
    }
    let plan = Plan::begin(order);
    let watch = Stopwatch::start();
    let sleeper = thread::spawn(move || plan.sleep_on(thread::sleep));
    let hogs: Result<Vec<_>, Failure> = (0..plan.threads).map(|_| start_hog(plan)).collect();
    let mut computed = Vec::new();
    for hog in hogs? {
        computed.push(join(hog)?);
    }
    plan.finish(watch, &computed, join(sleeper)?)
}

/// Lets one hog keep its worker for so long that the runtime knows its line from then on.
fn teach(order: &Order) -> Result<(), Failure> {
    let plan = Plan {
        end: Instant::now() + LESSON,
        ..Plan::begin(order)
    };
    join(start_hog(plan)?)?;
    Ok(())
}

fn start_hog(plan: Plan) -> Result<JoinHandle<Computed>, Failure> {
    match plan.hogs {
        Hogs::Plain | Hogs::Learned => Ok(thread::spawn(move || plan.compute_on(|| ()))),
        Hogs::GiveWay => Ok(thread::spawn(move || plan.compute_on(thread::checkpoint))),
        Hogs::OnKernelThreads => thread::Builder::new()
            .model(Model::Kernel)
            .spawn(move || plan.compute_on(|| ()))
            .map_err(Failure::io("start a kernel thread")),
    }
}

/// What hogs and sleeper are to do, and until when.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How many threads compute.
    pub threads: u64,
    /// What is done about them.
    pub hogs: Hogs,
    steps: u64,
    right: u64,
    sleep: Duration,
    begin: Instant,
    end: Instant,
}

/// What one hog has computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Computed {
    slices: u64,
    sum: u64,
}

impl Plan {
    /// As ordered. The time begins now.
    #[must_use]
    pub fn begin(order: &Order) -> Plan {
        let steps = order.get("slice");
        let right = compute(steps);
        let begin = Instant::now();
        Plan {
            threads: order.get("threads"),
            hogs: Hogs::of(order),
            steps,
            right,
            sleep: Duration::from_micros(order.get("microseconds")),
            begin,
            end: begin + Duration::from_millis(order.get("milliseconds")),
        }
    }

    /// Whether the time is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }

    /// What a hog does where its `relief` is a function: it computes until the time is over.
    pub fn compute_on(&self, mut relief: impl FnMut()) -> Computed {
        let mut computed = Computed::default();
        loop {
            computed = self.slice(computed);
            if self.is_over() {
                return computed;
            }
            relief();
        }
    }

    /// Computes one slice more.
    #[must_use]
    pub fn slice(&self, before: Computed) -> Computed {
        Computed {
            slices: before.slices + 1,
            sum: before.sum.wrapping_add(compute(self.steps)),
        }
    }

    /// What the sleeper does where sleeping is a function: it sleeps until the time is over.
    pub fn sleep_on(&self, mut sleep: impl FnMut(Duration)) -> Sleeps {
        let mut sleeps = self.no_sleeps();
        while let Some(duration) = sleeps.next() {
            sleep(duration);
            sleeps.ended();
        }
        sleeps
    }

    /// The sleeper's first sleep begins with the time, even if the sleeper itself does not.
    #[must_use]
    pub fn no_sleeps(&self) -> Sleeps {
        Sleeps {
            duration: self.sleep,
            end: self.end,
            start: self.begin,
            late: Vec::new(),
        }
    }

    /// Checks what was computed and how long was slept, and puts together what is told.
    ///
    /// # Errors
    ///
    /// If something of it is wrong.
    pub fn finish(
        &self,
        watch: Stopwatch,
        computed: &[Computed],
        sleeps: Sleeps,
    ) -> Result<Measurement, Failure> {
        let hogs = computed.iter().filter(|hog| hog.slices > 0).count();
        Failure::unless_equal("the number of hogs", self.threads, hogs as u64)?;
        for hog in computed {
            let right = self.right.wrapping_mul(hog.slices);
            Failure::unless_equal("the sum of a hog's slices", right, hog.sum)?;
        }
        let count = sleeps.late.len() as u64;
        let late = sleeps.late.iter().flatten().sum();
        let lateness = Lateness::of(count, sleeps.late)?;
        Ok(Measurement {
            lateness: Some(lateness),
            ..watch.stop_after(count, late)
        })
    }
}

fn compute(steps: u64) -> u64 {
    // Else it would be computed once for all slices.
    echo_compute::digest(&[], black_box(steps))
}

/// How late the sleeper woke, each time.
#[derive(Debug)]
pub struct Sleeps {
    duration: Duration,
    end: Instant,
    start: Instant,
    late: Vec<Option<Duration>>,
}

impl Sleeps {
    /// For how long to sleep next. There is one sleep at least.
    #[must_use]
    pub fn next(&self) -> Option<Duration> {
        let goes_on = self.late.is_empty() || Instant::now() < self.end;
        goes_on.then_some(self.duration)
    }

    /// A sleep has ended, and the next one begins.
    pub fn ended(&mut self) {
        self.late.push(late_by(self.start, self.duration));
        self.start = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(pairs: &[&str]) -> Order {
        super::super::tests::order(&WORKLOAD, pairs)
    }

    fn finish(computed: &[Computed], late: Option<Duration>) -> Result<Measurement, Failure> {
        let plan = Plan::begin(&order(&["threads=2", "slice=10"]));
        let mut sleeps = plan.no_sleeps();
        sleeps.late.push(late);
        plan.finish(Stopwatch::start(), computed, sleeps)
    }

    fn two_slices() -> Computed {
        let plan = Plan::begin(&order(&["slice=10"]));
        plan.slice(plan.slice(Computed::default()))
    }

    #[test]
    fn the_time_of_a_sleep_is_its_lateness() {
        let late = Duration::from_millis(3);
        let measurement = finish(&[two_slices(), two_slices()], Some(late)).unwrap();
        assert_eq!((measurement.ops, measurement.elapsed), (1, late));
        assert_eq!(measurement.lateness.unwrap().p99_ns, 3_000_000);
    }

    #[test]
    fn a_wrong_slice_an_idle_hog_and_an_early_sleeper_are_seen() {
        let (right, late) = (two_slices(), Some(Duration::ZERO));
        let wrong = Computed {
            sum: right.sum + 1,
            ..right
        };
        assert!(finish(&[right, right], late).is_ok());
        assert!(finish(&[right, wrong], late).is_err());
        assert!(finish(&[right, Computed::default()], late).is_err());
        assert!(finish(&[right], late).is_err());
        assert!(finish(&[right, right], None).is_err());
    }

    #[test]
    fn who_comes_too_late_sleeps_once_all_the_same() {
        let plan = Plan::begin(&order(&["milliseconds=1"]));
        std::thread::sleep(Duration::from_millis(2));
        let slept = plan.sleep_on(std::thread::sleep);
        assert_eq!(slept.late.len(), 1);
        // From the beginning of the time, and not from that of the sleep.
        assert!(slept.late[0] >= Some(Duration::from_millis(2)));
    }

    #[test]
    fn a_hog_computes_until_the_time_is_over() {
        let plan = Plan::begin(&order(&["milliseconds=5", "slice=10"]));
        let mut relieved = 0;
        let computed = plan.compute_on(|| relieved += 1);
        assert!(plan.is_over());
        assert_eq!(computed.slices, relieved + 1);
    }
}
