//! An HTTP/1.1 reverse proxy.
//!
//! | file         | what it decides                                                          |
//! |--------------|--------------------------------------------------------------------------|
//! | `connection` | the life of a client's connection: who is asked, and what comes back     |
//! | `back`       | how an answer gets from the upstream to the client                       |
//! | `transfer`   | how a body gets from one side to the other                               |
//! | `upload`     | how far a request's body has come                                        |
//! | `request`    | what of a request's head goes on                                         |
//! | `response`   | what of an answer's head goes back                                       |
//! | `headers`    | which headers are for the next hop alone                                 |
//! | `body`       | which bytes are a body's, and where it ends                              |
//! | `peer`       | how long one waits for either side                                       |
//! | `upstream`   | whose turn it is, and which connections are kept                         |
//! | `limits`     | how much a client may ask for, and how long each step may take           |
//!
//! Bodies go through as they come, in both directions at once. No upgrades, no CONNECT, no cache, no TLS.

mod back;
mod body;
mod connection;
mod headers;
mod limits;
mod peer;
mod request;
mod response;
mod transfer;
mod upload;
mod upstream;

pub use connection::serve;
pub use limits::Limits;
pub use upstream::Upstreams;
