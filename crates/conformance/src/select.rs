//! `select!` and `Select`: of several operations one is carried out, and the others leave no trace.

use std::collections::HashSet;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use trefoil_runtime::cancel::Cancelled;
use trefoil_runtime::thread::{self, JoinHandle};
use trefoil_runtime::time::timeout;
use trefoil_runtime::{Reason, model};
use trefoil_sync::CancellationToken;
use trefoil_sync::channel::{
    Receiver, RecvError, RecvTimeoutError, Select, SelectTimeoutError, SendError, Sender,
    TryRecvError, TrySendError, after, at, bounded, finished, never, select, select_biased, tick,
    unbounded,
};

use crate::Subject;
use crate::seed::{Random, draw};
use crate::subject::run;
use crate::witness::{Bomb, Witness, join_all, refusal, until, until_waiting};

const TICK: Duration = Duration::from_millis(5);
const HOUR: Duration = Duration::from_secs(3600);

/// Spawns, and waits until the thread waits in its select.
fn selecting<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let thread = thread::spawn(f);
    until_waiting(thread.thread(), Reason::Select);
    thread
}

/// Of several operations that can be done each has its turn; biased, the first one always.
pub fn each_arm_has_its_turn<S: Subject>() {
    run::<S, _>(|| {
        let channels = [(); 3].map(|()| unbounded());
        let mut chosen = [0; 3];
        for _ in 0..400 {
            channels.iter().for_each(|(send, _)| send.send(()).unwrap());
            let [a, b, c] = channels.each_ref().map(|(_, receive)| receive);
            let arm = select! {
                recv(a) -> _ => 0,
                recv(b) -> _ => 1,
                recv(c) -> _ => 2,
            };
            chosen[arm] += 1;
            let biased = select_biased! {
                recv(c) -> _ => 2,
                recv(a) -> _ => 0,
                recv(b) -> _ => 1,
            };
            assert!(biased == 2 || channels[2].1.is_empty());
            for (_, receive) in &channels {
                receive.try_iter().for_each(drop);
            }
        }
        // Of 133 expected; ten standard deviations are 94.
        assert!(chosen.iter().all(|&count| count > 39), "{chosen:?}");
    });
}

/// A select waits for the first message that comes, whichever channel it comes by.
pub fn it_waits_for_a_message<S: Subject>() {
    run::<S, _>(|| {
        for by in 0..3 {
            let (a, from_a) = unbounded();
            let (b, from_b) = bounded(1);
            let (c, from_c) = bounded(0);
            let waits = selecting(move || {
                select! {
                    recv(from_a) -> n => n,
                    recv(from_b) -> n => n,
                    recv(from_c) -> n => n,
                }
            });
            [&a, &b, &c][by].send(by).unwrap();
            assert_eq!(waits.join().unwrap(), Ok(by));
        }
    });
}

/// A select waits for room, and for a receiver; the message is made when it is sent, and not before.
pub fn it_waits_to_send<S: Subject>() {
    run::<S, _>(|| {
        for capacity in [0, 1, 3] {
            let (send, receive) = bounded(capacity);
            (0..capacity).for_each(|n| send.send(n).unwrap());
            let made = Arc::new(AtomicBool::new(false));
            let mark = Arc::clone(&made);
            let (_keep, other) = unbounded::<u8>();
            let waits = selecting(move || {
                select! {
                    send(send, { mark.store(true, Ordering::Release); 9 }) -> sent => sent.is_ok(),
                    recv(other) -> _ => false,
                }
            });
            assert!(!made.load(Ordering::Acquire));
            let got: Vec<_> = (0..=capacity).map(|_| receive.recv().unwrap()).collect();
            assert!(waits.join().unwrap());
            assert_eq!(got.last(), Some(&9));
            assert_eq!(receive.try_recv(), Err(TryRecvError::Disconnected));
        }
    });
}

