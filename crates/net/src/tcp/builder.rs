//! What is said before a listener listens, and several listeners at one address.
#![forbid(unsafe_code)]

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Type};

use super::listener::TcpListener;
use crate::address::{self, ToSocketAddrs};
use crate::handle::Handle;
use crate::socket;

/// Options of a [`TcpListener`] that come before its address; from [`TcpListener::builder`].
///
/// ```
/// use trefoil_net::{TcpListener, TcpListenerBuilder};
///
/// let builder: TcpListenerBuilder = TcpListener::builder().backlog(1024);
/// let listener = builder.bind("127.0.0.1:0")?;
/// # drop(listener);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "it listens nowhere until `bind`"]
pub struct TcpListenerBuilder {
    backlog: u32,
    reuse_address: bool,
    reuse_port: bool,
    only_v6: Option<bool>,
}

impl TcpListenerBuilder {
    pub(super) fn new() -> TcpListenerBuilder {
        TcpListenerBuilder {
            // The operating system takes what it allows (`net.core.somaxconn`).
            backlog: u32::try_from(libc::c_int::MAX).expect("it is positive"),
            reuse_address: true,
            reuse_port: false,
            only_v6: None,
        }
    }

    /// How many connections wait to be accepted. The operating system may allow fewer
    /// (`net.core.somaxconn`), and at first it is as many as it allows. Does not wait.
    ///
    /// ```
    /// use trefoil_net::TcpListener;
    ///
    /// let listener = TcpListener::builder().backlog(1).bind("127.0.0.1:0")?;
    /// # drop(listener);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn backlog(self, connections: u32) -> TcpListenerBuilder {
        TcpListenerBuilder {
            backlog: connections,
            ..self
        }
    }

    /// Whether an address can be had again at once after its last listener is gone
    /// (`SO_REUSEADDR`). It can at first, as in `std`. Does not wait.
    ///
    /// ```
    /// use trefoil_net::TcpListener;
    ///
    /// let listener = TcpListener::builder().reuse_address(false).bind("127.0.0.1:0")?;
    /// # drop(listener);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn reuse_address(self, reuse: bool) -> TcpListenerBuilder {
        TcpListenerBuilder {
            reuse_address: reuse,
            ..self
        }
    }

    /// Whether several listeners, of this process or of others of the same user, may have the
    /// address (`SO_REUSEPORT`): each has to say so. The operating system then gives each
    /// connection to one of them. Not at first. Does not wait.
    ///
    /// ```
    /// use trefoil_net::TcpListener;
    ///
    /// let shared = TcpListener::builder().reuse_port(true);
    /// let first = shared.bind("127.0.0.1:0")?;
    /// let second = shared.bind(first.local_addr()?)?;
    /// assert_eq!(first.local_addr()?, second.local_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn reuse_port(self, reuse: bool) -> TcpListenerBuilder {
        TcpListenerBuilder {
            reuse_port: reuse,
            ..self
        }
    }

    /// Whether a listener at an IPv6 address refuses connections by IPv4. If it is not said,
    /// the operating system decides (`net.ipv6.bindv6only`). An IPv4 address does not mind. Does
    /// not wait.
    ///
    /// ```
    /// use trefoil_net::TcpListener;
    ///
    /// let listener = TcpListener::builder().only_v6(true).bind("[::]:0");
    /// # drop(listener); // there are machines without IPv6
    /// ```
    pub fn only_v6(self, only: bool) -> TcpListenerBuilder {
        TcpListenerBuilder {
            only_v6: Some(only),
            ..self
        }
    }

    /// Listens at the first of `address` that can be had; see [`TcpListener::bind`]. Parks the
    /// thread if a name has to be looked up; no cancellation point.
    ///
    /// # Errors
    ///
    /// As there: `AddrInUse`, `PermissionDenied`,
    /// [`DescriptorsExhausted`](crate::DescriptorsExhausted).
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use trefoil_net::TcpListener;
    ///
    /// let listener = TcpListener::builder().bind("127.0.0.1:0")?;
    /// let taken = TcpListener::builder().bind(listener.local_addr()?).unwrap_err();
    /// assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn bind<A: ToSocketAddrs>(&self, address: A) -> io::Result<TcpListener> {
        let mut last = None;
        for address in address::all(&address)? {
            match self.listen(address) {
                Ok(listener) => return Ok(listener),
                Err(refused) => last = Some(refused),
            }
        }
        Err(last.expect("there was an address to try"))
    }

    /// So many listeners of one address, for as many accepting threads: each has a queue of its
    /// own, and the operating system gives each connection to one of them, by a hash of both
    /// addresses. So no accepting thread waits for another one's lock. Port 0 is a free one, the
    /// same for all. Parks the thread if a name has to be looked up; no cancellation point.
    ///
    /// A connection stays in the queue that it was given to: it waits as long as that listener's
    /// thread does something else, and is reset if that listener is dropped. So drop all of them
    /// together. A server whose connections last should have one listener instead, whose
    /// connections go to [whoever has nothing to do](TcpListener#a-server).
    ///
    /// # Errors
    ///
    /// As [`bind`](TcpListenerBuilder::bind); `InvalidInput` if it is 0 listeners.
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use trefoil_net::{TcpListener, TcpStream};
    /// # use std::thread; // the same, without a runtime
    ///
    /// let shards = TcpListener::builder().bind_sharded("127.0.0.1:0", 2)?;
    /// let address = shards[0].local_addr()?;
    /// for listener in shards {
    ///     thread::spawn(move || {
    ///         // Each thread serves what comes to its own listener.
    ///         for connection in listener.incoming() {
    ///             let mut connection = connection.unwrap();
    ///             let mut request = [0; 4];
    ///             connection.read_exact(&mut request).unwrap();
    ///             connection.write_all(&request).unwrap();
    ///         }
    ///     });
    /// }
    /// for _ in 0..10 {
    ///     let mut client = TcpStream::connect(address)?;
    ///     client.write_all(b"ping")?;
    ///     let mut answer = [0; 4];
    ///     client.read_exact(&mut answer)?;
    ///     assert_eq!(&answer, b"ping");
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn bind_sharded<A: ToSocketAddrs>(
        &self,
        address: A,
        listeners: usize,
    ) -> io::Result<Vec<TcpListener>> {
        if listeners == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "0 listeners would accept nothing: ask for one at least",
            ));
        }
        let shared = self.clone().reuse_port(true);
        let first = shared.bind(address)?;
        let address = first.local_addr()?;
        let mut shards = vec![first];
        while shards.len() < listeners {
            shards.push(shared.listen(address)?);
        }
        Ok(shards)
    }

    fn listen(&self, address: SocketAddr) -> io::Result<TcpListener> {
        let domain = Domain::for_address(address);
        let listener = socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        listener.set_reuse_address(self.reuse_address)?;
        if self.reuse_port {
            listener.set_reuse_port(true)?;
        }
        if let (Some(only), Domain::IPV6) = (self.only_v6, domain) {
            listener.set_only_v6(only)?;
        }
        listener.bind(&address.into())?;
        let backlog = libc::c_int::try_from(self.backlog).unwrap_or(libc::c_int::MAX);
        listener.listen(backlog)?;
        Ok(TcpListener {
            handle: Handle::from_nonblocking(listener.into()),
        })
    }
}
