//! The servers of the echo workloads, for libraries whose streams block as those of `std` do.
#![forbid(unsafe_code)]

use std::io;
use std::sync::Arc;

use super::StdShaped;
use crate::client::Plan;
use crate::failure::Failure;
use crate::measurement::Measurement;
use crate::order::Order;
use crate::peers::echo::{drive, plan};
use crate::tally::Tally;
use crate::workloads::echo;

pub(super) fn serve<L: StdShaped>(workload: &str, order: &Order) -> Result<Measurement, Failure> {
    let plan = plan(workload, order);
    let (listener, address) = L::bind().map_err(Failure::io("bind"))?;
    let tally = Arc::new(Tally::default());
    let accepting = Arc::clone(&tally);
    // Nobody joins it, nor those that it starts: they report.
    drop(L::spawn(move || {
        accepting.stopped(accept::<L>(&listener, plan, &accepting))
    }));
    drive(order, plan, address, &tally)
}

fn accept<L: StdShaped>(listener: &L::Listener, plan: Plan, tally: &Arc<Tally>) -> io::Result<()> {
    for _ in 0..plan.opened() {
        let mut stream = L::accept(listener)?;
        tally.accepted();
        let tally = Arc::clone(tally);
        drop(L::spawn(move || {
            tally.ended(echo::answer_all(&mut stream, plan))
        }));
    }
    Ok(())
}
