//! Deadlines: a hierarchical timer wheel that keeps them exactly.
//!
//! A worker owns one `Wheel`, inserts a timer when a thread begins to wait with a timeout, and
//! cancels it when the wait ends otherwise, which is the usual case. It reads no clock: `expire`
//! is told the time, which may be virtual. It wakes nobody.
//!
//! Time is counted in ticks of 2^16 ns (65.5 us) since the wheel was made. A timer waits in one of
//! three kinds of place:
//!
//! ```text
//! its tick is        place                             order within
//! reached            `soon`, a heap                    exact: (deadline, insertion)
//! to come            a bucket of 8 levels x 64         none: a list
//! 584 years ahead    the last bucket of the last level none: a list
//! ```
//!
//! The level of a timer is the highest group of six bits in which its tick differs from `reached`,
//! the last tick that `expire` was told of; the bucket is what that group says. Three facts follow:
//!
//! 1. All timers of a level are due before all timers of the next, and all timers of a bucket
//!    before those of the next bucket. The earliest is in the heap, else in the first occupied
//!    bucket of the lowest occupied level.
//! 2. While `reached` stays before the start of a bucket, the timers in it are placed rightly: the
//!    higher groups of `reached` do not change.
//! 3. When `reached` comes into a bucket, the timers in it move to a lower level or to the heap. A
//!    timer moves at most eight times, and one that is cancelled early never does.
//!
//! The heap is what makes expiry exact and ordered. Only timers of one tick are usually in it. A
//! cancelled one leaves its heap entry behind, which is dropped when it comes to the top, or when
//! such entries are the majority. A scan of the current bucket instead would be quadratic for many
//! timers in one tick under a virtual clock, that stops at every one of them.

#![forbid(unsafe_code)]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::num::NonZeroU64;
use std::time::Instant;

use crate::slab::{NIL, Slab};

/// A tick is 2^16 ns: the grain of the buckets, not of the deadlines.
const TICK_BITS: u32 = 16;
/// Six bits of a tick choose the bucket, so that a level's occupancy is one word.
const GROUP_BITS: u32 = 6;
const BUCKETS: usize = 1 << GROUP_BITS;
/// Eight groups cover the 48 bits of a tick.
const LEVELS: usize = 8;
const _: () = assert!(LEVELS as u32 * GROUP_BITS + TICK_BITS == u64::BITS);

/// Names one timer of one wheel.
///
/// It stays harmless when the timer has expired or was cancelled: no later timer has the same.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
/// use trefoil_reactor::{TimerId, Wheel};
///
/// let now = Instant::now();
/// let mut wheel = Wheel::new(now);
/// let id: TimerId = wheel.insert(now + Duration::from_secs(1), "timeout");
/// assert_eq!(wheel.cancel(id), Some("timeout"));
/// assert_eq!(wheel.cancel(id), None);
/// # assert_eq!(size_of::<Option<TimerId>>(), 16);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TimerId {
    slot: u32,
    /// The timer's number in the order of insertion. It tells tenants of the slot apart, and
    /// decides between equal deadlines.
    number: NonZeroU64,
}

impl TimerId {
    /// The name as two numbers, for who passes it on as such.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    /// use trefoil_reactor::{TimerId, Wheel};
    ///
    /// let mut wheel = Wheel::new(Instant::now());
    /// let (slot, number) = wheel.insert(Instant::now(), "timeout").into_parts();
    /// assert_eq!(wheel.cancel(TimerId::from_parts(slot, number)), Some("timeout"));
    /// ```
    pub fn into_parts(self) -> (u32, NonZeroU64) {
        (self.slot, self.number)
    }

    /// The name that consists of these numbers. One that was never given names no timer.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::num::NonZeroU64;
    /// use std::time::Instant;
    /// use trefoil_reactor::{TimerId, Wheel};
    ///
    /// let mut wheel = Wheel::<()>::new(Instant::now());
    /// assert_eq!(wheel.cancel(TimerId::from_parts(7, NonZeroU64::MIN)), None);
    /// ```
    pub fn from_parts(slot: u32, number: NonZeroU64) -> TimerId {
        TimerId { slot, number }
    }
}

