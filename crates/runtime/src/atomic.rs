//! The atomics of the files that have loom models.
//!
//! Only the protocols that loom checks (`state`, `token`, `inbox`, `wait`, `idlers`, `attention`, `source`, `spawn_queue`) take
//! their atomics from here; everything else uses `core` directly.
#![forbid(unsafe_code)]

#[cfg(not(trefoil_loom))]
pub(crate) use core::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, fence,
};
#[cfg(trefoil_loom)]
pub(crate) use loom::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, fence,
};

pub(crate) use core::sync::atomic::Ordering;
