//! The servers of the echo workloads, as tasks.
#![forbid(unsafe_code)]

use std::io;
use std::sync::Arc;

use super::{Outcome, Tasks};
use crate::client::Plan;
use crate::failure::Failure;
use crate::order::Order;
use crate::peers::echo::{drive, plan};
use crate::tally::Tally;
use crate::workloads::echo::Requests;

pub(super) async fn serve<L: Tasks>(workload: &str, order: Order) -> Outcome {
    let plan = plan(workload, &order);
    let (listener, address) = L::bind().await.map_err(Failure::io("bind"))?;
    let tally = Arc::new(Tally::default());
    let accepting = Arc::clone(&tally);
    let accept = L::spawn(async move {
        accepting.stopped(accept::<L>(listener, plan, &accepting).await);
    });
    let drive = L::block(move || drive(&order, plan, address, &tally));
    let outcome = L::join(drive).await?;
    // Of those that answer nobody has a handle: they report.
    L::join(accept).await?;
    outcome
}

async fn accept<L: Tasks>(listener: L::Listener, plan: Plan, tally: &Arc<Tally>) -> io::Result<()> {
    for _ in 0..plan.opened() {
        let stream = L::accept(&listener).await?;
        tally.accepted();
        let tally = Arc::clone(tally);
        L::detach(L::spawn(async move {
            tally.ended(answer_all::<L>(stream, plan).await);
        }));
    }
    Ok(())
}

async fn answer_all<L: Tasks>(mut stream: L::Stream, plan: Plan) -> io::Result<u64> {
    let mut requests = Requests::new(plan);
    loop {
        match L::read(&mut stream, requests.room()).await? {
            0 => return requests.end(),
            count => {
                if let Some(answers) = requests.answer(count) {
                    L::write_all(&mut stream, answers).await?;
                }
            }
        }
    }
}
