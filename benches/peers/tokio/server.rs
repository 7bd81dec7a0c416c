//! The servers of the echo workloads, as tasks.
#![forbid(unsafe_code)]

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task;

use super::{Outcome, joined};
use crate::client::Plan;
use crate::failure::Failure;
use crate::order::Order;
use crate::peers::echo::{drive, plan};
use crate::tally::Tally;
use crate::workloads::echo::Requests;

pub(super) async fn serve(workload: &str, order: Order) -> Outcome {
    let plan = plan(workload, &order);
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.map_err(Failure::io("bind"))?;
    let address = listener.local_addr().map_err(Failure::io("bind"))?;
    let tally = Arc::new(Tally::default());
    let accepting = Arc::clone(&tally);
    tokio::spawn(async move { accepting.stopped(accept(listener, plan, &accepting).await) });
    joined(task::spawn_blocking(move || {
        drive(&order, plan, address, &tally)
    }))
    .await?
}

async fn accept(listener: TcpListener, plan: Plan, tally: &Arc<Tally>) -> io::Result<()> {
    for _ in 0..plan.opened() {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tally.accepted();
        let tally = Arc::clone(tally);
        tokio::spawn(async move { tally.ended(answer_all(stream, plan).await) });
    }
    Ok(())
}

async fn answer_all(mut stream: TcpStream, plan: Plan) -> io::Result<u64> {
    let mut requests = Requests::new(plan);
    loop {
        match stream.read(requests.room()).await? {
            0 => return requests.end(),
            count => {
                if let Some(answers) = requests.answer(count) {
                    stream.write_all(answers).await?;
                }
            }
        }
    }
}
