//! What did not have to wait is counted, so that others have their turn now and then. loom's threads take turns as
//! loom will have it.
#![forbid(unsafe_code)]

#[cfg(not(trefoil_loom))]
pub(crate) use trefoil_runtime::{spend, spend_before_a_permit};

#[cfg(trefoil_loom)]
pub(crate) fn spend() {}