/// While a message is made, its place is kept: nobody else gets it, and at a rendezvous the receiver
/// waits for it, also one that only tries.
pub fn a_place_is_kept_while_the_message_is_made<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = bounded(1);
        select! {
            send(send, {
                assert_eq!(send.try_send(0), Err(TrySendError::Full(0)));
                let begin = Instant::now();
                assert!(send.send_deadline(0, begin).unwrap_err().is_timeout());
                assert_eq!(receive.try_recv(), Err(TryRecvError::Empty));
                1
            }) -> sent => sent.unwrap(),
        }
        assert_eq!(receive.try_recv(), Ok(1));
        send.try_send(2).unwrap();
        assert_eq!(receive.recv(), Ok(2));

        for tries in [false, true] {
            let (send, receive) = bounded(0);
            let (go, gate) = bounded::<()>(0);
            let receiver = thread::spawn(move || {
                if tries {
                    // It finds the select, sooner or later, and then gets its message.
                    loop {
                        match receive.try_recv() {
                            Ok(n) => return n,
                            Err(error) => assert_eq!(error, TryRecvError::Empty),
                        }
                        thread::yield_now();
                    }
                }
                receive.recv().unwrap()
            });
            let (begun, begin) = bounded(1);
            let sender = thread::spawn(move || {
                select! {
                    send(send, { begun.send(()).unwrap(); gate.recv().unwrap_err(); 3 }) -> sent => sent,
                }
            });
            begin.recv().unwrap();
            until_waiting(receiver.thread(), Reason::Receive);
            drop(go);
            assert_eq!(sender.join().unwrap(), Ok(()));
            assert_eq!(receiver.join().unwrap(), 3);
        }
    });
}

/// `default` is for when nothing can be done, at once or for some time.
pub fn a_default_ends_it<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = bounded::<u8>(1);
        let nothing = select! {
            recv(receive) -> _ => false,
            default => true,
        };
        assert!(nothing);
        let begin = Instant::now();
        let late = select! {
            recv(receive) -> _ => false,
            default(TICK) => true,
        };
        assert!(late && begin.elapsed() >= TICK);
        let sent = select! {
            send(send, 1) -> sent => sent == Ok(()),
            default => false,
        };
        assert!(sent);
        let got = select! {
            recv(receive) -> n => n,
            default(HOUR) => Err(RecvError),
        };
        assert_eq!(got, Ok(1));
        assert_eq!(select! { default => 7 }, 7);
        assert_eq!(select! { default(TICK) => 8 }, 8);
        // It leaves nothing behind in the channel.
        send.send(2).unwrap();
        assert_eq!(receive.try_recv(), Ok(2));
    });
}

/// Where the other side has gone, an operation can be done: it gives an error. Also while it waits.
pub fn an_end_is_an_answer<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = unbounded();
        send.send(1).unwrap();
        drop(send);
        let next = || select! { recv(receive) -> n => n };
        assert_eq!([next(), next()], [Ok(1), Err(RecvError)]);

        for capacity in [0, 2] {
            let (send, receive) = bounded::<u8>(capacity);
            let (full, other) = bounded(capacity);
            (0..capacity).for_each(|n| full.send(n).unwrap());
            let waits = selecting(move || select! { recv(receive) -> n => n });
            drop(send);
            assert_eq!(waits.join().unwrap(), Err(RecvError));
            let waits = selecting(move || select! { send(full, 9) -> sent => sent });
            drop(other);
            assert_eq!(waits.join().unwrap(), Err(SendError(9)));
        }

        // The receivers go while the message is made.
        let (send, receive) = bounded(1);
        let sent = select! { send(send, { drop(receive); 5 }) -> sent => sent };
        assert_eq!(sent, Err(SendError(5)));
    });
}

/// Selects meet each other: one sends what the other receives.
pub fn two_selects_meet<S: Subject>() {
    run::<S, _>(|| {
        const ROUNDS: u32 = 200;
        let (there, here) = (bounded::<u32>(0), bounded::<u32>(0));
        let ((out, theirs), (ours, back)) = (there, here);
        let side = |send: Sender<u32>, receive: Receiver<u32>| {
            move || {
                let (mut sent, mut got) = (0, 0);
                // The one sends as often as the other receives, in whatever order.
                while sent + got < ROUNDS {
                    select! {
                        send(send, 1) -> result => { result.unwrap(); sent += 1; }
                        recv(receive) -> n => got += n.unwrap(),
                    }
                }
                (sent, got)
            }
        };
        let one = thread::spawn(side(out, back));
        let other = thread::spawn(side(ours, theirs));
        let ((sent, got), (other_sent, other_got)) = (one.join().unwrap(), other.join().unwrap());
        assert_eq!((sent, got), (other_got, other_sent));
    });
}

