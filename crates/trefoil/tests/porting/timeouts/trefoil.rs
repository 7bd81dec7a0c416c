use std::time::Duration;
use trefoil::channel::{RecvTimeoutError, after, bounded, select};

/// What comes late, and what does not come: by method, by `select!`, and by a channel of time.
pub(crate) fn program() -> Vec<&'static str> {
    let (sender, receiver) = bounded::<u32>(1);
    let mut heard = Vec::new();
    let short = Duration::from_millis(5);
    if receiver.recv_timeout(short) == Err(RecvTimeoutError::Timeout) {
        heard.push("no message");
    }
    sender.send(1).unwrap();
    select! {
        send(sender, 2) -> _ => heard.push("room for a second one"),
        default(short) => heard.push("no room"),
    }
    select! {
        recv(receiver) -> message => heard.push(if message == Ok(1) { "one" } else { "what?" }),
        recv(after(Duration::from_secs(60))) -> _ => heard.push("a minute"),
    }
    drop(sender);
    select! {
        recv(receiver) -> message => heard.push(if message.is_err() { "the end" } else { "what?" }),
        default => heard.push("nothing"),
    }
    heard
}
