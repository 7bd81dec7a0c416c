//! The spawn sites of one runtime whose threads keep a worker from all others, and how many threads of them run
//! on kernel threads instead.
//!
//! Who tells it what:
//!
//! | who                                      | says                                   | where                       |
//! |------------------------------------------|----------------------------------------|-----------------------------|
//! | the monitor                              | [`stalled`](Hogs::stalled)             | `crates/worker/src/monitor.rs` |
//! | a spawn that leaves the model open       | [`admit`](Hogs::admit): is it to be moved? | `thread/moving.rs`      |
//! | a thread that ends                       | [`ran`](Hogs::ran), [`ran_moved`](Hogs::ran_moved) | the same        |
//!
//! What is a habit, and how it is forgotten, is in `habits.rs`. As long as no site of any runtime is suspected, a
//! spawn and the end of a thread each read one word of the process, which nobody writes then. It starts no thread.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::panic::Location;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::habits::{Change, Habits};
use crate::registry::ThreadInfo;
use crate::site::Site;

/// How many sites of all runtimes are suspected or learned.
static KNOWN: AtomicUsize = AtomicUsize::new(0);

/// Whether there is anything to ask a runtime's [`Hogs`] about.
#[inline]
pub(crate) fn are_known() -> bool {
    // Relaxed: a hint. A spawn that does not see it yet is one that came before.
    KNOWN.load(Ordering::Relaxed) != 0
}

/// What is known of the threads that keep the workers of one runtime.
#[derive(Debug)]
pub struct Hogs {
    habits: Habits,
    /// So many threads at once are moved.
    most: usize,
    moved: AtomicUsize,
    /// A stretch as long is a stall.
    limit: Duration,
    places: Mutex<HashMap<&'static Location<'static>, Place>>,
}

/// What is told of one place.
#[derive(Debug, Default)]
struct Place {
    /// Those that were learned, and may have been forgotten.
    sites: Vec<Site>,
    moved: u64,
}

impl Hogs {
    /// Nothing is known. `most` threads at once may be moved; one that does not let others run for `limit` stalls.
    #[must_use]
    pub fn new(most: usize, limit: Duration) -> Arc<Hogs> {
        Arc::new(Hogs {
            habits: Habits::new(),
            most,
            moved: AtomicUsize::new(0),
            limit,
            places: Mutex::default(),
        })
    }

    /// A thread has kept its worker from all others for the limit. `true`: its site has been learned just now.
    pub fn stalled(&self, thread: &ThreadInfo) -> bool {
        let (Some(site), Some(place)) = (thread.site, thread.spawned_at) else {
            return false;
        };
        let learned = match self.habits.stalled(site.number()) {
            Change::Learned => true,
            change => {
                count(change);
                false
            }
        };
        if learned {
            let mut places = self.places();
            let sites = &mut places.entry(place).or_default().sites;
            if !sites.contains(&site) {
                sites.push(site);
            }
        }
        learned
    }

    /// Of the threads that this place spawns: whether later ones start on kernel threads, and how many have.
    #[must_use]
    pub fn at(&self, place: &'static Location<'static>) -> (bool, u64) {
        let places = self.places();
        let Some(place) = places.get(place) else {
            return (false, 0);
        };
        let mut sites = place.sites.iter();
        let learned = sites.any(|site| self.habits.is_learned(site.number()));
        (learned, place.moved)
    }

    /// Whether a thread of this site, which is about to start, is to be moved. If so it is counted.
    pub(crate) fn admit(&self, site: Site) -> bool {
        let count = |moved| (moved < self.most).then_some(moved + 1);
        // Relaxed, here and where it is lowered: only the number counts.
        self.habits.is_learned(site.number())
            && self
                .moved
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, count)
                .is_ok()
    }

    /// A thread that was admitted has got its kernel thread.
    pub(crate) fn note_moved(&self, place: Option<&'static Location<'static>>) {
        if let Some(place) = place {
            self.places().entry(place).or_default().moved += 1;
        }
    }

    /// A thread that was admitted runs no more, or does not run on a kernel thread after all.
    pub(crate) fn leave(&self) {
        self.moved.fetch_sub(1, Ordering::Relaxed);
    }

    /// A thread of this site has ended on its worker.
    pub(crate) fn ran(&self, site: Site) {
        count(self.habits.ran(site.number()));
    }

    /// One that was moved has ended. Its longest stretch was so long.
    pub(crate) fn ran_moved(&self, site: Site, longest: Duration) {
        let would_stall = longest >= self.limit;
        count(self.habits.ran_moved(site.number(), would_stall));
    }

    /// What is guarded is whole at all times.
    fn places(&self) -> MutexGuard<'_, HashMap<&'static Location<'static>, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        KNOWN.fetch_sub(self.habits.len(), Ordering::Relaxed);
    }
}

fn count(change: Change) {
    match change {
        Change::Nothing | Change::Learned => {}
        Change::Suspected => {
            KNOWN.fetch_add(1, Ordering::Relaxed);
        }
        Change::Forgotten => {
            KNOWN.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
