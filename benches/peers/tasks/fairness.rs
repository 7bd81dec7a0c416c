//! `fairness`, for tasks.
#![forbid(unsafe_code)]

use super::{Outcome, Tasks};
use crate::measurement::Stopwatch;
use crate::order::Order;
use crate::workloads::fairness::{Computed, Hogs, Plan, Sleeps};

pub(super) async fn fairness<L: Tasks>(order: &Order) -> Outcome {
    let plan = Plan::begin(order);
    let watch = Stopwatch::start();
    let sleeper = L::spawn(sleep_on::<L>(plan));
    let hog = |_| match plan.hogs {
        Hogs::Plain | Hogs::Learned => L::spawn(async move { plan.compute_on(|| ()) }),
        Hogs::GiveWay => L::spawn(give_way::<L>(plan)),
        Hogs::OnKernelThreads => L::block(move || plan.compute_on(|| ())),
    };
    let hogs: Vec<_> = (0..plan.threads).map(hog).collect();
    let mut computed = Vec::new();
    for hog in hogs {
        computed.push(L::join(hog).await?);
    }
    plan.finish(watch, &computed, L::join(sleeper).await?)
}

async fn give_way<L: Tasks>(plan: Plan) -> Computed {
    let mut computed = Computed::default();
    loop {
        computed = plan.slice(computed);
        if plan.is_over() {
            return computed;
        }
        L::yield_now().await;
    }
}

async fn sleep_on<L: Tasks>(plan: Plan) -> Sleeps {
    let mut sleeps = plan.no_sleeps();
    while let Some(duration) = sleeps.next() {
        L::sleep(duration).await;
        sleeps.ended();
    }
    sleeps
}