/// A select that holds both ends of a channel does not meet itself.
pub fn it_does_not_meet_itself<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = bounded(0);
        let met = select! {
            send(send, 1) -> _ => true,
            recv(receive) -> _ => true,
            default(TICK) => false,
        };
        assert!(!met);
        let (send, receive) = bounded(1);
        let turns = [(); 4].map(|()| {
            select! {
                send(send, 1) -> sent => sent.map(|()| 0).unwrap(),
                recv(receive) -> n => n.unwrap(),
            }
        });
        assert_eq!(turns, [0, 1, 0, 1]);
        // And it meets another that does the same.
        let (send, receive) = bounded(0);
        let meets = move |n: u32| {
            let (send, receive) = (send.clone(), receive.clone());
            thread::spawn(move || {
                select! {
                    send(send, n) -> sent => sent.map(|()| 0).unwrap(),
                    recv(receive) -> n => n.unwrap(),
                }
            })
        };
        let mut got = join_all([meets(1), meets(2)]);
        got.sort_unstable();
        assert!(got == [0, 1] || got == [0, 2], "{got:?}");
    });
}

/// The message's making may panic: its place is given back, and a receiver that was met goes on.
pub fn a_message_that_panics_gives_its_place_back<S: Subject>() {
    fn made() -> u32 {
        panic!("no message can be made here")
    }
    fn thrown(waits: JoinHandle<()>) -> u32 {
        panic::resume_unwind(Box::new(waits))
    }
    run::<S, _>(|| {
        for capacity in [0, 1] {
            let (send, receive) = bounded(capacity);
            let receiver = thread::spawn(move || receive.recv());
            until_waiting(receiver.thread(), Reason::Receive);
            let said = refusal(|| {
                select! {
                    send(send, made()) -> _ => {},
                }
            });
            assert!(said.contains("no message"), "{said}");
            send.send(4).unwrap();
            assert_eq!(receiver.join().unwrap(), Ok(4));
        }
        // A sender that waits gets the room.
        let (send, receive) = bounded(1);
        let other = send.clone();
        let thrown = panic::catch_unwind(AssertUnwindSafe(|| {
            select! {
                send(send, {
                    let waits = thread::spawn(move || other.send(1).unwrap());
                    until_waiting(waits.thread(), Reason::Send);
                    thrown(waits)
                }) -> _ => {},
            }
        }));
        let waits = thrown.unwrap_err().downcast::<JoinHandle<()>>().unwrap();
        waits.join().unwrap();
        assert_eq!(receive.try_recv(), Ok(1));
    });
}

/// Room was kept for a message that a waiting receiver then took from hand to hand: the next select has it.
pub fn room_that_was_not_used_goes_on<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = bounded(1);
        let (go, gate) = bounded(0);
        let keeps = send.clone();
        let keeps =
            thread::spawn(move || select! { send(keeps, gate.recv().unwrap()) -> sent => sent });
        until_waiting(keeps.thread(), Reason::Receive);
        let here = receive.clone();
        let first = thread::spawn(move || here.recv());
        until_waiting(first.thread(), Reason::Receive);
        let next = selecting(move || select! { send(send, 2) -> sent => sent });
        go.send(1).unwrap();
        assert_eq!(first.join().unwrap(), Ok(1));
        assert_eq!(join_all([keeps, next]), [Ok(()), Ok(())]);
        assert_eq!(receive.recv(), Ok(2));
    });
}

