//! Which spawn sites keep a worker for long, as far as is known: a table of words, of a fixed size.
//!
//! | an entry's bits | mean                                                                           |
//! |-----------------|--------------------------------------------------------------------------------|
//! | the upper 40    | whose it is                                                                    |
//! | 23              | LEARNED: later threads of it start on kernel threads                           |
//! | 16 to 22        | *stalls*: how often one of its threads has kept a worker from all others       |
//! | 8 to 15         | *runs*: how many of its threads have ended on a worker since the first stall   |
//! | 0 to 7          | *quiet*: how many threads in a row were moved, and would have kept nobody      |
//!
//! | a site is | and                                         | then it is                                       |
//! |-----------|---------------------------------------------|--------------------------------------------------|
//! | nobody    | stalls                                      | suspected                                        |
//! | suspected | stalls, the second time or later            | learned, if that is one in four of its runs or more |
//! | suspected | ends its 64th run                           | nobody: it stalls too rarely                     |
//! | learned   | stalls, or ends a moved thread that would have | learned, and no longer quiet                  |
//! | learned   | ends the eighth quiet thread in a row       | nobody                                           |
//!
//! Each change is one exchange of the whole word, so that of two at the same time none is lost, and exactly one
//! caller is told that a site has come or gone. Of two sites with one place the learned one has it, else the later one.
#![forbid(unsafe_code)]

use crate::atomic::{AtomicU64, Ordering};

/// So many stalls are a habit, and no accident,
const ENOUGH: u8 = 2;
/// if one in so many runs stalls.
const ONE_IN: u8 = 4;
/// After so many runs a site that was not learned begins anew.
const TRIAL: u8 = 64;
/// After so many quiet threads in a row a learned site is nobody's again.
const PEACE: u8 = 8;

#[cfg(not(trefoil_loom))]
const PLACES: usize = 256;
#[cfg(trefoil_loom)]
const PLACES: usize = 1;

const NOBODY: u64 = 0;
const LEARNED: u64 = 1 << 23;
const WHOSE: u64 = !0 << 24;

/// What is known of one site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Habit {
    learned: bool,
    stalls: u8,
    runs: u8,
    quiet: u8,
}

/// What came of something that was seen.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// There is no other site in the table than before.
    Nothing,
    /// It is suspected; there is one more in the table.
    Suspected,
    /// It has been learned just now.
    Learned,
    /// It is nobody's any more; there is one less.
    Forgotten,
}

/// The table. Sites are told apart by a hash.
#[derive(Debug)]
pub(crate) struct Habits(Box<[AtomicU64]>);

impl Habit {
    fn read(word: u64) -> Habit {
        let [quiet, runs, stalls, ..] = word.to_le_bytes();
        Habit {
            learned: word & LEARNED != 0,
            stalls: stalls & 0x7f,
            runs,
            quiet,
        }
    }

    /// Never that of nobody: who is there has stalled.
    fn write(self, whose: u64) -> u64 {
        let learned = if self.learned { LEARNED } else { 0 };
        let counts = [self.quiet, self.runs, self.stalls, 0, 0, 0, 0, 0];
        whose | learned | u64::from_le_bytes(counts)
    }

    fn stalls(self) -> Habit {
        let stalls = (self.stalls + 1).min(0x7f);
        let often =
            stalls >= ENOUGH && u32::from(stalls) * u32::from(ONE_IN) >= u32::from(self.runs);
        Habit {
            learned: self.learned || often,
            stalls,
            quiet: 0,
            ..self
        }
    }

    /// A run on a worker has ended. `None`: it is nobody's.
    fn ends(self) -> Option<Habit> {
        let runs = self.runs.saturating_add(1);
        (self.learned || runs < TRIAL).then_some(Habit { runs, ..self })
    }

    /// The same of a thread that was moved.
    fn ends_moved(self, would_stall: bool) -> Option<Habit> {
        let quiet = if would_stall {
            0
        } else {
            self.quiet.saturating_add(1)
        };
        (!self.learned || quiet < PEACE).then_some(Habit { quiet, ..self })
    }
}

impl Habits {
    pub(crate) fn new() -> Habits {
        Habits((0..PLACES).map(|_| AtomicU64::new(NOBODY)).collect())
    }

