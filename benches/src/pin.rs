//! Server and client on processors of their own, so that neither takes the other's time.
#![forbid(unsafe_code)]

use std::fs;
use std::thread;

use core_affinity::CoreId;

/// Keeps the calling OS thread on the first processor that it may use. The threads and the processes that it
/// starts later inherit that: a server of one worker.
pub fn server() {
    let processors = core_affinity::get_core_ids().unwrap_or_default();
    if let Some(first) = processors.first() {
        core_affinity::set_for_current(*first);
    }
}

/// Keeps the calling OS thread on the last processor of the machine, whatever it has inherited: the client
/// of such a server. Where the system refuses, or has one processor only, nothing changes.
pub fn client() {
    let online = fs::read_to_string("/sys/devices/system/cpu/online");
    if let Some(id) = online.ok().as_deref().and_then(last) {
        core_affinity::set_for_current(CoreId { id });
    }
}

/// The last of a list as `0-3,8`.
fn last(list: &str) -> Option<usize> {
    list.trim_end().rsplit([',', '-']).next()?.parse().ok()
}

/// Does something on an OS thread that is kept where a server runs, if `pinned`.
pub fn as_server<T: Send>(pinned: bool, what: impl FnOnce() -> T + Send) -> T {
    if !pinned {
        return what();
    }
    let kept = || {
        server();
        what()
    };
    thread::scope(|scope| scope.spawn(kept).join())
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_list_is_found() {
        assert_eq!(last("0\n"), Some(0));
        assert_eq!(last("0-1\n"), Some(1));
        assert_eq!(last("0-3,8,10-11"), Some(11));
        assert_eq!(last(""), None);
    }

    #[test]
    fn a_server_has_one_processor_and_others_have_all() {
        let all = core_affinity::get_core_ids().map(|ids| ids.len());
        let its = as_server(true, core_affinity::get_core_ids).map(|ids| ids.len());
        assert_eq!(its, all.map(|all| all.min(1)));
        assert_eq!(core_affinity::get_core_ids().map(|ids| ids.len()), all);
    }
}
