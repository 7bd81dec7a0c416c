//! `channel`: bounded, unbounded and rendezvous, many to many, with crossbeam's semantics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use trefoil_runtime::{Reason, thread};
use trefoil_sync::channel::{
    Receiver, RecvError, RecvTimeoutError, Select, SendError, SendTimeoutError, Sender,
    TryRecvError, TrySendError, bounded, select, tick, unbounded,
};

use crate::Subject;
use crate::subject::run;
use crate::witness::{Witness, join_all, until, until_waiting};

const TICK: Duration = Duration::from_millis(10);
const HOUR: Duration = Duration::from_secs(3600);

/// Messages of one sender arrive in the order in which they were sent.
pub fn messages_keep_their_order<S: Subject>() {
    for (sender, receiver) in [bounded(0), bounded(1), bounded(7), unbounded()] {
        let got = run::<S, _>(move || {
            let sends = thread::spawn(move || (0..500).for_each(|n| sender.send(n).unwrap()));
            let got: Vec<u32> = receiver.iter().collect();
            sends.join().unwrap();
            got
        });
        assert!(got.into_iter().eq(0..500));
    }
}

fn many_to_many(sender: Sender<u64>, receiver: Receiver<u64>) -> u64 {
    const EACH: u64 = 250;
    let receivers = [(); 4].map(|()| {
        let receiver = receiver.clone();
        thread::spawn(move || receiver.iter().sum::<u64>())
    });
    drop(receiver);
    let senders = [0, 1, 2, 3].map(|n| {
        let sender = sender.clone();
        thread::spawn(move || (0..EACH).for_each(|i| sender.send(n * EACH + i).unwrap()))
    });
    drop(sender);
    join_all(senders);
    join_all(receivers).iter().sum()
}

/// With many senders and receivers, each message arrives once, at one of them.
pub fn each_message_arrives_once<S: Subject>() {
    for (sender, receiver) in [bounded(0), bounded(1), bounded(16), unbounded()] {
        let sum = run::<S, _>(move || many_to_many(sender, receiver));
        assert_eq!(sum, 999 * 1000 / 2);
    }
}

/// A bounded channel that is full makes senders wait, and takes up no more.
pub fn a_full_channel_makes_senders_wait<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = bounded(2);
        send.send(1).unwrap();
        send.send(2).unwrap();
        assert!(send.is_full());
        assert_eq!(send.try_send(3), Err(TrySendError::Full(3)));
        let waits = thread::spawn(move || send.send(4).unwrap());
        until_waiting(waits.thread(), Reason::Send);
        assert_eq!(receive.len(), 2);
        assert_eq!(receive.recv(), Ok(1));
        waits.join().unwrap();
        assert_eq!(receive.iter().collect::<Vec<_>>(), [2, 4]);
    });
}

/// An empty channel makes receivers wait.
pub fn an_empty_channel_makes_receivers_wait<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = unbounded();
        assert_eq!(receive.try_recv(), Err(TryRecvError::Empty));
        let waits = thread::spawn(move || receive.recv());
        until_waiting(waits.thread(), Reason::Receive);
        send.send(1).unwrap();
        assert_eq!(waits.join().unwrap(), Ok(1));
    });
}

