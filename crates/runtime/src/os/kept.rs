//! The stacks of ended kernel threads that the C library keeps for the next ones.
//!
//! glibc unmaps a stack only when it keeps more than 40 MiB of them. To the kernel those are in use,
//! so that who asks it alone finds no address space for a thread that would get one of them. This
//! list follows glibc's rules (`nptl/allocatestack.c`, `nptl/nptl-stack.c`), for our threads only.

use std::collections::VecDeque;

/// How many bytes of stacks are kept. Other C libraries keep none.
const MOST: usize = if cfg!(target_env = "gnu") {
    40 << 20
} else {
    0
};

/// A thread's id: that of `gettid(2)`.
pub(super) type Id = libc::pid_t;

/// The id of the calling thread.
pub(super) fn own_id() -> Id {
    // SAFETY: it takes nothing.
    unsafe { libc::gettid() }
}

/// The stacks, in the order in which their threads ended.
#[derive(Debug)]
pub(super) struct Kept {
    stacks: VecDeque<Stack>,
    bytes: usize,
}

#[derive(Debug)]
struct Stack {
    size: usize,
    /// Who is about to leave it. `None`: nobody.
    leaver: Option<Id>,
}

impl Stack {
    /// Whether its thread has left it. Before that nobody else gets it.
    fn is_free(&mut self) -> bool {
        self.leaver = self.leaver.filter(|&id| is_there(id));
        self.leaver.is_none()
    }
}

/// Whether the process has a thread of this id.
fn is_there(id: Id) -> bool {
    // SAFETY: signal 0 is sent to nobody; it only asks. No memory is touched.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), id, 0) == 0 }
}

impl Kept {
    pub(super) const fn new() -> Kept {
        Kept {
            stacks: VecDeque::new(),
            bytes: 0,
        }
    }

    /// A thread with this id, and a stack of this size, is about to end.
    pub(super) fn add(&mut self, size: usize, id: Id) {
        self.stacks.push_back(Stack {
            size,
            leaver: Some(id),
        });
        self.bytes = self.bytes.saturating_add(size);
        let mut place = 0;
        while self.bytes > MOST && place < self.stacks.len() {
            if self.stacks[place].is_free() {
                self.remove(place);
            } else {
                place += 1;
            }
        }
    }

    fn remove(&mut self, place: usize) {
        let stack = self.stacks.remove(place);
        self.bytes -= stack.map_or(0, |stack| stack.size);
    }

    /// Where the stack is that a new thread will get: the smallest that is large enough, and not
    /// more than four times too large.
    pub(super) fn find(&mut self, size: usize) -> Option<usize> {
        let mut found: Option<(usize, usize)> = None;
        for (place, stack) in self.stacks.iter_mut().enumerate() {
            let fits = (size..=size.saturating_mul(4)).contains(&stack.size);
            if fits && found.is_none_or(|(_, least)| stack.size < least) && stack.is_free() {
                found = Some((place, stack.size));
            }
        }
        found.map(|(place, _)| place)
    }

    /// A new thread gets its stack.
    pub(super) fn take(&mut self, size: usize) {
        if let Some(place) = self.find(size) {
            self.remove(place);
        }
    }

    /// Whether a thread that is about to end has not gone yet.
    pub(super) fn has_leavers(&mut self) -> bool {
        !self.stacks.iter_mut().all(Stack::is_free)
    }

    /// Those that have not gone by now are waited for no longer.
    pub(super) fn give_up_leavers(&mut self) {
        let bytes = &mut self.bytes;
        self.stacks.retain_mut(|stack| {
            let free = stack.is_free();
            *bytes -= if free { 0 } else { stack.size };
            free
        });
    }
}

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// The id of a thread that has gone.
    fn gone() -> Id {
        let id = std::thread::spawn(own_id).join().unwrap();
        while is_there(id) {
            std::thread::yield_now();
        }
        id
    }

    #[test]
    fn the_best_fit_is_given_away_once() {
        let gone = gone();
        let mut kept = Kept::new();
        for size in [100, 300, 200, 200] {
            kept.add(size, gone);
        }
        assert_eq!(kept.find(150), Some(2));
        kept.take(150);
        kept.take(150);
        assert_eq!(kept.find(150), Some(1));
        assert_eq!(kept.find(74), Some(0));
        assert_eq!(kept.find(301), None, "none is large enough");
        assert_eq!(kept.find(24), None, "all are much too large");
        assert_eq!(kept.bytes, 400);
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let gone = gone();
        let mut kept = Kept::new();
        for size in [MOST / 4, MOST / 2, MOST / 4, MOST / 2] {
            kept.add(size, gone);
        }
        let sizes: Vec<usize> = kept.stacks.iter().map(|stack| stack.size).collect();
        assert_eq!(sizes, [MOST / 4, MOST / 2]);
    }

    #[test]
    fn a_stack_is_free_when_its_thread_has_gone() {
        let (go, gate) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            tell.send(own_id()).unwrap();
            gate.recv().unwrap_err();
        });
        let mut kept = Kept::new();
        kept.add(100, told.recv().unwrap());
        assert!(kept.has_leavers());
        assert_eq!(kept.find(100), None);
        drop(go);
        thread.join().unwrap();
        while kept.has_leavers() {
            std::thread::yield_now();
        }
        assert_eq!(kept.find(100), Some(0));
        kept.add(7, own_id());
        kept.give_up_leavers();
        assert_eq!((kept.bytes, kept.has_leavers()), (100, false));
    }
}
