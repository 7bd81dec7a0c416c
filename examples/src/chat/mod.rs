//! A chat room, for clients that speak in lines.
//!
//! Who comes says a name first, and then what the others are to hear. `/who` tells who is there, `/quit` ends.
//! A connection has two threads: one listens to the client, the other says to it what its queue holds. So
//! a client that does not read is not waited for: when its queue stays full for a second, it is put out.

mod lines;
mod room;
mod session;

pub use room::Room;
pub use session::serve;
