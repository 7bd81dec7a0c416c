//! A server of keys and values, which speaks the protocol of Redis (RESP2), as far as its clients need.
//!
//! | file         | what it decides                                             |
//! |--------------|-------------------------------------------------------------|
//! | `connection` | the life of one connection, and how long one waits for it   |
//! | `protocol`   | where a request ends, and what is none                      |
//! | `reply`      | how an answer is written                                    |
//! | `commands`   | what a request does                                         |
//! | `expiry`     | the options of `SET`, and times                             |
//! | `store`      | where values lie, who may touch them, and when they go      |
//! | `pattern`    | which keys `KEYS` means                                     |
//! | `limits`     | how much a client may ask for, and how long it may take     |
//!
//! Nothing is kept on a disk. No RESP3, no transactions, no subscriptions, no scripts.

mod commands;
mod connection;
mod expiry;
mod limits;
mod pattern;
mod protocol;
mod reply;
mod store;

pub use connection::serve;
pub use limits::Limits;
pub use store::Store;
