//! The atomics of the files that have loom models.
#![forbid(unsafe_code)]

#[cfg(not(trefoil_loom))]
pub(crate) use core::sync::atomic::{AtomicU32, AtomicUsize};
#[cfg(trefoil_loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicUsize};

pub(crate) use core::sync::atomic::Ordering;
