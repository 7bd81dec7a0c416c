//! Many threads at one channel, with operations, timeouts and messages by chance. Every message
//! carries a number; all that were sent arrive once, in the order of their sender, and every one
//! is dropped once. The seed is `TREFOIL_SEED`, else chance, and is part of a failure's message.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::env;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::*;

const SENDERS: u64 = 3;
const RECEIVERS: u64 = 3;
const MESSAGES: u64 = 3_000;

/// Random numbers (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

fn seed() -> u64 {
    match env::var("TREFOIL_SEED") {
        Ok(given) => given.parse().expect("TREFOIL_SEED is a number"),
        Err(_) => RandomState::new().hash_one(0),
    }
}

/// A message; how many of them exist is counted.
struct Message {
    sender: u64,
    number: u64,
    alive: Arc<AtomicUsize>,
}

impl Message {
    fn new(sender: u64, number: u64, alive: &Arc<AtomicUsize>) -> Message {
        alive.fetch_add(1, Ordering::Relaxed);
        Message {
            sender,
            number,
            alive: Arc::clone(alive),
        }
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

fn soon(random: &mut Random) -> Duration {
    Duration::from_micros(random.below(60))
}

/// Sends one message in one of the ways there are. Whether it went.
fn send_somehow(send: &Sender<Message>, message: Message, random: &mut Random) -> bool {
    match random.below(4) {
        0 => send.send(message).is_ok(),
        1 => send.try_send(message).is_ok(),
        2 => send.send_timeout(message, soon(random)).is_ok(),
        _ => send
            .send_deadline(message, Instant::now() + soon(random))
            .is_ok(),
    }
}

/// Receives in one of the ways there are. `Err`: the senders have gone.
fn receive_somehow(
    receive: &Receiver<Message>,
    random: &mut Random,
) -> Result<Option<Message>, ()> {
    let gone = |error: RecvTimeoutError| {
        if error.is_timeout() {
            Ok(None)
        } else {
            Err(())
        }
    };
    match random.below(4) {
        0 => receive.recv().map(Some).map_err(|_| ()),
        1 => match receive.try_recv() {
            Ok(message) => Ok(Some(message)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(()),
        },
        2 => receive.recv_timeout(soon(random)).map(Some).or_else(gone),
        _ => {
            let deadline = Instant::now() + soon(random);
            receive.recv_deadline(deadline).map(Some).or_else(gone)
        }
    }
}

/// Sends `MESSAGES` numbers, and gives those that went.
fn send_all(
    send: Sender<Message>,
    sender: u64,
    alive: &Arc<AtomicUsize>,
    mut random: Random,
) -> Vec<(u64, u64)> {
    (0..MESSAGES)
        .filter(|number| {
            let send = if random.below(50) == 0 {
                &send.clone()
            } else {
                &send
            };
            send_somehow(send, Message::new(sender, *number, alive), &mut random)
        })
        .map(|number| (sender, number))
        .collect()
}

/// Receives until the senders have gone, and checks that each one's numbers rise.
fn receive_all(receive: Receiver<Message>, mut random: Random) -> Vec<(u64, u64)> {
    let (mut got, mut last) = (Vec::new(), HashMap::new());
    while let Ok(message) = receive_somehow(&receive, &mut random) {
        let Some(message) = message else { continue };
        let before = last.insert(message.sender, message.number);
        assert!(before < Some(message.number), "a message has overtaken");
        got.push((message.sender, message.number));
    }
    got
}

fn all_at_once(capacity: Option<usize>, seed: u64) {
    let alive = &Arc::new(AtomicUsize::new(0));
    let (send, receive) = capacity.map_or_else(unbounded, bounded);
    let (mut sent, mut got) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        let mut random = Random(seed);
        let mut branch = || Random(random.below(u64::MAX));
        let senders: Vec<_> = (0..SENDERS)
            .map(|n| (n, send.clone(), branch()))
            .map(|(n, send, random)| scope.spawn(move || send_all(send, n, alive, random)))
            .collect();
        let receivers: Vec<_> = (0..RECEIVERS)
            .map(|_| (receive.clone(), branch()))
            .map(|(receive, random)| scope.spawn(move || receive_all(receive, random)))
            .collect();
        drop(send);
        senders
            .into_iter()
            .for_each(|thread| sent.extend(thread.join().unwrap()));
        receivers
            .into_iter()
            .for_each(|thread| got.extend(thread.join().unwrap()));
    });
    sent.sort_unstable();
    got.sort_unstable();
    assert!(sent == got, "capacity {capacity:?}, TREFOIL_SEED={seed}");
    assert_eq!(alive.load(Ordering::Relaxed), 0, "TREFOIL_SEED={seed}");
}

#[test]
fn no_message_is_lost_or_doubled() {
    let seed = seed();
    for capacity in [Some(0), Some(1), Some(3), None] {
        all_at_once(capacity, seed);
    }
}

/// The receivers go in the middle: what did not arrive is given back or dropped, once.
#[test]
fn receivers_that_go_leave_nothing() {
    let seed = seed();
    for (round, capacity) in [Some(0), Some(1), Some(16), None].into_iter().enumerate() {
        let alive = &Arc::new(AtomicUsize::new(0));
        let (send, receive) = capacity.map_or_else(unbounded, bounded);
        thread::scope(|scope| {
            for n in 0..SENDERS {
                let send = send.clone();
                scope.spawn(move || {
                    let messages = (0..).map(|number| Message::new(n, number, alive));
                    let refused = messages
                        .map(|message| send.send(message))
                        .find_map(Result::err);
                    assert!(refused.is_some_and(|error| error.into_inner().sender == n));
                });
            }
            let mut random = Random(seed ^ round as u64);
            for _ in 0..RECEIVERS {
                let (receive, count) = (receive.clone(), random.below(500) as usize);
                scope.spawn(move || receive.iter().take(count).for_each(drop));
            }
            drop(receive);
        });
        assert_eq!(send.len(), 0);
        assert_eq!(alive.load(Ordering::Relaxed), 0, "TREFOIL_SEED={seed}");
    }
}
