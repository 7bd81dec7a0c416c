//! Connections by TCP, and datagrams: orderly ones, and those that end in other ways.
//!
//! Who accepts is the turn's own thread, so that a listener is gone when the turn is unwound, and no client
//! waits for it for ever.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use trefoil::io::{Read as _, Write as _};
use trefoil::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use trefoil::thread;
use trefoil::time::timeout;

use super::threads::{self, Handle};
use crate::dice::Dice;
use crate::ledger::{Account, Open, Outcome};
use crate::world::World;

/// A client that has found no port does not come.
const PATIENCE: Duration = Duration::from_secs(2);

/// Listens on one of many addresses of this machine, so that ports do not run out.
fn listen(dice: &mut Dice) -> Option<(TcpListener, SocketAddr)> {
    let host = [127, 0, dice.below(200) as u8, 1 + dice.below(200) as u8];
    let listener = TcpListener::bind(SocketAddr::from((host, 0))).ok()?;
    let address = listener.local_addr().expect("it is bound");
    Some((listener, address))
}

/// Both ends of a connection, the client's with a thread of its own.
fn meet(
    dice: &mut Dice,
    client: impl FnOnce(TcpStream) + Send + 'static,
) -> Option<(TcpStream, Handle<()>)> {
    let (listener, address) = listen(dice)?;
    let client = threads::spawn(move || {
        let request = Open::new(Account::Requests).or(Outcome::Unwound);
        match TcpStream::connect(address) {
            Ok(stream) => {
                client(stream);
                request.close(Outcome::Done);
            }
            Err(_) => request.close(Outcome::Refused),
        }
    })?;
    match timeout(PATIENCE, || listener.accept()) {
        Ok(Ok((stream, _))) => Some((stream, client)),
        _ => {
            drop(listener);
            client.join();
            None
        }
    }
}

/// Sends back what comes, until the other side is done.
pub(super) fn echo(stream: &mut (impl io::Read + io::Write)) -> io::Result<u64> {
    let mut buffer = [0; 4096];
    let mut all = 0;
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(all),
            read => stream.write_all(&buffer[..read])?,
        }
        all += 1;
    }
}

/// Asks so many times, and compares. An error is the server's end: it is unwound perhaps.
pub(super) fn ask(stream: &mut (impl io::Read + io::Write), dice: &mut Dice) -> io::Result<()> {
    for _ in 0..=dice.below(10) {
        let request = vec![dice.below(256) as u8; 1 + dice.below(5000) as usize];
        stream.write_all(&request)?;
        let mut answer = vec![0; request.len()];
        stream.read_exact(&mut answer)?;
        assert!(answer == request, "an answer is its request");
    }
    Ok(())
}

pub(super) fn tcp(_: &Arc<World>, dice: &mut Dice) {
    let mut own = dice.branch();
    let met = meet(dice, move |mut stream| drop(ask(&mut stream, &mut own)));
    if let Some((mut stream, client)) = met {
        drop(echo(&mut stream));
        drop(stream);
        client.join();
    }
}

/// All is written, this direction is shut down, and the number of bytes comes back.
pub(super) fn half_closed(_: &Arc<World>, dice: &mut Dice) {
    let size = dice.below(400_000) as usize;
    let met = meet(dice, move |mut stream| {
        let sent = stream.write_all(&vec![7; size]).is_ok();
        let shut = stream.shutdown(Shutdown::Write).is_ok();
        let mut answer = [0; 8];
        if sent && shut && stream.read_exact(&mut answer).is_ok() {
            assert_eq!(u64::from_le_bytes(answer), size as u64, "all bytes came");
        }
    });
    if let Some((mut stream, client)) = met {
        let mut all = Vec::new();
        if stream.read_to_end(&mut all).is_ok() {
            drop(stream.write_all(&(all.len() as u64).to_le_bytes()));
        }
        drop(stream);
        client.join();
    }
}

/// The client goes in the middle, and leaves a reset behind.
pub(super) fn reset(_: &Arc<World>, dice: &mut Dice) {
    let mut own = dice.branch();
    let met = meet(dice, move |mut stream| {
        stream.set_linger(Some(Duration::ZERO)).expect("an option");
        drop(stream.write_all(&[1; 1000]));
        if own.once_in(2) {
            drop(stream.read(&mut [0; 500]));
        }
    });
    if let Some((mut stream, client)) = met {
        drop(echo(&mut stream));
        client.join();
    }
}

/// A thread reads from a connection on which nothing comes, until another one shuts it down.
pub(super) fn closed_by_another(_: &Arc<World>, dice: &mut Dice) {
    let pause = dice.moment(Duration::from_millis(1));
    let met = meet(dice, |mut stream| {
        let read = stream.read(&mut [0; 10]);
        assert!(!matches!(read, Ok(1..)), "nobody sends anything");
    });
    let Some((mut stream, client)) = met else {
        return;
    };
    let Ok(other) = stream.try_clone() else {
        return;
    };
    let closer = threads::spawn(move || {
        thread::sleep(pause);
        drop(other.shutdown(Shutdown::Both));
    });
    if closer.is_some() {
        drop(stream.read(&mut [0; 10]));
    }
    drop(stream);
    for thread in closer.into_iter().chain([client]) {
        thread.join();
    }
}

pub(super) fn nobody_listens(_: &Arc<World>, dice: &mut Dice) {
    let Some((listener, address)) = listen(dice) else {
        return;
    };
    drop(listener);
    // Somebody else may have got the port meanwhile.
    drop(TcpStream::connect_timeout(
        &address,
        Duration::from_millis(5),
    ));
}

pub(super) fn datagrams(_: &Arc<World>, dice: &mut Dice) {
    let here = SocketAddr::from(([127, 0, 0, 1], 0));
    let (Ok(one), Ok(other)) = (UdpSocket::bind(here), UdpSocket::bind(here)) else {
        return;
    };
    let wait = Duration::from_micros(1 + dice.below(1000));
    let patient = other.set_read_timeout(Some(wait));
    patient.expect("a time above zero");
    let address = other.local_addr().expect("it is bound");
    for number in 0..dice.below(4) as u8 {
        // It may be dropped on its way, as datagrams are; but it comes whole.
        if one.send_to(&[number; 99], address).is_ok() {
            let mut heard = [0; 200];
            if let Ok((length, _)) = other.recv_from(&mut heard) {
                assert_eq!(length, 99);
            }
        }
    }
    let nothing = other.recv_from(&mut [0; 9]);
    drop(nothing);
}
