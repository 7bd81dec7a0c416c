//! Waits for room with somebody else, which no event of the own descriptor tells of.
//!
//! | who has no room                    | what tells that there is some                       |
//! |------------------------------------|-----------------------------------------------------|
//! | a listener whose queue is full     | nothing: the attempt is made again after a pause    |
//! | a receiver whose queue is full, to | another socket, which is connected to the receiver: |
//! | whom the sender is not connected   | the kernel reports it writable when there is room   |
//! | the sender's buffer                | its own descriptor, if it is connected to nobody    |
//!
//! A sender that is connected is told by its own descriptor, and never comes here.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::AsFd as _;
use std::time::Duration;

use socket2::{Domain, SockAddr, Type};
use trefoil_runtime::{Interest, Source, Wait};

use crate::handle::Handle;
use crate::pause::Pauses;
use crate::socket;

/// The pauses between attempts to connect: from the first to the longest, each twice the last.
const FIRST: Duration = Duration::from_micros(100);
const LONGEST: Duration = Duration::from_millis(10);

/// Repeats an attempt that nobody tells when to repeat, as `wait` says.
pub(super) fn insist<T>(wait: &Wait, mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut pauses = Pauses::new(FIRST, LONGEST);
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => pauses.rest(wait)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Waits until there may be room for a message of `sender`, after one that would have blocked.
pub(super) fn at_receiver(sender: &Handle, receiver: &SockAddr, wait: &Wait) -> io::Result<()> {
    let probe = socket::new(Domain::UNIX, Type::DGRAM, None)?;
    match probe.connect(receiver) {
        Ok(()) if socket::writable(probe.as_fd()).is_ok() => in_own_buffer(sender, wait),
        Ok(()) => ready(&Source::from_nonblocking(probe.into()), wait),
        // It receives from one socket only, and from that one as long as its buffer has room.
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => in_own_buffer(sender, wait),
        Err(error) => Err(error),
    }
}

/// Messages that nobody has received yet fill the sender's buffer.
fn in_own_buffer(sender: &Handle, wait: &Wait) -> io::Result<()> {
    if sender.socket().peer_addr().is_ok() {
        // Its descriptor tells of room with its peer, who is somebody else.
        return Pauses::new(LONGEST, LONGEST).rest(wait);
    }
    ready(&sender.source, wait)
}

fn ready(source: &Source, wait: &Wait) -> io::Result<()> {
    source.io(Interest::Write, wait, |()| false, socket::writable)
}
