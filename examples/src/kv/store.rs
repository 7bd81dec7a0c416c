//! Keys and their values. A key lies in one of several shards, each under a lock of its own, so that threads of
//! several workers seldom meet. A value whose time is over is gone for whoever looks; a sweep gives back the room of
//! those that nobody looks at.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::BuildHasher as _;
use std::time::Instant;

use trefoil::sync::{Mutex, MutexGuard};

const SHARDS: usize = 32;

/// All keys.
#[derive(Debug, Default)]
pub struct Store {
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

/// The keys that lie beside each other.
#[derive(Debug, Default)]
pub(super) struct Shard(HashMap<Vec<u8>, Entry>);

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) value: Value,
    pub(super) expires: Option<Instant>,
}

#[derive(Debug)]
pub(super) enum Value {
    Text(Vec<u8>),
    List(VecDeque<Vec<u8>>),
    Set(HashSet<Vec<u8>>),
    Hash(HashMap<Vec<u8>, Vec<u8>>),
}

impl Entry {
    fn is_over(&self, now: Instant) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

impl Shard {
    pub(super) fn get(&mut self, key: &[u8]) -> Option<&mut Entry> {
        if self.0.get(key)?.expires.is_some() && self.0[key].is_over(Instant::now()) {
            self.0.remove(key);
        }
        self.0.get_mut(key)
    }

    pub(super) fn set(&mut self, key: Vec<u8>, value: Value, expires: Option<Instant>) {
        self.0.insert(key, Entry { value, expires });
    }

    /// What is there, or else this.
    pub(super) fn get_or_set(&mut self, key: Vec<u8>, value: Value) -> &mut Value {
        // What is over goes first.
        self.get(&key);
        let expires = None;
        let entry = self.0.entry(key);
        &mut entry.or_insert(Entry { value, expires }).value
    }

    pub(super) fn remove(&mut self, key: &[u8]) -> Option<Entry> {
        self.get(key)?;
        self.0.remove(key)
    }
}

impl Store {
    /// Where this key lies, for as long as the guard lives.
    pub(super) fn shard(&self, key: &[u8]) -> MutexGuard<'_, Shard> {
        lock(&self.shards[self.number(key)])
    }

    /// Where these keys lie, all at once.
    pub(super) fn shards<'a>(&'a self, keys: impl Iterator<Item = &'a [u8]>) -> Shards<'a> {
        let mut wanted = [false; SHARDS];
        keys.for_each(|key| wanted[self.number(key)] = true);
        // By their numbers, as everybody takes them: so nobody waits for one who waits for him.
        let locked = (0..SHARDS).map(|number| wanted[number].then(|| lock(&self.shards[number])));
        Shards {
            store: self,
            locked: locked.collect(),
        }
    }

    /// Calls this with each key that is there.
    pub(super) fn each(&self, mut visit: impl FnMut(&[u8])) {
        let now = Instant::now();
        for shard in &self.shards {
            let shard = lock(shard);
            let entries = shard.0.iter().filter(|(_, entry)| !entry.is_over(now));
            entries.for_each(|(key, _)| visit(key));
        }
    }

    pub(super) fn clear(&self) {
        let all: Vec<_> = self.shards.iter().map(lock).collect();
        all.into_iter().for_each(|mut shard| shard.0.clear());
    }

    /// Gives back the room of what is over.
    pub fn sweep(&self) {
        let now = Instant::now();
        for shard in &self.shards {
            lock(shard).0.retain(|_, entry| !entry.is_over(now));
        }
    }

    fn number(&self, key: &[u8]) -> usize {
        self.hasher.hash_one(key) as usize % SHARDS
    }
}

/// Several shards that are locked at once.
pub(super) struct Shards<'a> {
    store: &'a Store,
    locked: Vec<Option<MutexGuard<'a, Shard>>>,
}

impl Shards<'_> {
    /// Where one of the keys lies.
    pub(super) fn of(&mut self, key: &[u8]) -> &mut Shard {
        let locked = self.locked[self.store.number(key)].as_mut();
        locked.expect("the keys are those for which they were locked")
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().expect("nobody panics with a shard")
}