/// A receiver that has met a select which then sends nothing looks again at once, also one that tries once.
pub fn a_select_that_sends_nothing_hides_nobody<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = bounded(0);
        let gives_up = |send: Sender<u8>| {
            let nothing = None;
            selecting(move || select! { send(send, nothing?) -> sent => sent.ok() })
        };
        let first = gives_up(send.clone());
        let last = send.clone();
        let second = thread::spawn(move || last.send(7));
        until_waiting(second.thread(), Reason::Send);
        assert_eq!(receive.try_recv(), Ok(7));
        assert!(first.join().unwrap().is_none());
        second.join().unwrap().unwrap();
        let last = gives_up(send);
        // It has gone when its thread has, which may be later.
        assert!(receive.try_recv().is_err());
        assert!(last.join().unwrap().is_none());
        assert_eq!(receive.try_recv(), Err(TryRecvError::Disconnected));
    });
}

/// Bodies run in place: they may leave what is around, and change the channels.
pub fn bodies_run_in_place<S: Subject>() {
    fn first(receive: &Receiver<Result<u8, String>>) -> Result<u8, String> {
        loop {
            select! {
                recv(receive) -> message => match message {
                    Ok(number) => match number? {
                        0 => continue,
                        number => return Ok(number),
                    },
                    Err(RecvError) => break,
                },
            }
        }
        Err("nothing".to_owned())
    }
    run::<S, _>(|| {
        let (send, receive) = unbounded();
        for message in [Ok(0), Ok(2), Err("wrong".to_owned())] {
            send.send(message).unwrap();
        }
        drop(send);
        assert_eq!(first(&receive), Ok(2));
        assert_eq!(first(&receive), Err("wrong".to_owned()));
        assert_eq!(first(&receive), Err("nothing".to_owned()));

        // An arm is switched off when its channel has ended, and a moved channel can be received from.
        let (a, b) = (unbounded::<u8>(), unbounded());
        let (mut from_a, mut from_b, mut sum) = (a.1, b.1, 0);
        a.0.send(1).unwrap();
        a.0.send(2).unwrap();
        b.0.send(4).unwrap();
        drop((a.0, b.0));
        for _ in 0..5 {
            select! {
                recv(from_a) -> n => if let Ok(n) = n { sum += n } else { from_a = never() },
                recv(&from_b) -> n => if let Ok(n) = n { sum += n } else { from_b = never() }
            }
        }
        assert_eq!(sum, 7);
        // A body may begin with a block, and be more than that.
        let text = select! {
            recv(from_a) -> n => { n }.unwrap(),
            default => { 7 } + 1,
        };
        assert_eq!(text, 8);
        select! {
            recv(vec![from_a, from_b].swap_remove(0)) -> _ => unreachable!(),
            default() => (),
        }
    });
}

/// Time is a sender: once, again and again, or never.
pub fn time_sends<S: Subject>() {
    run::<S, _>(|| {
        let begin = Instant::now();
        let once = after(TICK);
        assert_eq!((once.len(), once.capacity()), (0, Some(1)));
        assert_eq!(once.try_recv(), Err(TryRecvError::Empty));
        let when = once.recv().unwrap();
        assert!(when >= begin + TICK && Instant::now() >= when);
        assert_eq!(once.recv_timeout(TICK), Err(RecvTimeoutError::Timeout));

        let when = Instant::now() + TICK;
        let shared = at(when);
        let waits = [(); 3].map(|()| {
            let shared = shared.clone();
            thread::spawn(move || shared.recv_timeout(4 * TICK))
        });
        let mut got = join_all(waits);
        got.sort_by_key(Result::is_err);
        let over = Err(RecvTimeoutError::Timeout);
        assert_eq!(got, [Ok(when), over, over]);

        let ticks = tick(TICK);
        let begin = Instant::now();
        let times: Vec<_> = ticks.iter().take(3).collect();
        assert!(times.is_sorted() && begin.elapsed() >= 3 * TICK);

        assert!(after(Duration::MAX).same_channel(&never()));
        assert_eq!(
            never::<u8>().recv_timeout(TICK),
            Err(RecvTimeoutError::Timeout)
        );
        let end = Instant::now() + 4 * TICK;
        let (mut ticks, fast) = (0, tick(TICK / 4));
        while Instant::now() < end {
            select! {
                recv(fast) -> time => { time.unwrap(); ticks += 1; }
                recv(at(end)) -> _ => break,
                recv(never::<u8>()) -> _ => unreachable!(),
            }
        }
        assert!(ticks > 0);
    });
}

