//! Channels: messages from thread to thread, many to many, with the names and the meaning of
//! `crossbeam-channel`.
//!
//! | made by          | `send` waits                        | `recv` waits              |
//! |------------------|-------------------------------------|---------------------------|
//! | [`unbounded`]`()`| never                               | while there is no message |
//! | [`bounded`]`(n)` | while `n` messages are in it        | while there is no message |
//! | [`bounded`]`(0)` | until a receiver takes the message  | until a sender comes      |
//!
//! Messages of one sender arrive in the order in which they were sent, and threads that wait are
//! served in the order in which they came. When the last [`Sender`] has gone, receivers get what
//! is left and then an error; when the last [`Receiver`] has gone, what is left is dropped and
//! senders get their messages back.
//!
//! A channel does not know by which model its threads wait: fibers, kernel threads and plain
//! `std::thread`s may share one. `send`, `recv` and their kin are cancellation points when they
//! have to wait. No wait allocates; an unbounded channel allocates to grow, and keeps its memory
//! until it goes.
//!
//! [`select!`] and [`Select`] wait for several channels at once. [`after`], [`at`] and [`tick`] are
//! receivers to which time sends, [`never()`] one to which nobody does.
//!
//! ```text
//!   sender ─┐  receiver ─┐  iter  select        what users hold; deadlines, cancellation
//!           └──────┬─────┘   ╱      ╲           clock: what time sends
//!               shared ─────╱      choice       one operation: try, try under the lock, else wait
//!               ╱    ╲               │          · which of several comes to pass
//!           ring      state          │          messages, without a lock · who gets what: the queues
//!                       │            │
//!                     slot ──────────╯          what a thread that waits has in its hand
//! ```

mod choice;
mod error;
mod patience;
mod ring;
mod select;
mod shared;
mod slot;
mod state;
mod thread;

// Loom runs the parts above; these dress them for users, and need a whole runtime.
#[cfg(not(trefoil_loom))]
mod clock;
#[cfg(not(trefoil_loom))]
mod finished;
#[cfg(not(trefoil_loom))]
mod iter;
#[cfg(not(trefoil_loom))]
mod pair;
#[cfg(not(trefoil_loom))]
mod receiver;
#[cfg(not(trefoil_loom))]
mod sender;

#[cfg(all(feature = "stream", not(trefoil_loom)))]
mod stream;

#[cfg(all(test, trefoil_loom))]
mod loom_models;
#[cfg(all(test, not(trefoil_loom)))]
mod stress;
#[cfg(all(test, not(trefoil_loom)))]
mod tests;
#[cfg(all(test, trefoil_loom))]
mod watched;

pub use self::error::{
    ReadyTimeoutError, RecvError, RecvTimeoutError, SelectTimeoutError, SendError,
    SendTimeoutError, TryReadyError, TryRecvError, TrySelectError, TrySendError,
};
#[cfg(not(trefoil_loom))]
pub use self::{
    clock::{after, at, never, tick},
    finished::{Finish, finished},
    iter::{IntoIter, Iter, TryIter},
    pair::{bounded, unbounded},
    receiver::Receiver,
    select::{Select, SelectedOperation},
    sender::Sender,
};
#[cfg(not(trefoil_loom))]
pub use crate::{select, select_biased};

#[cfg(all(feature = "stream", not(trefoil_loom)))]
pub use self::stream::ReceiverStream;

/// For the macros' expansion alone.
#[cfg(not(trefoil_loom))]
#[doc(hidden)]
pub use self::select::expansion as __select;
