//! What a test sees from outside: that a value was dropped, that a thread waits, that a
//! panic says something.
//!
//! Here is the suite's only way to wait for something that has no event: [`until`] asks
//! again and again and lets others run meanwhile. A condition that never comes true is the
//! watchdog's business.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use trefoil_runtime::thread::{Builder, JoinHandle};
use trefoil_runtime::{Reason, Thread, ThreadId, ThreadInfo, thread, threads};

/// Counts how many of its [tokens](Witness::token) were dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Witness(Arc<AtomicUsize>);

/// Tells its witness when it is dropped.
#[derive(Debug)]
pub(crate) struct Token(Arc<AtomicUsize>);

impl Witness {
    pub(crate) fn new() -> Witness {
        Witness::default()
    }

    pub(crate) fn token(&self) -> Token {
        Token(Arc::clone(&self.0))
    }

    pub(crate) fn dropped(&self) -> usize {
        // Acquire: pairs with the drop.
        self.0.load(Ordering::Acquire)
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        // Release: pairs with `dropped`.
        self.0.fetch_add(1, Ordering::Release);
    }
}

/// When it is dropped, it spawns a thread that parks, and that drops the token in its end.
#[derive(Debug)]
pub(crate) struct Spawns(Option<Token>);

impl Spawns {
    pub(crate) fn new(token: Token) -> Spawns {
        Spawns(Some(token))
    }
}

impl Drop for Spawns {
    fn drop(&mut self) {
        let token = self.0.take();
        // It may be refused; then the closure is dropped.
        drop(Builder::new().spawn(move || {
            let _token = token;
            thread::park();
        }));
    }
}

/// Panics when it is dropped, unless that would be a panic within a panic.
#[derive(Debug)]
pub(crate) struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("a bomb was dropped");
        }
    }
}

/// The values of all these threads.
///
/// With the panic of the first one that panicked.
#[track_caller]
pub(crate) fn join_all<T>(threads: impl IntoIterator<Item = JoinHandle<T>>) -> Vec<T> {
    let threads = threads.into_iter();
    threads.map(|thread| thread.join().unwrap()).collect()
}

/// Lets others run until the condition holds.
pub(crate) fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        thread::yield_now();
    }
}

/// Lets others run until this thread waits for that.
pub(crate) fn until_waiting(thread: &Thread, reason: Reason) {
    until(|| waits_for(thread.id(), reason));
}

pub(crate) fn waits_for(thread: ThreadId, reason: Reason) -> bool {
    find(thread)
        .and_then(|thread| thread.waiting)
        .is_some_and(|waiting| waiting.reason == reason)
}

/// What the registry knows of a thread; `None`: it has ended.
pub(crate) fn find(thread: ThreadId) -> Option<ThreadInfo> {
    threads().into_iter().find(|info| info.id == thread)
}

/// The sentence with which `f` panics.
#[track_caller]
pub(crate) fn refusal<T>(f: impl FnOnce() -> T) -> String {
    match panic::catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("it should have panicked"),
        Err(payload) => sentence(&*payload),
    }
}

/// The text of a panic, which must be a sentence: something that helps who reads it.
#[track_caller]
pub(crate) fn sentence(payload: &(dyn Any + Send)) -> String {
    let text = text(payload).expect("the payload is a text");
    assert!(
        text.split_whitespace().count() >= 4,
        "this is no sentence: {text:?}"
    );
    text
}

pub(crate) fn text(payload: &(dyn Any + Send)) -> Option<String> {
    payload.downcast_ref::<String>().cloned().or_else(|| {
        payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
    })
}