/// Where a node waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Soon,
    Bucket { level: u8, index: u8 },
}

struct Node<K> {
    key: K,
    deadline: Instant,
    number: NonZeroU64,
    place: Place,
    // Neighbours in the bucket's list; meaningless in the heap.
    previous: u32,
    next: u32,
}

/// A heap entry. The order of the fields is the order of expiry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Soon {
    deadline: Instant,
    number: NonZeroU64,
    slot: u32,
}

#[derive(Clone, Copy)]
struct Bucket {
    first: u32,
    /// No timer in the bucket is due before this. One that was cancelled may have set it.
    earliest: Instant,
}

struct Level {
    /// Bit `i` is set while bucket `i` has a timer.
    occupied: u64,
    buckets: [Bucket; BUCKETS],
}

/// Timers by deadline; one per worker.
///
/// Inserting and cancelling cost the same however many timers there are (a timer due within the
/// current tick of 65 us enters a heap of such timers), and allocate nothing while the number of
/// timers stays below its past maximum. `K` is what the caller gets back.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
/// use trefoil_reactor::Wheel;
///
/// let start = Instant::now();
/// let at = |ms| start + Duration::from_millis(ms);
/// let mut wheel = Wheel::new(start);
/// wheel.insert(at(20), "second");
/// wheel.insert(at(10), "first");
/// let timeout = wheel.insert(at(15), "never");
/// wheel.cancel(timeout);
///
/// assert_eq!(wheel.next_deadline(), Some(at(10)));
/// let mut due = Vec::new();
/// wheel.expire(at(30), &mut due);
/// assert_eq!(due, ["first", "second"]);
/// assert!(wheel.is_empty());
/// ```
pub struct Wheel<K> {
    origin: Instant,
    /// The last tick that `expire` was told of. All timers of ticks up to it are in `soon`.
    reached: u64,
    next_number: NonZeroU64,
    nodes: Slab<Node<K>>,
    soon: BinaryHeap<Reverse<Soon>>,
    /// Entries of `soon` whose timer was cancelled. The topmost never is one.
    stale: usize,
    levels: Box<[Level; LEVELS]>,
}

impl<K> Wheel<K> {
    /// An empty wheel whose time begins at `now`. Earlier deadlines are allowed, and due at once.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    /// use trefoil_reactor::Wheel;
    ///
    /// let wheel = Wheel::<u32>::new(Instant::now());
    /// assert_eq!(wheel.next_deadline(), None);
    /// ```
    pub fn new(now: Instant) -> Self {
        let empty = Bucket {
            first: NIL,
            earliest: now,
        };
        let level = || Level {
            occupied: 0,
            buckets: [empty; BUCKETS],
        };
        Wheel {
            origin: now,
            reached: 0,
            next_number: NonZeroU64::MIN,
            nodes: Slab::new(),
            soon: BinaryHeap::new(),
            stale: 0,
            levels: Box::new(std::array::from_fn(|_| level())),
        }
    }

    /// How many timers wait.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    /// use trefoil_reactor::Wheel;
    ///
    /// let mut wheel = Wheel::new(Instant::now());
    /// wheel.insert(Instant::now(), ());
    /// assert_eq!(wheel.len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether no timer waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    /// use trefoil_reactor::Wheel;
    ///
    /// let mut wheel = Wheel::new(Instant::now());
    /// assert!(wheel.is_empty());
    /// let id = wheel.insert(Instant::now(), ());
    /// assert!(!wheel.is_empty());
    /// wheel.cancel(id);
    /// assert!(wheel.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a timer. Any deadline is allowed: one that has passed is due at the next
    /// [`expire`](Wheel::expire).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use trefoil_reactor::Wheel;
    ///
    /// let now = Instant::now();
    /// let mut wheel = Wheel::new(now);
    /// wheel.insert(now + Duration::from_secs(3600), "in an hour");
    /// wheel.insert(now - Duration::from_nanos(1), "a moment ago");
    /// let mut due = Vec::new();
    /// wheel.expire(now, &mut due);
    /// assert_eq!(due, ["a moment ago"]);
    /// ```
    pub fn insert(&mut self, deadline: Instant, key: K) -> TimerId {
        let number = self.next_number;
        self.next_number = number.saturating_add(1);
        let slot = self.nodes.insert(Node {
            key,
            deadline,
            number,
            place: Place::Soon,
            previous: NIL,
            next: NIL,
        });
        self.place(slot, self.reached);
        TimerId { slot, number }
    }