/// The end of a thread, and of a token, are arms like others.
pub fn the_end_of_a_thread_is_an_arm<S: Subject>() {
    run::<S, _>(|| {
        let (go, gate) = bounded::<()>(0);
        let worker = thread::spawn(move || gate.recv().unwrap_err());
        let early = select! {
            recv(finished(&worker)) -> _ => false,
            default(TICK) => true,
        };
        assert!(early);
        let token = CancellationToken::new();
        let child = token.clone();
        let waits = selecting(move || {
            select! {
                recv(finished(&worker)) -> end => { end.unwrap_err(); Some(worker.join().unwrap()) }
                recv(child.done()) -> end => { end.unwrap_err(); None }
            }
        });
        drop(go);
        assert_eq!(waits.join().unwrap(), Some(RecvError));
        let worker = thread::spawn(thread::park);
        let child = token.clone();
        let watched = finished(&worker);
        let waits = selecting(move || {
            select! {
                recv(watched) -> _ => false,
                recv(child.done()) -> _ => true,
            }
        });
        token.cancel();
        assert!(waits.join().unwrap());

        // Also of one that panics, is cancelled, is detached, or has ended already.
        let ends = finished(&worker);
        worker.cancel();
        assert_eq!(ends.recv(), Err(RecvError));
        assert!(worker.join().unwrap_err().is::<Cancelled>());
        let panics = thread::spawn(|| panic!("it was asked to panic"));
        until(|| panics.is_finished());
        assert_eq!(
            finished(&panics).try_recv(),
            Err(TryRecvError::Disconnected)
        );
        let (go, gate) = bounded::<()>(0);
        let detached = thread::spawn(move || gate.recv().unwrap_err());
        let ends = finished(&detached);
        drop((detached, go));
        assert_eq!(ends.recv(), Err(RecvError));
        thread::scope(|scope| {
            let child = scope.spawn(|| 3);
            assert_eq!(finished(&child).recv(), Err(RecvError));
            assert_eq!(child.join().unwrap(), 3);
        });
    });
}

/// What is to be done at a thread's end is done once, after its result is there; a panic in it harms nobody.
pub fn hooks_run_at_the_end<S: Subject>() {
    run::<S, _>(|| {
        let count = Arc::new(AtomicUsize::new(0));
        let add = |n: usize| {
            let count = Arc::clone(&count);
            move || {
                count.fetch_add(n, Ordering::AcqRel);
            }
        };
        let (go, gate) = bounded::<()>(0);
        let thread = thread::spawn(move || gate.recv().unwrap_err());
        thread.on_finish(add(1));
        thread.on_finish(|| panic!("this hook was asked to panic"));
        thread.on_finish(add(10));
        let hasty = timeout(TICK, || finished(&thread).recv());
        assert!(hasty.is_err());
        assert_eq!(count.load(Ordering::Acquire), 0);
        drop(go);
        assert_eq!(thread.join().unwrap(), RecvError);
        until(|| count.load(Ordering::Acquire) == 11);
        let thread = thread::spawn(|| 5);
        until(|| thread.is_finished());
        thread.on_finish(add(100));
        assert_eq!(count.load(Ordering::Acquire), 111);

        // A joiner that gives up beside a hook leaves it there.
        let (go, gate) = bounded::<()>(0);
        let thread = thread::spawn(move || gate.recv().unwrap_err());
        thread.on_finish(add(1000));
        assert!(timeout(TICK, || thread.join()).is_err());
        drop(go);
        until(|| count.load(Ordering::Acquire) == 1111);
    });
}

