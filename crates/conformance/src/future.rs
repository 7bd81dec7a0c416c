//! `future::block_on`: a thread that waits for what async code completes.

use std::future::{Future, IntoFuture as _, poll_fn, ready};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_core::{FusedStream as _, Stream as _};
use trefoil_runtime::cancel::Cancelled;
use trefoil_runtime::future::block_on;
use trefoil_runtime::time::{Elapsed, timeout};
use trefoil_runtime::{Reason, thread};

use trefoil_sync::channel::{ReceiverStream, bounded, finished, select, unbounded};

use crate::Subject;
use crate::subject::run;
use crate::witness::{Token, Witness, join_all, refusal, until, until_waiting};

const TICK: Duration = Duration::from_millis(5);

/// A future that is ready when somebody has said so, and the one who says it.
#[derive(Clone, Default)]
struct Event(Arc<Inner>);

#[derive(Default)]
struct Inner {
    happened: AtomicBool,
    // Of `std`: it is never held over a wait.
    waker: Mutex<Option<Waker>>,
}

impl Event {
    fn happen(&self) {
        self.0.happened.store(true, Ordering::SeqCst);
        let waker = self.0.waker.lock().unwrap().clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Future for Event {
    type Output = ();

    fn poll(self: Pin<&mut Event>, context: &mut Context<'_>) -> Poll<()> {
        *self.0.waker.lock().unwrap() = Some(context.waker().clone());
        match self.0.happened.load(Ordering::SeqCst) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

/// A thread's end is awaited: its result, its panic, its cancellation.
pub fn a_thread_is_awaited<S: Subject>() {
    run::<S, _>(|| {
        let (go, gate) = bounded::<()>(0);
        let thread = thread::spawn(move || {
            gate.recv().unwrap_err();
            7
        });
        let waits = thread::spawn(move || block_on(async { thread.await.unwrap() }));
        until_waiting(waits.thread(), Reason::Future);
        drop(go);
        assert_eq!(waits.join().unwrap(), 7);

        let panics = thread::spawn(|| panic!("it was asked to panic"));
        let payload = block_on(panics).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"it was asked to panic"));
        let parked = thread::spawn(thread::park);
        until_waiting(parked.thread(), Reason::Park);
        parked.cancel();
        assert!(block_on(parked).unwrap_err().is::<Cancelled>());
        let ended = thread::spawn(|| 8);
        until(|| ended.is_finished());
        assert_eq!(block_on(ended).unwrap(), 8);
        let many: Vec<_> = (0..1000).map(|n| thread::spawn(move || n)).collect();
        let sum = block_on(async {
            let mut sum = 0;
            for thread in many {
                sum += thread.await.unwrap();
            }
            sum
        });
        assert_eq!(sum, 999 * 500);
    });
}

/// A thread that awaits its own end is told so.
pub fn awaiting_oneself_is_refused<S: Subject>() {
    run::<S, _>(|| {
        let (give, given) = bounded(1);
        let thread = thread::spawn(move || {
            let me: thread::JoinHandle<()> = given.recv().unwrap();
            block_on(me).unwrap();
        });
        let ends = finished(&thread);
        let witness = Witness::new();
        let token = witness.token();
        thread.on_finish(move || drop(token));
        give.send(thread).unwrap();
        assert!(ends.recv().is_err());
        until(|| witness.dropped() == 1);
    });
}

/// One who awaits a thread and gives up detaches it, whichever waker it had last.
pub fn a_thread_that_is_awaited_no_more_goes_on<S: Subject>() {
    run::<S, _>(|| {
        let (go, gate) = bounded::<()>(0);
        let witness = Witness::new();
        let token = witness.token();
        let thread = thread::spawn(move || {
            let _token = token;
            gate.recv().unwrap_err();
        });
        let mut awaited = thread.into_future();
        for _ in 0..2 {
            // Each `block_on` has a waker of its own.
            let once = block_on(poll_fn(|context| {
                Poll::Ready(Pin::new(&mut awaited).poll(context).is_pending())
            }));
            assert!(once);
        }
        assert_eq!(
            timeout(TICK, || block_on(&mut awaited).is_ok()),
            Err(Elapsed)
        );
        drop(awaited);
        drop(go);
        until(|| witness.dropped() == 1);
    });
}

/// A receiver's messages are a stream, until the senders have gone. Those that a dropped stream has not got
/// are there for others.
pub fn messages_are_a_stream<S: Subject>() {
    fn next<T>(stream: &mut ReceiverStream<T>) -> Option<T> {
        block_on(poll_fn(|context| Pin::new(&mut *stream).poll_next(context)))
    }
    run::<S, _>(|| {
        for (send, receive) in [bounded(0), bounded(2), unbounded()] {
            let other = receive.clone();
            let mut stream = receive.into_stream();
            let waits = thread::spawn(move || {
                let mut sum = 0;
                for _ in 0..100 {
                    sum += next(&mut stream).unwrap();
                }
                sum
            });
            until_waiting(waits.thread(), Reason::Future);
            let sends = thread::spawn(move || (0..103).for_each(|n| send.send(n).unwrap()));
            assert_eq!(waits.join().unwrap(), 99 * 50);
            assert_eq!(other.recv(), Ok(100));
            let mut stream = other.into_stream();
            assert_eq!(
                [(); 3].map(|()| next(&mut stream)),
                [Some(101), Some(102), None]
            );
            assert_eq!((next(&mut stream), stream.is_terminated()), (None, true));
            sends.join().unwrap();
        }
        // Two streams of one channel that both wait both hear of the end.
        let (send, receive) = unbounded::<u32>();
        let waits = [(); 2].map(|()| {
            let mut stream = receive.clone().into_stream();
            thread::spawn(move || next(&mut stream))
        });
        for waits in &waits {
            until_waiting(waits.thread(), Reason::Future);
        }
        drop(send);
        assert_eq!(join_all(waits), [None, None]);
    });
}

/// A future that wakes itself whenever it is polled lets others run, and is ended as if it waited.
pub fn a_future_that_wakes_itself_is_ended<S: Subject>() {
    run::<S, _>(|| {
        let restless = || {
            block_on(poll_fn(|context| {
                context.waker().wake_by_ref();
                Poll::<()>::Pending
            }));
        };
        assert_eq!(timeout(TICK, restless), Err(Elapsed));
        let thread = thread::spawn(restless);
        thread::sleep(TICK);
        thread.cancel();
        assert!(thread.join().unwrap_err().is::<Cancelled>());
    });
}

/// Polls it once with this waker.
fn poll<T>(stream: &mut ReceiverStream<T>, waker: &Waker) -> Poll<Option<T>> {
    Pin::new(stream).poll_next(&mut Context::from_waker(waker))
}

/// Two streams of one channel may be of one task: when one goes, the other is still told.
pub fn streams_of_one_task_are_told_apart<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = unbounded();
        let waits = thread::spawn(move || {
            let mut one = Some(receive.clone().into_stream());
            let mut two = receive.into_stream();
            block_on(poll_fn(|context| {
                if let Some(mut one) = one.take() {
                    assert!(poll(&mut one, context.waker()).is_pending());
                    assert!(poll(&mut two, context.waker()).is_pending());
                    return Poll::Pending;
                }
                poll(&mut two, context.waker())
            }))
        });
        until_waiting(waits.thread(), Reason::Future);
        send.send(1).unwrap();
        assert_eq!(waits.join().unwrap(), Some(1));
    });
}

