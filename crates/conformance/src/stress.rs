//! Random programs with a sum that must come out. The seed is printed when one fails:
//! `TREFOIL_SEED=… cargo test …` runs the same program again, if not in the same order.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::panic::panic_any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use socket2::SockRef;
use trefoil_net::{TcpListener, TcpStream};
use trefoil_runtime::thread;
use trefoil_sync::channel::{Receiver, Sender, bounded, unbounded};
use trefoil_sync::{Condvar, Mutex, Semaphore};

use crate::Subject;
use crate::seed::{self, Random};
use crate::subject::run;
use crate::witness::join_all;

/// What the threads of one random program share.
struct Shared {
    /// Each thread adds what it will answer for.
    mutex: Mutex<u64>,
    tickets: (Mutex<VecDeque<u64>>, Condvar),
    permits: Semaphore,
    send: Sender<u64>,
    receive: Receiver<u64>,
    /// What was taken from the channel and from the tickets.
    taken: AtomicU64,
}

impl Shared {
    /// One random step; returns what it put into the channel or the tickets.
    fn step(self: &Arc<Shared>, random: &mut Random, depth: u32) -> u64 {
        let value = random.below(1000) + 1;
        match random.below(12) {
            0 => thread::yield_now(),
            1 => thread::sleep(Duration::from_micros(random.below(200))),
            2 => thread::park_timeout(Duration::from_micros(random.below(200))),
            3 => self.take_message(random),
            4 => self.take_ticket(random),
            5 | 6 => return self.put_message(value, random),
            7 => {
                self.tickets.0.lock().unwrap().push_back(value);
                self.tickets.1.notify_one();
                return value;
            }
            8 => {
                let _permit = self.permits.acquire();
                thread::yield_now();
            }
            9 => {
                let mut sum = self.mutex.lock().unwrap();
                *sum += value;
                thread::yield_now();
                *sum -= value;
            }
            10 => assert_eq!(thread::blocking(|| value), value),
            _ if depth > 0 => return self.spawn_and_join(random, depth - 1),
            _ => {}
        }
        0
    }

    fn put_message(&self, value: u64, random: &mut Random) -> u64 {
        let patience = Duration::from_micros(random.below(300));
        match self.send.send_timeout(value, patience) {
            Ok(()) => value,
            Err(refused) => {
                assert_eq!(refused.into_inner(), value);
                0
            }
        }
    }

    fn take_message(&self, random: &mut Random) {
        let patience = Duration::from_micros(random.below(300));
        if let Ok(value) = self.receive.recv_timeout(patience) {
            self.taken.fetch_add(value, Ordering::Relaxed);
        }
    }

    fn take_ticket(&self, random: &mut Random) {
        let patience = Duration::from_micros(random.below(300));
        let guard = self.tickets.0.lock().unwrap();
        let empty = |tickets: &mut VecDeque<u64>| tickets.is_empty();
        let (mut tickets, _) = self
            .tickets
            .1
            .wait_timeout_while(guard, patience, empty)
            .unwrap();
        if let Some(value) = tickets.pop_front() {
            self.taken.fetch_add(value, Ordering::Relaxed);
        }
    }

    fn spawn_and_join(self: &Arc<Shared>, random: &mut Random, depth: u32) -> u64 {
        let (shared, mut own) = (Arc::clone(self), random.branch());
        let child = thread::spawn(move || shared.live(&mut own, 10, depth));
        if random.below(2) == 0 {
            child.thread().unpark();
            thread::yield_now();
        }
        child.join().unwrap()
    }

    fn live(self: &Arc<Shared>, random: &mut Random, steps: u32, depth: u32) -> u64 {
        (0..steps).map(|_| self.step(random, depth)).sum()
    }
}

/// Threads that do random things with everything there is: what they put in comes out.
pub fn a_random_mixture_adds_up<S: Subject>() {
    let seed = seed::draw();
    let mut random = seed.random();
    run::<S, _>(move || {
        let (send, receive) = bounded(random.below(4) as usize);
        let shared = Arc::new(Shared {
            mutex: Mutex::new(0),
            tickets: (Mutex::default(), Condvar::new()),
            permits: Semaphore::new(1 + random.below(3) as usize),
            send,
            receive,
            taken: AtomicU64::new(0),
        });
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (shared, mut own) = (Arc::clone(&shared), random.branch());
                thread::spawn(move || shared.live(&mut own, 60, 2))
            })
            .collect();
        let put: u64 = join_all(threads).into_iter().sum();
        let shared = Arc::into_inner(shared).expect("all threads have ended");
        let left: u64 = shared.receive.try_iter().sum::<u64>()
            + shared.tickets.0.into_inner().unwrap().iter().sum::<u64>();
        assert_eq!(put, shared.taken.into_inner() + left);
        assert_eq!(shared.mutex.into_inner().unwrap(), 0);
    });
}

enum Parcel {
    /// It is handed on this many times more.
    Travels(u64),
    Stop,
}

