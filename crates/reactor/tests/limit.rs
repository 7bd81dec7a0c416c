//! A reactor when descriptors run out. The limit is the process's, hence a binary of its own with
//! this one test.

use std::fs::File;
use std::io;

use trefoil_reactor::Reactor;

fn limit_descriptors(count: libc::rlim_t) {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is live and writable for the call.
    let got = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    assert_eq!(got, 0);
    limit.rlim_cur = count;
    // SAFETY: `limit` is live, and its maximum is the one in force.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
    assert_eq!(set, 0);
}

fn fill() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

#[test]
fn without_descriptors_new_is_an_error_and_leaks_none() {
    limit_descriptors(64);
    let mut files = fill();
    assert!(!files.is_empty());
    // It needs three descriptors: fail at each of them in turn.
    for free in 0..3 {
        let refused = Reactor::<()>::new()
            .map(drop)
            .map_err(|error| error.raw_os_error());
        assert_eq!(refused, Err(Some(libc::EMFILE)), "with {free} free");
        let left: io::Result<Vec<_>> = (0..free).map(|_| File::open("/dev/null")).collect();
        assert!(left.is_ok(), "a failed attempt kept a descriptor");
        drop(left);
        files.pop();
    }
    let reactor = Reactor::<()>::new().unwrap();
    assert!(fill().is_empty(), "three are what it takes");
    let handle = reactor.handle();
    let refused = handle.set_alarm(std::time::Duration::from_millis(1));
    assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::EMFILE));
    drop(reactor);
    drop(handle);
    assert_eq!(fill().len(), 3, "and what it gives back");
}
