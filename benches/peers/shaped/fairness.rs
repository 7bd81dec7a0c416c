//! `fairness`, for libraries whose threads sleep and give way as those of `std` do.
#![forbid(unsafe_code)]

use super::StdShaped;
use crate::failure::Failure;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::workloads::fairness::{Hogs, Plan};

pub(super) fn fairness<L: StdShaped>(order: &Order) -> Result<Measurement, Failure> {
    let plan = Plan::begin(order);
    let watch = Stopwatch::start();
    let sleeper = L::spawn(move || plan.sleep_on(L::sleep));
    let hog = move || match plan.hogs {
        Hogs::Plain | Hogs::Learned => plan.compute_on(|| ()),
        Hogs::GiveWay => plan.compute_on(L::yield_now),
        Hogs::OnKernelThreads => L::block(move || plan.compute_on(|| ())),
    };
    let hogs: Vec<_> = (0..plan.threads).map(|_| L::spawn(hog)).collect();
    let computed: Result<Vec<_>, Failure> = hogs.into_iter().map(L::join).collect();
    plan.finish(watch, &computed?, L::join(sleeper)?)
}