    fn place(&self, site: u64) -> &AtomicU64 {
        &self.0[site as usize % PLACES]
    }

    /// What is known of this site, if it has its place.
    fn known(site: u64, word: u64) -> Option<Habit> {
        let its = word != NOBODY && word & WHOSE == site & WHOSE;
        its.then(|| Habit::read(word))
    }

    /// Puts what `next` makes of a word into its place; `None`: it stays.
    fn change(&self, site: u64, next: impl Fn(u64) -> Option<u64>) -> Change {
        // Relaxed, everywhere in this file: an entry says all that is said. Who acts on it guesses.
        let changed = self
            .place(site)
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, &next);
        let Ok(before) = changed else {
            return Change::Nothing;
        };
        let after = next(before).unwrap_or(before);
        match (before, after) {
            (NOBODY, _) => Change::Suspected,
            (_, NOBODY) => Change::Forgotten,
            _ if before & LEARNED == 0 && after & LEARNED != 0 => Change::Learned,
            _ => Change::Nothing,
        }
    }

    /// A thread of this site has kept a worker from all others.
    pub(crate) fn stalled(&self, site: u64) -> Change {
        self.change(site, |word| {
            let habit = match Habits::known(site, word) {
                Some(habit) => habit,
                None if word & LEARNED != 0 => return None,
                None => Habit::default(),
            };
            Some(habit.stalls().write(site & WHOSE))
        })
    }

    fn ended(&self, site: u64, next: impl Fn(Habit) -> Option<Habit>) -> Change {
        self.change(site, |word| {
            let habit = Habits::known(site, word)?;
            let left = next(habit).map(|habit| habit.write(site & WHOSE));
            Some(left.unwrap_or(NOBODY))
        })
    }

    /// A thread of this site has ended on its worker.
    pub(crate) fn ran(&self, site: u64) -> Change {
        self.ended(site, Habit::ends)
    }

    /// A thread of this site has ended on a kernel thread to which it was moved. Whether it would have kept a
    /// worker from all others.
    pub(crate) fn ran_moved(&self, site: u64, would_stall: bool) -> Change {
        self.ended(site, |habit| habit.ends_moved(would_stall))
    }

    /// Whether the next thread of this site is to start on a kernel thread.
    pub(crate) fn is_learned(&self, site: u64) -> bool {
        let word = self.place(site).load(Ordering::Relaxed);
        Habits::known(site, word).is_some_and(|habit| habit.learned)
    }

    /// How many sites are suspected or learned.
    pub(crate) fn len(&self) -> usize {
        let words = self.0.iter().map(|entry| entry.load(Ordering::Relaxed));
        words.filter(|word| *word != NOBODY).count()
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;

    const SITE: u64 = 0xfeed_beef_cafe_0007;
    const OTHER: u64 = 0xdead_beef_cafe_0007;

    fn learned() -> Habits {
        let habits = Habits::new();
        assert_eq!(habits.stalled(SITE), Change::Suspected);
        assert!(!habits.is_learned(SITE), "once is an accident");
        assert_eq!(habits.stalled(SITE), Change::Learned);
        assert!(habits.is_learned(SITE) && !habits.is_learned(OTHER));
        assert_eq!(habits.len(), 1);
        habits
    }

    #[test]
    fn a_habit_is_learned() {
        let habits = learned();
        (0..1000).for_each(|_| assert_eq!(habits.stalled(SITE), Change::Nothing));
        assert!(habits.is_learned(SITE));
    }

    #[test]
    fn one_in_four_is_a_habit() {
        let habits = Habits::new();
        let _ = habits.stalled(SITE);
        (0..8).for_each(|_| assert_eq!(habits.ran(SITE), Change::Nothing));
        assert_eq!(habits.stalled(SITE), Change::Learned);
        let habits = Habits::new();
        let _ = habits.stalled(SITE);
        (0..9).for_each(|_| assert_eq!(habits.ran(SITE), Change::Nothing));
        assert_eq!(habits.stalled(SITE), Change::Nothing);
        assert_eq!(habits.stalled(SITE), Change::Learned, "three in nine");
    }

    #[test]
    fn who_stalls_rarely_is_let_off() {
        let habits = Habits::new();
        for _ in 0..5 {
            assert_eq!(habits.stalled(SITE), Change::Suspected);
            (1..TRIAL).for_each(|_| assert_eq!(habits.ran(SITE), Change::Nothing));
            assert_eq!(habits.ran(SITE), Change::Forgotten);
            assert_eq!((habits.ran(SITE), habits.len()), (Change::Nothing, 0));
        }
    }

    #[test]
    fn the_quiet_are_forgotten() {
        let habits = learned();
        for _ in 0..3 {
            (1..PEACE).for_each(|_| assert_eq!(habits.ran_moved(SITE, false), Change::Nothing));
            assert_eq!(habits.ran_moved(SITE, true), Change::Nothing);
        }
        (1..PEACE).for_each(|_| assert_eq!(habits.ran_moved(SITE, false), Change::Nothing));
        assert_eq!(
            habits.stalled(SITE),
            Change::Nothing,
            "one that came before"
        );
        (1..PEACE).for_each(|_| assert_eq!(habits.ran_moved(SITE, false), Change::Nothing));
        // Where there is no room, threads of it still run on workers.
        (0..1000).for_each(|_| assert_eq!(habits.ran(SITE), Change::Nothing));
        assert!(habits.is_learned(SITE));
        assert_eq!(habits.ran_moved(SITE, false), Change::Forgotten);
        assert!(!habits.is_learned(SITE));
        assert_eq!(habits.ran_moved(SITE, false), Change::Nothing);
    }

    #[test]
    fn the_learned_one_keeps_its_place() {
        let habits = learned();
        assert_eq!(habits.stalled(OTHER), Change::Nothing);
        assert_eq!(habits.ran(OTHER), Change::Nothing);
        assert!(habits.is_learned(SITE));
        let habits = Habits::new();
        assert_eq!(habits.stalled(SITE), Change::Suspected);
        assert_eq!(habits.stalled(OTHER), Change::Nothing, "as many as before");
        assert_eq!((habits.ran(SITE), habits.len()), (Change::Nothing, 1));
        assert_eq!(habits.stalled(OTHER), Change::Learned);
    }
}

