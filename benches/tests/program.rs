//! The program as a whole: what it prints, and with which code it exits.
#![forbid(unsafe_code)]

use std::process::{Command, Output};

use serde_json::Value;
use trefoil_bench::contender::Contender;
use trefoil_bench::peers;
use trefoil_bench::workloads;

/// Sizes that take no time.
const TINY: &[(&str, &[&str])] = &[
    ("spawn_join", &["threads=50"]),
    ("spawn_batch", &["threads=50"]),
    ("skynet_channel", &["width=3", "depth=3"]),
    ("skynet_join", &["width=3", "depth=3"]),
    ("yield", &["threads=3", "yields=150"]),
    ("ping_pong", &["rounds=50"]),
    ("timers_cancelled", &["rounds=50", "standing=10"]),
    ("ring", &["threads=10", "rounds=10"]),
    ("sieve", &["primes=10", "capacity=2"]),
    (
        "mpmc",
        &["producers=3", "consumers=2", "capacity=2", "messages=50"],
    ),
    ("select", &["messages=50", "capacity=2"]),
    ("mutex", &["threads=3", "locks=50"]),
    ("primes", &["limit=2000"]),
    ("fib", &["n=12", "cutoff=6"]),
    ("echo", &["connections=4", "requests=10"]),
    (
        "echo_compute",
        &["connections=4", "requests=10", "work=100"],
    ),
    (
        "echo_pipelined",
        &["connections=4", "requests=10", "depth=5"],
    ),
    ("accept_churn", &["connections=4", "requests=3", "lives=5"]),
    ("idle_connections", &["idle=20", "requests=10"]),
    ("blocking", &["calls=4", "rounds=2", "milliseconds=1"]),
    ("parked", &["threads=50", "rounds=2"]),
    ("sleepers", &["threads=50", "milliseconds=20"]),
    (
        "fairness",
        &["slice=100", "microseconds=500", "milliseconds=10"],
    ),
];

fn bench(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_trefoil-bench");
    let output = Command::new(program).args(arguments).output();
    output.expect("the program can be started")
}