/// A list of operations: what is begun is completed, and the list can be used again.
pub fn a_list_is_selected_from<S: Subject>() {
    run::<S, _>(|| {
        let channels: Vec<_> = (0..20).map(|_| unbounded()).collect();
        let mut select = Select::new();
        for (at, (_, receive)) in channels.iter().enumerate() {
            assert_eq!(select.recv(receive), at);
        }
        assert!(select.try_select().is_err());
        assert_eq!(select.select_timeout(TICK).err(), Some(SelectTimeoutError));
        let senders: Vec<_> = channels.iter().map(|(send, _)| send.clone()).collect();
        let sends = thread::spawn(move || {
            for (n, send) in senders.iter().enumerate() {
                send.send(n).unwrap();
                thread::yield_now();
            }
        });
        let mut got = HashSet::new();
        while got.len() < 20 {
            let operation = select.select();
            let index = operation.index();
            assert_eq!(operation.recv(&channels[index].1), Ok(index));
            assert!(got.insert(index));
        }
        sends.join().unwrap();
        // Two operations at once, and one that was taken out.
        channels[3].0.send(1).unwrap();
        channels[4].0.send(2).unwrap();
        let mut other = select.clone();
        let (one, two) = (select.select(), other.select());
        let mut both = [one.index(), two.index()];
        let received =
            one.recv(&channels[both[0]].1).unwrap() + two.recv(&channels[both[1]].1).unwrap();
        both.sort_unstable();
        assert_eq!((both, received), ([3, 4], 3));
        select.remove(5);
        channels[5].0.send(1).unwrap();
        assert!(select.try_select().is_err());
        assert!(refusal(|| select.remove(5)).contains("number 5"));
        assert!(refusal(|| Select::new().select()).contains("`Select::select`"));
        assert!(refusal(|| Select::new().ready()).contains("`Select::ready`"));
    });
}

/// An operation that was begun and is dropped is taken back, and that is a panic.
pub fn a_dropped_operation_is_taken_back<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = bounded(1);
        let mut select = Select::new();
        select.send(&send);
        let operation = select.select();
        assert_eq!(send.try_send(1), Err(TrySendError::Full(1)));
        assert!(refusal(|| drop(operation)).contains("without completing"));
        assert_eq!(send.try_send(1), Ok(()));
        // With another's handle it is not completed either.
        assert_eq!(receive.recv(), Ok(1));
        let wrong = send.clone();
        let said = refusal(|| select.select().send(&wrong, 2));
        assert!(said.contains("operation 0"), "{said}");
        assert_eq!(send.try_send(3), Ok(()));

        // A receiver that was met goes on waiting.
        let (send, receive) = bounded(0);
        let waits = thread::spawn(move || receive.recv());
        until_waiting(waits.thread(), Reason::Receive);
        let mut select = Select::new();
        select.send(&send);
        assert!(refusal(|| drop(select.select())).contains("without completing"));
        send.send(4).unwrap();
        assert_eq!(waits.join().unwrap(), Ok(4));

        // So does a select that was.
        let (send, receive) = bounded(0);
        let waits = selecting(move || select! { recv(receive) -> n => n });
        let mut select = Select::new();
        select.send(&send);
        assert!(refusal(|| drop(select.select())).contains("without completing"));
        send.send(5).unwrap();
        assert_eq!(waits.join().unwrap(), Ok(5));
    });
}

/// `ready` tells what can be done, and does nothing.
pub fn ready_tells_and_does_nothing<S: Subject>() {
    run::<S, _>(|| {
        let (full, receive) = bounded(1);
        let (send, meet) = bounded(0);
        full.send(0).unwrap();
        let (begin, begun) = bounded(0);
        let (here, there) = (receive.clone(), send.clone());
        let waits = thread::spawn(move || {
            let mut select = Select::new();
            let (room, met) = (select.send(&full), select.recv(&meet));
            assert!(select.try_ready().is_err());
            assert!(select.ready_timeout(TICK).is_err());
            begin.send(()).unwrap();
            assert_eq!(select.ready(), room);
            full.try_send(1).unwrap();
            begin.send(()).unwrap();
            assert_eq!(select.ready(), met);
            meet.recv().unwrap()
        });
        begun.recv().unwrap();
        until_waiting(waits.thread(), Reason::Select);
        assert_eq!(here.recv(), Ok(0));
        begun.recv().unwrap();
        until_waiting(waits.thread(), Reason::Select);
        there.send(7).unwrap();
        assert_eq!(waits.join().unwrap(), 7);
        // The message that it sent meanwhile is there.
        assert_eq!(receive.recv(), Ok(1));

        let (last, ends) = unbounded::<u8>();
        let waits = thread::spawn(move || {
            let (mut select, late) = (Select::new(), after(HOUR));
            select.recv(&late);
            select.recv(&ends);
            select.ready()
        });
        until_waiting(waits.thread(), Reason::Select);
        drop(last);
        assert_eq!(waits.join().unwrap(), 1);
        let (mut select, soon) = (Select::new(), after(TICK));
        select.recv(&soon);
        assert_eq!(select.ready_timeout(HOUR), Ok(0));
        assert!(soon.try_recv().is_ok());
    });
}

