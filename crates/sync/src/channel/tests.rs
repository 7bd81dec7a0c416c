//! What a channel promises, with plain OS threads. How each model keeps it is the conformance
//! suite's business.
#![forbid(unsafe_code)]

use std::panic::{self, AssertUnwindSafe, Location};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use trefoil_runtime::{Reason, Waiting, threads};

use super::*;

const TICK: Duration = Duration::from_millis(5);

/// What the thread of this name waits for, once it does.
fn waits(name: &str) -> Waiting {
    let begin = Instant::now();
    loop {
        let found = threads()
            .into_iter()
            .filter(|thread| thread.name.as_deref() == Some(name))
            .find_map(|thread| thread.waiting);
        if let Some(waiting) = found {
            return waiting;
        }
        assert!(
            begin.elapsed() < Duration::from_secs(30),
            "{name} does not wait"
        );
        thread::yield_now();
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let name = name.to_owned();
    thread::Builder::new().name(name).spawn(body).unwrap()
}

/// Counts its drops; when told so, panics in them.
struct Token {
    drops: Arc<AtomicUsize>,
    panics: bool,
}

impl Token {
    fn new(drops: &Arc<AtomicUsize>) -> Token {
        Token {
            drops: Arc::clone(drops),
            panics: false,
        }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::Relaxed);
        assert!(!self.panics, "a message panics in its drop");
    }
}

/// A list of operations may go to another thread, as crossbeam's; a message that it receives there is handed
/// out, or lost if nobody takes it: it may be one that must not be dropped there.
#[test]
fn a_select_may_go_to_another_thread() {
    let (send, receive) = unbounded();
    send.send(1).unwrap();
    let mut select = Select::new();
    select.recv(&receive);
    let got = thread::scope(|scope| {
        let elsewhere = scope.spawn(|| select.clone().select().recv(&receive));
        elsewhere.join().unwrap()
    });
    assert_eq!(got, Ok(1));

    let (send, receive) = unbounded();
    let shared = Rc::new(2);
    send.send(Rc::clone(&shared)).unwrap();
    send.send(Rc::clone(&shared)).unwrap();
    let mut select = Select::new();
    select.recv(&receive);
    let dropped = thread::scope(|scope| scope.spawn(|| drop(select.select())).join());
    assert!(dropped.is_err(), "it was not completed");
    assert_eq!((Rc::strong_count(&shared), receive.len()), (3, 1));
}

#[test]
fn handles_are_send_and_sync() {
    fn check<T: Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    check::<Sender<std::cell::Cell<u8>>>();
    check::<Receiver<std::cell::Cell<u8>>>();
}