/// Threads that always find their channel ready let others have their turn: one receives what another OS thread
/// sends, one sends to itself and receives, one selects.
pub fn a_ready_channel_lets_others_run<S: Subject>() {
    run::<S, _>(|| {
        let stop = Arc::new(AtomicBool::new(false));
        let goes_on = || {
            let stop = Arc::clone(&stop);
            move || !stop.load(Ordering::Relaxed)
        };
        let mut hogs = Vec::new();
        for (send, receive) in [bounded(1), bounded(100), unbounded()] {
            let goes_on = goes_on();
            hogs.push(thread::spawn(move || {
                while goes_on() {
                    send.send(1).unwrap();
                    receive.recv().unwrap();
                }
            }));
        }
        for (send, receive) in [bounded(1), unbounded()] {
            let goes_on = goes_on();
            hogs.push(thread::spawn(move || {
                while goes_on() {
                    select! { send(send, 1) -> sent => sent.unwrap() }
                    select! { recv(receive) -> n => assert_eq!(n, Ok(1)) }
                }
            }));
        }
        // The other ways to receive and to send that may wait.
        let still = goes_on();
        let (send, receive) = unbounded();
        hogs.push(thread::spawn(move || {
            while still() {
                send.send(1).unwrap();
                assert_eq!(receive.recv_timeout(HOUR), Ok(1));
            }
        }));
        let still = goes_on();
        let (send, receive) = bounded(1);
        hogs.push(thread::spawn(move || {
            while still() {
                send.send_timeout(1, HOUR).unwrap();
                assert_eq!(receive.try_recv(), Ok(1));
            }
        }));
        let still = goes_on();
        let (_send, receive) = unbounded::<u8>();
        hogs.push(thread::spawn(move || {
            let (mut list, always) = (Select::new(), tick(Duration::ZERO));
            list.recv(&receive);
            let ready = list.recv(&always);
            while still() {
                assert_eq!(list.ready(), ready);
            }
        }));
        let still = goes_on();
        hogs.push(thread::spawn(move || {
            let always = tick(Duration::ZERO);
            while still() {
                always.recv().unwrap();
            }
        }));
        // More than there are workers, and those who wait are behind them.
        thread::sleep(TICK);
        thread::spawn(move || stop.store(true, Ordering::Relaxed))
            .join()
            .unwrap();
        join_all(hogs);
    });
}

/// `bounded(0)`: `send` returns when the message has been taken, and not before.
pub fn a_rendezvous_is_one<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = bounded(0);
        assert_eq!(send.try_send(1), Err(TrySendError::Full(1)));
        assert_eq!(receive.try_recv(), Err(TryRecvError::Empty));
        let sent = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&sent);
        let sender = thread::spawn(move || {
            for n in 0..3 {
                send.send(n).unwrap();
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        for n in 0..3 {
            // It counts what it has sent: what it waits with is the next.
            until(|| sent.load(Ordering::SeqCst) == n);
            until_waiting(sender.thread(), Reason::Send);
            assert_eq!(sent.load(Ordering::SeqCst), n);
            assert_eq!(receive.recv(), Ok(n));
        }
        sender.join().unwrap();
        assert_eq!(receive.recv(), Err(RecvError));
    });
}

/// When the last sender goes, receivers get what is left, then the news; also those that
/// wait already.
pub fn receivers_hear_that_the_senders_have_gone<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = unbounded();
        let second = send.clone();
        send.send(1).unwrap();
        second.send(2).unwrap();
        drop(send);
        drop(second);
        assert_eq!(receive.recv(), Ok(1));
        assert_eq!(receive.try_recv(), Ok(2));
        assert_eq!(receive.recv(), Err(RecvError));
        assert_eq!(receive.try_recv(), Err(TryRecvError::Disconnected));
        assert_eq!(
            receive.recv_timeout(TICK),
            Err(RecvTimeoutError::Disconnected)
        );

        let (send, receive) = bounded::<u8>(0);
        let waits = [(); 3].map(|()| {
            let receive = receive.clone();
            let waits = thread::spawn(move || receive.recv());
            until_waiting(waits.thread(), Reason::Receive);
            waits
        });
        drop(send);
        assert!(waits.map(|waits| waits.join().unwrap()) == [Err(RecvError); 3]);
    });
}

/// When the last receiver goes, senders get their messages back; also those that wait
/// already.
pub fn senders_hear_that_the_receivers_have_gone<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = unbounded();
        drop(receive);
        assert_eq!(send.send(1), Err(SendError(1)));
        assert_eq!(send.try_send(2), Err(TrySendError::Disconnected(2)));

        let (send, receive) = bounded(1);
        send.send(0).unwrap();
        let waits = [1, 2, 3].map(|n| {
            let send = send.clone();
            let waits = thread::spawn(move || send.send(n));
            until_waiting(waits.thread(), Reason::Send);
            waits
        });
        drop(receive);
        let errors = waits.map(|waits| waits.join().unwrap());
        assert!(errors == [1, 2, 3].map(|n| Err(SendError(n))));
        assert_eq!(
            send.send_timeout(4, TICK),
            Err(SendTimeoutError::Disconnected(4))
        );
    });
}

