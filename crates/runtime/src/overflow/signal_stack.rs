//! The stack on which a signal handler runs when the thread's own has no room left.
//!
//! `std` gives one to the main thread and to every thread that it makes, if it was there when
//! the process began. It was not if `main` is written in C, and it did not make the thread
//! that a foreign library calls us from.

use std::marker::PhantomData;
use std::mem;
use std::ptr::{self, NonNull};

/// An alternate signal stack that we gave the calling OS thread. Taken away by its destructor.
#[derive(Debug)]
pub(super) struct SignalStack {
    /// The mapping: a guard page, and above it the stack.
    low: NonNull<u8>,
    guard: usize,
    size: usize,
    /// It is this OS thread's.
    _not_send: PhantomData<*const ()>,
}

impl SignalStack {
    /// Gives the calling OS thread one, if it has none. `None`: it has, or there is no memory.
    pub(super) fn if_needed() -> Option<SignalStack> {
        if current().ss_flags & libc::SS_DISABLE == 0 {
            return None;
        }
        let stack = SignalStack::map()?;
        let wanted = libc::stack_t {
            ss_sp: stack.bottom().cast(),
            ss_flags: 0,
            ss_size: stack.size,
        };
        // SAFETY: these bytes are mapped, and nobody's but the handlers', until `drop` has
        // taken them away. If it is refused, `drop` finds that it is not in use.
        unsafe { libc::sigaltstack(&raw const wanted, ptr::null_mut()) };
        Some(stack)
    }

    fn map() -> Option<SignalStack> {
        let (guard, size) = sizes()?;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing that
        // exists.
        let low = unsafe { libc::mmap(ptr::null_mut(), guard + size, access, flags, -1, 0) };
        if low == libc::MAP_FAILED {
            return None;
        }
        let stack = SignalStack {
            low: NonNull::new(low.cast())?,
            guard,
            size,
            _not_send: PhantomData,
        };
        // SAFETY: the lowest page of what has just been mapped.
        let guarded = unsafe { libc::mprotect(low, guard, libc::PROT_NONE) } == 0;
        guarded.then_some(stack)
    }

    fn bottom(&self) -> *mut u8 {
        // It stays inside the mapping.
        self.low.as_ptr().wrapping_add(self.guard)
    }
}

impl Drop for SignalStack {
    fn drop(&mut self) {
        let none = libc::stack_t {
            ss_sp: ptr::null_mut(),
            ss_flags: libc::SS_DISABLE,
            ss_size: self.size,
        };
        // The program may have put another one in its place.
        let in_use = current().ss_sp == self.bottom().cast();
        // SAFETY: the mapping is our own, of this size. It goes when no handler can run on it
        // any more; if it cannot be taken away, one does, and it is leaked.
        unsafe {
            if !in_use || libc::sigaltstack(&raw const none, ptr::null_mut()) == 0 {
                libc::munmap(self.low.as_ptr().cast(), self.guard + self.size);
            }
        }
    }
}

/// The calling OS thread's alternate signal stack.
fn current() -> libc::stack_t {
    // SAFETY: numbers and a pointer, which may be zero; the call writes one such value.
    unsafe {
        let mut stack: libc::stack_t = mem::zeroed();
        libc::sigaltstack(ptr::null(), &raw mut stack);
        stack
    }
}

/// How large the guard page and the stack are.
fn sizes() -> Option<(usize, usize)> {
    /// What is left to a handler, besides the registers that the kernel puts there.
    const ROOM: usize = 8 << 10;
    // SAFETY: these take no pointer.
    let (page, registers) = unsafe {
        let page = usize::try_from(libc::sysconf(libc::_SC_PAGESIZE)).ok()?;
        (page, libc::getauxval(libc::AT_MINSIGSTKSZ))
    };
    // 0 from a kernel that does not say it.
    let registers = usize::try_from(registers).ok()?;
    let size = libc::SIGSTKSZ.max(registers + ROOM);
    Some((page, size.next_multiple_of(page)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_enabled() -> bool {
        current().ss_flags & libc::SS_DISABLE == 0
    }

    /// An OS thread that `std` gave none is played by one that has lost it.
    fn without_one(test: fn()) {
        let thread = std::thread::spawn(move || {
            let theirs = current();
            let none = libc::stack_t {
                ss_flags: libc::SS_DISABLE,
                ..theirs
            };
            // SAFETY: no handler runs on it, and it is put back.
            unsafe { assert_eq!(libc::sigaltstack(&raw const none, ptr::null_mut()), 0) };
            test();
            assert!(!is_enabled());
            // SAFETY: it is still mapped, for `std` unmaps it when the thread ends.
            unsafe { assert_eq!(libc::sigaltstack(&raw const theirs, ptr::null_mut()), 0) };
        });
        thread.join().unwrap();
    }

    #[test]
    fn a_thread_that_has_one_keeps_it() {
        std::thread::spawn(|| {
            let theirs = current().ss_sp;
            assert!(SignalStack::if_needed().is_none());
            assert_eq!(current().ss_sp, theirs);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_thread_without_one_gets_it_for_as_long() {
        without_one(|| {
            let stack = SignalStack::if_needed().unwrap();
            assert!(is_enabled());
            assert_eq!(current().ss_sp, stack.bottom().cast());
            assert!(current().ss_size >= libc::SIGSTKSZ);
            // All of it can be used.
            // SAFETY: it is mapped, and no handler runs.
            unsafe { ptr::write_bytes(stack.bottom(), 1, stack.size) };
        });
    }

    #[test]
    fn another_one_in_its_place_is_left_alone() {
        without_one(|| {
            let first = SignalStack::if_needed().unwrap();
            let other = SignalStack::map().unwrap();
            let wanted = libc::stack_t {
                ss_sp: other.bottom().cast(),
                ss_flags: 0,
                ss_size: other.size,
            };
            // SAFETY: it stays mapped until it is dropped.
            unsafe { libc::sigaltstack(&raw const wanted, ptr::null_mut()) };
            drop(first);
            assert_eq!(current().ss_sp, wanted.ss_sp);
            drop(other);
        });
    }
}