    /// Takes a timer out before it is due. `None` when it has expired or was cancelled.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    /// use trefoil_reactor::Wheel;
    ///
    /// let now = Instant::now();
    /// let mut wheel = Wheel::new(now);
    /// let id = wheel.insert(now, 'a');
    /// wheel.expire(now, &mut Vec::new());
    /// assert_eq!(wheel.cancel(id), None);
    /// ```
    pub fn cancel(&mut self, id: TimerId) -> Option<K> {
        if !self.waits(id) {
            return None;
        }
        let node = self.nodes.remove(id.slot)?;
        match node.place {
            Place::Bucket { level, index } => self.unlink(&node, level, index),
            Place::Soon => {
                self.stale += 1;
                self.tidy_soon();
            }
        }
        Some(node.key)
    }

    /// When to look again: no timer is due before. `None` when none waits.
    ///
    /// It is the earliest deadline, with one exception: when the earliest timer of a bucket was
    /// cancelled, its deadline may still be given. An [`expire`](Wheel::expire) at that time then
    /// finds nothing, and the next answer is later; so a bucket costs one idle round at most.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use trefoil_reactor::Wheel;
    ///
    /// let now = Instant::now();
    /// let mut wheel = Wheel::new(now);
    /// wheel.insert(now + Duration::from_secs(9), ());
    /// wheel.insert(now + Duration::from_nanos(7_000_001), ());
    /// assert_eq!(wheel.next_deadline(), Some(now + Duration::from_nanos(7_000_001)));
    /// ```
    pub fn next_deadline(&self) -> Option<Instant> {
        if let Some(Reverse(first)) = self.soon.peek() {
            return Some(first.deadline);
        }
        let level = self.levels.iter().find(|level| level.occupied != 0)?;
        Some(level.buckets[level.occupied.trailing_zeros() as usize].earliest)
    }

    /// Appends to `out` the keys of all timers whose deadline is `now` or earlier, by deadline and
    /// then by insertion. A `now` before that of an earlier call is allowed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use trefoil_reactor::Wheel;
    ///
    /// let now = Instant::now();
    /// let deadline = now + Duration::from_micros(10);
    /// let mut wheel = Wheel::new(now);
    /// wheel.insert(deadline, "due");
    ///
    /// let mut due = Vec::new();
    /// wheel.expire(deadline - Duration::from_nanos(1), &mut due);
    /// assert!(due.is_empty());
    /// wheel.expire(deadline, &mut due);
    /// assert_eq!(due, ["due"]);
    /// ```
    pub fn expire(&mut self, now: Instant, out: &mut Vec<K>) {
        self.advance(self.tick(now));
        while let Some(&Reverse(first)) = self.soon.peek() {
            if first.deadline > now {
                break;
            }
            self.soon.pop();
            out.extend(self.nodes.remove(first.slot).map(|node| node.key));
            self.tidy_soon();
        }
    }

