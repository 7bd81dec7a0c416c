//! The workloads under criterion, all three models side by side: `cargo bench -p trefoil-bench`.
//!
//! Small sizes and short measurements: it is for a look at one change, and for criterion's
//! history. The comparison of the models is the program's, with runs in processes of their own.
#![forbid(unsafe_code)]

use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput, measurement::WallTime};
use trefoil::{Builder, Model, Runtime};

use trefoil_bench::order::Order;
use trefoil_bench::parameters::{Parameters, Weight};
use trefoil_bench::workloads::{self, Workload};

/// What is set for each workload, so that it takes some milliseconds.
const SIZES: &[(&str, &[&str])] = &[
    ("spawn_join", &["threads=200"]),
    ("spawn_batch", &["threads=200"]),
    ("skynet_channel", &["width=6", "depth=3"]),
    ("skynet_join", &["width=6", "depth=3"]),
    ("yield", &["yields=4000"]),
    ("ping_pong", &["rounds=500"]),
    ("timers_cancelled", &["rounds=500", "standing=100"]),
    ("ring", &["threads=50", "rounds=10"]),
    ("sieve", &["primes=50"]),
    ("mpmc", &["messages=5000"]),
    ("select", &["messages=5000"]),
    ("mutex", &["locks=5000"]),
    ("primes", &["limit=50000"]),
    ("fib", &["n=24", "cutoff=16"]),
    ("echo", &["connections=16", "requests=20"]),
    ("echo_compute", &["connections=16", "requests=20"]),
    ("echo_pipelined", &["connections=16", "requests=2"]),
    ("accept_churn", &["connections=16", "lives=5"]),
    ("idle_connections", &["idle=100", "requests=20"]),
    ("blocking", &["calls=8", "rounds=1", "milliseconds=1"]),
    ("parked", &["threads=200"]),
    ("sleepers", &["threads=200", "milliseconds=1"]),
    ("fairness", &["slice=1000", "milliseconds=5"]),
];

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300))
        .configure_from_args();
    for workload in workloads::ALL {
        let mut group = criterion.benchmark_group(workload.name);
        group.sampling_mode(SamplingMode::Flat);
        let order = order(workload);
        for model in Model::ALL {
            add(&mut group, workload, model, &order);
        }
        group.finish();
    }
    criterion.final_summary();
}

fn order(workload: &Workload) -> Order {
    let mut parameters = Parameters::defaults(workload.parameters, Weight::Light);
    let sizes = SIZES.iter().find(|(name, _)| *name == workload.name);
    let (_, pairs) = sizes.expect("each workload has a size");
    for pair in *pairs {
        parameters.set(pair).expect("each size can be set");
    }
    Order {
        parameters,
        program: env!("CARGO_BIN_EXE_trefoil-bench").into(),
    }
}

/// The time of one iteration is that of a whole run; the throughput is in operations.
fn add(
    group: &mut BenchmarkGroup<'_, WallTime>,
    workload: &'static Workload,
    model: Model,
    order: &Order,
) {
    let runtime = Builder::new().model(model).build();
    let runtime = runtime.expect("every model is compiled in");
    let (ops, _) = run(&runtime, workload, order);
    group.throughput(Throughput::Elements(ops));
    group.bench_function(model.name(), |bencher| {
        bencher.iter_custom(|iterations| {
            let times = (0..iterations).map(|_| run(&runtime, workload, order).1);
            times.sum()
        });
    });
}

/// Runs the workload once. A wrong result ends the benchmark.
fn run(runtime: &Runtime, workload: &'static Workload, order: &Order) -> (u64, Duration) {
    let order = order.clone();
    match runtime.run(move || (workload.run)(&order)) {
        Ok(measurement) => (measurement.ops, measurement.elapsed),
        Err(failure) => panic!("{}: {failure}", workload.name),
    }
}
