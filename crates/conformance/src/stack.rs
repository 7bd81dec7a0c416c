//! The stack that a thread asks for: it gets it, or an error.

use std::hint::black_box;
use std::io;

use trefoil_runtime::Model;
use trefoil_runtime::thread::{self, Builder, MAX_STACK_SIZE};

use crate::Subject;
use crate::subject::run;
use crate::witness::join_all;

/// A stack of size 0 is refused with an error.
pub fn no_stack_at_all_is_refused<S: Subject>() {
    run::<S, _>(|| {
        let refused = Builder::new().stack_size(0).spawn(|| ()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        assert!(refused.to_string().contains("stack"), "{refused}");
    });
}

/// A stack of absurd size is refused with an error, and the runtime goes on.
pub fn an_absurd_stack_is_refused<S: Subject>() {
    run::<S, _>(|| {
        for size in [
            MAX_STACK_SIZE + 1,
            isize::MAX as usize,
            usize::MAX - 1,
            usize::MAX,
        ] {
            let refused = Builder::new().stack_size(size).spawn(|| ()).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        }
        assert_eq!(thread::spawn(|| 1).join().unwrap(), 1);
    });
}

/// The smallest stack is rounded up to one that can be used.
pub fn a_tiny_stack_is_rounded_up<S: Subject>() {
    run::<S, _>(|| {
        let thread = Builder::new()
            .stack_size(1)
            .spawn(|| format!("{:?}", [1, 2, 3]))
            .unwrap();
        assert_eq!(thread.join().unwrap(), "[1, 2, 3]");
    });
}

/// Recurses until it is `depth` bytes below `top`, and does `last` there; returns how often.
pub(crate) fn descend(top: usize, depth: usize, last: fn()) -> u64 {
    let frame = black_box([0_u8; 1024]);
    let here = std::ptr::from_ref(&frame).addr();
    if top.abs_diff(here) >= depth {
        last();
        return 1;
    }
    let below = descend(top, depth, last);
    // After the call, so that it is no tail call.
    black_box(&frame);
    below + 1
}

/// Uses `depth` bytes of the stack below the caller, and one frame more.
fn use_all(depth: usize) {
    let top = 0_u8;
    assert!(descend(std::ptr::from_ref(&top).addr(), depth, || ()) > 1);
}

/// What a thread may use of the stack it asks for. The rest is what is below its closure: a few frames
/// that start it and the last one of `descend`; on the kernel model also what the C library keeps at
/// the top of a stack, thread-locals among it.
fn usable<S: Subject>(size: usize) -> usize {
    let kept = match S::MODEL {
        Model::Kernel => 24 << 10,
        Model::Green | Model::Hybrid => 8 << 10,
    };
    size - kept
}

/// A stack of any size, even or odd, can be used as far as it was asked for, by several threads at the
/// same time, and again by those that come later.
pub fn a_stack_has_the_size_asked_for<S: Subject>() {
    const SIZES: [usize; 8] = [
        64 << 10,
        (65 << 10) + 1,
        100_001,
        256 << 10,
        (256 << 10) + 1,
        1 << 20,
        3_000_000,
        (8 << 20) + 1,
    ];
    run::<S, _>(|| {
        for size in SIZES {
            for _round in 0..2 {
                let threads = [(); 3].map(|()| {
                    let thread = Builder::new().stack_size(size).spawn(move || {
                        thread::yield_now();
                        use_all(usable::<S>(size));
                        thread::yield_now();
                    });
                    thread.unwrap_or_else(|refused| panic!("{size}: {refused}"))
                });
                join_all(threads);
            }
        }
    });
}

/// The largest stack that can be asked for can be used to its end, and costs no more than what is used.
pub fn the_largest_stack_can_be_used<S: Subject>() {
    run::<S, _>(|| {
        let largest = || Builder::new().stack_size(MAX_STACK_SIZE);
        // 16 GiB, for a moment.
        let threads = [(); 16].map(|()| largest().spawn(|| use_all(1 << 20)).unwrap());
        join_all(threads);
        let thread = largest().spawn(|| use_all(usable::<S>(MAX_STACK_SIZE)));
        thread.unwrap().join().unwrap();
    });
}

/// A stack of 8 MiB can be used that far, also by a thread that is joined at once.
pub fn a_large_stack_can_be_used<S: Subject>() {
    run::<S, _>(|| {
        let threads = [(); 3].map(|()| {
            Builder::new()
                .stack_size(8 << 20)
                .spawn(|| {
                    let top = 0_u8;
                    let calls = descend(std::ptr::from_ref(&top).addr(), 7 << 20, || ());
                    thread::yield_now();
                    calls
                })
                .unwrap()
        });
        for thread in threads {
            assert!(thread.join().unwrap() > 1000);
        }
    });
}

/// Every thread has at least some tens of KiB, without having asked.
pub fn an_ordinary_stack_can_be_used<S: Subject>() {
    run::<S, _>(|| {
        let thread = thread::spawn(|| {
            let top = 0_u8;
            descend(std::ptr::from_ref(&top).addr(), 48 << 10, || ())
        });
        assert!(thread.join().unwrap() > 10);
    });
}
