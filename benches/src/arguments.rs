//! What the command line may say.
#![forbid(unsafe_code)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, value_parser};
use trefoil::Model;

use trefoil_bench::client::Plan;
use trefoil_bench::contender::Contender;
use trefoil_bench::workloads::{self, Workload};

/// Compares Trefoil's three thread models on the same workloads.
///
/// Without a command it runs all workloads on all models, prints a table, and writes the results
/// to a file.
#[derive(Debug, Parser)]
#[command(
    name = "trefoil-bench",
    version,
    args_conflicts_with_subcommands = true
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) compare: Compare,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the workloads with their parameters
    List,
    /// Run one workload once, on one runtime
    Run(Single),
    /// Compare chosen runtimes on one workload, each with the first one
    Compare(Contest),
    /// Play the client of an echo workload
    #[command(hide = true)]
    Client(Client),
}

#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// How often each workload is run on each runtime. Without it five times, or fewer, so that
    /// all of it takes less than three minutes
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..=1000))]
    pub(crate) rounds: Option<u64>,
    /// Compare only these workloads
    #[arg(long, value_name = "WORKLOAD", value_delimiter = ',', value_parser = workload)]
    pub(crate) only: Vec<&'static Workload>,
    /// Where the results are written
    #[arg(long, value_name = "PATH", default_value = "results.json")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Single {
    /// The workload; `trefoil-bench list` lists them
    #[arg(value_parser = workload)]
    pub(crate) workload: &'static Workload,
    #[command(flatten)]
    pub(crate) on: On,
    /// On how many OS threads the runtime runs its threads, for the runtimes that have such a
    /// number. With 1, tokio is its current-thread runtime
    #[arg(long, value_name = "N", value_parser = workers)]
    pub(crate) workers: Option<usize>,
    /// Set a parameter of the workload
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) settings: Vec<String>,
    /// Print one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Contest {
    /// The workload; `trefoil-bench list` lists them
    #[arg(value_parser = workload)]
    pub(crate) workload: &'static Workload,
    /// The runtimes: models and, with the feature `peers`, std, tokio, smol, rayon, may, go, java and epoll. One may be
    /// named twice, to see the noise
    #[arg(long, value_name = "RUNTIME", value_delimiter = ',', required = true)]
    pub(crate) runtimes: Vec<Contender>,
    /// How often each of them runs, by turns
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = value_parser!(u64).range(1..=1000))]
    pub(crate) rounds: u64,
    /// As that of `run`
    #[arg(long, value_name = "N", value_parser = workers)]
    pub(crate) workers: Option<usize>,
    /// Set a parameter of the workload
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) settings: Vec<String>,
    /// A run that takes longer has failed
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = value_parser!(u64).range(1..))]
    limit: u64,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Contest {
    pub(crate) fn limit(&self) -> Duration {
        Duration::from_secs(self.limit)
    }
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct On {
    /// The thread model: kernel, green or hybrid
    #[arg(long)]
    model: Option<Model>,
    /// A model, `migrating` (hybrid, with threads that change their worker), or, with the feature `peers`, one of
    /// std, tokio, smol, rayon, may, go, java and epoll
    #[arg(long)]
    runtime: Option<Contender>,
}

impl On {
    pub(crate) fn contender(&self) -> Contender {
        let model = self.model.map(Contender::Model);
        model.or(self.runtime).expect("clap requires one of them")
    }
}

#[derive(Debug, Args)]
pub(crate) struct Client {
    #[arg(long)]
    pub(crate) address: SocketAddr,
    #[arg(long)]
    connections: u64,
    #[arg(long)]
    requests: u64,
    #[arg(long)]
    size: u64,
    #[arg(long)]
    work: u64,
    #[arg(long, default_value_t = 1)]
    depth: u64,
    #[arg(long, default_value_t = 1)]
    lives: u64,
    #[arg(long, default_value_t = 0)]
    idle: u64,
    #[arg(long, default_value_t = 0)]
    pin: u64,
}

impl Client {
    pub(crate) fn plan(&self) -> Plan {
        Plan {
            connections: self.connections,
            requests: self.requests,
            size: self.size,
            work: self.work,
            depth: self.depth,
            lives: self.lives,
            idle: self.idle,
            pin: self.pin != 0,
        }
    }
}

fn workload(name: &str) -> Result<&'static Workload, String> {
    workloads::find(name).ok_or_else(|| {
        let known: Vec<_> = workloads::ALL.iter().map(|known| known.name).collect();
        format!("the workloads are {}", known.join(", "))
    })
}

fn workers(number: &str) -> Result<usize, String> {
    let number = number.parse().ok();
    number
        .filter(|number| (1..=1024).contains(number))
        .ok_or_else(|| "it is a whole number from 1 to 1024".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn nothing_asks_for_the_comparison() {
        let arguments = parse("trefoil-bench").unwrap();
        assert!(arguments.command.is_none());
        assert_eq!(arguments.compare.output.to_str(), Some("results.json"));
    }

    #[test]
    fn a_run_names_one_runtime() {
        let line = "trefoil-bench run fib --model green --set n=10 --set cutoff=5 --json";
        let Some(Command::Run(run)) = parse(line).unwrap().command else {
            panic!("it is a run")
        };
        assert_eq!(run.workload.name, "fib");
        assert_eq!(run.on.contender(), Contender::Model(Model::Green));
        assert_eq!(run.settings, ["n=10", "cutoff=5"]);
        assert!(parse("trefoil-bench run fib").is_err());
        assert!(parse("trefoil-bench run fib --model green --runtime green").is_err());
    }

    #[test]
    fn a_contest_names_its_runtimes_in_order() {
        let line = "trefoil-bench compare ring --runtimes hybrid,green,hybrid --set rounds=7";
        let Some(Command::Compare(contest)) = parse(line).unwrap().command else {
            panic!("it is a contest")
        };
        let names: Vec<_> = contest
            .runtimes
            .iter()
            .map(|runtime| runtime.name())
            .collect();
        assert_eq!(names, ["hybrid", "green", "hybrid"]);
        assert_eq!((contest.rounds, contest.workers), (5, None));
        assert_eq!(contest.settings, ["rounds=7"]);
        assert!(parse("trefoil-bench compare ring").is_err());
        assert!(parse("trefoil-bench compare --runtimes green").is_err());
    }

    #[test]
    fn what_there_is_not_is_refused_with_what_there_is() {
        let refused = |line| parse(line).unwrap_err().to_string();
        assert!(refused("trefoil-bench run fob --model green").contains("spawn_join"));
        assert!(refused("trefoil-bench run fib --model blue").contains("hybrid"));
        assert!(refused("trefoil-bench run fib --model green --workers 0").contains("1 to 1024"));
    }
}
