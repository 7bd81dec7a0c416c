//! `run`: one workload once, on one runtime, in this process or in that of a peer's program. And the client, which the echo
//! workloads start as a process of its own.
#![forbid(unsafe_code)]

use std::fmt::Write;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use trefoil_bench::client;
use trefoil_bench::contender::Contender;
use trefoil_bench::order::Order;
use trefoil_bench::parameters::Parameters;
use trefoil_bench::pin;
use trefoil_bench::record::Record;
use trefoil_bench::run;
use trefoil_bench::workloads::Workload;

use crate::arguments::{Client, Single};
use crate::child::{self, Job};
use crate::problem::Problem;
use crate::spread::Spread;
use crate::units;

/// Runs what was asked for, and gives what is to be printed.
pub(crate) fn run(asked: &Single) -> Result<String, Problem> {
    let (workload, contender) = (asked.workload, asked.on.contender());
    refuse_if_absent(contender)?;
    let order = order(workload, contender, &asked.settings)?;
    if order.is_pinned() {
        pin::server();
    }
    let failed = |why: String| Problem::Failed(format!("{} on {contender}: {why}", workload.name));
    let record = match contender.is_program() {
        true => of_program(asked, &order).map_err(failed)?,
        false => {
            let run = run::run(workload, contender, asked.workers, order.clone());
            let run = run.map_err(|failure| failed(failure.to_string()))?;
            Record::new(contender, workload.name, &order.parameters, run)
        }
    };
    Ok(match asked.json {
        true => record.to_line() + "\n",
        false => described(workload, &order.parameters, &record),
    })
}

/// Has the program of a peer run it. It may take as long as it likes, as a run in this process may.
fn of_program(asked: &Single, order: &Order) -> Result<Record, String> {
    child::measure(&Job {
        workload: asked.workload.name,
        contender: asked.on.contender(),
        workers: asked.workers,
        order,
        limit: Duration::MAX,
    })
}

/// An error for a runtime that is not on this machine, which says what to do about it.
pub(crate) fn refuse_if_absent(contender: Contender) -> Result<(), Problem> {
    let refused = |why| Problem::Failed(format!("{contender} is not here: {why}"));
    contender.obstacle().map_or(Ok(()), |why| Err(refused(why)))
}

/// What a runtime is told about a workload: its defaults for this runtime, and what was set.
pub(crate) fn order(
    workload: &Workload,
    contender: Contender,
    settings: &[String],
) -> Result<Order, Problem> {
    let mut parameters = Parameters::defaults(workload.parameters, contender.weight(workload.name));
    for pair in settings {
        let refused = |error| Problem::Usage(format!("{}: {error}", workload.name));
        parameters.set(pair).map_err(refused)?;
    }
    Ok(Order {
        parameters,
        program: own_program()?,
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
        if let Some(of) = Spread::of(record.rounds.iter().copied()) {
            let range = units::range(of.min, of.max, units::nanoseconds);
            let median = units::nanoseconds(of.median);
            line("spread", format!("median {median}, {range}"));
        }
    }
    if let Some(held) = record.held {
        let resident = units::bytes(held.resident_bytes_per_thread);
        line("resident", format!("{resident} for each thread"));
        let tables = units::bytes(held.page_table_bytes_per_thread);
        line("tables", format!("{tables} of page tables for each thread"));
        line("mappings", held.mappings.to_string());
    }
    if let Some(latency) = record.latency {
        let [half, most, last] = [latency.p50_ns, latency.p99_ns, latency.last_ns]
            .map(|nanoseconds| units::nanoseconds(nanoseconds as f64));
        line(
            "latency",
            format!("half up to {half}, 99 % up to {most}, the longest {last}"),
        );
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