/// As [`bench`], on a machine without Go and Java.
fn bench_without_programs(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_trefoil-bench");
    let mut command = Command::new(program);
    let output = command
        .args(arguments)
        .env("TREFOIL_GO", "/no/such/go")
        .env("TREFOIL_JAVA", "/no/such/java")
        .output();
    output.expect("the program can be started")
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// Runs a workload with tiny sizes, and reads what it says.
fn run(workload: &str, contender: Contender, more: &[&str]) -> Value {
    let (_, sizes) = TINY.iter().find(|(name, _)| *name == workload).unwrap();
    let sizes = sizes.iter().flat_map(|pair| ["--set", *pair]);
    let mut arguments = vec!["run", workload, "--runtime", contender.name(), "--json"];
    arguments.extend(sizes);
    arguments.extend(more);
    let output = bench(&arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        stderr(&output)
    );
    assert_eq!(stdout(&output).lines().count(), 1);
    serde_json::from_str(stdout(&output)).unwrap()
}

#[test]
fn every_workload_runs_on_every_runtime() {
    for workload in workloads::ALL {
        for contender in Contender::available() {
            if cannot(workload.name, contender) {
                continue;
            }
            let record = run(workload.name, contender, &[]);
            assert_eq!(record["runtime"], contender.name());
            assert_eq!(record["workload"], workload.name);
            assert_eq!(
                record["params"].as_object().unwrap().len(),
                workload.parameters.len()
            );
            for field in ["ops", "seconds", "ns_per_op"] {
                assert!(record[field].as_f64().unwrap() > 0.0, "{field} in {record}");
            }
        }
    }
}

#[test]
fn threads_that_migrate_do_every_workload() {
    let migrating = "migrating".parse().unwrap();
    for workload in workloads::ALL {
        let record = run(workload.name, migrating, &["--workers", "2"]);
        assert_eq!(record["runtime"], "migrating");
        assert_eq!(record["workers"], 2);
    }
}

/// May's `select!` runs all its arms and drops what those got that are not chosen. Smol and Java have none.
fn cannot(workload: &str, contender: Contender) -> bool {
    workload == "select" && matches!(contender.name(), "may" | "smol" | "java")
}

#[test]
fn the_bare_loop_serves_connections_and_nothing_else() {
    if !peers::COMPILED_IN {
        return;
    }
    let epoll = "epoll".parse().unwrap();
    for workload in ["echo", "echo_compute", "echo_pipelined", "accept_churn"] {
        run(workload, epoll, &["--set", "pin=1"]);
    }
    let output = bench(&["run", "fib", "--runtime", "epoll"]);
    assert!(!output.status.success());
    assert!(stderr(&output).contains("has no threads"));
}

#[test]
fn rayon_forks_and_joins_and_does_nothing_else() {
    if !peers::COMPILED_IN {
        return;
    }
    let rayon: Contender = "rayon".parse().unwrap();
    assert!(!Contender::available().contains(&rayon));
    for workload in workloads::ALL {
        if ["spawn_join", "spawn_batch", "skynet_join", "primes", "fib"].contains(&workload.name) {
            for workers in ["1", "2", "4"] {
                let record = run(workload.name, rayon, &["--workers", workers]);
                assert_eq!(record["workers"].to_string(), workers);
            }
        } else {
            let output = bench(&["run", workload.name, "--runtime", "rayon"]);
            assert_eq!(output.status.code(), Some(1), "{}", workload.name);
            assert!(stderr(&output).contains("rayon has no threads that wait"));
        }
    }
}

#[test]
fn who_cannot_do_a_workload_says_so() {
    for contender in Contender::available() {
        if cannot("select", contender) {
            let output = bench(&["run", "select", "--runtime", contender.name()]);
            assert!(!output.status.success());
            assert!(stderr(&output).contains("has no select"));
        }
    }
}

#[test]
fn one_worker_is_enough_for_everybody() {
    for contender in Contender::available() {
        for workload in ["ping_pong", "echo", "blocking"] {
            run(workload, contender, &["--workers", "1"]);
        }
    }
}

#[test]
fn calls_can_be_made_directly() {
    for contender in Contender::available() {
        let record = run("blocking", contender, &["--set", "direct=1"]);
        assert_eq!(record["params"]["direct"], 1);
    }
}

#[test]
fn the_list_names_all_workloads() {
    let output = bench(&["list"]);
    assert!(output.status.success());
    for workload in workloads::ALL {
        let mut lines = stdout(&output).lines();
        assert!(lines.any(|line| line.split_whitespace().next() == Some(workload.name)));
    }
}

#[test]
fn what_there_is_not_is_refused_with_exit_code_2() {
    let refused: &[(&[&str], &str)] = &[
        (&["run", "fob", "--model", "green"], "spawn_join"),
        (&["run", "fib", "--model", "blue"], "hybrid"),
        (&["run", "fib"], "--model"),
        (
            &["run", "fib", "--model", "green", "--set", "m=1"],
            "there is n, cutoff",
        ),
        (
            &["run", "fib", "--model", "green", "--set", "n=many"],
            "whole number",
        ),
        (
            &["run", "fib", "--model", "green", "--set", "n=61"],
            "from 2 to 60",
        ),
        (
            &["run", "fib", "--model", "green", "--set", "n"],
            "key=value",
        ),
        (
            &["run", "fib", "--model", "green", "--workers", "0"],
            "1 to 1024",
        ),
        (
            &["run", "fib", "--runtime", "erlang"],
            "kernel, green and hybrid",
        ),
        (&["--rounds", "0"], "--rounds"),
        (&["measure"], "measure"),
    ];
    for (arguments, sentence) in refused {
        let output = bench(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(sentence), "{}", stderr(&output));
        assert_eq!(stdout(&output), "");
    }
}

/// Go and Java are left out where nobody asks for them, and an error where somebody does.
#[test]
fn without_go_and_java_the_others_are_compared() {
    let results = env!("CARGO_TARGET_TMPDIR").to_string() + "/without_programs.json";
    let compare = ["--only", "blocking", "--rounds", "1", "--output", &results];
    let output = bench_without_programs(&compare);
    assert!(output.status.success(), "{}", stderr(&output));
    for head in ["left out  go: ", "left out  java: "] {
        let mut lines = stdout(&output).lines();
        let told = lines.any(|line| line.starts_with(head));
        assert_eq!(told, peers::COMPILED_IN, "{head}");
    }
    let results = std::fs::read_to_string(results).unwrap();
    let results: Value = serde_json::from_str(&results).unwrap();
    let runtimes = results["workloads"][0]["runtimes"].as_array().unwrap();
    assert!(
        runtimes.len() >= 3
            && runtimes
                .iter()
                .all(|runtime| runtime["name"] != "go" && runtime["name"] != "java")
    );
}

#[test]
fn go_and_java_by_name_are_errors_that_say_what_to_install() {
    let by_name: [(&[&str], &str); 4] = [
        (&["run", "fib", "--runtime", "go"], "https://go.dev/dl"),
        (
            &["compare", "fib", "--runtimes", "green,go"],
            "https://go.dev/dl",
        ),
        (&["run", "fib", "--runtime", "java"], "TREFOIL_JAVA"),
        (
            &["compare", "fib", "--runtimes", "green,java"],
            "TREFOIL_JAVA",
        ),
    ];
    for (arguments, what_to_do) in by_name {
        let (code, sentence) = match peers::COMPILED_IN {
            true => (1, what_to_do),
            false => (2, "--features peers"),
        };
        let output = bench_without_programs(arguments);
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert!(stderr(&output).contains(sentence), "{}", stderr(&output));
        assert_eq!(stdout(&output), "");
    }
}

/// The ratios are those of the same round, and the parameters reach every runtime.
#[test]
fn chosen_runtimes_are_compared_with_the_first() {
    let available = Contender::available();
    let names: Vec<_> = available.iter().map(|contender| contender.name()).collect();
    let names = names.join(",");
    let compare = ["compare", "parked", "--runtimes", &names, "--rounds", "2"];
    let more = [
        "--workers=2",
        "--set=threads=40",
        "--set=rounds=3",
        "--json",
    ];
    let output = bench(&[&compare[..], &more[..]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let json: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(json["first"], available[0].name());
    let runtimes = json["runtimes"].as_array().unwrap();
    assert_eq!(runtimes.len(), available.len());
    assert_eq!(runtimes[0]["ratios"], serde_json::json!([1.0, 1.0]));
    for runtime in runtimes {
        assert_eq!(runtime["runs"].as_array().unwrap().len(), 2);
        for round in [0, 1] {
            let (run, first) = (&runtime["runs"][round], &runtimes[0]["runs"][round]);
            assert_eq!(run["params"]["threads"], 40);
            assert_eq!(run["rounds"].as_array().unwrap().len(), 3);
            assert!(run["mappings"].as_u64().unwrap() > 0);
            let time = |run: &Value| run["ns_per_op"].as_f64().unwrap();
            // JSON is read back within the last digit.
            let ratio = runtime["ratios"][round].as_f64().unwrap();
            assert!((ratio * time(first) / time(run) - 1.0).abs() < 1e-9);
        }
    }
}

/// Each thread slept long enough, and the record tells how late it was.
#[test]
fn sleepers_tell_how_late_they_were() {
    for contender in Contender::available() {
        let record = run("sleepers", contender, &[]);
        let late = |rank| record["lateness"][rank].as_u64().unwrap();
        assert!(late("p50_ns") <= late("p99_ns") && late("p99_ns") <= late("last_ns"));
    }
}

/// As many sleeps as there was time for, whatever is done about those who compute.
#[test]
fn fairness_tells_how_late_the_sleeper_was() {
    for contender in Contender::available() {
        for hogs in ["hogs=0", "hogs=1", "hogs=2", "hogs=3"] {
            let record = run("fairness", contender, &["--set", hogs]);
            let late = |rank| record["lateness"][rank].as_u64().unwrap();
            assert!(late("p50_ns") <= late("p99_ns") && late("p99_ns") <= late("last_ns"));
            // A sleep that is not too short leaves no time for more.
            assert!(record["ops"].as_u64().unwrap() <= 20, "{record}");
        }
    }
}

#[test]
fn a_client_without_a_server_is_a_failure_with_exit_code_1() {
    let sizes = ["--connections=1", "--requests=1", "--size=1", "--work=0"];
    // Nobody listens on port 1.
    let output = bench(&[&["client", "--address", "127.0.0.1:1"], &sizes[..]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("error: client"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn results_that_cannot_be_written_are_refused_before_anything_is_measured() {
    let output = bench(&["--output", "/no/such/folder/results.json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("--output"), "{}", stderr(&output));
}

#[test]
fn a_run_can_be_read_by_people() {
    let output = bench(&["run", "fib", "--model", "green", "--set", "n=20"]);
    let text = stdout(&output);
    assert!(
        text.contains("n=20 cutoff=20") && text.contains("per op"),
        "{text}"
    );
}