/// A sender that waits because room is kept has a message all the same: who is ready to receive is told, and
/// may have it before the message for which the room is kept is made.
pub fn ready_tells_of_a_message_beside_kept_room<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = bounded(1);
        let (go, gate) = bounded(0);
        let keeps = send.clone();
        // It gives the room back.
        let keeps =
            thread::spawn(move || select! { send(keeps, gate.recv().ok()?) -> sent => sent.ok() });
        until_waiting(keeps.thread(), Reason::Receive);
        let here = receive.clone();
        let waits = thread::spawn(move || {
            let mut select = Select::new();
            select.recv(&here);
            select.ready();
            here.try_recv()
        });
        until_waiting(waits.thread(), Reason::Select);
        let sends = thread::spawn(move || send.send(1));
        assert_eq!(waits.join().unwrap(), Ok(1));
        sends.join().unwrap().unwrap();
        drop(go);
        assert!(keeps.join().unwrap().is_none());
        assert!(receive.recv().is_err());
    });
}

/// A thousand threads wait for two channels each, and each gets one message.
pub fn a_thousand_selects_are_served<S: Subject>() {
    run::<S, _>(|| {
        let (one, from_one) = bounded::<usize>(7);
        let (two, from_two) = unbounded();
        let threads: Vec<_> = (0..1000)
            .map(|_| {
                let (from_one, from_two) = (from_one.clone(), from_two.clone());
                thread::spawn(move || {
                    select! {
                        recv(from_one) -> n => n.unwrap(),
                        recv(from_two) -> n => n.unwrap(),
                    }
                })
            })
            .collect();
        for n in 0..1000 {
            if n % 2 == 0 { &one } else { &two }.send(n).unwrap();
        }
        let mut got = join_all(threads);
        got.sort_unstable();
        assert!(got.into_iter().eq(0..1000));
        assert!(from_one.is_empty() && from_two.is_empty());
    });
}

/// A cancelled select has done nothing: its messages are there for others, and it is in no queue.
pub fn a_cancelled_select_loses_nothing<S: Subject>() {
    run::<S, _>(|| {
        for capacity in [0, 1] {
            let (send, receive) = bounded(capacity);
            let (_keep, other) = unbounded::<u32>();
            let witness = Witness::new();
            let token = witness.token();
            let mine = receive.clone();
            let waits = selecting(move || {
                let _token = token;
                select! {
                    recv(mine) -> n => n,
                    recv(other) -> n => n,
                }
            });
            waits.cancel();
            assert!(waits.join().unwrap_err().is::<Cancelled>());
            assert_eq!(witness.dropped(), 1);
            let sends = thread::spawn(move || send.send(1));
            assert_eq!(receive.recv(), Ok(1));
            sends.join().unwrap().unwrap();
        }
    });
}

/// What a message's destructor does when nobody gets it is not the select's business.
pub fn a_message_that_is_refused_comes_back<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = bounded(1);
        drop(receive);
        let back = select! { send(send, Bomb) -> sent => sent.unwrap_err().into_inner() };
        assert!(refusal(|| drop(back)).contains("a bomb"));
    });
}

/// What the threads of the storm share.
struct Storm {
    channels: Vec<(Sender<u64>, Receiver<u64>)>,
    sent: AtomicU64,
    got: AtomicU64,
}

