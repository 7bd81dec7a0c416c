//! The servers of the echo workloads, as tasks.
#![forbid(unsafe_code)]

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::task::{self, JoinHandle};

use super::{Outcome, joined};
use crate::client::Plan;
use crate::failure::Failure;
use crate::order::Order;
use crate::peers::echo::{drive, plan};
use crate::workloads::echo_compute::digest;

type Handler = JoinHandle<io::Result<u64>>;

pub(super) async fn serve(workload: &str, order: Order) -> Outcome {
    let plan = plan(workload, &order);
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.map_err(Failure::io("bind"))?;
    let address = listener.local_addr().map_err(Failure::io("bind"))?;
    let acceptor = tokio::spawn(accept(listener, plan));
    let handle = Handle::current();
    let accepted = async { joined(acceptor).await?.map_err(Failure::io("accept")) };
    let driver = task::spawn_blocking(move || {
        let accepted = || handle.block_on(accepted);
        let ended = |handlers| handle.block_on(served(handlers));
        drive(&order, plan, address, accepted, ended)
    });
    joined(driver).await?
}

async fn accept(listener: TcpListener, plan: Plan) -> io::Result<Vec<Handler>> {
    let mut handlers = Vec::new();
    for _ in 0..plan.connections {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        handlers.push(tokio::spawn(answer_all(stream, plan)));
    }
    Ok(handlers)
}

async fn served(handlers: Vec<Handler>) -> Result<u64, Failure> {
    let mut served = 0;
    for handler in handlers {
        served += joined(handler).await?.map_err(Failure::io("answer"))?;
    }
    Ok(served)
}

async fn answer_all(mut stream: TcpStream, plan: Plan) -> io::Result<u64> {
    let mut request = vec![0; plan.size as usize];
    let mut served = 0;
    while read_request(&mut stream, &mut request).await? {
        match plan.work {
            0 => stream.write_all(&request).await?,
            work => {
                let digest = digest(&request, work);
                stream.write_all(&digest.to_le_bytes()).await?;
            }
        }
        served += 1;
    }
    Ok(served)
}

/// `false`: there is no further request.
async fn read_request(stream: &mut TcpStream, request: &mut [u8]) -> io::Result<bool> {
    let mut received = 0;
    while received < request.len() {
        match stream.read(&mut request[received..]).await? {
            0 if received == 0 => return Ok(false),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => received += count,
        }
    }
    Ok(true)
}