fn node(
    inbox: &Receiver<Parcel>,
    nodes: &[Sender<Parcel>],
    home: &Sender<()>,
    mut random: Random,
) -> u64 {
    let mut hops = 0;
    for parcel in inbox {
        match parcel {
            Parcel::Stop => break,
            Parcel::Travels(0) => home.send(()).unwrap(),
            Parcel::Travels(left) => {
                hops += 1;
                let next = random.below(nodes.len() as u64) as usize;
                nodes[next].send(Parcel::Travels(left - 1)).unwrap();
            }
        }
    }
    hops
}

/// Parcels wander through a net of threads, each as far as it was told.
pub fn parcels_wander_through_a_net<S: Subject>() {
    const NODES: usize = 30;
    const PARCELS: usize = 60;
    let seed = seed::draw();
    let mut random = seed.random();
    run::<S, _>(move || {
        let (senders, inboxes): (Vec<_>, Vec<_>) = (0..NODES).map(|_| unbounded()).unzip();
        let (home, arrived) = unbounded();
        let threads: Vec<_> = inboxes
            .into_iter()
            .map(|inbox| {
                let (nodes, home, own) = (senders.clone(), home.clone(), random.branch());
                thread::spawn(move || node(&inbox, &nodes, &home, own))
            })
            .collect();
        let mut expected = 0;
        for n in 0..PARCELS {
            let hops = random.below(100);
            expected += hops;
            senders[n % NODES].send(Parcel::Travels(hops)).unwrap();
        }
        (0..PARCELS).for_each(|_| arrived.recv().unwrap());
        for sender in &senders {
            sender.send(Parcel::Stop).unwrap();
        }
        let hops: u64 = join_all(threads).into_iter().sum();
        assert_eq!(hops, expected);
    });
}

/// How one thread of the storm is to end: known to it and to its parent.
#[derive(Clone, Copy)]
enum Fate {
    Returns,
    Panics,
    WaitsThenPanics,
    Unwatched,
}

fn storm(mut random: Random, depth: u32) -> u64 {
    let mut sum = 1;
    let children: Vec<_> = (0..if depth == 0 { 0 } else { random.below(6) })
        .map(|_| {
            let fate = match random.below(5) {
                0 => Fate::Panics,
                1 => Fate::WaitsThenPanics,
                2 => Fate::Unwatched,
                _ => Fate::Returns,
            };
            let own = random.branch();
            (fate, thread::spawn(move || meet(fate, own, depth - 1)))
        })
        .collect();
    for (fate, child) in children {
        match (fate, child) {
            (Fate::Unwatched, child) => drop(child),
            (Fate::Returns, child) => sum += child.join().unwrap(),
            (_, child) => sum += *child.join().unwrap_err().downcast::<u64>().unwrap(),
        }
    }
    sum
}

fn meet(fate: Fate, mut random: Random, depth: u32) -> u64 {
    match fate {
        Fate::Returns | Fate::Unwatched => storm(random, depth),
        Fate::Panics => panic_any(random.below(100)),
        Fate::WaitsThenPanics => {
            thread::sleep(Duration::from_micros(random.below(100)));
            panic_any(storm(random, depth))
        }
    }
}

/// What [`storm`] must come to, without threads.
fn forecast(mut random: Random, depth: u32) -> u64 {
    let mut sum = 1;
    for _ in 0..if depth == 0 { 0 } else { random.below(6) } {
        let fate = random.below(5);
        let mut own = random.branch();
        sum += match fate {
            0 => own.below(100),
            1 => {
                own.below(100);
                forecast(own, depth - 1)
            }
            2 => 0,
            _ => forecast(own, depth - 1),
        };
    }
    sum
}

/// Threads spawn threads, some of which panic, now or later, and some of which nobody
/// waits for; every panic and every value comes to the right parent.
pub fn a_storm_of_threads_and_panics_adds_up<S: Subject>() {
    quiet_panics();
    let seed = seed::draw();
    let mut random = seed.random();
    for _ in 0..10 {
        let begin = random.next();
        let sum = run::<S, _>(move || storm(Random::from_state(begin), 4));
        assert_eq!(sum, forecast(Random::from_state(begin), 4));
    }
}

/// A storm's panics carry numbers, and would print hundreds of lines that say nothing.
fn quiet_panics() {
    use std::panic;
    use std::sync::Once;
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !info.payload().is::<u64>() {
                hook(info);
            }
        }));
    });
}

/// Connections that many threads read and write at random.
struct Net {
    wires: Vec<Wire>,
    /// How many bytes are written and read at once, at most.
    most: u64,
}

/// One direction of a connection, and how many bytes are still to be written into it and read
/// from it.
struct Wire {
    ends: (Arc<TcpStream>, Arc<TcpStream>),
    unwritten: AtomicU64,
    unread: AtomicU64,
}

impl Wire {
    fn new(from: &Arc<TcpStream>, to: &Arc<TcpStream>, bytes: u64) -> Wire {
        Wire {
            ends: (Arc::clone(from), Arc::clone(to)),
            unwritten: AtomicU64::new(bytes),
            unread: AtomicU64::new(bytes),
        }
    }

