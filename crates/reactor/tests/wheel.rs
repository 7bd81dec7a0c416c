//! The wheel against a model that is too simple to be wrong: an ordered map.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use trefoil_reactor::{TimerId, Wheel};

/// Marsaglia's xorshift64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A length of time of any size class: nanoseconds to `2^bits` nanoseconds.
    fn span(&mut self, bits: u64) -> Duration {
        let class = self.below(bits + 1);
        Duration::from_nanos(self.below(1 << class))
    }
}

/// The latest time that this platform's `Instant` can name, to about a second.
fn end_of_time(from: Instant) -> Instant {
    (0..63).rev().fold(from, |at, bit| {
        at.checked_add(Duration::from_secs(1 << bit)).unwrap_or(at)
    })
}

/// A wheel and its model. A key is the number of its insertion, so the model's order is the one
/// that the wheel promises.
struct Pair {
    wheel: Wheel<u64>,
    model: BTreeMap<(Instant, u64), TimerId>,
    now: Instant,
    end: Instant,
    inserted: u64,
    cancelled: bool,
    /// Timers that expired or were cancelled, to cancel them again.
    gone: Vec<TimerId>,
    out: Vec<u64>,
}

impl Pair {
    fn new() -> Self {
        let now = Instant::now();
        Pair {
            wheel: Wheel::new(now),
            model: BTreeMap::new(),
            now,
            end: end_of_time(now),
            inserted: 0,
            cancelled: false,
            gone: Vec::new(),
            out: Vec::new(),
        }
    }

    fn insert(&mut self, deadline: Instant) {
        let key = self.inserted;
        self.inserted += 1;
        let id = self.wheel.insert(deadline, key);
        self.model.insert((deadline, key), id);
    }

    fn cancel(&mut self, entry: (Instant, u64)) {
        let id = self.model.remove(&entry).unwrap();
        assert_eq!(self.wheel.cancel(id), Some(entry.1));
        self.gone.push(id);
        self.cancelled = true;
    }

    fn cancel_any(&mut self, random: &mut Random) {
        let picked = random.below(self.model.len().max(1) as u64) as usize;
        let entry = self.model.keys().nth(picked).copied();
        if let Some(entry) = entry {
            self.cancel(entry);
        }
    }

    fn cancel_gone(&mut self, random: &mut Random) {
        if let Some(last) = self.gone.len().checked_sub(1) {
            let id = self.gone[random.below(last as u64 + 1) as usize];
            assert_eq!(self.wheel.cancel(id), None);
        }
    }

    fn expire(&mut self, now: Instant) {
        self.now = now;
        self.out.clear();
        self.wheel.expire(now, &mut self.out);
        let later = self.model.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut self.model, later);
        let expected: Vec<u64> = due.keys().map(|(_, key)| *key).collect();
        assert_eq!(self.out, expected);
        self.gone.extend(due.into_values());
    }

    fn check(&self) {
        assert_eq!(self.wheel.len(), self.model.len());
        assert_eq!(self.wheel.is_empty(), self.model.is_empty());
        let earliest = self.model.keys().next().map(|(deadline, _)| *deadline);
        let told = self.wheel.next_deadline();
        if self.cancelled {
            assert_eq!(told.is_some(), earliest.is_some());
            assert!(told <= earliest, "told {told:?}, but it is {earliest:?}");
        } else {
            assert_eq!(told, earliest);
        }
    }

    /// Follows `next_deadline` to the end, and returns how often nothing was due.
    fn drain(&mut self) -> usize {
        let mut idle = 0;
        while let Some(next) = self.wheel.next_deadline() {
            // An answer may lie in the past only if something is due.
            let before = (self.now, self.model.len());
            self.expire(self.now.max(next));
            self.check();
            if self.model.len() == before.1 {
                assert!(self.now > before.0, "no progress");
                idle += 1;
            }
        }
        assert!(self.model.is_empty());
        idle
    }

    fn after(&self, span: Duration) -> Instant {
        self.now.checked_add(span).unwrap_or(self.end)
    }

    fn before(&self, span: Duration) -> Instant {
        self.now.checked_sub(span).unwrap_or(self.now)
    }

    fn deadline(&mut self, random: &mut Random) -> Instant {
        let known = self.model.keys().next_back().map(|(deadline, _)| *deadline);
        match random.below(16) {
            0 => self.before(random.span(40)),
            1 => self.now,
            2 => known.unwrap_or(self.now),
            3 => self.end,
            4 => self.after(Duration::from_secs(random.below(2000) * 31_557_600)),
            // Edges of ticks and buckets.
            5 => self.after(Duration::from_nanos(1 << random.below(50))),
            6 => self.after(Duration::from_nanos((1 << random.below(50)) - 1)),
            7..=10 => self.after(random.span(17)),
            _ => self.after(random.span(55)),
        }
    }

    fn jump(&mut self, random: &mut Random) -> Instant {
        // Not to a deadline in centuries: the test would spend the rest of its time out there.
        let limit = self.after(Duration::from_nanos(1 << 50));
        let next = self.wheel.next_deadline().unwrap_or(limit).min(limit);
        match random.below(32) {
            0 => self.after(random.span(58)),
            1 => self.before(random.span(30)),
            2..=5 => self.after(random.span(40)),
            6..=12 => next,
            13 => next.checked_sub(Duration::from_nanos(1)).unwrap_or(next),
            14 => self.now,
            _ => self.after(random.span(25)),
        }
    }
}

