//! `sync::mpsc`: the names and the meaning of `std::sync::mpsc`.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use trefoil_runtime::cancel::Cancelled;
use trefoil_runtime::{Reason, thread};
use trefoil_sync::mpsc::{
    self, RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError,
};

use crate::Subject;
use crate::seed;
use crate::subject::run;
use crate::witness::{Witness, join_all, until_waiting};

/// What a thousand threads send arrives, once each, and each one's in its order.
pub fn a_thousand_senders_are_heard<S: Subject>() {
    const SENDERS: usize = 1000;
    run::<S, _>(|| {
        let (send, receive) = mpsc::channel();
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let send = send.clone();
                thread::spawn(move || (0..3).for_each(|n| send.send((sender, n)).unwrap()))
            })
            .collect();
        drop(send);
        let mut next = [0; SENDERS];
        for (sender, n) in &receive {
            assert_eq!(next[sender], n);
            next[sender] += 1;
        }
        assert_eq!(next, [3; SENDERS]);
        join_all(senders);
        assert_eq!(receive.recv(), Err(RecvError));
    });
}

/// An empty channel makes the receiver wait, a full one a sender.
pub fn both_sides_wait<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = mpsc::sync_channel(1);
        let receiver = thread::spawn(move || (receive.recv().unwrap(), receive));
        until_waiting(receiver.thread(), Reason::Receive);
        send.send(1).unwrap();
        let (first, receive) = receiver.join().unwrap();
        assert_eq!(first, 1);
        send.send(2).unwrap();
        assert_eq!(send.try_send(9), Err(TrySendError::Full(9)));
        let sender = thread::spawn(move || send.send(3));
        until_waiting(sender.thread(), Reason::Send);
        assert_eq!(receive.into_iter().collect::<Vec<_>>(), [2, 3]);
        sender.join().unwrap().unwrap();
    });
}

/// With a bound of 0 a message goes from hand to hand.
pub fn a_bound_of_nothing_is_a_rendezvous<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = mpsc::sync_channel(0);
        assert_eq!(send.try_send(1), Err(TrySendError::Full(1)));
        let sent = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&sent);
        let sender = thread::spawn(move || {
            send.send(1).unwrap();
            count.store(1, Ordering::SeqCst);
        });
        until_waiting(sender.thread(), Reason::Send);
        assert_eq!(sent.load(Ordering::SeqCst), 0);
        assert_eq!(receive.recv(), Ok(1));
        sender.join().unwrap();
    });
}

/// Each side hears that the other one has gone, also while it waits, and gets its message back.
pub fn each_side_hears_of_the_others_end<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = mpsc::channel::<u32>();
        let receiver = thread::spawn(move || receive.recv());
        until_waiting(receiver.thread(), Reason::Receive);
        drop(send);
        assert_eq!(receiver.join().unwrap(), Err(RecvError));

        let (send, receive) = mpsc::sync_channel(0);
        let sender = thread::spawn(move || (send.send(7), send.try_send(8)));
        until_waiting(sender.thread(), Reason::Send);
        drop(receive);
        let disconnected = Err(TrySendError::Disconnected(8));
        assert_eq!(sender.join().unwrap(), (Err(SendError(7)), disconnected));
    });
}

/// A receive that waits for a time gives up by itself, and not before.
pub fn receiving_times_out<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = mpsc::channel();
        let (begin, time) = (Instant::now(), Duration::from_millis(20));
        assert_eq!(receive.recv_timeout(time), Err(RecvTimeoutError::Timeout));
        assert!(begin.elapsed() >= time);
        assert_eq!(receive.try_recv(), Err(TryRecvError::Empty));
        send.send(1).unwrap();
        assert_eq!(receive.recv_timeout(time), Ok(1));
        assert_eq!(receive.try_iter().next(), None);
        drop(send);
        let gone = Err(RecvTimeoutError::Disconnected);
        assert_eq!(receive.recv_timeout(time), gone);
    });
}

/// Timeouts that race with messages lose none and double none.
pub fn no_timeout_loses_a_message<S: Subject>() {
    const MESSAGES: u64 = 300;
    let seed = seed::draw();
    let mut random = seed.random();
    run::<S, _>(move || {
        let (send, receive) = mpsc::sync_channel(0);
        let mut pauses = random.branch();
        let sender = thread::spawn(move || {
            for n in 0..MESSAGES {
                thread::sleep(Duration::from_micros(pauses.below(60)));
                send.send(n).unwrap();
            }
        });
        let mut expected = 0;
        loop {
            match receive.recv_timeout(Duration::from_micros(random.below(60))) {
                Ok(n) => {
                    assert_eq!(n, expected);
                    expected += 1;
                }
                Err(RecvTimeoutError::Timeout) => thread::yield_now(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        assert_eq!(expected, MESSAGES);
        sender.join().unwrap();
    });
}

/// What is left when the receiver goes is dropped; a message that panics in its drop harms
/// nobody but who drops it.
pub fn messages_left_are_dropped<S: Subject>() {
    struct Panics(#[expect(dead_code, reason = "it is dropped")] crate::witness::Token);
    impl Drop for Panics {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic!("it is meant to");
            }
        }
    }
    let witness = Witness::new();
    let seen = witness.clone();
    run::<S, _>(move || {
        let (send, receive) = mpsc::channel();
        send.send(Panics(seen.token())).unwrap();
        send.send(Panics(seen.token())).unwrap();
        let end = thread::spawn(move || drop(receive));
        assert!(end.join().is_err());
        let back = send.send(Panics(seen.token())).unwrap_err();
        assert!(panic::catch_unwind(AssertUnwindSafe(|| drop(back))).is_err());
    });
    assert_eq!(witness.dropped(), 3);
}

/// Threads that wait on both sides are ended with their run.
pub fn waiting_threads_are_ended<S: Subject>() {
    let (ended, _keep, _full) = run::<S, _>(|| {
        let (keep, receive) = mpsc::channel::<u32>();
        let receiver = thread::spawn(move || receive.recv().is_ok());
        let (send, full) = mpsc::sync_channel(0);
        let sender = thread::spawn(move || send.send(1).is_ok());
        until_waiting(receiver.thread(), Reason::Receive);
        until_waiting(sender.thread(), Reason::Send);
        // What they wait for outlives them.
        ([receiver, sender], keep, full)
    });
    for thread in ended {
        assert!(thread.join().unwrap_err().is::<Cancelled>());
    }
}
