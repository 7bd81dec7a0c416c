//! Addresses of `std`, and those of the system calls.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use socket2::SockAddr;

/// For a system call. A path that is too long, or has a zero byte, is refused.
pub(super) fn of_path(path: &Path) -> io::Result<SockAddr> {
    lower(&SocketAddr::from_pathname(path)?)
}

/// For a system call.
pub(super) fn lower(address: &SocketAddr) -> io::Result<SockAddr> {
    if let Some(path) = address.as_pathname() {
        return SockAddr::unix(path);
    }
    let Some(name) = address.as_abstract_name() else {
        return SockAddr::unix("");
    };
    // An abstract name begins with a zero byte.
    let mut bytes = vec![0];
    bytes.extend_from_slice(name);
    SockAddr::unix(OsStr::from_bytes(&bytes))
}

/// From a system call. Who sends, or connects, mostly has no name.
pub(super) fn raise(address: &SockAddr) -> io::Result<SocketAddr> {
    if let Some(path) = address.as_pathname() {
        return SocketAddr::from_pathname(path);
    }
    match address.as_abstract_namespace() {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(address: &SocketAddr) -> SocketAddr {
        raise(&lower(address).unwrap()).unwrap()
    }

    #[test]
    fn each_kind_comes_back() {
        let path = SocketAddr::from_pathname("/tmp/x").unwrap();
        assert_eq!(there_and_back(&path).as_pathname(), path.as_pathname());
        for name in [&b"name"[..], b"\0with\0zeros\0", b"x"] {
            let named = SocketAddr::from_abstract_name(name).unwrap();
            assert_eq!(there_and_back(&named).as_abstract_name(), Some(name));
        }
        let nobody = SocketAddr::from_pathname("").unwrap();
        assert!(nobody.is_unnamed() && there_and_back(&nobody).is_unnamed());
    }

    #[test]
    fn a_bad_path_is_refused() {
        for path in ["x".repeat(108), "with\0zero".to_owned()] {
            let refused = of_path(Path::new(&path)).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        }
        assert!(of_path(Path::new(&"x".repeat(107))).is_ok());
    }
}