#[cfg(all(test, trefoil_loom))]
mod loom_models {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    const SITE: u64 = 0xfeed_beef_cafe_0000;

    fn count(change: Change) -> isize {
        match change {
            Change::Suspected => 1,
            Change::Forgotten => -1,
            Change::Nothing | Change::Learned => 0,
        }
    }

    /// The monitor sees a stall while two threads end, of which one may be the last before a site is forgotten: who
    /// was told that a site has come or gone counts as many as there are.
    fn all_changes_are_told(
        before: impl Fn(&Habits) -> isize + Sync + Send + 'static,
        moved: bool,
    ) {
        loom::model(move || {
            let habits = Arc::new(Habits::new());
            let already = before(&habits);
            let enders = [(); 2].map(|()| {
                let habits = Arc::clone(&habits);
                thread::spawn(move || {
                    count(if moved {
                        habits.ran_moved(SITE, false)
                    } else {
                        habits.ran(SITE)
                    })
                })
            });
            let stalls = count(habits.stalled(SITE));
            let ends: isize = enders.map(|ender| ender.join().unwrap()).iter().sum();
            assert_eq!(
                already + stalls + ends,
                isize::try_from(habits.len()).unwrap()
            );
        });
    }

    #[test]
    fn a_suspect_is_let_off_once() {
        let nearly = |habits: &Habits| {
            let mut known = count(habits.stalled(SITE));
            for _ in 0..TRIAL - 1 {
                known += count(habits.ran(SITE));
            }
            known
        };
        all_changes_are_told(nearly, false);
    }

    #[test]
    fn a_learned_site_is_forgotten_once() {
        let nearly = |habits: &Habits| {
            let mut known = count(habits.stalled(SITE)) + count(habits.stalled(SITE));
            for _ in 0..PEACE - 1 {
                known += count(habits.ran_moved(SITE, false));
            }
            known
        };
        all_changes_are_told(nearly, true);
    }
}
