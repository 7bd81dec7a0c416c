//! `sync::oneshot`: one value, and each side hears of the other's end.

use std::time::{Duration, Instant};

use trefoil_runtime::cancel::Cancelled;
use trefoil_runtime::{Reason, thread};
use trefoil_sync::mpsc::{RecvError, RecvTimeoutError, SendError, TryRecvError};
use trefoil_sync::oneshot;

use crate::Subject;
use crate::seed;
use crate::subject::run;
use crate::witness::{Bomb, Witness, join_all, until_waiting};

/// The receiver waits for the value, and gets it.
pub fn a_value_is_waited_for<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = oneshot::channel();
        let receiver = thread::spawn(move || receive.recv());
        until_waiting(receiver.thread(), Reason::Receive);
        send.send(5).unwrap();
        assert_eq!(receiver.join().unwrap(), Ok(5));
    });
}

/// A thousand requests get their answers.
pub fn a_thousand_answers_arrive<S: Subject>() {
    run::<S, _>(|| {
        let threads: Vec<_> = (0..500)
            .map(|n| {
                let (send, receive) = oneshot::channel();
                let sender = thread::spawn(move || send.send(n).is_ok());
                (sender, thread::spawn(move || receive.recv() == Ok(n)))
            })
            .collect();
        for (sender, receiver) in threads {
            assert!(sender.join().unwrap() && receiver.join().unwrap());
        }
    });
}

/// A receiver that waits hears that the sender has gone.
pub fn a_receiver_hears_of_the_senders_end<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = oneshot::channel::<u32>();
        let receiver = thread::spawn(move || receive.recv());
        until_waiting(receiver.thread(), Reason::Receive);
        drop(send);
        assert_eq!(receiver.join().unwrap(), Err(RecvError));
        // A panic drops it, too.
        let (send, receive) = oneshot::channel::<u32>();
        let panics = thread::spawn(move || {
            let _send = send;
            panic!("it is meant to");
        });
        assert_eq!(receive.recv(), Err(RecvError));
        assert!(panics.join().is_err());
    });
}

/// A sender that waits for it hears that the receiver has gone, and gets its value back.
pub fn a_sender_hears_of_the_receivers_end<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = oneshot::channel();
        assert!(!send.is_closed());
        let sender = thread::spawn(move || {
            send.closed();
            (send.is_closed(), send.send(3))
        });
        until_waiting(sender.thread(), Reason::Send);
        drop(receive);
        assert_eq!(sender.join().unwrap(), (true, Err(SendError(3))));
    });
}

/// A closed receiver takes no value, but gets one that was sent before.
pub fn a_closed_receiver_gets_what_was_sent<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = oneshot::channel();
        send.send(1).unwrap();
        receive.close();
        assert_eq!(receive.try_recv(), Ok(1));
        assert_eq!(receive.try_recv(), Err(TryRecvError::Disconnected));
        let (send, receive) = oneshot::channel();
        receive.close();
        assert_eq!(send.send(2), Err(SendError(2)));
        assert_eq!(receive.recv(), Err(RecvError));
    });
}

/// A receive that waits for a time gives up by itself, and not before; then it can be tried
/// again.
pub fn receiving_times_out<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = oneshot::channel();
        let (begin, time) = (Instant::now(), Duration::from_millis(20));
        assert_eq!(receive.recv_timeout(time), Err(RecvTimeoutError::Timeout));
        assert!(begin.elapsed() >= time);
        let past = receive.recv_deadline(begin);
        assert_eq!(past, Err(RecvTimeoutError::Timeout));
        send.send(1).unwrap();
        assert_eq!(receive.recv_deadline(begin), Ok(1));
    });
}

/// Timeouts that race with the value do not lose it.
pub fn no_timeout_loses_the_value<S: Subject>() {
    let seed = seed::draw();
    let mut random = seed.random();
    run::<S, _>(move || {
        for n in 0..200 {
            let (send, receive) = oneshot::channel();
            let mut times = random.branch();
            let pause = Duration::from_micros(random.below(80));
            let receiver = thread::spawn(move || {
                loop {
                    match receive.recv_timeout(Duration::from_micros(times.below(80))) {
                        Err(RecvTimeoutError::Timeout) => thread::yield_now(),
                        end => return end,
                    }
                }
            });
            thread::sleep(pause);
            send.send(n).unwrap();
            assert_eq!(receiver.join().unwrap(), Ok(n));
        }
    });
}

/// A value that nobody receives is dropped once, by whoever drops the last of it.
pub fn a_value_left_is_dropped<S: Subject>() {
    let witness = Witness::new();
    let seen = witness.clone();
    run::<S, _>(move || {
        let (send, receive) = oneshot::channel();
        send.send(seen.token()).unwrap();
        assert_eq!(seen.dropped(), 0);
        drop(receive);
        assert_eq!(seen.dropped(), 1);
        let (send, receive) = oneshot::channel();
        send.send(Bomb).unwrap();
        assert!(thread::spawn(move || drop(receive)).join().is_err());
    });
    assert_eq!(witness.dropped(), 1);
}

/// Threads that wait on both sides are ended with their run.
pub fn waiting_threads_are_ended<S: Subject>() {
    let (ended, _keep, _other) = run::<S, _>(|| {
        let (keep, receive) = oneshot::channel::<u32>();
        let receiver = thread::spawn(move || assert!(receive.recv().is_err()));
        let (send, other) = oneshot::channel::<u32>();
        let sender = thread::spawn(move || send.closed());
        until_waiting(receiver.thread(), Reason::Receive);
        until_waiting(sender.thread(), Reason::Send);
        // What they wait for outlives them.
        ([receiver, sender], keep, other)
    });
    for thread in ended {
        assert!(thread.join().unwrap_err().is::<Cancelled>());
    }
}

/// Values that are passed from thread to thread arrive in the end.
pub fn a_chain_of_threads_passes_it_on<S: Subject>() {
    run::<S, _>(|| {
        let (first, mut receive) = oneshot::channel();
        let threads: Vec<_> = (0..100)
            .map(|_| {
                let (send, next) = oneshot::channel();
                let before = std::mem::replace(&mut receive, next);
                thread::spawn(move || send.send(before.recv().unwrap() + 1).unwrap())
            })
            .collect();
        first.send(0).unwrap();
        assert_eq!(receive.recv(), Ok(100));
        join_all(threads);
    });
}
