//! Who a thread is: its id, its name, its model, its OS thread.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use trefoil_runtime::Model;
use trefoil_runtime::thread::{self, Builder};
use trefoil_sync::channel::bounded;

use crate::Subject;
use crate::subject::run;
use crate::witness::join_all;

/// No two threads have the same id.
pub fn ids_are_unique<S: Subject>() {
    run::<S, _>(|| {
        let threads: Vec<_> = (0..500)
            .map(|_| thread::spawn(|| thread::current().id()))
            .collect();
        let ids: HashSet<_> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .chain([thread::current().id()])
            .collect();
        assert_eq!(ids.len(), 501);
    });
}

/// A thread finds itself, before and after it has waited, as its handle names it.
pub fn current_is_what_the_handle_names<S: Subject>() {
    run::<S, _>(|| {
        let (go, gate) = bounded::<()>(0);
        let thread = thread::spawn(move || {
            let before = thread::current();
            gate.recv().unwrap();
            thread::yield_now();
            let after = thread::current();
            assert!(before.is_current() && after.is_current());
            (before.id(), after.id())
        });
        let named = thread.thread().clone();
        assert!(!named.is_current());
        go.send(()).unwrap();
        assert_eq!(thread.join().unwrap(), (named.id(), named.id()));
    });
}

/// A name that was given is seen from inside and outside; a thread without one has none.
pub fn a_name_is_seen_from_everywhere<S: Subject>() {
    run::<S, _>(|| {
        let named = Builder::new()
            .name("käfer".into())
            .spawn(|| thread::current().name().map(str::to_owned))
            .unwrap();
        assert_eq!(named.thread().name(), Some("käfer"));
        assert_eq!(named.join().unwrap().as_deref(), Some("käfer"));
        let nameless = thread::spawn(|| thread::current().name().map(str::to_owned));
        assert_eq!(nameless.join().unwrap(), None);
    });
}

/// The first thread is called main.
pub fn the_first_thread_is_main<S: Subject>() {
    let name = run::<S, _>(|| thread::current().name().map(str::to_owned));
    assert_eq!(name.as_deref(), Some("main"));
}

/// A very long name is no problem.
pub fn a_long_name_is_kept_whole<S: Subject>() {
    run::<S, _>(|| {
        let name = "n".repeat(10_000);
        let thread = Builder::new().name(name.clone()).spawn(|| ()).unwrap();
        assert_eq!(thread.thread().name(), Some(&*name));
        thread.join().unwrap();
    });
}

/// A name with a NUL is refused with an error, which says so.
pub fn a_name_with_a_nul_is_refused<S: Subject>() {
    run::<S, _>(|| {
        let refused = Builder::new().name("a\0b".into()).spawn(|| ()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        assert!(refused.to_string().contains("NUL"), "{refused}");
    });
}

/// Threads have the runtime's model.
pub fn a_thread_knows_its_model<S: Subject>() {
    run::<S, _>(|| {
        assert_eq!(thread::current().model(), S::MODEL);
        let thread = thread::spawn(|| thread::current().model());
        assert_eq!(thread.thread().model(), S::MODEL);
        assert_eq!(thread.join().unwrap(), S::MODEL);
    });
}

/// The OS threads on which a thread finds itself, from wait to wait.
fn os_threads_of_one() -> Vec<std::thread::ThreadId> {
    let mut seen = vec![std::thread::current().id()];
    for _ in 0..20 {
        thread::yield_now();
        seen.push(std::thread::current().id());
        thread::sleep(Duration::from_micros(50));
        seen.push(std::thread::current().id());
        thread::spawn(thread::yield_now).join().unwrap();
        seen.push(std::thread::current().id());
    }
    seen
}

/// A thread stays on its OS thread, whatever it waits for (Rule 1). Kernel threads have one
/// each; green threads share the one that called `run`. Threads that migrate need not stay.
pub fn a_thread_stays_on_its_os_thread<S: Subject>() {
    let stays = !S::migrates();
    let caller = std::thread::current().id();
    let homes = run::<S, _>(move || {
        // Nobody ends before all have looked: an OS thread may serve again later.
        let (there, arrived) = bounded::<()>(16);
        let (go, gate) = bounded::<()>(0);
        let threads: Vec<_> = (0..16)
            .map(|_| {
                let (there, gate) = (there.clone(), gate.clone());
                thread::spawn(move || {
                    let seen = os_threads_of_one();
                    there.send(()).unwrap();
                    let _ = gate.recv();
                    seen
                })
            })
            .collect();
        (0..16).for_each(|_| arrived.recv().unwrap());
        drop(go);
        let mut homes = Vec::new();
        for thread in threads {
            let seen = thread.join().unwrap();
            let moved = seen.iter().any(|home| *home != seen[0]);
            assert!(!(stays && moved), "it has moved");
            homes.push(seen[0]);
        }
        homes
    });
    let different = homes.iter().collect::<HashSet<_>>().len();
    match S::MODEL {
        Model::Kernel => assert_eq!(different, homes.len()),
        Model::Green => assert!(homes.iter().all(|home| *home == caller)),
        Model::Hybrid => assert!(
            !homes.contains(&caller),
            "workers are OS threads of their own"
        ),
    }
}

/// What a thread keeps in a `thread_local!` of its OS thread is where it left it, unless it migrates.
pub fn thread_locals_stay_where_they_are<S: Subject>() {
    use std::cell::Cell;
    if S::migrates() {
        return;
    }
    thread_local!(static CELL: Cell<u64> = const { Cell::new(0) });
    run::<S, _>(|| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                thread::spawn(|| {
                    let place = CELL.with(std::ptr::from_ref).addr();
                    for _ in 0..50 {
                        thread::yield_now();
                        assert_eq!(CELL.with(std::ptr::from_ref).addr(), place);
                    }
                })
            })
            .collect();
        join_all(threads);
    });
}