#[test]
fn a_bounded_channel_has_its_capacity() {
    let (send, receive) = bounded(2);
    assert_eq!((send.capacity(), receive.capacity()), (Some(2), Some(2)));
    assert!(send.is_empty() && receive.is_empty() && !send.is_full());
    send.send(1).unwrap();
    send.send(2).unwrap();
    assert!(send.is_full() && receive.is_full() && send.len() == 2 && receive.len() == 2);
    assert_eq!(send.try_send(3), Err(TrySendError::Full(3)));
    assert_eq!(receive.try_iter().collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_rendezvous_is_full_and_empty() {
    let (send, receive) = bounded::<u8>(0);
    assert!(send.is_full() && receive.is_full() && send.is_empty() && receive.is_empty());
    assert_eq!((send.len(), send.capacity()), (0, Some(0)));
}

#[test]
fn an_unbounded_channel_is_never_full() {
    let (send, receive) = unbounded();
    (0..10_000).for_each(|n| send.try_send(n).unwrap());
    assert!(!send.is_full() && send.capacity().is_none() && receive.len() == 10_000);
}

/// Neither does who comes later get a message that somebody already waits for.
#[test]
fn receivers_are_served_in_order() {
    let (send, receive) = unbounded();
    let names = [
        "ordered receiver 0",
        "ordered receiver 1",
        "ordered receiver 2",
    ];
    let receivers = names.map(|name| {
        let receive = receive.clone();
        let receiver = spawn(name, move || receive.recv());
        assert_eq!(waits(name).reason, Reason::Receive);
        receiver
    });
    for n in 0..3 {
        send.send(n).unwrap();
        assert_eq!(receive.try_recv(), Err(TryRecvError::Empty));
    }
    assert_eq!(
        receivers.map(|receiver| receiver.join().unwrap()),
        [Ok(0), Ok(1), Ok(2)]
    );
}

/// Room goes to the sender that waited longest, and no message overtakes.
#[test]
fn senders_are_served_in_order() {
    for capacity in [0, 1] {
        let (send, receive) = bounded(capacity);
        let held = (0..capacity).map(|_| 9).collect::<Vec<_>>();
        held.iter().for_each(|n| send.send(*n).unwrap());
        let senders = [0, 1, 2].map(|n| {
            let (name, send) = (format!("ordered sender {capacity} {n}"), send.clone());
            let sender = spawn(&name, move || send.send(n));
            assert_eq!(waits(&name).reason, Reason::Send);
            sender
        });
        let mut got = Vec::new();
        for _ in 0..capacity + 3 {
            got.push(receive.recv().unwrap());
            // The first that waited has the room already.
            let full = send.try_send(7).is_err();
            assert_eq!(full, capacity == 0 || got.len() < 4, "{got:?}");
        }
        assert_eq!(got, [held, vec![0, 1, 2]].concat());
        assert!(senders.map(|sender| sender.join().unwrap()) == [Ok(()); 3]);
    }
}

#[test]
fn a_wait_shows_the_callers_place() {
    let (send, receive) = bounded(0);
    let line = Location::caller().line() + 1;
    let receiver = spawn("shows its place", move || receive.iter().next());
    let waiting = waits("shows its place");
    // The closure is the caller.
    assert_eq!(
        (waiting.place.file(), waiting.place.line()),
        (file!(), line)
    );
    send.send(()).unwrap();
    assert_eq!(receiver.join().unwrap(), Some(()));
}

#[test]
fn a_deadline_in_the_past_still_tries() {
    let past = Instant::now();
    let (send, receive) = bounded(1);
    assert_eq!(send.send_deadline(1, past), Ok(()));
    assert_eq!(
        send.send_deadline(2, past),
        Err(SendTimeoutError::Timeout(2))
    );
    assert_eq!(
        send.send_timeout(3, Duration::ZERO),
        Err(SendTimeoutError::Timeout(3))
    );
    assert_eq!(receive.recv_deadline(past), Ok(1));
    assert_eq!(receive.recv_deadline(past), Err(RecvTimeoutError::Timeout));
    assert_eq!(
        receive.recv_timeout(Duration::ZERO),
        Err(RecvTimeoutError::Timeout)
    );
}

#[test]
fn an_endless_timeout_ends_with_the_message() {
    let (send, receive) = bounded(0);
    let receiver = thread::spawn(move || receive.recv_timeout(Duration::MAX));
    assert_eq!(send.send_timeout(1, Duration::MAX), Ok(()));
    assert_eq!(receiver.join().unwrap(), Ok(1));
}

/// Who gives up leaves the queue from wherever it stands.
#[test]
fn who_gives_up_is_passed_over() {
    let (send, receive) = bounded(0);
    let patient = {
        let receive = receive.clone();
        spawn("patient receiver", move || receive.recv())
    };
    waits("patient receiver");
    assert_eq!(receive.recv_timeout(TICK), Err(RecvTimeoutError::Timeout));
    assert_eq!(send.send(1), Ok(()));
    assert_eq!(patient.join().unwrap(), Ok(1));
    assert_eq!(
        send.send_timeout(2, TICK),
        Err(SendTimeoutError::Timeout(2))
    );
    assert_eq!(receive.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn the_last_sender_ends_all_receivers() {
    let (send, receive) = unbounded::<u8>();
    let names = ["ended receiver 0", "ended receiver 1", "ended receiver 2"];
    let receivers = names.map(|name| {
        let receive = receive.clone();
        let receiver = spawn(name, move || receive.recv_timeout(Duration::MAX));
        waits(name);
        receiver
    });
    drop(send);
    let disconnected = Err(RecvTimeoutError::Disconnected);
    assert_eq!(
        receivers.map(|receiver| receiver.join().unwrap()),
        [disconnected; 3]
    );
}

#[test]
fn what_is_left_is_dropped_with_the_last_receiver() {
    let drops = Arc::new(AtomicUsize::new(0));
    let (send, receive) = bounded(2);
    send.send(Token::new(&drops)).unwrap();
    send.send(Token::new(&drops)).unwrap();
    let sender = {
        let (send, token) = (send.clone(), Token::new(&drops));
        spawn("left sender", move || send.send(token))
    };
    waits("left sender");
    drop(receive);
    assert_eq!(drops.load(Ordering::Relaxed), 2);
    let SendError(returned) = sender.join().unwrap().unwrap_err();
    assert_eq!(drops.load(Ordering::Relaxed), 2);
    drop(returned);
    assert_eq!((drops.load(Ordering::Relaxed), send.len()), (3, 0));
}

#[test]
fn a_message_may_panic_in_its_drop() {
    let drops = Arc::new(AtomicUsize::new(0));
    let (send, receive) = unbounded();
    for n in 0..3 {
        let mut message = Token::new(&drops);
        message.panics = n == 1;
        assert!(send.send(message).is_ok());
    }
    let dropped = panic::catch_unwind(AssertUnwindSafe(|| drop(receive)));
    assert!(dropped.is_err());
    assert_eq!(drops.load(Ordering::Relaxed), 3);
    assert!(send.send(Token::new(&drops)).is_err());
}

/// The first panic is told, and the rest is dropped all the same.
#[test]
fn several_messages_may_panic_in_their_drop() {
    for (send, receive) in [unbounded(), bounded(3), bounded(usize::MAX)] {
        let drops = Arc::new(AtomicUsize::new(0));
        for n in 0..3 {
            let mut message = Token::new(&drops);
            message.panics = n < 2;
            assert!(send.send(message).is_ok());
        }
        let dropped = panic::catch_unwind(AssertUnwindSafe(|| drop(receive)));
        let panic = dropped.unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"a message panics in its drop"));
        assert_eq!(drops.load(Ordering::Relaxed), 3);
    }
}

/// Messages that own ends of channels, their own among them.
#[test]
fn a_message_may_own_an_end() {
    enum Message {
        Sender { _end: Sender<Message> },
        Receiver { _end: Receiver<Message> },
    }
    let (send, receive) = unbounded();
    let own = Message::Sender { _end: send.clone() };
    send.send(own).unwrap();
    let (other, chain) = unbounded();
    other.send(Message::Sender { _end: send.clone() }).unwrap();
    send.send(Message::Receiver { _end: chain }).unwrap();
    drop(send);
    drop(receive);
    let (unread, _) = unbounded();
    let refused = other.send(Message::Sender { _end: unread });
    assert!(
        refused.is_err(),
        "the receiver went with the queue that held it"
    );
}

/// A message that owns the last sender goes, and with it the last message that could come.
#[test]
fn the_last_sender_may_be_received() {
    let (send, receive) = unbounded();
    struct Ends(#[allow(dead_code, reason = "only its drop counts")] Sender<Ends>);
    let message = Ends(send.clone());
    send.send(message).unwrap();
    drop(send);
    assert!(receive.recv().is_ok());
    assert!(receive.recv().is_err());
}

#[test]
fn messages_without_a_size() {
    let (send, receive) = unbounded();
    (0..1000).for_each(|_| send.send(()).unwrap());
    drop(send);
    assert_eq!(receive.into_iter().count(), 1000);
    let (send, receive) = bounded(usize::MAX);
    send.send(()).unwrap();
    assert!(!send.is_full() && receive.recv().is_ok());
    let (send, receive) = bounded(0);
    let sender = thread::spawn(move || (0..100).try_for_each(|_| send.send(())));
    assert_eq!(receive.iter().count(), 100);
    sender.join().unwrap().unwrap();
}

#[test]
fn ends_know_their_channel() {
    let (send, receive) = unbounded::<u8>();
    let (other_send, other_receive) = unbounded();
    assert!(send.same_channel(&send.clone()) && receive.same_channel(&receive.clone()));
    assert!(!send.same_channel(&other_send) && !receive.same_channel(&other_receive));
    assert_eq!(
        format!("{send:?} {receive:?}"),
        "Sender { .. } Receiver { .. }"
    );
    assert_eq!(format!("{:?}", receive.iter()), "Iter { .. }");
}

#[test]
fn errors_are_crossbeams() {
    assert_eq!(
        TrySendError::from(SendError(1)),
        TrySendError::Disconnected(1)
    );
    assert_eq!(
        SendTimeoutError::from(SendError(1)),
        SendTimeoutError::Disconnected(1)
    );
    assert_eq!(TryRecvError::from(RecvError), TryRecvError::Disconnected);
    assert_eq!(
        RecvTimeoutError::from(RecvError),
        RecvTimeoutError::Disconnected
    );
    let debug = format!("{:?} {:?}", SendError(1), TrySendError::Full(1));
    assert_eq!(debug, "SendError(..) Full(..)");
    fn is_error<E: std::error::Error>(error: E) -> String {
        error.to_string()
    }
    assert_eq!(is_error(TrySendError::Full(1)), "sending on a full channel");
    assert_eq!(
        is_error(TryRecvError::Empty),
        "receiving on an empty channel"
    );
    assert_eq!(
        is_error(RecvTimeoutError::Disconnected),
        "channel is empty and disconnected"
    );
}
