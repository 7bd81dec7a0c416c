//! An HTTP/1.1 server.
//!
//! | file         | what it decides                                                     |
//! |--------------|---------------------------------------------------------------------|
//! | `connection` | the life of one connection: which bytes are whose, and how long one waits for them |
//! | `request`    | what a head says                                                    |
//! | `body`       | where a message ends                                                |
//! | `response`   | what is sent back                                                   |
//! | `stream`     | what all of that goes over, by TLS or without                       |
//! | `input`      | which bytes have come and were not taken                            |
//! | `date`       | what time a response names                                          |
//! | `control`    | how the server ends                                                 |
//! | `files`      | which file a path means                                             |
//! | `limits`     | how much a client may ask for                                       |
//!
//! `httparse` reads heads and the sizes of chunks. No compression, no HTTP/2.

mod body;
mod connection;
mod control;
mod date;
mod files;
mod input;
mod limits;
mod request;
mod response;
mod stream;

pub use connection::serve;
pub use control::Control;
pub use files::Files;
pub use limits::Limits;
pub use request::{Method, Request};
pub use response::{Response, Status};
pub use stream::Stream;

// Of use to the proxy too.
pub(crate) use control::Opened;
pub(crate) use date::Date;
pub(crate) use input::Input;
pub(crate) use request::{Framing, all, framing, has_token};