    fn write(&self, count: usize, random: &mut Random) -> u64 {
        let bytes: Vec<u8> = (0..count).map(|_| random.next() as u8).collect();
        (&*self.ends.0).write_all(&bytes).unwrap();
        bytes.into_iter().map(u64::from).sum()
    }

    /// No read has a limit: a lost wake-up is a hang.
    fn read(&self, count: usize) -> u64 {
        let mut bytes = vec![0; count];
        (&*self.ends.1).read_exact(&mut bytes).unwrap();
        bytes.into_iter().map(u64::from).sum()
    }
}

fn connection() -> (Arc<TcpStream>, Arc<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let left = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (Arc::new(left), Arc::new(listener.accept().unwrap().0))
}

impl Net {
    /// Takes a few bytes of what is left, of a random wire first.
    fn claim(
        &self,
        random: &mut Random,
        left: impl Fn(&Wire) -> &AtomicU64,
    ) -> Option<(&Wire, usize)> {
        let wanted = 1 + random.below(self.most);
        let start = random.below(self.wires.len() as u64) as usize;
        let wires = self.wires[start..].iter().chain(&self.wires[..start]);
        let mut claims = wires.map(|wire| {
            let take = |left: u64| (left != 0).then(|| left.saturating_sub(wanted));
            let before = left(wire).fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
            (wire, before.map_or(0, |left| left.min(wanted)) as usize)
        });
        claims.find(|(_, count)| *count != 0)
    }

    fn write_all(&self, random: &mut Random) -> u64 {
        let mut sum = 0;
        while let Some((wire, count)) = self.claim(random, |wire| &wire.unwritten) {
            sum += wire.write(count, random);
            match random.below(4) {
                0 => thread::yield_now(),
                1 => thread::sleep(Duration::from_micros(random.below(100))),
                _ => {}
            }
        }
        sum
    }

    fn read_all(&self, random: &mut Random) -> u64 {
        let mut sum = 0;
        while let Some((wire, count)) = self.claim(random, |wire| &wire.unread) {
            sum += wire.read(count);
        }
        sum
    }
}

/// Those who read and write one net.
struct Crew {
    readers: Vec<thread::JoinHandle<u64>>,
    plain: Vec<std::thread::JoinHandle<u64>>,
    writers: Vec<thread::JoinHandle<u64>>,
}

impl Crew {
    /// So many readers, plain OS threads that read, and writers.
    fn new(net: Net, random: &mut Random, [readers, plain, writers]: [usize; 3]) -> Crew {
        let net = Arc::new(net);
        let mut member = |does: fn(&Net, &mut Random) -> u64| {
            let (net, mut own) = (Arc::clone(&net), random.branch());
            move || does(&net, &mut own)
        };
        let reader = |_| thread::spawn(member(Net::read_all));
        let readers = (0..readers).map(reader).collect();
        let reader = |_| std::thread::spawn(member(Net::read_all));
        let plain = (0..plain).map(reader).collect();
        let writer = |_| thread::spawn(member(Net::write_all));
        let writers = (0..writers).map(writer).collect();
        Crew {
            readers,
            plain,
            writers,
        }
    }

    /// What was read is what was written.
    fn assert_nothing_is_lost(self) {
        let written: u64 = join_all(self.writers).into_iter().sum();
        let read: u64 = join_all(self.readers).into_iter().sum();
        let plain = self.plain.into_iter();
        let plain: u64 = plain
            .map(|reader| thread::blocking(|| reader.join().unwrap()))
            .sum();
        assert_eq!(read + plain, written);
    }
}

/// Threads on every worker, and plain OS threads, wait for the same descriptors at random, so
/// that these wander from poller to poller: every byte comes to one of them.
pub fn descriptors_wander_and_lose_nothing<S: Subject>() {
    let seed = seed::draw();
    let mut random = seed.random();
    run::<S, _>(move || {
        let wire = |_| {
            let (left, right) = connection();
            Wire::new(&left, &right, 1500)
        };
        let net = Net {
            wires: (0..3).map(wire).collect(),
            most: 3,
        };
        Crew::new(net, &mut random, [8, 2, 3]).assert_nothing_is_lost();
    });
}

/// The same with threads that wait for both directions of one descriptor: more goes both ways
/// than the buffers hold, so that writers wait too. Each direction wanders by itself.
pub fn both_directions_wander_and_lose_nothing<S: Subject>() {
    const BYTES: u64 = 1 << 20;
    let seed = seed::draw();
    let mut random = seed.random();
    run::<S, _>(move || {
        let mut crews = Vec::new();
        for _ in 0..2 {
            let (left, right) = connection();
            for end in [&left, &right] {
                SockRef::from(&**end).set_send_buffer_size(1 << 16).unwrap();
                SockRef::from(&**end).set_recv_buffer_size(1 << 16).unwrap();
            }
            // A net each, or all could wait for one wire while the others are full.
            for (from, to) in [(&left, &right), (&right, &left)] {
                let net = Net {
                    wires: vec![Wire::new(from, to, BYTES)],
                    most: 1 << 15,
                };
                crews.push(Crew::new(net, &mut random, [2, 1, 2]));
            }
        }
        crews.into_iter().for_each(Crew::assert_nothing_is_lost);
    });
}