/// Whoever tells a waker that panics goes on, and the other wakers are told: he may be about to wait, with
/// what the others must find, or be unwinding.
pub fn a_waker_that_panics_harms_nobody<S: Subject>() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Panics>) {
            panic!("a waker that panics");
        }
    }
    run::<S, _>(|| {
        let panics = Waker::from(Arc::new(Panics));
        for (send, receive) in [bounded(0), bounded(2), unbounded()] {
            let mut stream = receive.clone().into_stream();
            assert!(poll(&mut stream, &panics).is_pending());
            let mut other = receive.clone().into_stream();
            let waits = thread::spawn(move || {
                block_on(poll_fn(|context| poll(&mut other, context.waker())))
            });
            until_waiting(waits.thread(), Reason::Future);
            let sends = thread::spawn(move || {
                send.send(1).unwrap();
                send
            });
            assert_eq!(waits.join().unwrap(), Some(1));
            let send = sends.join().unwrap();

            // A select tells too, while it is in the queues of some channels.
            assert!(poll(&mut stream, &panics).is_pending());
            let (_never, other) = bounded::<u32>(0);
            let sends = thread::spawn(move || {
                select! {
                    send(send, 2) -> sent => sent.unwrap(),
                    recv(other) -> _ => unreachable!(),
                }
                send
            });
            assert_eq!(receive.recv(), Ok(2));
            let send = sends.join().unwrap();

            // The last sender goes while its thread unwinds.
            assert!(poll(&mut stream, &panics).is_pending());
            let ends = thread::spawn(move || {
                let _send = send;
                panic!("a thread that had the last sender");
            });
            assert!(ends.join().is_err());
            assert_eq!(poll(&mut stream, &panics), Poll::Ready(None));
        }
    });
}

