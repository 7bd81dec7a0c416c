//! The benchmark program.
//!
//! ```text
//! trefoil-bench                      compare the models on all workloads
//! trefoil-bench list                 what can be run
//! trefoil-bench run WORKLOAD …       one workload on one runtime
//! trefoil-bench compare WORKLOAD …   one workload on chosen runtimes, each beside the first
//! trefoil-bench client …             the other end of the echo workloads; started by them
//! ```
//!
//! | module | what it decides |
//! |---|---|
//! | `arguments` | what the command line may say |
//! | `single` | `run`: one run in this process |
//! | `list` | what `list` prints |
//! | `comparison` | which runs the comparison makes, in which order, and when it stops |
//! | `contest` | `compare`: chosen runtimes on one workload |
//! | `lane` | the runs of one workload on one runtime |
//! | `child` | one run in a process of its own |
//! | `progress` | the bar on a terminal |
//! | `spread` | median, least and most of several runs |
//! | `verdict` | who has won, and whether that was predicted |
//! | `machine` | what is said about the machine and the day |
//! | `units` | how numbers are written for people |
//! | `table`, `results` | the comparison for people, and as JSON |
//!
//! It exits with 0 if all results were right, with 1 if one was not or if something failed, and
//! with 2 if it did not understand what it was asked for.
#![forbid(unsafe_code)]

mod arguments;
mod child;
mod comparison;
mod contest;
mod lane;
mod list;
mod machine;
mod problem;
mod progress;
mod results;
mod single;
mod spread;
mod table;
mod units;
mod verdict;

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};
use crate::problem::Problem;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Its children, and Go's program, inherit that. Where it is refused, a workload that needs more says so.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let done = match &arguments.command {
        None => comparison::compare(&arguments.compare),
        Some(Command::List) => print(&list::list()),
        Some(Command::Run(asked)) => single::run(asked).and_then(|text| print(&text)),
        Some(Command::Compare(asked)) => contest::hold(asked),
        Some(Command::Client(asked)) => single::play_client(asked),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            problem.exit_code()
        }
    }
}

/// Prints to standard output. A reader that has heard enough and gone is no problem.
fn print(text: &str) -> Result<(), Problem> {
    let mut output = io::stdout().lock();
    match output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
    {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Problem::Failed(format!("cannot print: {error}")))
        }
        _ => Ok(()),
    }
}