#[test]
fn random_operations_agree_with_the_model() {
    for seed in 1..=40_u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut pair = Pair::new();
        // Some seeds fill the wheel, others keep it nearly empty.
        let inserts = 20 + seed % 4 * 10;
        for _ in 0..4_000 {
            match random.below(100) {
                draw if draw < inserts => {
                    let deadline = pair.deadline(&mut random);
                    pair.insert(deadline);
                }
                draw if draw < 65 => pair.cancel_any(&mut random),
                draw if draw < 70 => pair.cancel_gone(&mut random),
                _ => {
                    let now = pair.jump(&mut random);
                    pair.expire(now);
                }
            }
            pair.check();
        }
        pair.drain();
    }
}

#[test]
fn without_cancelling_the_next_deadline_is_exact() {
    for seed in 1..=20_u64 {
        let mut random = Random(seed.wrapping_mul(0xd134_2543_de82_ef95));
        let mut pair = Pair::new();
        for _ in 0..3_000 {
            if random.below(2) == 0 {
                let deadline = pair.deadline(&mut random);
                pair.insert(deadline);
            } else {
                let now = pair.jump(&mut random);
                pair.expire(now);
            }
            pair.check();
        }
        assert_eq!(pair.drain(), 0);
    }
}

#[test]
fn a_cancelled_earliest_timer_costs_one_idle_round() {
    let mut pair = Pair::new();
    // Both fall into one bucket, 268 ms wide, of the third level.
    let (first, second) = (
        pair.now + Duration::from_millis(1100),
        pair.now + Duration::from_millis(1200),
    );
    pair.insert(first);
    pair.insert(second);
    pair.cancel((first, 0));
    assert_eq!(pair.wheel.next_deadline(), Some(first));
    assert_eq!(pair.drain(), 1);
}

#[test]
fn equal_deadlines_expire_in_order_of_insertion() {
    for ahead in [
        Duration::ZERO,
        Duration::from_micros(3),
        Duration::from_secs(7),
    ] {
        let mut pair = Pair::new();
        let deadline = pair.now + ahead;
        for _ in 0..1000 {
            pair.insert(deadline);
        }
        pair.expire(deadline);
        assert_eq!(pair.out.len(), 1000);
    }
}

