//! The values. Each key belongs to one of several maps with a lock of its own, so that threads on several workers
//! seldom meet.
//!
//! A key whose time is over is not there, and is dropped by who finds it so: also by [`Store::sweep`], for keys that
//! nobody asks for any more.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::time::Instant;

use trefoil::sync::{Mutex, MutexGuard};

const MAPS: usize = 16;

pub(super) type Map = HashMap<Vec<u8>, Entry>;

/// All keys with their values.
#[derive(Debug, Default)]
pub struct Store {
    maps: [Mutex<Map>; MAPS],
    state: RandomState,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) value: Value,
    /// When it is over, if ever.
    pub(super) until: Option<Instant>,
}

#[derive(Debug)]
pub(super) enum Value {
    Bytes(Vec<u8>),
    List(VecDeque<Vec<u8>>),
    Set(HashSet<Vec<u8>>),
    Hash(HashMap<Vec<u8>, Vec<u8>>),
}

impl Entry {
    pub(super) fn lasting(value: Value) -> Entry {
        Entry { value, until: None }
    }

    fn is_over(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

impl Value {
    /// Of what kind it is, as the command TYPE says it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Value::Bytes(_) => "string",
            Value::List(_) => "list",
            Value::Set(_) => "set",
            Value::Hash(_) => "hash",
        }
    }

    /// Lists, sets and hashes without anything in them are not kept.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Value::Bytes(_) => false,
            Value::List(list) => list.is_empty(),
            Value::Set(set) => set.is_empty(),
            Value::Hash(hash) => hash.is_empty(),
        }
    }
}

impl Store {
    /// Does something with the map that a key belongs to; the key is not there if its time is over.
    pub(super) fn with<T>(&self, key: &[u8], what: impl FnOnce(&mut Map) -> T) -> T {
        let number = self.state.hash_one(key) as usize % MAPS;
        let mut map = lock(&self.maps[number]);
        // The clock is looked at only for keys with an end.
        if map
            .get(key)
            .is_some_and(|entry| entry.until.is_some() && entry.is_over(Instant::now()))
        {
            map.remove(key);
        }
        what(&mut map)
    }

    /// Of each key that is there.
    pub(super) fn keys(&self, which: impl Fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
        let now = Instant::now();
        let of_map = |map: &Mutex<Map>| {
            let map = lock(map);
            let there = map
                .iter()
                .filter(|(key, entry)| !entry.is_over(now) && which(key));
            there.map(|(key, _)| key.clone()).collect::<Vec<_>>()
        };
        self.maps.iter().flat_map(of_map).collect()
    }

    pub(super) fn count(&self) -> usize {
        let now = Instant::now();
        let of_map = |map: &Mutex<Map>| {
            lock(map)
                .values()
                .filter(|entry| !entry.is_over(now))
                .count()
        };
        self.maps.iter().map(of_map).sum()
    }

    pub(super) fn clear(&self) {
        self.maps.iter().for_each(|map| lock(map).clear());
    }

    /// Drops what is over.
    pub fn sweep(&self) {
        let now = Instant::now();
        for map in &self.maps {
            lock(map).retain(|_, entry| !entry.is_over(now));
        }
    }
}

fn lock(map: &Mutex<Map>) -> MutexGuard<'_, Map> {
    map.lock().expect("nobody panics with the keys")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_key_is_over_at_its_time_and_swept() {
        let store = Store::default();
        let now = Instant::now();
        for (key, until) in [
            ("past", Some(now)),
            ("future", Some(now + Duration::from_secs(3600))),
            ("always", None),
        ] {
            let entry = Entry {
                value: Value::Bytes(Vec::new()),
                until,
            };
            store.with(key.as_bytes(), |map| map.insert(key.into(), entry));
        }
        assert_eq!(store.count(), 2);
        assert_eq!(store.keys(|key| key.ends_with(b"s")), [b"always"]);
        let kept = |store: &Store| store.maps.iter().map(|map| lock(map).len()).sum::<usize>();
        assert_eq!(kept(&store), 3);
        store.sweep();
        assert_eq!(kept(&store), 2);
        store.clear();
        assert_eq!(store.count(), 0);
    }
}
