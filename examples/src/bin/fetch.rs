//! Fetches many URLs, so many at a time: `ureq`, a blocking library that knows nothing of Trefoil, on Trefoil's
//! sockets.
//!
//! ```sh
//! TREFOIL_MODEL=green cargo run -p trefoil-examples --bin fetch -- --at-once 20 --list urls.txt
//! ```
//!
//! Each URL has a thread. A semaphore bounds the requests, not the threads: one that waits for its turn is cheap.
//! Each result is a line, and the last line is a report. If one URL could not be fetched, the program fails.
#![forbid(unsafe_code)]

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use trefoil::channel;
use trefoil::sync::Semaphore;
use trefoil::{fs, thread};
use trefoil_examples::fetch::{agent, fetch};
use ureq::Agent;

/// Fetches URLs, and tells how many bytes each has.
#[derive(Debug, Parser)]
struct Options {
    /// What is fetched
    urls: Vec<String>,
    /// A file with more of them, one a line
    #[arg(long)]
    list: Option<PathBuf>,
    /// How many at a time
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    at_once: u16,
    /// How long each may take, in milliseconds
    #[arg(long, default_value_t = 30_000)]
    timeout: u64,
    /// How much of it a connection may take to be made, in milliseconds
    #[arg(long, default_value_t = 5_000)]
    connect: u64,
}

#[trefoil::main]
fn main() -> io::Result<ExitCode> {
    let options = Options::parse();
    let mut urls = options.urls.clone();
    if let Some(list) = &options.list {
        let list = fs::read_to_string(list)?;
        urls.extend(list.split_whitespace().map(str::to_owned));
    }
    let report = fetch_all(&urls, &options)?;
    let Report {
        right,
        bytes,
        failed,
    } = report;
    println!("fetched {right} with {bytes} bytes, {failed} failed");
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

#[derive(Debug, Default)]
struct Report {
    right: u64,
    bytes: u64,
    failed: u64,
}

fn fetch_all(urls: &[String], options: &Options) -> io::Result<Report> {
    let agent = client(options);
    let turns = Semaphore::new(usize::from(options.at_once));
    let (done, results) = channel::unbounded();
    thread::scope(|scope| {
        for url in urls {
            let (agent, turns, done) = (&agent, &turns, done.clone());
            scope.spawn(move || {
                let result = {
                    let _turn = turns.acquire();
                    fetch(agent, url)
                };
                // Nobody listens any more if it cannot be told.
                let _ = done.send((url, result));
            });
        }
        drop(done);
        let mut report = Report::default();
        let mut out = trefoil::io::stdout();
        for (url, result) in results {
            match result {
                Ok(bytes) => {
                    report.right += 1;
                    report.bytes += bytes;
                    writeln!(out, "{url}: {bytes} bytes")?;
                }
                Err(error) => {
                    report.failed += 1;
                    writeln!(out, "{url}: {error}")?;
                }
            }
        }
        Ok(report)
    })
}

/// With as many connections as there are requests at a time.
fn client(options: &Options) -> Agent {
    let connections = usize::from(options.at_once);
    let config = Agent::config_builder()
        .timeout_global(Some(Duration::from_millis(options.timeout)))
        .timeout_connect(Some(Duration::from_millis(options.connect)))
        .max_idle_connections(connections)
        .max_idle_connections_per_host(connections)
        // The environment's proxies are no concern of a test.
        .proxy(None)
        .build();
    agent(config)
}
