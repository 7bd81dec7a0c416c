//! The comparison for people: a head, a table with the winner of each workload, one of the peers if
//! there are any, and below it what does not fit into a table of times.
#![forbid(unsafe_code)]

use std::fmt::{Display, Write};

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use trefoil::Model;
use trefoil_bench::contender::Contender;
use trefoil_bench::record::Record;

use crate::comparison::{Comparison, Row};
use crate::lane::Lane;
use crate::spread::Spread;
use crate::units;
use crate::verdict::Outcome;

/// All of it, as a text of lines.
pub(crate) fn draw(comparison: &Comparison) -> String {
    let mut text = head(comparison);
    let failures = comparison.failures();
    let mut line = |line: &dyn Display| {
        writeln!(text, "{line}").expect("a string takes everything");
    };
    line(&table_of_models(&comparison.rows));
    for peers in tables_of_peers(&comparison.rows) {
        line(&peers);
    }
    line(&summary(&comparison.rows));
    text.extend(
        comparison
            .rows
            .iter()
            .map(|row| notes(&row.case.name(), &row.lanes)),
    );
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
{}",
        machine.cores,
        machine.cpu,
        machine.kernel,
        machine.load,
        comparison.date,
        left_out()
    )
}

/// A line for each runtime that is compiled in and not on this machine.
fn left_out() -> String {
    let line = |(contender, why)| format!("left out  {contender}: {why}\n");
    Contender::left_out().into_iter().map(line).collect()
}

/// The models, with what is said of them.
fn table_of_models(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(
        std::iter::once("workload".into())
            .chain(names_of(rows, Row::models))
            .chain(["winner".into(), "the classic\ncomparison".into()]),
    );
    for row in rows {
        table.add_row(cells(row));
    }
    table
}

/// The peers, in a table of their own: beside the models they would need a very wide terminal.
/// None, if there are no peers; more than one, if one would be too wide.
fn tables_of_peers(rows: &[Row]) -> Vec<Table> {
    let names = names_of(rows, Row::peers);
    let begins = (0..names.len()).step_by(PEERS_ABREAST);
    let table = |begin| {
        let names = names.iter().skip(begin).take(PEERS_ABREAST).cloned();
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED);
        table.set_header(std::iter::once("peers".into()).chain(names));
        for row in rows {
            let lanes = row.peers().into_iter().skip(begin).take(PEERS_ABREAST);
            table.add_row(std::iter::once(row.case.name()).chain(lanes.map(time)));
        }
        table
    };
    begins.map(table).collect()
}

/// More columns do not fit into 100 characters.
const PEERS_ABREAST: usize = 5;

fn names_of(rows: &[Row], lanes: fn(&Row) -> Vec<&Lane>) -> Vec<String> {
    let lanes = rows.first().map(lanes).unwrap_or_default();
    lanes
        .iter()
        .map(|lane| lane.contender.to_string())
        .collect()
}

fn cells(row: &Row) -> Vec<String> {
    let scenario = row.case.workload.scenario;
    let verdict = row.verdict();
    let winner = match verdict.leaders.len() {
        0 => "none".into(),
        1 => verdict.leaders[0].to_string(),
        many if many == Model::ALL.len() => "all\n(within noise)".into(),
        _ => format!("{}\n(within noise)", names(&verdict.leaders)),
    };
    let predicted = names(scenario.predicted());
    let prediction = format!("{predicted}\n{}", verdict.outcome.name());
    std::iter::once(format!("{}\n{}", row.case.name(), scenario.name()))
        .chain(row.models().into_iter().map(time))
        .chain([winner, prediction])
        .collect()
}

