//! `run`: one workload once, on one runtime, in this process. And the client, which the echo
//! workloads start as a process of its own.
#![forbid(unsafe_code)]

use std::fmt::Write;
use std::io;
use std::path::PathBuf;

use trefoil_bench::client;
use trefoil_bench::order::Order;
use trefoil_bench::parameters::Parameters;
use trefoil_bench::record::Record;
use trefoil_bench::run;
use trefoil_bench::workloads::Workload;

use crate::arguments::{Client, Single};
use crate::problem::Problem;
use crate::units;

/// Runs what was asked for, and gives what is to be printed.
pub(crate) fn run(asked: &Single) -> Result<String, Problem> {
    let contender = asked.on.contender();
    let workload = asked.workload;
    let mut parameters = Parameters::defaults(workload.parameters, contender.weight(workload.name));
    for pair in &asked.settings {
        let refused = |error| Problem::Usage(format!("{}: {error}", workload.name));
        parameters.set(pair).map_err(refused)?;
    }
    let order = Order {
        parameters: parameters.clone(),
        program: own_program()?,
    };
    let run = run::run(workload, contender, asked.workers, order).map_err(|failure| {
        let sentence = format!("{} on {contender}: {failure}", workload.name);
        Problem::Failed(sentence)
    })?;
    let record = Record::new(contender, workload.name, &parameters, run);
    Ok(match asked.json {
        true => record.to_line() + "\n",
        false => described(workload, &parameters, &record),
    })
}

/// Where this program is. It starts itself as a client, and for each run of the comparison.
pub(crate) fn own_program() -> Result<PathBuf, Problem> {
    let unknown = |error| Problem::Failed(format!("cannot find this program: {error}"));
    std::env::current_exe().map_err(unknown)
}

/// A run in words.
fn described(workload: &Workload, parameters: &Parameters, record: &Record) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        writeln!(text, "{name:<10}{value}").expect("a string takes everything");
    };
    line(
        "workload",
        format!("{}: {}", record.workload, workload.about),
    );
    line(
        "runtime",
        format!("{}, {} workers", record.runtime, record.workers),
    );
    line("params", parameters.to_string());
    line(
        "ops",
        format!("{} (one is {})", record.ops, workload.operation),
    );
    line("time", units::seconds(record.seconds));
    line("per op", units::nanoseconds(record.ns_per_op));
    line(
        "CPU",
        format!("{} per op", units::nanoseconds(record.cpu_ns_per_op)),
    );
    line("peak", units::bytes(record.peak_bytes as f64));
    if record.rounds.len() > 1 {
        let each: Vec<_> = record
            .rounds
            .iter()
            .copied()
            .map(units::nanoseconds)
            .collect();
        line("rounds", format!("{} per op", each.join(", ")));
    }
    if let Some(held) = record.held {
        let resident = units::bytes(held.resident_bytes_per_thread);
        line("resident", format!("{resident} for each thread"));
        let tables = units::bytes(held.page_table_bytes_per_thread);
        line("tables", format!("{tables} of page tables for each thread"));
        line("mappings", held.mappings.to_string());
    }
    if let Some(late) = record.lateness {
        let [half, most, last] = [late.p50_ns, late.p99_ns, late.last_ns]
            .map(|nanoseconds| units::nanoseconds(nanoseconds as f64));
        line(
            "late",
            format!("half up to {half}, 99 % up to {most}, the last {last}"),
        );
    }
    text
}

/// Plays the client of an echo workload. What the server has to know goes to standard output.
pub(crate) fn play_client(asked: &Client) -> Result<(), Problem> {
    let (input, output) = (io::stdin().lock(), io::stdout().lock());
    client::play(asked.address, asked.plan(), input, output).map_err(|error| {
        // The server reads the reason as a line of its protocol.
        println!("{error}");
        Problem::Failed(format!("client: {error}"))
    })
}