#[test]
fn past_deadlines_keep_their_order() {
    let start = Instant::now();
    let mut wheel = Wheel::new(start);
    let before = |nanos| start.checked_sub(Duration::from_nanos(nanos)).unwrap();
    wheel.insert(before(1), "third");
    wheel.insert(before(2_000_000), "first");
    wheel.insert(before(1_000), "second");
    assert_eq!(wheel.next_deadline(), Some(before(2_000_000)));
    let mut out = Vec::new();
    wheel.expire(before(500), &mut out);
    assert_eq!(out, ["first", "second"]);
    wheel.expire(start, &mut out);
    assert_eq!(out, ["first", "second", "third"]);
}

#[test]
fn the_end_of_time_is_a_deadline_like_any_other() {
    let start = Instant::now();
    let end = end_of_time(start);
    let mut wheel = Wheel::new(start);
    wheel.insert(end, "the end");
    let id = wheel.insert(end, "never");
    let thousand_years = start + Duration::from_secs(1000 * 31_557_600);
    wheel.insert(thousand_years, "in 1000 years");
    assert_eq!(wheel.cancel(id), Some("never"));

    let mut out = Vec::new();
    wheel.expire(start + Duration::from_secs(31_557_600), &mut out);
    assert!(out.is_empty());
    assert_eq!(wheel.next_deadline(), Some(thousand_years));
    wheel.expire(thousand_years, &mut out);
    assert_eq!(out, ["in 1000 years"]);
    assert_eq!(wheel.next_deadline(), Some(end));
    wheel.expire(end, &mut out);
    assert_eq!(out, ["in 1000 years", "the end"]);
}

#[test]
fn a_clock_that_steps_back_expires_nothing_early() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut wheel = Wheel::new(start);
    let mut out = Vec::new();
    wheel.expire(at(1000), &mut out);
    wheel.insert(at(900), "late");
    wheel.insert(at(500), "later");
    wheel.expire(at(400), &mut out);
    assert!(out.is_empty());
    wheel.expire(at(500), &mut out);
    assert_eq!(out, ["later"]);
    wheel.expire(at(1000), &mut out);
    assert_eq!(out, ["later", "late"]);
}

#[test]
fn an_id_never_reaches_a_later_tenant_of_its_slot() {
    let start = Instant::now();
    for ahead in [Duration::ZERO, Duration::from_secs(1)] {
        let mut wheel = Wheel::new(start);
        let old = wheel.insert(start + ahead, "old");
        wheel.cancel(old);
        let new = wheel.insert(start + ahead, "new");
        assert_ne!(old, new);
        assert_eq!(wheel.cancel(old), None);
        assert_eq!(wheel.cancel(new), Some("new"));
        assert!(wheel.is_empty());
    }
}

/// 100,000 timers within one tick, with a clock that stops at each of the 65,000 different
/// deadlines. A wheel that scans the current bucket every time does not come back from this.
#[test]
fn a_crowded_tick_is_not_quadratic() {
    let start = Instant::now();
    let base = start + Duration::from_secs(1);
    let mut wheel = Wheel::new(start);
    for key in 0..100_000_u64 {
        wheel.insert(base + Duration::from_nanos(key * 7919 % 65_000), key);
    }
    let (mut out, mut rounds) = (Vec::new(), 0);
    while let Some(now) = wheel.next_deadline() {
        wheel.expire(now, &mut out);
        rounds += 1;
        assert!(rounds <= out.len(), "a round without an expiry");
    }
    assert_eq!(rounds, 65_000);
    assert!(out.is_sorted_by_key(|key| (key * 7919 % 65_000, *key)));
    assert_eq!(out.len(), 100_000);
}

#[test]
fn dropping_the_wheel_drops_the_keys() {
    let key = std::rc::Rc::new(());
    let start = Instant::now();
    let mut wheel = Wheel::new(start);
    wheel.insert(start, key.clone());
    wheel.insert(start + Duration::from_secs(1), key.clone());
    let id = wheel.insert(start + Duration::from_secs(1), key.clone());
    assert_eq!(std::rc::Rc::strong_count(&key), 4);
    drop(wheel.cancel(id));
    assert_eq!(std::rc::Rc::strong_count(&key), 3);
    drop(wheel);
    assert_eq!(std::rc::Rc::strong_count(&key), 1);
}
