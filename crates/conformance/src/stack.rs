//! The stack that a thread asks for: it gets it, or an error.

use std::hint::black_box;
use std::io;

use trefoil_runtime::thread::{self, Builder, MAX_STACK_SIZE};

use crate::Subject;
use crate::subject::run;

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
