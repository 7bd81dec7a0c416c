//! A slab: values in a vector, found by slot, with freed slots used again.
//!
//! The registrations of a reactor and the nodes of a wheel live in one. A slot says nothing about
//! *which* value it held: who hands slots out to others adds a tag of its own and compares it.
//! The vector never shrinks, so a steady number of values allocates nothing.

#![forbid(unsafe_code)]

/// The slot that is never given out; ends a list of slots.
pub(crate) const NIL: u32 = u32::MAX;

enum Entry<T> {
    Full(T),
    Free { next: u32 },
}

pub(crate) struct Slab<T> {
    entries: Vec<Entry<T>>,
    /// The free slot used last, which is the one most likely still in cache.
    free: u32,
    len: usize,
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Slab {
            entries: Vec::new(),
            free: NIL,
            len: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Puts `value` into a free slot.
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        self.len += 1;
        if self.free == NIL {
            return self.grow(value);
        }
        let slot = self.free;
        let entry = &mut self.entries[slot as usize];
        if let Entry::Free { next } = *entry {
            self.free = next;
        }
        *entry = Entry::Full(value);
        slot
    }

    #[cold]
    fn grow(&mut self, value: T) -> u32 {
        let slot = u32::try_from(self.entries.len()).unwrap_or(NIL);
        assert!(slot != NIL, "a slab holds fewer than {NIL} values");
        self.entries.push(Entry::Full(value));
        slot
    }

    /// Takes the value out of `slot` and frees it.
    pub(crate) fn remove(&mut self, slot: u32) -> Option<T> {
        let entry = self.entries.get_mut(slot as usize)?;
        if let Entry::Free { .. } = entry {
            return None;
        }
        let freed = std::mem::replace(entry, Entry::Free { next: self.free });
        self.free = slot;
        self.len -= 1;
        match freed {
            Entry::Full(value) => Some(value),
            Entry::Free { .. } => None,
        }
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&T> {
        match self.entries.get(slot as usize) {
            Some(Entry::Full(value)) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        match self.entries.get_mut(slot as usize) {
            Some(Entry::Full(value)) => Some(value),
            _ => None,
        }
    }

    /// Takes every value and gives the memory back.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = T> + use<T> {
        let entries = std::mem::replace(self, Slab::new()).entries;
        entries.into_iter().filter_map(|entry| match entry {
            Entry::Full(value) => Some(value),
            Entry::Free { .. } => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slot_freed_last_is_used_first() {
        let mut slab = Slab::new();
        let slots = [slab.insert('a'), slab.insert('b'), slab.insert('c')];
        assert_eq!(slots, [0, 1, 2]);
        assert_eq!(slab.remove(0), Some('a'));
        assert_eq!(slab.remove(2), Some('c'));
        assert_eq!(
            [slab.insert('d'), slab.insert('e'), slab.insert('f')],
            [2, 0, 3]
        );
        assert_eq!(slab.len(), 4);
    }

    #[test]
    fn an_empty_slot_gives_nothing() {
        let mut slab = Slab::new();
        let slot = slab.insert(7);
        assert_eq!(slab.remove(slot), Some(7));
        assert_eq!(slab.remove(slot), None);
        assert_eq!(slab.get(slot), None);
        assert_eq!(slab.get_mut(slot), None);
        assert_eq!(slab.get(NIL), None);
        assert_eq!(slab.remove(NIL), None);
        assert_eq!(slab.len(), 0);
    }

    #[test]
    fn take_leaves_nothing_behind() {
        let mut slab = Slab::new();
        let slots = [slab.insert(1), slab.insert(2), slab.insert(3)];
        slab.remove(slots[1]);
        assert_eq!(slab.take().collect::<Vec<_>>(), [1, 3]);
        assert_eq!(slab.len(), 0);
        assert_eq!(slab.insert(4), 0);
    }
}
