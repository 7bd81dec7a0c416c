//! A key-value server that speaks as much of Redis' protocol as `redis-cli` and `redis-benchmark` need.
//!
//! | file      | what it decides                                                |
//! |-----------|----------------------------------------------------------------|
//! | `request` | where a request ends in what has come, and what is refused     |
//! | `reply`   | how an answer is written                                       |
//! | `store`   | the values, and when they are over                             |
//! | `command` | what each command does                                         |
//! | `glob`    | which keys a pattern means                                     |
//! | `session` | the life of a connection                                       |

mod command;
mod glob;
mod reply;
mod request;
mod session;
mod store;

pub use session::serve;
pub use store::Store;
