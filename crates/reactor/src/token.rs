//! The name of a registration: a slot, and a tag that tells its successive tenants apart.
//!
//! The kernel hands a token back with every event. An event may outlive its registration (it was
//! already on its way, or a duplicate of the descriptor keeps the kernel's entry alive), and by
//! then the slot may belong to somebody else: the tag shows it.

#![forbid(unsafe_code)]

/// Names one registration with one reactor.
///
/// It is made by [`Handle::register`](crate::Handle::register) and wanted back by
/// [`Handle::deregister`](crate::Handle::deregister). A token whose registration has ended names
/// nothing, also when its place was given to another descriptor since.
///
/// # Examples
///
/// ```
/// use std::os::fd::AsRawFd;
/// use std::os::unix::net::UnixStream;
/// use trefoil_reactor::{Reactor, Watch};
///
/// let reactor = Reactor::new()?;
/// let (left, _right) = UnixStream::pair()?;
/// let handle = reactor.handle();
/// let first = handle.register(left.as_raw_fd(), "first", Watch::Both)?;
/// handle.deregister(left.as_raw_fd(), first);
/// let second = handle.register(left.as_raw_fd(), "second", Watch::Both)?;
/// assert_ne!(first, second);
///
/// handle.deregister(left.as_raw_fd(), first); // names nothing any more
/// assert_eq!(handle.registered(), 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Token(usize);

// 32 bits of slot and 32 bits of tag. The kernel keeps 64 bits, but mio passes a `usize`.
const _: () = assert!(usize::BITS == 64, "a token packs two 32-bit halves");

/// The reactor's own token, under which its waker is registered. No registration gets it, since
/// slot `u32::MAX` is never given out.
pub(crate) const WAKER: mio::Token = mio::Token(usize::MAX);
/// The same, for its alarm.
pub(crate) const ALARM: mio::Token = mio::Token(usize::MAX - (1 << 32));

impl Token {
    pub(crate) const fn new(slot: u32, tag: u32) -> Self {
        Token((tag as usize) << 32 | slot as usize)
    }

    pub(crate) const fn slot(self) -> u32 {
        self.0 as u32
    }

    pub(crate) const fn tag(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The token as a number, for a place that cannot name this type. Every value is possible,
    /// zero too.
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil_reactor::Token;
    ///
    /// assert_eq!(Token::from_raw(7).to_raw(), 7);
    /// ```
    pub const fn to_raw(self) -> usize {
        self.0
    }

    /// The token that [`to_raw`](Token::to_raw) gave this number for.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::fd::AsRawFd;
    /// use std::os::unix::net::UnixStream;
    /// use trefoil_reactor::{Reactor, Token, Watch};
    ///
    /// let reactor = Reactor::new()?;
    /// let (left, _right) = UnixStream::pair()?;
    /// let number = reactor.handle().register(left.as_raw_fd(), (), Watch::Both)?.to_raw();
    /// reactor.handle().deregister(left.as_raw_fd(), Token::from_raw(number));
    /// assert_eq!(reactor.handle().registered(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub const fn from_raw(raw: usize) -> Self {
        Token(raw)
    }
}

impl From<Token> for mio::Token {
    fn from(token: Token) -> Self {
        mio::Token(token.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_survive() {
        for (slot, tag) in [(0, 0), (1, u32::MAX), (u32::MAX - 1, 1), (77, 1 << 31)] {
            let token = Token::new(slot, tag);
            assert_eq!((token.slot(), token.tag()), (slot, tag));
            assert_eq!(Token::from_raw(token.to_raw()), token);
        }
    }

    #[test]
    fn no_slot_collides_with_the_waker() {
        let last = Token::new(crate::slab::NIL - 1, u32::MAX);
        assert_ne!(mio::Token::from(last), WAKER);
    }
}
