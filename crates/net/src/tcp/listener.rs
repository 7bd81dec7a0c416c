//! Where connections are waited for.
#![forbid(unsafe_code)]

use std::io;
use std::net::SocketAddr;

use super::builder::TcpListenerBuilder;
use super::incoming::Incoming;
use super::stream::TcpStream;
use crate::address::{self, ToSocketAddrs};
use crate::exhausted;
use crate::handle::Handle;
use crate::socket;

/// A socket that accepts connections, as [`std::net::TcpListener`].
///
/// ```
/// use std::io::{Read, Write};
/// use trefoil_net::{TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut client = TcpStream::connect(listener.local_addr()?)?;
/// let (mut server, _address) = listener.accept()?;
/// client.write_all(b"hello")?;
/// let mut heard = [0; 5];
/// server.read_exact(&mut heard)?;
/// assert_eq!(&heard, b"hello");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # A server
///
/// One thread accepts, and each connection has a thread of its own. That balances by itself on
/// every model: on hybrid a new thread starts on whichever worker has nothing to do, on kernel the
/// operating system sees to it.
///
/// ```
/// use std::io::{self, Read, Write};
/// use trefoil_net::{TcpListener, TcpStream};
///
/// fn serve(mut connection: TcpStream) -> io::Result<()> {
///     let mut question = String::new();
///     connection.read_to_string(&mut question)?;
///     connection.write_all(question.to_uppercase().as_bytes())
/// }
///
/// # use trefoil_runtime::thread;
/// # fn served(listener: TcpListener, most: usize) -> io::Result<()> {
/// for connection in listener.incoming() {
///     # let most = ();
///     match connection {
///         // The handle is dropped: nobody joins it.
///         Ok(connection) => drop(thread::spawn(move || serve(connection))),
///         // Of one connection, or for want of descriptors: then `accept` has paused already.
///         Err(refused) => eprintln!("not accepted: {refused}"),
///     }
/// }
/// # Ok(()) }
/// ```
///
/// If accepting itself is too much for one thread, see
/// [`bind_sharded`](TcpListenerBuilder::bind_sharded).
pub struct TcpListener {
    pub(crate) handle: Handle,
}

impl TcpListener {
    /// Listens at an address: the first of `address` that can be had. Port 0 is any free one.
    /// As in `std`, an address can be had again at once after its last listener is gone
    /// (`SO_REUSEADDR`). Parks the thread if a name has to be looked up; no cancellation
    /// point.
    ///
    /// # Errors
    ///
    /// What the resolver and the operating system say: `AddrInUse`, `PermissionDenied`. At the
    /// limit of descriptors it is [`DescriptorsExhausted`](crate::DescriptorsExhausted).
    ///
    /// ```
    /// use trefoil_net::TcpListener;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// assert_ne!(listener.local_addr()?.port(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn bind<A: ToSocketAddrs>(address: A) -> io::Result<TcpListener> {
        let addresses = address::all(&address)?;
        let listener = std::net::TcpListener::bind(&addresses[..]).map_err(exhausted::explain)?;
        TcpListener::from_std(listener)
    }

    /// Waits for a connection, and gives it with its peer's address. A cancellation point.
    ///
    /// # Errors
    ///
    /// What `accept(2)` says. As in `std`, that may be the fault of one connection
    /// (`ConnectionAborted`), and the next call is about the next one.
    ///
    /// At the limit of descriptors it is [`DescriptorsExhausted`](crate::DescriptorsExhausted),
    /// which says what to do, after a pause of a millisecond: the connection stays in the queue, so
    /// that the next call fails at once too, until other threads have closed something.
    ///
    /// `WouldBlock` if the listener is [non-blocking](TcpListener::set_nonblocking).
    ///
    /// ```
    /// use trefoil_net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let client = TcpStream::connect(listener.local_addr()?)?;
    /// let (_server, address) = listener.accept()?;
    /// assert_eq!(address, client.local_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (handle, address) = self.handle.accept()?;
        let stream = TcpStream { handle };
        Ok((stream, socket::internet(&address)?))
    }

    /// Options that come before the address: the length of the queue, `only_v6`, several
    /// listeners at one address. Does not wait.
    ///
    /// ```
    /// use trefoil_net::TcpListener;
    ///
    /// let listener = TcpListener::builder().backlog(16).bind("127.0.0.1:0")?;
    /// # drop(listener);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn builder() -> TcpListenerBuilder {
        TcpListenerBuilder::new()
    }

    /// The connections, one after the other, without an end; each is an
    /// [`accept`](TcpListener::accept).
    ///
    /// ```
    /// use trefoil_net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let _client = TcpStream::connect(listener.local_addr()?)?;
    /// for connection in listener.incoming() {
    ///     println!("{:?}", connection?);
    ///     # break;
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }
}
