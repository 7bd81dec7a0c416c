//! How often a thread tries again before it waits, or before it tries what has just failed.
#![forbid(unsafe_code)]

/// Kernel threads have it: to park one and to wake it costs far more than a few looks, and their partner
/// may be at work on another processor. Where it is not, they let the kernel run it.
pub(super) struct Patience {
    looks: u32,
}

impl Patience {
    /// So many looks pause twice as long each time, some microseconds in all;
    const PAUSES: u32 = 6;
    /// the ones after them offer the processor.
    const LOOKS: u32 = 10;

    pub(super) const fn new() -> Patience {
        Patience { looks: 0 }
    }

    /// Pauses. `false`: it is over.
    pub(super) fn lasts(&mut self) -> bool {
        if self.looks >= Patience::LOOKS {
            return false;
        }
        pause(self.looks);
        self.looks += 1;
        true
    }
}

#[cfg(not(trefoil_loom))]
fn pause(looks: u32) {
    if looks < Patience::PAUSES {
        for _ in 0..1_u32 << looks {
            std::hint::spin_loop();
        }
    } else {
        std::thread::yield_now();
    }
}

#[cfg(trefoil_loom)]
fn pause(_: u32) {
    loom::thread::yield_now();
}