    /// The tick of a deadline. The last one also stands for everything beyond 584 years.
    fn tick(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.origin);
        let nanos = since
            .as_secs()
            .saturating_mul(1_000_000_000)
            .saturating_add(u64::from(since.subsec_nanos()));
        nanos >> TICK_BITS
    }

    fn waits(&self, id: TimerId) -> bool {
        self.nodes
            .get(id.slot)
            .is_some_and(|node| node.number == id.number)
    }

    /// Puts a node where it belongs when the wheel has reached tick `reached`.
    fn place(&mut self, slot: u32, reached: u64) {
        let Some(deadline) = self.nodes.get(slot).map(|node| node.deadline) else {
            return;
        };
        let tick = self.tick(deadline);
        if tick <= reached {
            self.push_soon(slot);
        } else {
            let level = (tick ^ reached).ilog2() / GROUP_BITS;
            let index = (tick >> (level * GROUP_BITS)) % BUCKETS as u64;
            self.link(slot, deadline, level as u8, index as u8);
        }
    }

    fn push_soon(&mut self, slot: u32) {
        if let Some(node) = self.nodes.get_mut(slot) {
            node.place = Place::Soon;
            self.soon.push(Reverse(Soon {
                deadline: node.deadline,
                number: node.number,
                slot,
            }));
        }
    }

    /// Puts a node at the head of a bucket's list.
    fn link(&mut self, slot: u32, deadline: Instant, level: u8, index: u8) {
        let row = &mut self.levels[usize::from(level)];
        let bucket = &mut row.buckets[usize::from(index)];
        let next = bucket.first;
        bucket.first = slot;
        if next == NIL || deadline < bucket.earliest {
            bucket.earliest = deadline;
        }
        row.occupied |= 1 << index;
        if let Some(node) = self.nodes.get_mut(slot) {
            node.place = Place::Bucket { level, index };
            node.previous = NIL;
            node.next = next;
        }
        if let Some(node) = self.nodes.get_mut(next) {
            node.previous = slot;
        }
    }

    /// Closes the gap that a removed node leaves in its bucket's list.
    fn unlink(&mut self, gone: &Node<K>, level: u8, index: u8) {
        if let Some(node) = self.nodes.get_mut(gone.next) {
            node.previous = gone.previous;
        }
        if let Some(node) = self.nodes.get_mut(gone.previous) {
            node.next = gone.next;
            return;
        }
        let row = &mut self.levels[usize::from(level)];
        row.buckets[usize::from(index)].first = gone.next;
        if gone.next == NIL {
            row.occupied &= !(1 << index);
        }
    }

    /// Brings the wheel to tick `target`: everything up to it goes to the heap. By fact 1 the
    /// first bucket that starts later ends the walk. Buckets are found by the old `reached`, and
    /// what stays in the future is placed by `target`: it comes out of the one bucket that contains
    /// `target`, so into a lower level, which this walk has left behind.
    fn advance(&mut self, target: u64) {
        if target <= self.reached {
            return;
        }
        'walk: for level in 0..LEVELS {
            while self.levels[level].occupied != 0 {
                let index = self.levels[level].occupied.trailing_zeros();
                if self.start(level, index) > target {
                    break 'walk;
                }
                self.empty(level, index, target);
            }
        }
        self.reached = target;
    }

    /// The first tick of a bucket.
    fn start(&self, level: usize, index: u32) -> u64 {
        let shift = level as u32 * GROUP_BITS;
        let group = (BUCKETS as u64 - 1) << shift;
        let below = (1 << shift) - 1;
        self.reached & !(group | below) | u64::from(index) << shift
    }

    fn empty(&mut self, level: usize, index: u32, target: u64) {
        let row = &mut self.levels[level];
        row.occupied &= !(1 << index);
        let mut slot = std::mem::replace(&mut row.buckets[index as usize].first, NIL);
        while let Some(node) = self.nodes.get(slot) {
            let next = node.next;
            self.place(slot, target);
            slot = next;
        }
    }

    /// Restores that the top of the heap waits, and that most of the heap does.
    fn tidy_soon(&mut self) {
        if self.stale == 0 {
            return;
        }
        while let Some(&Reverse(first)) = self.soon.peek() {
            if self.waits(first.id()) {
                break;
            }
            self.soon.pop();
            self.stale -= 1;
        }
        if self.stale > self.soon.len() / 2 {
            let nodes = &self.nodes;
            self.soon.retain(|Reverse(entry)| {
                nodes
                    .get(entry.slot)
                    .is_some_and(|node| node.number == entry.number)
            });
            self.stale = 0;
        }
    }
}

impl Soon {
    fn id(&self) -> TimerId {
        TimerId {
            slot: self.slot,
            number: self.number,
        }
    }
}

impl<K> fmt::Debug for Wheel<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wheel")
            .field("len", &self.len())
            .field("next_deadline", &self.next_deadline())
            .finish()
    }
}
