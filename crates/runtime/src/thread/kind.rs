//! By which model a thread waits, and whether it was moved to it.
//!
//! Written by its spawner alone, before the spawn returns: until then a dump may see the model that the thread would
//! have had.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU8, Ordering};

use crate::model::Model;

/// A model and a flag.
#[derive(Debug)]
pub(crate) struct Kind(AtomicU8);

const KERNEL: u8 = 0;
const GREEN: u8 = 1;
const HYBRID: u8 = 2;
/// A kernel thread that was spawned as another one.
const MOVED: u8 = 3;

// Relaxed, everywhere: who has a handle of the thread has got it after the last change.
impl Kind {
    pub(super) fn of(model: Model) -> Kind {
        Kind(AtomicU8::new(Kind::byte(model)))
    }

    fn byte(model: Model) -> u8 {
        match model {
            Model::Kernel => KERNEL,
            Model::Green => GREEN,
            Model::Hybrid => HYBRID,
        }
    }

    #[inline]
    pub(crate) fn model(&self) -> Model {
        match self.0.load(Ordering::Relaxed) {
            GREEN => Model::Green,
            HYBRID => Model::Hybrid,
            _ => Model::Kernel,
        }
    }

    #[inline]
    pub(crate) fn is_moved(&self) -> bool {
        self.0.load(Ordering::Relaxed) == MOVED
    }

    pub(super) fn set(&self, model: Model) {
        self.0.store(Kind::byte(model), Ordering::Relaxed);
    }

    /// It is a kernel thread now.
    pub(super) fn set_moved(&self) {
        self.0.store(MOVED, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_it_was_given() {
        for model in Model::ALL {
            let kind = Kind::of(model);
            assert_eq!((kind.model(), kind.is_moved()), (model, false));
            kind.set_moved();
            assert_eq!((kind.model(), kind.is_moved()), (Model::Kernel, true));
            kind.set(model);
            assert_eq!((kind.model(), kind.is_moved()), (model, false));
        }
    }
}
