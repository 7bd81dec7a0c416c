//! How names are looked up: where it stops nobody else.

use trefoil::net::ToSocketAddrs as _;
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Looks names up as the sockets do. A lookup takes the time it takes: no timeout ends it.
#[derive(Debug, Clone, Copy)]
pub struct Names;

/// `ureq` keeps so many addresses.
const MOST: usize = 16;

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let incomplete = || Error::BadUri(format!("{uri} lacks `http://` or a host"));
        let (scheme, authority) = uri.scheme().zip(uri.authority()).ok_or_else(incomplete)?;
        let name = DefaultResolver::host_and_port(scheme, authority).ok_or_else(incomplete)?;
        let found = name.as_str().to_socket_addrs()?;
        let mut addresses = self.empty();
        for address in config.ip_family().keep_wanted(found).take(MOST) {
            addresses.push(address);
        }
        if addresses.is_empty() {
            return Err(Error::HostNotFound);
        }
        Ok(addresses)
    }
}