/// Where a thread may not wait it gets no message that a select has yet to make, and is not held up.
pub fn a_stream_does_not_wait_for_a_select<S: Subject>() {
    struct Counts(AtomicUsize);
    impl Wake for Counts {
        fn wake(self: Arc<Counts>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    run::<S, _>(|| {
        let (send, receive) = bounded(0);
        let mut stream = receive.into_stream();
        let sends = thread::spawn(move || select! { send(send, 1) -> sent => sent });
        until_waiting(sends.thread(), Reason::Select);
        let counts = Arc::new(Counts(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&counts));
        let there = thread::no_suspend(|| poll(&mut stream, &waker));
        assert_eq!((there, counts.0.load(Ordering::SeqCst)), (Poll::Pending, 1));
        assert_eq!(poll(&mut stream, &waker), Poll::Ready(Some(1)));
        sends.join().unwrap().unwrap();
    });
}

/// What is ready is returned, and what an async block computes of it.
pub fn what_is_ready_is_returned<S: Subject>() {
    run::<S, _>(|| {
        assert_eq!(block_on(ready(1)), 1);
        assert_eq!(block_on(async { ready(1).await + block_on(ready(2)) }), 3);
    });
}

/// A thread parks until the future is ready, and others run meanwhile.
pub fn a_future_is_waited_for<S: Subject>() {
    run::<S, _>(|| {
        let event = Event::default();
        let waits = event.clone();
        let thread = thread::spawn(move || block_on(waits));
        until_waiting(thread.thread(), Reason::Future);
        event.happen();
        thread.join().unwrap();
    });
}

/// A plain `std::thread` may complete it, and may wait for one.
pub fn plain_threads_take_part<S: Subject>() {
    let answer = Event::default();
    let asked = Event::default();
    let plain = {
        let (answer, asked) = (answer.clone(), asked.clone());
        std::thread::spawn(move || {
            block_on(asked);
            answer.happen();
        })
    };
    run::<S, _>(move || {
        asked.happen();
        block_on(answer);
    });
    plain.join().unwrap();
}

/// A future that wakes itself while it is polled is polled again, after others had their turn.
pub fn a_future_that_gives_way_lets_others_run<S: Subject>() {
    run::<S, _>(|| {
        let done = Arc::new(AtomicBool::new(false));
        let sets = Arc::clone(&done);
        let other = thread::spawn(move || sets.store(true, Ordering::Release));
        block_on(poll_fn(|context| {
            context.waker().wake_by_ref();
            match done.load(Ordering::Acquire) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        }));
        other.join().unwrap();
    });
}

/// What the thread was unparked for is still there afterwards.
pub fn the_park_token_is_left<S: Subject>() {
    run::<S, _>(|| {
        let event = Event::default();
        let happens = event.clone();
        thread::current().unpark();
        let other = thread::spawn(move || happens.happen());
        block_on(event);
        // Returns at once.
        thread::park();
        other.join().unwrap();
    });
}

/// A waker may be called when all is over, also when the thread has ended.
pub fn a_late_waker_harms_nobody<S: Subject>() {
    run::<S, _>(|| {
        let event = Event::default();
        event.happen();
        let waits = event.clone();
        thread::spawn(move || block_on(waits)).join().unwrap();
        event.happen();
        block_on(event.clone());
        event.happen();
    });
}

/// The panic of a future comes out.
pub fn a_panic_comes_out<S: Subject>() {
    run::<S, _>(|| {
        let sentence = refusal(|| block_on(async { panic!("the future itself has panicked") }));
        assert_eq!(sentence, "the future itself has panicked");
    });
}

/// A thread that is cancelled, or out of time, drops the future.
pub fn an_ended_wait_drops_the_future<S: Subject>() {
    struct Holds(Event, #[expect(dead_code, reason = "it is dropped")] Token);
    impl Future for Holds {
        type Output = ();
        fn poll(mut self: Pin<&mut Holds>, context: &mut Context<'_>) -> Poll<()> {
            Pin::new(&mut self.0).poll(context)
        }
    }

    let witness = Witness::new();
    let seen = witness.clone();
    run::<S, _>(move || {
        let never = Holds(Event::default(), seen.token());
        let thread = thread::spawn(move || block_on(never));
        until_waiting(thread.thread(), Reason::Future);
        thread.cancel();
        assert!(thread.join().is_err());
        assert_eq!(seen.dropped(), 1);
        let never = Holds(Event::default(), seen.token());
        let late = timeout(Duration::from_millis(1), || block_on(never));
        assert_eq!(late, Err(Elapsed));
    });
    assert_eq!(witness.dropped(), 2);
}

/// Many threads wake one, again and again, while it polls and parks: it hears of the last of them.
pub fn no_wake_up_is_lost<S: Subject>() {
    const THREADS: usize = 4;
    const ROUNDS: usize = 500;
    run::<S, _>(|| {
        let count = Arc::new(AtomicUsize::new(0));
        let waker: Arc<Mutex<Option<Waker>>> = Arc::default();
        let wake = |give_way: bool| {
            let (count, waker) = (Arc::clone(&count), Arc::clone(&waker));
            move || {
                for _ in 0..ROUNDS {
                    count.fetch_add(1, Ordering::SeqCst);
                    if let Some(waker) = &*waker.lock().unwrap() {
                        waker.wake_by_ref();
                    }
                    if give_way {
                        thread::yield_now();
                    }
                }
            }
        };
        let threads: Vec<_> = (0..THREADS)
            .map(|number| thread::spawn(wake(number % 2 == 0)))
            .collect();
        let plain = std::thread::spawn(wake(false));
        block_on(poll_fn(|context| {
            *waker.lock().unwrap() = Some(context.waker().clone());
            match count.load(Ordering::SeqCst) {
                count if count < (THREADS + 1) * ROUNDS => Poll::Pending,
                _ => Poll::Ready(()),
            }
        }));
        join_all(threads);
        plain.join().unwrap();
    });
}
