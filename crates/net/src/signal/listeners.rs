//! Who listens to which signal, and the OS thread that tells them.
//!
//! The handler is signal-hook's: it sets a flag and writes a byte into a socket. The OS thread reads it, looks
//! which flags are set, and sends to the listeners' channels, which a handler must not do.
//!
//! The OS thread comes with the first listener and ends with the last. It may still have signals in hand then,
//! that came before a later listener did: so each has a number, and only the current one tells.
#![forbid(unsafe_code)]

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use signal_hook::iterator::{Handle, Signals};
use trefoil_runtime::launch;
use trefoil_sync::channel::{Receiver, Sender, bounded};

use super::kind::SignalKind;

/// Held for a moment, and while the OS thread is started.
static LISTENERS: Mutex<Listeners> = Mutex::new(Listeners {
    ear: None,
    listeners: Vec::new(),
    last: 0,
});

struct Listeners {
    ear: Option<Ear>,
    listeners: Vec<Listener>,
    /// The number that was given last, to a listener or an ear.
    last: u64,
}

/// The OS thread.
struct Ear {
    number: u64,
    handle: Handle,
}

struct Listener {
    number: u64,
    kind: SignalKind,
    sender: Sender<SignalKind>,
}

fn listeners() -> MutexGuard<'static, Listeners> {
    LISTENERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds a listener: its number, and where it receives.
pub(super) fn add(kind: SignalKind) -> io::Result<(u64, Receiver<SignalKind>)> {
    let mut listeners = listeners();
    let added = listeners.add(kind);
    listeners.close_if_unused();
    added
}

/// Takes a listener out.
pub(super) fn remove(number: u64) {
    let mut listeners = listeners();
    listeners.listeners.retain(|it| it.number != number);
    listeners.close_if_unused();
}

impl Listeners {
    fn add(&mut self, kind: SignalKind) -> io::Result<(u64, Receiver<SignalKind>)> {
        self.ear()?.handle.add_signal(kind.as_raw_value())?;
        // What comes before it is listed waits for the lock, and is told.
        let (sender, receiver) = bounded(1);
        let number = self.number();
        self.listeners.push(Listener {
            number,
            kind,
            sender,
        });
        Ok((number, receiver))
    }

    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// The OS thread, which is started if there is none.
    fn ear(&mut self) -> io::Result<&Ear> {
        let ear = match self.ear.take() {
            Some(ear) => ear,
            None => {
                let signals = Signals::new(std::iter::empty::<i32>())?;
                let (number, handle) = (self.number(), signals.handle());
                launch("trefoil-signal", None, (number, signals), listen)
                    .map_err(|(_, refused)| refused)?;
                Ear { number, handle }
            }
        };
        Ok(self.ear.insert(ear))
    }

    fn close_if_unused(&mut self) {
        if self.listeners.is_empty()
            && let Some(ear) = self.ear.take()
        {
            ear.handle.close();
        }
    }

    fn tell(&self, ear: u64, kind: SignalKind) {
        if self
            .ear
            .as_ref()
            .is_none_or(|current| current.number != ear)
        {
            return;
        }
        for listener in self.listeners.iter().filter(|it| it.kind == kind) {
            // If it has one already, this one is joined with it.
            let _ = listener.sender.try_send(kind);
        }
    }
}

/// The life of the OS thread.
fn listen((number, mut signals): (u64, Signals)) {
    for signal in signals.forever() {
        listeners().tell(number, SignalKind::from_raw(signal));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::SIGUSR2;

    /// An OS thread that is about to end may have a signal in hand.
    #[test]
    fn only_the_current_one_tells() {
        let (number, receiver) = add(SIGUSR2).unwrap();
        let current = listeners().ear.as_ref().unwrap().number;
        listeners().tell(current - 1, SIGUSR2);
        assert!(receiver.is_empty());
        listeners().tell(current, SIGUSR2);
        assert_eq!(receiver.recv(), Ok(SIGUSR2));
        remove(number);
        assert!(receiver.recv().is_err());
    }
}
