//! What the actors of one round share, on whatever runtime they are: channels, locks, a directory.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use trefoil::channel::{Receiver, Sender, bounded, unbounded};
use trefoil::sync::{CancellationToken, Condvar, Mutex, RwLock, Semaphore};

use crate::ledger::{Account, Open, Outcome};

/// Of the semaphore.
const PERMITS: usize = 3;

/// A message, which counts what becomes of it.
#[derive(Debug)]
pub(crate) struct Message(Open);

impl Message {
    pub(crate) fn new() -> Message {
        Message(Open::new(Account::Messages))
    }

    pub(crate) fn receive(self) {
        self.0.close(Outcome::Done);
    }
}

pub(crate) type Ends = (Sender<Message>, Receiver<Message>);

#[derive(Debug)]
pub(crate) struct World {
    over: AtomicBool,
    /// With room for some, for all, and for none.
    pub(crate) channels: [Ends; 3],
    /// How often it was locked, less once for who holds it.
    pub(crate) mutex: Mutex<u64>,
    pub(crate) locked: AtomicU64,
    pub(crate) tickets: (Mutex<VecDeque<Message>>, Condvar),
    /// Two numbers that are the same for whoever reads.
    pub(crate) rwlock: RwLock<[u64; 2]>,
    pub(crate) semaphore: Arc<Semaphore>,
    pub(crate) held: AtomicU64,
    pub(crate) token: CancellationToken,
    directory: PathBuf,
    names: AtomicU64,
    /// How many runtimes may still be made inside of this one at the same time.
    pub(crate) runtimes: Semaphore,
}

impl World {
    pub(crate) fn new(directory: PathBuf) -> World {
        World {
            over: AtomicBool::new(false),
            channels: [bounded(4), unbounded(), bounded(0)],
            mutex: Mutex::new(0),
            locked: AtomicU64::new(0),
            tickets: (Mutex::default(), Condvar::new()),
            rwlock: RwLock::new([0; 2]),
            semaphore: Arc::new(Semaphore::new(PERMITS)),
            held: AtomicU64::new(0),
            token: CancellationToken::new(),
            directory,
            names: AtomicU64::new(0),
            runtimes: Semaphore::new(2),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// A name that no file has.
    pub(crate) fn path(&self) -> PathBuf {
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        self.directory.join(number.to_string())
    }

    /// A directory of its own for a world inside of this one.
    pub(crate) fn room(&self) -> PathBuf {
        let room = self.path();
        std::fs::create_dir(&room).expect("a directory can be made");
        room
    }

    pub(crate) fn most_permits(&self) -> u64 {
        PERMITS as u64
    }

    /// When nobody uses it any more: what does not add up.
    pub(crate) fn wrong(self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut expect = |what: &str, is: u64, should: u64| {
            if is != should {
                wrong.push(format!("{what}: {is} instead of {should}"));
            }
        };
        let locked = self.locked.into_inner();
        match self.mutex.into_inner() {
            Ok(counted) => expect("times that the mutex was locked", counted, locked),
            Err(_) => expect("panics with the mutex", 1, 0),
        }
        expect(
            "permits",
            self.semaphore.available_permits() as u64,
            PERMITS as u64,
        );
        expect("permits in use", self.held.into_inner(), 0);
        // It can be removed if nothing is in it.
        let removed = std::fs::remove_dir(&self.directory);
        expect("files that are left", u64::from(removed.is_err()), 0);
        wrong
    }
}
