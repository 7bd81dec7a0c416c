//! Waiting for several channels at once.
//!
//! ```text
//!   select! · select_biased!       Select · SelectedOperation · ready
//!          └──────────┬──────────────────┘
//!                  choose            the phases: try, register, wait, withdraw
//!                     │
//!                    arm             one operation on one channel, in each phase
//! ```

mod arm;
mod choose;
mod order;

// Loom runs the parts above.
#[cfg(not(trefoil_loom))]
mod handles;
#[cfg(not(trefoil_loom))]
mod macros;
#[cfg(not(trefoil_loom))]
mod set;

#[cfg(not(trefoil_loom))]
pub(super) use self::handles::{RecvArm, SendArm};
#[cfg(not(trefoil_loom))]
pub use self::set::{Select, SelectedOperation};

#[cfg(all(test, trefoil_loom))]
mod loom_models;

/// For the macros' expansion alone.
#[cfg(not(trefoil_loom))]
pub mod expansion {
    pub use super::choose::{Limit, Order};
    pub use super::handles::{Either, choose, recv, send, within};
}