fn time(lane: &Lane) -> String {
    let Some(time) = lane.time() else {
        return "failed".into();
    };
    let range = units::range(time.min, time.max, units::nanoseconds);
    format!("{}\n{range}", units::nanoseconds(time.median))
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

/// What the time does not tell, in a line for each thing that somebody has told: the median, and the
/// least and the most if they differ.
pub(crate) fn notes(case: &str, lanes: &[Lane]) -> String {
    let value = |lane: &Lane, number: fn(&Record) -> Option<f64>, written: fn(f64) -> String| {
        let spread = lane.spread_of_some(number)?;
        Some(format!("{} {}", lane.contender, in_brief(spread, written)))
    };
    let line = |(what, number, written): &(&str, Number, Written)| {
        let values = lanes
            .iter()
            .filter_map(|lane| value(lane, *number, *written));
        let values: Vec<_> = values.collect();
        match values.is_empty() {
            true => String::new(),
            false => format!("note      {case}: {what}: {}\n", values.join(", ")),
        }
    };
    NOTES.iter().map(line).collect()
}

/// `2.00 µs (1.50 .. 9.00 µs)`. The range is left out where there is none.
fn in_brief(spread: Spread, written: fn(f64) -> String) -> String {
    let median = written(spread.median);
    match written(spread.min) == written(spread.max) {
        true => median,
        false => {
            let range = units::range(spread.min, spread.max, written);
            format!("{median} ({range})")
        }
    }
}

type Number = fn(&Record) -> Option<f64>;
type Written = fn(f64) -> String;

const NOTES: [(&str, Number, Written); 10] = [
    (
        "CPU time of the server per request",
        server_cpu,
        units::nanoseconds,
    ),
    (
        "the first round",
        |record| later_rounds(record).map(|(first, _)| first),
        units::nanoseconds,
    ),
    (
        "the later rounds",
        |record| later_rounds(record).map(|(_, later)| later),
        units::nanoseconds,
    ),
    (
        "resident memory per thread",
        |record| Some(record.held?.resident_bytes_per_thread),
        units::bytes,
    ),
    (
        "page tables per thread",
        |record| Some(record.held?.page_table_bytes_per_thread),
        units::bytes,
    ),
    (
        "mappings",
        |record| Some(record.held?.mappings as f64),
        |number| format!("{number:.0}"),
    ),
    (
        "99 % of the answers came within",
        |record| Some(record.latency?.p99_ns as f64),
        units::nanoseconds,
    ),
    (
        "lateness of half",
        |record| Some(record.lateness?.p50_ns as f64),
        units::nanoseconds,
    ),
    (
        "lateness of 99 %",
        |record| Some(record.lateness?.p99_ns as f64),
        units::nanoseconds,
    ),
    (
        "lateness of the last",
        |record| Some(record.lateness?.last_ns as f64),
        units::nanoseconds,
    ),
];

/// Where the client is a process of its own, the time by the clock contains its work. The
/// server's CPU time does not.
fn server_cpu(record: &Record) -> Option<f64> {
    let served = ["echo", "accept"];
    let is_server = served.iter().any(|kind| record.workload.starts_with(kind));
    is_server.then_some(record.cpu_ns_per_op)
}

/// The time of an operation in the first round, and in the rounds after it, if there are any.
fn later_rounds(record: &Record) -> Option<(f64, f64)> {
    let (first, later) = record.rounds.split_first()?;
    let later = Spread::of(later.iter().copied())?;
    Some((*first, later.median))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::comparison::Case;
    use crate::lane;
    use crate::machine::Machine;
    use std::time::Duration;
    use trefoil_bench::contender::Peer;
    use trefoil_bench::held::Held;
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
        let slow = fast * if fast < 150.0 { 1.5 } else { 2.0 };
        lane::tests::lane(Contender::Model(model), &[fast, slow])
    }

    #[test]
    fn the_table_names_winner_and_prediction() {
        let text = draw(&comparison());
        for part in [
            "2026-11-24 12:30 UTC",
            "rounds    2",
            "fine-grained switching",
            "125 ns",
            "100 .. 150 ns",
            "green, hybrid",
            "verdict   1 as predicted",
        ] {
            assert!(text.contains(part), "{part} is missing:\n{text}");
        }
    }

    #[test]
    fn peers_have_a_table_of_their_own() {
        let mut comparison = comparison();
        assert!(tables_of_peers(&comparison.rows).is_empty());
        let models = table_of_models(&comparison.rows).to_string();
        let peers = Peer::ALL.map(|peer| lane::tests::lane(Contender::Peer(peer), &[5e5, 6e5]));
        comparison.rows[0].lanes.extend(peers);
        assert_eq!(table_of_models(&comparison.rows).to_string(), models);
        let drawn = draw(&comparison);
        let tables: Vec<String> = tables_of_peers(&comparison.rows)
            .iter()
            .map(ToString::to_string)
            .collect();
        for peers in &tables {
            assert!(peers.contains("500 .. 600 µs"), "{peers}");
            let is_narrow = |line: &str| line.chars().count() <= 100;
            assert!(peers.lines().all(is_narrow), "{peers}");
            assert!(drawn.contains(peers));
        }
        for peer in Peer::ALL {
            let name = Contender::Peer(peer).to_string();
            assert!(tables.concat().contains(&name), "{name} is missing");
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
        for lane in &mut comparison.rows[0].lanes {
            for record in &mut lane.records {
                record.workload = "echo".into();
            }
        }
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
        assert!(
            text.contains("per thread: green 4.00 KiB (2.00 .. 6.00 KiB)\n"),
            "{text}"
        );
        assert!(text.contains("mappings: green 70\n"), "{text}");
        assert!(!text.contains("round: "), "{text}");
    }

    #[test]
    fn the_first_round_is_told_apart_from_the_later_ones() {
        let mut comparison = comparison();
        for record in &mut comparison.rows[0].lanes[1].records {
            record.rounds = vec![90.0, 20.0, 30.0];
        }
        let text = draw(&comparison);
        assert!(text.contains("the first round: green 90.0 ns\n"), "{text}");
        assert!(text.contains("the later rounds: green 25.0 ns\n"), "{text}");
    }
}