impl Storm {
    fn count(&self, sum: &AtomicU64, n: u64) {
        sum.fetch_add(n, Ordering::AcqRel);
    }

    /// Sends or receives by chance, in one of the ways there are, and counts what it did.
    fn step(&self, random: &mut Random) {
        let mut any = || &self.channels[random.below(self.channels.len() as u64) as usize];
        let (a, b, c) = (any(), any(), any());
        let (n, soon) = (
            random.below(1000) + 1,
            Duration::from_micros(random.below(300)),
        );
        let got = |n: Result<u64, RecvError>| self.count(&self.got, n.unwrap());
        let sent = |sent: Result<(), SendError<u64>>| {
            sent.unwrap();
            self.count(&self.sent, n);
        };
        match random.below(8) {
            0 => select! {
                recv(a.1) -> n => got(n),
                recv(b.1) -> n => got(n),
                default(soon) => {}
            },
            1 => select! {
                send(a.0, n) -> result => sent(result),
                recv(b.1) -> n => got(n),
                send(c.0, n) -> result => sent(result),
                default(soon) => {}
            },
            2 => select_biased! {
                recv(a.1) -> n => got(n),
                send(b.0, { thread::yield_now(); n }) -> result => sent(result),
                default => {}
            },
            3 => drop(timeout(soon, || {
                select! {
                    recv(a.1) -> n => got(n),
                    recv(b.1) -> n => got(n),
                    recv(after(HOUR)) -> _ => {},
                }
            })),
            4 => self.list([a, b, c], n, soon),
            5 => drop(a.1.recv_timeout(soon).map(|n| got(Ok(n)))),
            6 => drop(a.0.send_timeout(n, soon).map(|()| sent(Ok(())))),
            _ => drop(a.1.try_recv().map(|n| got(Ok(n)))),
        }
    }

    /// The same by a list, of which some operations are begun and not completed.
    fn list(&self, [a, b, c]: [&(Sender<u64>, Receiver<u64>); 3], n: u64, soon: Duration) {
        let mut select = Select::new();
        let sends = [select.send(&a.0), select.send(&b.0)];
        let receives = select.recv(&c.1);
        if n.is_multiple_of(5) {
            select.remove(receives);
            if let Ok(operation) = select.select_timeout(soon) {
                let dropped = panic::catch_unwind(AssertUnwindSafe(|| drop(operation)));
                drop(dropped.unwrap_err());
            }
            return;
        }
        let Ok(operation) = select.select_timeout(soon) else {
            return;
        };
        match operation.index() {
            index if index == sends[0] => operation.send(&a.0, n).unwrap(),
            index if index == sends[1] => operation.send(&b.0, n).unwrap(),
            _ => return self.count(&self.got, operation.recv(&c.1).unwrap()),
        }
        self.count(&self.sent, n);
    }
}

/// Selects, lists, timeouts and plain operations by chance, on all kinds of channels: what was sent is
/// received, once, or is still there.
pub fn a_storm_loses_no_message<S: Subject>() {
    let seed = draw();
    let mut random = seed.random();
    run::<S, _>(move || {
        let kinds = [bounded(0), bounded(0), bounded(1), bounded(3), unbounded()];
        let storm = Arc::new(Storm {
            channels: Vec::from(kinds),
            sent: AtomicU64::new(0),
            got: AtomicU64::new(0),
        });
        let rounds = if model() == trefoil_runtime::Model::Kernel {
            150
        } else {
            400
        };
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (storm, mut random) = (Arc::clone(&storm), random.branch());
                thread::spawn(move || (0..rounds).for_each(|_| storm.step(&mut random)))
            })
            .collect();
        join_all(threads);
        for (_, receive) in &storm.channels {
            let left: u64 = receive.try_iter().sum();
            storm.got.fetch_add(left, Ordering::AcqRel);
            assert!(receive.is_empty());
        }
        let (sent, got) = (&storm.sent, &storm.got);
        assert_eq!(sent.load(Ordering::Acquire), got.load(Ordering::Acquire));
    });
}
