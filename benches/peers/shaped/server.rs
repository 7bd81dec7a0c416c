//! The servers of the echo workloads, for libraries whose streams block as those of `std` do.
#![forbid(unsafe_code)]

use std::io;

use super::StdShaped;
use crate::failure::Failure;
use crate::measurement::Measurement;
use crate::order::Order;
use crate::peers::echo::{drive, plan};
use crate::workloads::echo;

/// The thread of a connection.
type Handler<L> = <L as StdShaped>::Handle<io::Result<u64>>;

pub(super) fn serve<L: StdShaped>(workload: &str, order: &Order) -> Result<Measurement, Failure> {
    let plan = plan(workload, order);
    let (listener, address) = L::bind().map_err(Failure::io("bind"))?;
    let accept_one = move |_| {
        let mut stream = L::accept(&listener)?;
        Ok(L::spawn(move || echo::answer_all(&mut stream, plan)))
    };
    let acceptor = L::spawn(move || {
        let handlers: io::Result<Vec<_>> = (0..plan.connections).map(accept_one).collect();
        handlers
    });
    let accepted = || L::join(acceptor)?.map_err(Failure::io("accept"));
    let ended = |handlers: Vec<Handler<L>>| {
        let served = |handler: Handler<L>| L::join(handler)?.map_err(Failure::io("answer"));
        handlers.into_iter().map(served).sum()
    };
    drive(order, plan, address, accepted, ended)
}
