//! Idle OS threads of ours, which may end when there is no room for another that has work.
//!
//! Pools enlist themselves. Whoever starts OS threads ([`launch`](crate::launch())) asks here.
#![forbid(unsafe_code)]

use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Who may have an idle OS thread.
pub(crate) trait Spare: Send + Sync {
    /// Tells an idle one to end. `false`: there is none.
    fn let_one_go(&self) -> bool;
}

static ALL: Mutex<Vec<Weak<dyn Spare>>> = Mutex::new(Vec::new());

/// It is asked for as long as it exists.
pub(crate) fn enlist(spare: Weak<dyn Spare>) {
    let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    all.retain(|spare| spare.strong_count() != 0);
    all.push(spare);
}

/// Tells one idle OS thread of the process to end. `false`: there is none.
pub(crate) fn let_one_go() -> bool {
    // Ours may be the last share of one: it is dropped without the lock.
    let all: Vec<Arc<dyn Spare>> = {
        let all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter_map(Weak::upgrade).collect()
    };
    all.iter().any(|spare| spare.let_one_go())
}
