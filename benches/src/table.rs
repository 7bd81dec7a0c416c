//! The comparison for people: a head, a table with the winner of each workload, and below it what
//! does not fit into a table of times.
#![forbid(unsafe_code)]

use std::fmt::Write;

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use trefoil::Model;

use crate::comparison::{Comparison, Lane, Row};
use crate::units;
use crate::verdict::Outcome;

/// All of it, as a text of lines.
pub(crate) fn draw(comparison: &Comparison) -> String {
    let mut text = head(comparison);
    let failures = comparison.failures();
    let table = table(comparison);
    writeln!(text, "{table}\n{}", summary(&comparison.rows)).expect("a string takes everything");
    text.extend(comparison.rows.iter().filter_map(cpu_per_request));
    text.extend(comparison.rows.iter().filter_map(memory_per_thread));
    text.extend(
        failures
            .iter()
            .map(|failure| format!("failed    {failure}\n")),
    );
    text
}

fn head(comparison: &Comparison) -> String {
    let machine = &comparison.machine;
    let (rounds, elapsed) = (comparison.rounds, comparison.elapsed.as_secs());
    format!(
        "\
machine   {} cores, {}, {}; load {:.1} before it began
date      {}
rounds    {rounds}, interleaved, each run in a process of its own; {elapsed} s in all
times     of one operation, by the clock: the median, and below it the least and the most
",
        machine.cores, machine.cpu, machine.kernel, machine.load, comparison.date
    )
}

fn table(comparison: &Comparison) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(columns(comparison));
    for row in &comparison.rows {
        table.add_row(cells(row));
    }
    table
}

fn columns(comparison: &Comparison) -> Vec<String> {
    let lanes = comparison.rows.first().map_or(&[][..], |row| &row.lanes);
    let contenders = lanes.iter().map(|lane| lane.contender.to_string());
    std::iter::once("workload".into())
        .chain(contenders)
        .chain(["winner".into(), "the classic comparison".into()])
        .collect()
}

fn cells(row: &Row) -> Vec<String> {
    let scenario = row.case.workload.scenario;
    let verdict = row.verdict();
    let winner = match verdict.leaders.len() {
        0 => "none".into(),
        1 => verdict.leaders[0].to_string(),
        _ => format!("{}\n(within noise)", names(&verdict.leaders)),
    };
    let predicted = names(scenario.predicted());
    let prediction = format!("{predicted}\n{}", verdict.outcome.name());
    std::iter::once(format!("{}\n{}", row.case.name(), scenario.name()))
        .chain(row.lanes.iter().map(time))
        .chain([winner, prediction])
        .collect()
}

fn time(lane: &Lane) -> String {
    let Some(time) = lane.time() else {
        return "failed".into();
    };
    let [median, min, max] = [time.median, time.min, time.max].map(units::nanoseconds);
    format!("{median}\n{min} .. {max}")
}

fn names(models: &[Model]) -> String {
    let names: Vec<_> = models.iter().map(|model| model.name()).collect();
    names.join(", ")
}

fn summary(rows: &[Row]) -> String {
    let count = |outcome| {
        let alike = rows.iter().filter(|row| row.verdict().outcome == outcome);
        alike.count()
    };
    let outcomes = [
        Outcome::AsPredicted,
        Outcome::NotAsPredicted,
        Outcome::Draw,
        Outcome::None,
    ];
    let counts: Vec<_> = outcomes
        .into_iter()
        .filter(|&outcome| count(outcome) > 0)
        .map(|outcome| format!("{} {}", count(outcome), outcome.name()))
        .collect();
    format!("verdict   {}", counts.join(", "))
}

/// Where the client is a process of its own, the time by the clock contains its work. The
/// server's CPU time does not.
fn cpu_per_request(row: &Row) -> Option<String> {
    let name = row.case.workload.name;
    if !name.starts_with("echo") {
        return None;
    }
    let cpu = |lane: &Lane| {
        let cpu = lane.spread(|record| record.cpu_ns_per_op)?;
        Some(format!(
            "{} {}",
            lane.contender,
            units::nanoseconds(cpu.median)
        ))
    };
    Some(note(row, "CPU time of the server per request", cpu))
}

