//! The one who measures: what is known of each spawn site.
#![forbid(unsafe_code)]

use core::ops::Range;
use core::panic::Location;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

#[cfg(feature = "fibers")]
use trefoil_fiber::Stack;

use super::{StackUsage, pages};
use crate::overflow;
use crate::thread::{Header, fiber};

/// A stack, as far as it is measured.
#[derive(Clone, Debug)]
pub(crate) struct Extent {
    /// From the start of a page up to its top, which may lie inside one.
    pub(crate) addresses: Range<usize>,
    /// What it is said to have, in bytes.
    pub(crate) size: usize,
}

impl Extent {
    /// From the top down to `lowest`, the start of the lowest page that was touched. A stack may
    /// have a little more than its size: who has used that too has used all of it, and no more.
    fn depth_of(&self, lowest: usize) -> usize {
        // Where no page is memory, `lowest` is the end of the page in which the top lies.
        let depth = self.addresses.end.saturating_sub(lowest);
        depth.min(self.size)
    }
}

/// The stack use of the threads of one runtime, or of several, by the place that spawned them.
#[derive(Debug, Default)]
pub struct Meter {
    sites: Mutex<BTreeMap<&'static Location<'static>, StackUsage>>,
}

impl Meter {
    /// What is known now, the deepest first. Takes a lock that nobody holds for long.
    #[must_use]
    pub fn usage(&self) -> Vec<StackUsage> {
        let sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        let mut usage: Vec<StackUsage> = sites.values().cloned().collect();
        drop(sites);
        // Stable: equals stay in the order of their places.
        usage.sort_by_key(|site| core::cmp::Reverse(site.deepest));
        usage
    }

    /// Counts the current thread, which ends, on its own stack.
    #[cold]
    pub(crate) fn note(&self, current: &Header) {
        // A plain OS thread was not spawned by us.
        let site = current.traits.spawned_at;
        let stack = fiber::extent(current).or_else(own_extent);
        if let (Some(site), Some(stack)) = (site, stack) {
            let lowest = pages::lowest_resident(&stack.addresses);
            self.count(site, stack.depth_of(lowest), &stack, current);
        }
    }

    fn count(
        &self,
        site: &'static Location<'static>,
        depth: usize,
        stack: &Extent,
        thread: &Header,
    ) {
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        let usage = sites.entry(site).or_insert(StackUsage {
            site,
            threads: 0,
            deepest: 0,
            stack_size: 0,
            name: None,
        });
        usage.threads += 1;
        if depth > usage.deepest {
            usage.deepest = depth;
            usage.stack_size = stack.size;
            usage.name = thread.traits.name.as_deref().map(str::to_owned);
        }
    }

    /// Gives the memory of a stack that was left back to the kernel, but for its first page, so that
    /// the next thread can be measured on it.
    #[cfg(feature = "fibers")]
    #[cold]
    pub fn clean(&self, stack: &mut Stack) {
        pages::clean(stack);
    }

    /// The same for the calling OS thread's own stack, as far as it is not in use.
    #[cold]
    pub(crate) fn clean_here(&self) {
        if let Some(stack) = overflow::own_stack() {
            pages::clean_below_here(&stack);
        }
    }
}

/// The stack of the calling OS thread, if that is what the caller runs on.
fn own_extent() -> Option<Extent> {
    let addresses = overflow::own_stack()?;
    let here = 0_u8;
    addresses
        .contains(&(&raw const here).addr())
        .then(|| Extent {
            size: addresses.len(),
            addresses,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_depth_is_counted_from_the_top_and_not_from_its_page() {
        let stack = Extent {
            addresses: 0x1000..0x12400,
            size: 0x10000,
        };
        assert_eq!(stack.depth_of(0x12000), 0x400);
        assert_eq!(stack.depth_of(0x11000), 0x1400);
        assert_eq!(stack.depth_of(0x3000), 0xf400);
    }

    #[test]
    fn no_thread_uses_more_than_the_size_of_its_stack() {
        let stack = Extent {
            addresses: 0x1000..0x11400,
            size: 0x10000,
        };
        assert_eq!(stack.depth_of(0x2000), 0xf400);
        assert_eq!(stack.depth_of(0x1000), 0x10000);
    }

    #[test]
    fn where_no_page_is_memory_nothing_is_used() {
        let stack = Extent {
            addresses: 0x1000..0x11400,
            size: 0x10000,
        };
        assert_eq!(stack.depth_of(0x12000), 0);
    }
}
