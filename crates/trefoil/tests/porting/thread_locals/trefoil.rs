use std::cell::{Cell, RefCell};
use trefoil::thread;
use trefoil::thread_local;

// Every thread has its own counter and its own log.
thread_local! {
    static COUNT: Cell<u32> = const { Cell::new(0) };
    static LOG: RefCell<Vec<String>> = RefCell::new(vec!["begin".into()]);
}

fn step() {
    COUNT.set(COUNT.get() + 1);
    LOG.with_borrow_mut(|log| log.push(format!("step {}", COUNT.get())));
    // Others run, on the same OS thread perhaps.
    thread::yield_now();
}

pub(crate) fn program() -> Vec<Vec<String>> {
    let threads: Vec<_> = (1..4)
        .map(|steps| {
            thread::spawn(move || {
                (0..steps).for_each(|_| step());
                LOG.take()
            })
        })
        .collect();
    let mut logs: Vec<_> = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect();
    logs.push(LOG.with_borrow(Vec::clone));
    logs
}