/// Where a workload says what its threads held.
fn memory_per_thread(row: &Row) -> Option<String> {
    let is_told = |lane: &Lane| lane.records.iter().any(|run| run.held.is_some());
    if !row.lanes.iter().any(is_told) {
        return None;
    }
    let memory = |lane: &Lane| {
        let each = lane.of_those(|run| Some(run.held?.resident_bytes_per_thread))?;
        Some(format!("{} {}", lane.contender, units::bytes(each.median)))
    };
    Some(note(row, "resident memory per thread", memory))
}

fn note(row: &Row, what: &str, of: impl Fn(&Lane) -> Option<String>) -> String {
    let values: Vec<_> = row.lanes.iter().filter_map(of).collect();
    format!(
        "note      {}: {what}: {}\n",
        row.case.name(),
        values.join(", ")
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::comparison::Case;
    use crate::machine::Machine;
    use std::time::Duration;
    use trefoil_bench::contender::Contender;
    use trefoil_bench::held::Held;
    use trefoil_bench::record::Record;
    use trefoil_bench::workloads;

    /// Two rounds of `ring`: green is twice as fast as hybrid, and that a lot faster than kernel.
    pub(crate) fn comparison() -> Comparison {
        let lanes = Model::ALL.into_iter().zip([1000.0, 100.0, 200.0]);
        Comparison {
            machine: Machine::this(),
            date: "2026-11-24 12:30 UTC".into(),
            rounds: 2,
            elapsed: Duration::from_secs(9),
            rows: vec![Row {
                case: Case {
                    workload: workloads::find("ring").unwrap(),
                    setting: None,
                },
                lanes: lanes.map(|(model, fast)| lane(model, fast)).collect(),
            }],
        }
    }

    fn lane(model: Model, fast: f64) -> Lane {
        let record = |ns_per_op| Record {
            runtime: model.name().into(),
            workload: "ring".into(),
            params: Default::default(),
            workers: 1,
            ops: 10,
            seconds: 1.0,
            ns_per_op,
            cpu_seconds: 1.0,
            cpu_ns_per_op: 1.0,
            peak_bytes: 4096,
            rounds: Vec::new(),
            held: None,
            lateness: None,
        };
        Lane {
            contender: Contender::Model(model),
            records: vec![
                record(fast),
                record(fast * if fast < 150.0 { 1.5 } else { 2.0 }),
            ],
            failure: None,
        }
    }

    #[test]
    fn the_table_names_winner_and_prediction() {
        let text = draw(&comparison());
        for part in [
            "2026-11-24 12:30 UTC",
            "rounds    2",
            "fine-grained switching",
            "125 ns",
            "100 ns .. 150 ns",
            "green, hybrid",
            "verdict   1 as predicted",
        ] {
            assert!(text.contains(part), "{part} is missing:\n{text}");
        }
    }

    #[test]
    fn noise_is_called_noise() {
        let mut comparison = comparison();
        comparison.rows[0].lanes[0].records[0].ns_per_op = 120.0;
        let text = draw(&comparison);
        assert!(text.contains("(within noise)"), "{text}");
        assert!(text.contains("verdict   1 a draw"), "{text}");
    }

    #[test]
    fn a_failure_is_shown_with_its_reason() {
        let mut comparison = comparison();
        comparison.rows[0].lanes[2].failure = Some("wrong result".into());
        let text = draw(&comparison);
        assert!(
            text.contains("failed    ring on hybrid: wrong result"),
            "{text}"
        );
        assert!(text.contains("no verdict"), "{text}");
    }

    #[test]
    fn notes_tell_what_the_times_do_not() {
        let mut comparison = comparison();
        comparison.rows[0].case.workload = workloads::find("echo").unwrap();
        let held = |each: u64| Held {
            resident_bytes: 10 * each,
            resident_bytes_per_thread: each as f64,
            page_table_bytes_per_thread: 8.0,
            mappings: 70,
        };
        for (record, each) in comparison.rows[0].lanes[1]
            .records
            .iter_mut()
            .zip([2048, 6144])
        {
            record.held = Some(held(each));
        }
        let text = draw(&comparison);
        assert!(
            text.contains("CPU time of the server per request: kernel 1.00 ns"),
            "{text}"
        );
        assert!(text.contains("green 4.00 KiB"), "{text}");
    }
}
