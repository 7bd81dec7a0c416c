//! Locks and channels for threads of every model, written once over [`trefoil_runtime::Waiter`].
//!
//! What is here has the names, the signatures and the meaning of `std::sync`, and `channel` those
//! of `crossbeam-channel`. A thread that has to wait is parked by its own model, and the object
//! does not know which: the same lock serves fibers, kernel threads and plain `std::thread`s.
//!
//! It starts no threads, allocates nothing to wait, and knows no runtime.

pub mod channel;
