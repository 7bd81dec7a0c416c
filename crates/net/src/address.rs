//! From what a program calls an address to socket addresses.
#![forbid(unsafe_code)]

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::vec;

use trefoil_runtime::thread;

/// As [`std::net::ToSocketAddrs`], and implemented for the same types.
///
/// A name is looked up where it stops nobody else: by [`thread::blocking`], while the calling
/// thread is parked. That needs what `std`'s trait does not promise, namely that the name may
/// be used by another OS thread; therefore this trait is one of its own. An address that is
/// written in numbers, or is one already, is never looked up, and parks nobody. A lookup is no
/// cancellation point.
///
/// ```
/// use trefoil_net::ToSocketAddrs;
///
/// let mut addresses = "127.0.0.1:80".to_socket_addrs()?;
/// assert_eq!(addresses.next(), Some(([127, 0, 0, 1], 80).into()));
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait ToSocketAddrs {
    /// The addresses, in the order in which they should be tried.
    ///
    /// # Errors
    ///
    /// What the resolver says, with the name; `InvalidInput` if it is no address.
    #[track_caller]
    fn to_socket_addrs(&self) -> io::Result<vec::IntoIter<SocketAddr>>;
}

fn one(address: SocketAddr) -> io::Result<vec::IntoIter<SocketAddr>> {
    Ok(vec![address].into_iter())
}

/// Looks up what is called `name`, on a thread that may block.
#[track_caller]
fn look_up<A: std::net::ToSocketAddrs<Iter = vec::IntoIter<SocketAddr>> + Sync + ?Sized>(
    name: &str,
    address: &A,
) -> io::Result<vec::IntoIter<SocketAddr>> {
    thread::blocking(|| address.to_socket_addrs()).map_err(|refused| match refused.kind() {
        // It is no address, and nobody was asked.
        io::ErrorKind::InvalidInput => refused,
        kind => io::Error::new(kind, format!("`{name}` could not be looked up: {refused}")),
    })
}

macro_rules! without_lookup {
    ($($address:ty,)*) => {$(
        impl ToSocketAddrs for $address {
            fn to_socket_addrs(&self) -> io::Result<vec::IntoIter<SocketAddr>> {
                one(SocketAddr::from(*self))
            }
        }
    )*};
}

without_lookup! {
    SocketAddr,
    SocketAddrV4,
    SocketAddrV6,
    (IpAddr, u16),
    (Ipv4Addr, u16),
    (Ipv6Addr, u16),
}

impl ToSocketAddrs for [SocketAddr] {
    fn to_socket_addrs(&self) -> io::Result<vec::IntoIter<SocketAddr>> {
        Ok(Vec::from(self).into_iter())
    }
}

impl ToSocketAddrs for str {
    #[track_caller]
    fn to_socket_addrs(&self) -> io::Result<vec::IntoIter<SocketAddr>> {
        match self.parse() {
            Ok(address) => one(address),
            Err(_) => look_up(self, self),
        }
    }
}

impl ToSocketAddrs for String {
    #[track_caller]
    fn to_socket_addrs(&self) -> io::Result<vec::IntoIter<SocketAddr>> {
        self.as_str().to_socket_addrs()
    }
}

impl ToSocketAddrs for (&str, u16) {
    #[track_caller]
    fn to_socket_addrs(&self) -> io::Result<vec::IntoIter<SocketAddr>> {
        match self.0.parse::<IpAddr>() {
            Ok(address) => one(SocketAddr::new(address, self.1)),
            Err(_) => look_up(self.0, self),
        }
    }
}

impl ToSocketAddrs for (String, u16) {
    #[track_caller]
    fn to_socket_addrs(&self) -> io::Result<vec::IntoIter<SocketAddr>> {
        (self.0.as_str(), self.1).to_socket_addrs()
    }
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {
    #[track_caller]
    fn to_socket_addrs(&self) -> io::Result<vec::IntoIter<SocketAddr>> {
        (**self).to_socket_addrs()
    }
}

/// All addresses at once; none is an error, as in `std`.
#[track_caller]
pub(crate) fn all(address: &(impl ToSocketAddrs + ?Sized)) -> io::Result<Vec<SocketAddr>> {
    let addresses: Vec<_> = address.to_socket_addrs()?.collect();
    if addresses.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the name has no socket addresses",
        ));
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_need_no_lookup_and_names_get_one() {
        let four = SocketAddr::from(([127, 0, 0, 1], 7));
        let of = |address: &dyn Fn() -> io::Result<vec::IntoIter<SocketAddr>>| {
            address().unwrap().collect::<Vec<_>>()
        };
        assert_eq!(of(&|| four.to_socket_addrs()), [four]);
        assert_eq!(of(&|| "127.0.0.1:7".to_socket_addrs()), [four]);
        assert_eq!(of(&|| ("127.0.0.1", 7).to_socket_addrs()), [four]);
        assert_eq!(of(&|| [four, four].as_slice().to_socket_addrs()).len(), 2);
        assert!(
            of(&|| "localhost:7".to_socket_addrs())
                .iter()
                .all(|found| found.port() == 7)
        );
        assert!("no address at all".to_socket_addrs().is_err());
        assert_eq!(
            all(&[].as_slice()).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    }
}
