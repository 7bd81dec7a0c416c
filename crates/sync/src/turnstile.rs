//! Waiting in a queue until somebody lets everybody go: without a limit, and not cancellable.

use trefoil_runtime::{Spin, Wait};

use crate::queue::{Node, Queue};

/// Queues the current thread if `closed`, asked with the lock held, and waits until it has
/// been taken out and fired.
pub(crate) fn wait(lock: &Spin<Queue<()>>, wait: &Wait, closed: impl FnOnce() -> bool) {
    let node = Node::new(());
    let mut queue = lock.lock();
    if !closed() {
        return;
    }
    // SAFETY: we wait until the node is fired.
    unsafe { queue.push_back(&node) };
    drop(queue);
    node.wait(wait);
}
