//! The monitor: who keeps a worker from all its other threads is named.

use std::time::Duration;

use trefoil_runtime::{Model, thread};

use crate::Subject;
use crate::child::Child;
use crate::subject::run;

/// A thread that blocks its OS thread is named on standard error, with the place that spawned it: once, however
/// often it happens. Nobody is named who has a kernel thread of its own, on which nobody else waits.
pub fn who_keeps_a_worker_is_named_once<S: Subject>() {
    let ended = Child::new().with_monitor().end_of(|| {
        run::<S, _>(|| {
            for _ in 0..2 {
                let hog = thread::Builder::new().name("hog".to_owned());
                // It does not let others run. Far longer than the monitor's limit, should that be late.
                let hog = hog.spawn(|| std::thread::sleep(Duration::from_millis(400)));
                hog.unwrap().join().unwrap();
            }
        });
    });
    ended.assert_came_through();
    let named: Vec<&str> = ended
        .err
        .lines()
        .filter(|line| line.contains("'hog'"))
        .collect();
    match S::MODEL {
        Model::Kernel => assert_eq!(named, [""; 0], "{ended:?}"),
        Model::Green | Model::Hybrid => {
            assert_eq!(named.len(), 1, "{ended:?}");
            assert!(named[0].contains(file!()), "{ended:?}");
            assert!(named[0].contains("thread::blocking"), "{ended:?}");
        }
    }
}

/// The one that is named is the one that computes, also where its joiner runs it on its own stack, and is itself
/// run so.
pub fn who_runs_inside_of_its_joiner_is_named<S: Subject>() {
    let ended = Child::new().with_monitor().end_of(|| {
        run::<S, _>(|| {
            let hog = |millis| {
                let hog = thread::Builder::new().name("hog".to_owned());
                hog.spawn(move || std::thread::sleep(Duration::from_millis(millis)))
                    .unwrap()
            };
            // Threads of its line are known not to wait.
            (0..100).for_each(|_| hog(0).join().unwrap());
            let older = hog(400);
            thread::scope(|scope| {
                let joiner = thread::Builder::new().name("joiner".to_owned());
                let joiner = joiner.spawn_scoped(scope, || older.join().unwrap());
                joiner.unwrap();
            });
        });
    });
    ended.assert_came_through();
    let told = |name: &str| ended.err.lines().any(|line| line.contains(name));
    assert_eq!(told("'hog'"), S::MODEL != Model::Kernel, "{ended:?}");
    assert!(!told("'joiner'"), "{ended:?}");
}