/// Waiting for a message gives up by itself, and not before its time.
pub fn receiving_times_out<S: Subject>() {
    for (send, receive) in [bounded::<u8>(0), bounded(1), unbounded()] {
        run::<S, _>(move || {
            let begin = Instant::now();
            assert_eq!(receive.recv_timeout(TICK), Err(RecvTimeoutError::Timeout));
            assert!(begin.elapsed() >= TICK);
            let deadline = Instant::now() + TICK;
            assert_eq!(
                receive.recv_deadline(deadline),
                Err(RecvTimeoutError::Timeout)
            );
            assert!(Instant::now() >= deadline);
            drop(send);
        });
    }
}

/// Waiting for room gives up by itself, gives the message back, and leaves nothing behind.
pub fn sending_times_out<S: Subject>() {
    for (send, receive) in [bounded(0), bounded(1)] {
        run::<S, _>(move || {
            let held = u32::from(send.try_send(0).is_ok());
            let begin = Instant::now();
            assert_eq!(
                send.send_timeout(1, TICK),
                Err(SendTimeoutError::Timeout(1))
            );
            assert!(begin.elapsed() >= TICK);
            drop(send);
            assert_eq!(receive.iter().count() as u32, held);
        });
    }
}

/// A message that comes in time ends a timed wait, however long.
pub fn a_message_ends_a_timed_wait<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = bounded(0);
        let hour = Duration::from_secs(3600);
        let waits = thread::spawn(move || receive.recv_timeout(hour));
        until_waiting(waits.thread(), Reason::Receive);
        assert_eq!(send.send_timeout(5, Duration::MAX), Ok(()));
        assert_eq!(waits.join().unwrap(), Ok(5));
    });
}

/// Timeouts and messages that meet lose nothing: every message that was sent arrives.
pub fn no_timeout_loses_a_message<S: Subject>() {
    const MESSAGES: usize = 300;
    for (send, receive) in [bounded(0), bounded(1), unbounded()] {
        let (sent, got) = run::<S, _>(move || {
            let sender = thread::spawn(move || {
                let step = Duration::from_micros(50);
                (0..MESSAGES)
                    .filter(|n| send.send_timeout(*n, step).is_ok())
                    .count()
            });
            let mut got = 0;
            let step = Duration::from_micros(30);
            loop {
                match receive.recv_timeout(step) {
                    Ok(_) => got += 1,
                    Err(RecvTimeoutError::Timeout) => thread::yield_now(),
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            (sender.join().unwrap(), got)
        });
        assert_eq!(sent, got);
    }
}

/// Iteration ends with the senders; `try_iter` with what is there.
pub fn channels_are_iterated<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = unbounded();
        (0..5).for_each(|n| send.send(n).unwrap());
        assert!(receive.try_iter().eq(0..5));
        let sender = thread::spawn(move || {
            for n in 0..5 {
                thread::yield_now();
                send.send(n).unwrap();
            }
        });
        let mut sum = 0;
        for n in &receive {
            sum += n;
        }
        assert_eq!(sum, 10);
        assert_eq!(receive.into_iter().next(), None);
        sender.join().unwrap();
    });
}

/// Messages that nobody takes are dropped with the channel, once.
pub fn messages_left_are_dropped<S: Subject>() {
    let witness = Witness::new();
    let tokens: Vec<_> = (0..30).map(|_| witness.token()).collect();
    run::<S, _>(move || {
        let (send, receive) = bounded(32);
        let sender =
            thread::spawn(move || tokens.into_iter().try_for_each(|token| send.send(token)));
        drop(receive.recv().unwrap());
        assert!(sender.join().unwrap().is_ok());
        drop(receive);
    });
    assert_eq!(witness.dropped(), 30);
}

/// A ring of threads hands a message round and round.
pub fn a_ring_hands_messages_round<S: Subject>() {
    const THREADS: usize = 50;
    let hops: usize = run::<S, _>(|| {
        let (first, mut last) = bounded::<usize>(1);
        let mut threads = Vec::new();
        for _ in 1..THREADS {
            let (send, receive) = bounded(1);
            let from = std::mem::replace(&mut last, receive);
            threads.push(thread::spawn(move || {
                from.iter().take(20).for_each(|n| send.send(n + 1).unwrap());
            }));
        }
        first.send(0).unwrap();
        for _ in 1..20 {
            let n = last.recv().unwrap();
            first.send(n + 1).unwrap();
        }
        let n = last.recv().unwrap();
        join_all(threads);
        n
    });
    assert_eq!(hops, THREADS * 20 - 1);
}
