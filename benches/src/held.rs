//! What the threads of a workload held while all of them waited.
#![forbid(unsafe_code)]

use serde::{Deserialize, Serialize};

use crate::usage::{self, Footprint};

/// What so many threads held, as the record tells it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// Bytes of memory, of all of them together.
    pub resident_bytes: u64,
    /// The same, of one of them.
    pub resident_bytes_per_thread: f64,
    /// Bytes of page tables for one of them.
    pub page_table_bytes_per_thread: f64,
    /// How many mappings of memory the process had, those of the program itself among them.
    pub mappings: u64,
}

impl Held {
    /// Looks now, while so many threads wait, at what has come since `before`.
    #[must_use]
    pub fn since(before: Footprint, threads: u64) -> Held {
        Held::between(before, usage::footprint(), threads)
    }

    /// The larger of two by their memory: of several rounds, what the threads held at most.
    #[must_use]
    pub fn most(held: Option<Held>, other: Held) -> Held {
        match held {
            Some(held) if held.resident_bytes > other.resident_bytes => held,
            _ => other,
        }
    }

    fn between(before: Footprint, now: Footprint, threads: u64) -> Held {
        let resident_bytes = now.resident.saturating_sub(before.resident);
        let page_tables = now.page_tables.saturating_sub(before.page_tables);
        Held {
            resident_bytes,
            resident_bytes_per_thread: resident_bytes as f64 / threads as f64,
            page_table_bytes_per_thread: page_tables as f64 / threads as f64,
            mappings: now.mappings,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn footprint(resident: u64, page_tables: u64, mappings: u64) -> Footprint {
        Footprint {
            resident,
            page_tables,
            mappings,
        }
    }

    #[test]
    fn only_what_has_come_is_shared_among_the_threads() {
        let (before, now) = (footprint(1000, 40, 20), footprint(9000, 60, 25));
        let held = Held::between(before, now, 4);
        assert_eq!(held.resident_bytes, 8000);
        assert_eq!(held.resident_bytes_per_thread, 2000.0);
        assert_eq!(held.page_table_bytes_per_thread, 5.0);
        assert_eq!(held.mappings, 25);
        assert_eq!(Held::between(now, before, 4).resident_bytes, 0);
    }

    #[test]
    fn the_larger_is_kept() {
        let nothing = footprint(0, 0, 0);
        let small = Held::between(nothing, footprint(10, 1, 1), 1);
        let large = Held::between(nothing, footprint(20, 1, 1), 1);
        assert_eq!(Held::most(None, small), small);
        assert_eq!(Held::most(Some(small), large), large);
        assert_eq!(Held::most(Some(large), small), large);
    }
}
