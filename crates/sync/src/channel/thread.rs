//! What a channel asks of the thread that uses it. loom's threads have no model, are not cancelled, and take
//! turns as loom will have it.
#![forbid(unsafe_code)]

pub(super) use crate::budget::spend;
#[cfg(not(trefoil_loom))]
pub(super) use trefoil_runtime::cancel::raise;

#[cfg(not(trefoil_loom))]
#[inline]
pub(super) fn waits_are_dear() -> bool {
    trefoil_runtime::model() == trefoil_runtime::Model::Kernel
}

#[cfg(trefoil_loom)]
pub(super) fn raise() -> ! {
    unreachable!("loom's threads are not cancelled")
}

#[cfg(trefoil_loom)]
pub(super) fn waits_are_dear() -> bool {
    false
}
