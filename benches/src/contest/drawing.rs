//! A comparison of chosen runtimes for people. It fits into a hundred columns, however many
//! runtimes there are: each has a row.
#![forbid(unsafe_code)]

use std::fmt::Write;

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;

use super::Contest;
use crate::lane::Lane;
use crate::spread::Spread;
use crate::{table, units};

/// All of it, as a text of lines.
pub(super) fn draw(contest: &Contest) -> String {
    let mut text = head(contest);
    writeln!(text, "{}", table(contest)).expect("a string takes everything");
    text.extend(contest.lanes.iter().map(runs));
    text += &table::notes(contest.workload.name, &contest.lanes);
    text.extend(
        contest
            .failures()
            .iter()
            .map(|failure| format!("failed    {failure}\n")),
    );
    text
}

fn head(contest: &Contest) -> String {
    let (machine, workload) = (&contest.machine, contest.workload);
    let (rounds, elapsed) = (contest.rounds, contest.elapsed.as_secs_f64());
    let mut text = format!(
        "\
workload  {}: {}
per op    {}: the median, and below it the least and the most
machine   {} cores, {}, {}; load {:.1} before it began
date      {}
rounds    {rounds}, interleaved, each run in a process of its own; {elapsed:.1} s in all
",
        workload.name,
        workload.about,
        workload.operation,
        machine.cores,
        machine.cpu,
        machine.kernel,
        machine.load,
        contest.date
    );
    text.extend(parameters(&contest.lanes));
    text
}

/// The parameters: in one line if they are the same for all, else in a line for each.
fn parameters(lanes: &[Lane]) -> Vec<String> {
    let all: Vec<String> = lanes
        .iter()
        .map(|lane| lane.order.parameters.to_string())
        .collect();
    if all.iter().all(|parameters| *parameters == all[0]) {
        return vec![format!("params    {}\n", all[0])];
    }
    let line = |(lane, text): (&Lane, &String)| format!("params    {}: {text}\n", lane.contender);
    lanes.iter().zip(&all).map(line).collect()
}

fn table(contest: &Contest) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    let times = format!("times {}", contest.first().contender);
    table.set_header(["runtime", "per op", "CPU per op", "peak memory", &times]);
    for lane in &contest.lanes {
        table.add_row(cells(lane, contest.first()));
    }
    table
}

fn cells(lane: &Lane, first: &Lane) -> Vec<String> {
    let time = |spread| cell(spread, units::nanoseconds);
    vec![
        format!("{}\n{}", lane.contender, workers(lane)),
        time(lane.time()),
        time(lane.spread(|record| record.cpu_ns_per_op)),
        cell(lane.spread(|record| record.peak_bytes as f64), units::bytes),
        cell(lane.ratio(first), |ratio| format!("{ratio:.3}")),
    ]
}

/// The time of each run, in the order of the rounds: of two groups of times the median tells one, and
/// the least and the most do not tell that there is nothing between. All of very many are in the JSON.
fn runs(lane: &Lane) -> String {
    if !(2..=MOST_RUNS).contains(&lane.records.len()) {
        return String::new();
    }
    let times = lane.records.iter().map(|run| run.ns_per_op);
    let times: Vec<_> = times.map(units::nanoseconds).collect();
    format!("runs      {}: {}\n", lane.contender, times.join(", "))
}

/// More of them are no line that somebody reads.
const MOST_RUNS: usize = 30;

fn workers(lane: &Lane) -> String {
    match lane.records.first().map(|record| record.workers) {
        None => String::new(),
        Some(1) => "1 worker".into(),
        Some(workers) => format!("{workers} workers"),
    }
}

fn cell(spread: Option<Spread>, written: impl Fn(f64) -> String) -> String {
    let Some(spread) = spread else {
        return "failed".into();
    };
    let range = units::range(spread.min, spread.max, &written);
    format!("{}\n{range}", written(spread.median))
}

#[cfg(test)]
mod tests {
    use super::super::tests::contest;
    use super::*;
    use crate::lane::tests::lane;

    #[test]
    fn each_runtime_is_a_multiple_of_the_first() {
        let text = draw(&contest());
        for part in [
            "ring: a token goes round",
            "rounds    2, interleaved",
            "params    threads=500 rounds=3000\n",
            "times hybrid",
            "100 .. 200 ns",
            "1.500 .. 1.500",
            "failed    kernel: wrong result",
        ] {
            assert!(text.contains(part), "{part} is missing:\n{text}");
        }
    }

    #[test]
    fn parameters_that_differ_are_told_for_each() {
        let mut contest = contest();
        contest.lanes[1].order.parameters.set("rounds=7").unwrap();
        let text = draw(&contest);
        assert!(
            text.contains("params    green: threads=500 rounds=7\n"),
            "{text}"
        );
        assert!(
            text.contains("params    hybrid: threads=500 rounds=3000\n"),
            "{text}"
        );
    }

    #[test]
    fn two_groups_of_times_are_seen() {
        let hybrid = "hybrid".parse().unwrap();
        let of = |times: &[f64]| runs(&lane(hybrid, times));
        let text = of(&[90.0, 1_800.0, 91.0, 1_790.0]);
        assert_eq!(
            text,
            "runs      hybrid: 90.0 ns, 1.80 µs, 91.0 ns, 1.79 µs\n"
        );
        assert_eq!(of(&[90.0]), "");
        assert_eq!(of(&[90.0; MOST_RUNS + 1]), "");
        assert!(draw(&contest()).contains("\nruns      green: 150 ns, 300 ns\n"));
    }

    #[test]
    fn it_fits_into_a_hundred_columns() {
        let mut contest = contest();
        // The widest numbers there are.
        contest.lanes[1].records[0].ns_per_op = 999_400.0;
        contest.lanes[1].records[1].cpu_ns_per_op = 99_900.0;
        contest.lanes[1].records[1].peak_bytes = 1_020 << 20;
        let table = table(&contest).to_string();
        for line in table.lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
}
