//! Two runtimes, of two models perhaps, and objects that their threads share: the current
//! thread decides how to wait, never the object.
//!
//! The facade instantiates these for every pair of models, with
//! [`suite_across`](crate::suite_across).

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::getpid;
use trefoil_net::fs::{self, File};
use trefoil_net::process::{Command, Stdio};
use trefoil_net::signal::{SIGUSR1, on};
use trefoil_net::unix::UnixDatagram;
use trefoil_net::{PipeReader, PipeWriter, TcpListener, TcpStream, UdpSocket, pipe};
use trefoil_runtime::{Reason, Thread, thread};
use trefoil_sync::channel::{Receiver, Sender, bounded, never, select, unbounded};
use trefoil_sync::{
    Barrier, CancellationToken, Condvar, LazyLock, Mutex, WaitGroup, mpsc, oneshot,
};

use crate::Subject;
use crate::child;
use crate::fs::Place;
use crate::subject::run;
use crate::witness::{Spawns, Witness, find, join_all, until, until_waiting};

/// Runs both at the same time, each on an OS thread of its own.
fn both<A: Subject, B: Subject, T: Send + 'static, U: Send + 'static>(
    first: impl FnOnce() -> T + Send + 'static,
    second: impl FnOnce() -> U + Send + 'static,
) -> (T, U) {
    let first = std::thread::spawn(|| run::<A, T>(first));
    let second = run::<B, U>(second);
    (first.join().unwrap(), second)
}

/// A blocking call of either runs the other one. Where it is refused it would be so for threads
/// of any model.
pub fn a_blocking_call_runs_the_other<A: Subject, B: Subject>() {
    fn inside<A: Subject, B: Subject>() {
        let value = run::<A, _>(|| {
            thread::blocking(|| run::<B, _>(|| thread::spawn(|| thread::blocking(|| 7)).join()))
        });
        assert_eq!(value.unwrap(), 7);
    }
    inside::<A, B>();
    inside::<B, A>();
}

/// A `run` in a blocking call is no cancellation point: its caller may have been asked to end, and
/// gets its value all the same.
pub fn a_run_in_a_blocking_call_ends_by_itself<A: Subject, B: Subject>() {
    fn inside<A: Subject, B: Subject>() {
        let witness = Witness::new();
        // Its thread is ended by the first request, and the one that it leaves by a later one only.
        let spawns = Spawns::new(witness.token());
        let (begin, begun) = bounded::<()>(1);
        let (go, gate) = bounded::<()>(1);
        let opener = std::thread::spawn(move || {
            // By then all have been asked once.
            until(|| witness.dropped() == 1);
            go.send(()).unwrap();
        });
        let caller = run::<A, _>(move || {
            let caller = thread::spawn(move || {
                thread::blocking(move || {
                    run::<B, _>(move || {
                        begin.send(()).unwrap();
                        gate.recv().unwrap();
                        8
                    })
                })
            });
            begun.recv().unwrap();
            let parked = thread::spawn(move || {
                let _spawns = spawns;
                thread::park();
            });
            until_waiting(parked.thread(), Reason::Park);
            caller
        });
        opener.join().unwrap();
        assert_eq!(caller.join().unwrap(), 8);
    }
    inside::<A, B>();
    inside::<B, A>();
}

/// Messages go to and fro through a channel.
pub fn messages_cross<A: Subject, B: Subject>() {
    for ((ping, pings), (pong, pongs)) in [
        (bounded(0), bounded(0)),
        (bounded(1), bounded(1)),
        (unbounded(), unbounded()),
    ] {
        let ((), last) = both::<A, B, _, _>(
            move || pings.iter().for_each(|n: u32| pong.send(n + 1).unwrap()),
            move || {
                (0..300).fold(0, |n, _| {
                    ping.send(n).unwrap();
                    pongs.recv().unwrap()
                })
            },
        );
        assert_eq!(last, 300);
    }
}

/// A lock is held by one thread of either in turn.
pub fn a_lock_excludes_across<A: Subject, B: Subject>() {
    fn count(mutex: &Arc<Mutex<u64>>) {
        let threads = [(); 3].map(|()| {
            let mutex = Arc::clone(mutex);
            thread::spawn(move || {
                for _ in 0..200 {
                    let mut guard = mutex.lock().unwrap();
                    let before = *guard;
                    thread::yield_now();
                    *guard = before + 1;
                }
            })
        });
        join_all(threads);
    }
    let mutex = Arc::new(Mutex::new(0));
    let (first, second) = (Arc::clone(&mutex), Arc::clone(&mutex));
    both::<A, B, _, _>(move || count(&first), move || count(&second));
    assert_eq!(*mutex.lock().unwrap(), 1200);
}

/// A condition is waited for in one and made true in the other, in turn.
pub fn a_condition_crosses<A: Subject, B: Subject>() {
    fn play(turn: &(Mutex<u32>, Condvar), mine: u32) {
        for _ in 0..200 {
            let guard = turn.0.lock().unwrap();
            let mut now = turn.1.wait_while(guard, |now| *now % 2 != mine).unwrap();
            *now += 1;
            turn.1.notify_one();
        }
    }
    let turn = Arc::new((Mutex::new(0), Condvar::new()));
    let (first, second) = (Arc::clone(&turn), Arc::clone(&turn));
    both::<A, B, _, _>(move || play(&first, 0), move || play(&second, 1));
    assert_eq!(*turn.0.lock().unwrap(), 400);
}

/// A thread of one is joined, and unparked, by a thread of the other.
pub fn a_thread_is_joined_and_unparked_across<A: Subject, B: Subject>() {
    let (hand, handed) = bounded(0);
    let (tell, told) = bounded::<()>(0);
    let ((), value) = both::<A, B, _, _>(
        move || {
            hand.send(thread::spawn(|| {
                thread::park();
                21
            }))
            .unwrap();
            // The run must not end before the thread was joined.
            let _ = told.recv();
        },
        move || {
            let theirs = handed.recv().unwrap();
            assert_eq!(theirs.thread().model(), A::MODEL);
            let named = theirs.thread().clone();
            until_waiting(&named, Reason::Park);
            let joiner = thread::spawn(move || theirs.join().unwrap());
            until_waiting(joiner.thread(), Reason::Join);
            named.unpark();
            let value = joiner.join().unwrap();
            drop(tell);
            value
        },
    );
    assert_eq!(value, 21);
}

/// What is asked is answered across, all are waited for, and one of all makes what all read:
/// threads of two runtimes and a plain one.
pub fn the_other_objects_cross<A: Subject, B: Subject>() {
    type Question = (u32, oneshot::Sender<u32>);
    type Shared = Arc<(LazyLock<usize>, Mutex<usize>)>;
    const ASKERS: usize = 5;
    const QUESTIONS: u32 = 20;

    fn ask(questions: &mpsc::SyncSender<Question>, shared: &Shared, group: WaitGroup) {
        for n in 0..QUESTIONS {
            let (reply, answer) = oneshot::channel();
            questions.send((n, reply)).unwrap();
            assert_eq!(answer.recv(), Ok(2 * n));
        }
        *shared.1.lock().unwrap() += *shared.0;
        group.wait();
        // Nobody goes on before all have added.
        assert_eq!(*shared.1.lock().unwrap(), (2 * ASKERS + 1) * 3);
    }

    let (questions, asked) = mpsc::sync_channel::<Question>(2);
    let shared: Shared = Arc::new((LazyLock::new(|| 3), Mutex::new(0)));
    let group = WaitGroup::new();
    let askers = {
        let (questions, shared, group) = (questions.clone(), shared.clone(), group.clone());
        move |count: usize| {
            let asker = |_| {
                let (questions, shared) = (questions.clone(), shared.clone());
                let group = group.clone();
                thread::spawn(move || ask(&questions, &shared, group))
            };
            (0..count).map(asker).collect::<Vec<_>>()
        }
    };
    let first = askers.clone();
    let plain = std::thread::spawn(move || ask(&questions, &shared, group));
    both::<A, B, _, _>(
        move || {
            let threads = first(ASKERS);
            drop(first);
            for (n, reply) in asked {
                reply.send(2 * n).unwrap();
            }
            join_all(threads);
        },
        move || {
            let threads = askers(ASKERS);
            drop(askers);
            join_all(threads);
        },
    );
    plain.join().unwrap();
}

/// One token is heard by threads of two runtimes and by plain ones, whoever cancels it.
pub fn a_token_crosses<A: Subject, B: Subject>() {
    type Tell = Sender<Thread>;
    const LISTENERS: usize = 3;

    /// Each listens in another way, and says who it is before.
    fn listener(n: usize, token: &CancellationToken, tell: &Tell) -> impl FnOnce() + Send + use<> {
        let (token, tell) = (token.clone(), tell.clone());
        move || {
            tell.send(thread::current()).unwrap();
            match n {
                0 => token.wait(),
                1 => token.child_token().cancelled(),
                _ => drop(token.run_until_cancelled(thread::park)),
            }
            assert!(token.is_cancelled());
        }
    }
    fn listen(token: &CancellationToken, tell: &Tell) {
        join_all(
            (0..LISTENERS)
                .map(|n| thread::spawn(listener(n, token, tell)))
                .collect::<Vec<_>>(),
        );
    }

    for by_a_plain_thread in [true, false] {
        let token = CancellationToken::new();
        let (tell, told) = bounded(3 * LISTENERS);
        let mut plain: Vec<_> = (0..LISTENERS)
            .map(|n| std::thread::spawn(listener(n, &token, &tell)))
            .collect();
        let cancel = token.clone();
        let all_wait = move || {
            for thread in told.iter().take(3 * LISTENERS) {
                until(|| find(thread.id()).is_some_and(|info| info.waiting.is_some()));
            }
            cancel.cancel();
        };
        let (first, second) = ((token.clone(), tell.clone()), (token, tell));
        let canceller = match by_a_plain_thread {
            true => {
                plain.push(std::thread::spawn(all_wait));
                None
            }
            false => Some(all_wait),
        };
        both::<A, B, _, _>(
            move || listen(&first.0, &first.1),
            move || {
                let canceller = canceller.map(thread::spawn);
                listen(&second.0, &second.1);
                join_all(canceller);
            },
        );
        plain.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

/// A barrier waits for the threads of both.
pub fn a_barrier_waits_for_both<A: Subject, B: Subject>() {
    fn pass(barrier: &Arc<Barrier>) -> usize {
        let threads = [(); 4].map(|()| {
            let barrier = Arc::clone(barrier);
            thread::spawn(move || (0..50).filter(|_| barrier.wait().is_leader()).count())
        });
        join_all(threads).iter().sum()
    }
    let barrier = Arc::new(Barrier::new(8));
    let (first, second) = (Arc::clone(&barrier), Arc::clone(&barrier));
    let (a, b) = both::<A, B, _, _>(move || pass(&first), move || pass(&second));
    assert_eq!(a + b, 50);
}

/// A socket that was used in one goes on in the other.
pub fn a_socket_crosses<A: Subject, B: Subject>() {
    use std::io::{Read as _, Write as _};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (hand, handed) = bounded::<TcpStream>(0);
    both::<A, B, _, _>(
        move || {
            let (mut server, _) = listener.accept().unwrap();
            let mut byte = [0];
            // It has been waited for here before it goes over.
            server.read_exact(&mut byte).unwrap();
            assert_eq!(byte, [1]);
            hand.send(server).unwrap();
        },
        move || {
            let writer = client.try_clone().unwrap();
            (&writer).write_all(&[1]).unwrap();
            let server = handed.recv().unwrap();
            let reader = reader_of_three(server);
            (&writer).write_all(&[2, 3, 4]).unwrap();
            assert_eq!(reader.join().unwrap(), [2, 3, 4]);
        },
    );
}

/// A mailbox, a UDP socket and a pipe have readers and writers in both, and a plain thread that
/// takes part: what is sent is received once.
pub fn messages_of_the_system_cross<A: Subject, B: Subject>() {
    use std::io::{Read as _, Write as _};
    const EACH: usize = 200;

    struct Shared {
        mailbox: (UnixDatagram, UnixDatagram),
        pipe: (PipeReader, PipeWriter),
        ping: (UdpSocket, UdpSocket),
    }
    impl Shared {
        fn write(&self) {
            for _ in 0..EACH {
                assert_eq!(self.mailbox.0.send(b"ab").unwrap(), 2);
                (&self.pipe.1).write_all(b"cd").unwrap();
            }
        }
        fn read(&self) {
            for _ in 0..EACH {
                let mut message = [0; 8];
                assert_eq!(self.mailbox.1.recv(&mut message).unwrap(), 2);
                assert_eq!(&message[..2], b"ab");
                (&self.pipe.0).read_exact(&mut message[..2]).unwrap();
                assert_eq!(&message[..2], b"cd");
            }
        }
        fn work(self: &Arc<Shared>) {
            let threads = [Shared::read, Shared::write].map(|work| {
                let shared = Arc::clone(self);
                thread::spawn(move || work(&shared))
            });
            join_all(threads);
        }
    }
    let udp = || UdpSocket::bind("127.0.0.1:0").unwrap();
    let shared = Arc::new(Shared {
        mailbox: UnixDatagram::pair().unwrap(),
        pipe: pipe().unwrap(),
        ping: (udp(), udp()),
    });
    let (first, second) = (Arc::clone(&shared), Arc::clone(&shared));
    let plain = std::thread::spawn(move || {
        let (reads, writes) = (Arc::clone(&shared), shared);
        let reads = std::thread::spawn(move || reads.read());
        writes.write();
        reads.join().unwrap();
    });
    both::<A, B, _, _>(
        move || {
            first.work();
            let (length, from) = first.ping.0.recv_from(&mut [0; 8]).unwrap();
            first.ping.0.send_to(&[1; 8][..length], from).unwrap();
        },
        move || {
            second.work();
            let to = second.ping.0.local_addr().unwrap();
            second.ping.1.send_to(b"ping", to).unwrap();
            assert_eq!(second.ping.1.recv(&mut [0; 8]).unwrap(), 4);
        },
    );
    plain.join().unwrap();
}

/// A thread that reads three bytes, and waits for them by now.
fn reader_of_three(mut socket: TcpStream) -> thread::JoinHandle<[u8; 3]> {
    let reader = thread::spawn(move || {
        let mut bytes = [0; 3];
        std::io::Read::read_exact(&mut socket, &mut bytes).unwrap();
        bytes
    });
    until_waiting(reader.thread(), Reason::Read);
    reader
}

/// A file is written and locked by both, also by a kernel thread and a plain one; and who waits for the
/// other to open a FIFO is let go by it.
pub fn a_file_crosses<A: Subject, B: Subject>() {
    const LINES: usize = 20;
    fn write(file: &File, name: &str) {
        let mut file = file;
        for number in 0..LINES {
            file.lock().unwrap();
            writeln!(file, "{name} {number}").unwrap();
            file.unlock().unwrap();
        }
    }
    let place = Place::new();
    let open = || {
        File::options()
            .append(true)
            .create(true)
            .open(place.at("log"))
            .unwrap()
    };
    let (first, second, plain) = (Arc::new(open()), open(), open());
    let shared = Arc::clone(&first);
    let fifo = place.fifo("fifo");
    let other_end = fifo.clone();
    let plain = std::thread::spawn(move || write(&plain, "plain"));
    both::<A, B, _, _>(
        move || {
            write(&first, "first");
            assert_eq!(fs::read(fifo).unwrap(), b"crossed");
        },
        move || {
            // An open file of its own, and one that both have.
            write(&second, "second");
            (&*shared).write_all(b"shared\n").unwrap();
            fs::write(other_end, "crossed").unwrap();
        },
    );
    plain.join().unwrap();
    let text = fs::read_to_string(place.at("log")).unwrap();
    assert_eq!(text.lines().count(), 3 * LINES + 1);
    for name in ["first", "second", "plain"] {
        let lines = text.lines().filter(|line| line.starts_with(name));
        assert!(
            lines.eq((0..LINES).map(|number| format!("{name} {number}"))),
            "{text}"
        );
    }
}

/// A socket that was waited for in one goes on in the other, also while the OS thread that
/// waited for it first runs nobody else.
pub fn a_socket_leaves_a_busy_worker<A: Subject, B: Subject>() {
    use std::io::{Read as _, Write as _};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (say, who) = bounded(1);
    let (hand, handed) = bounded::<TcpStream>(1);
    let (tell, told) = std::sync::mpsc::channel();
    both::<A, B, _, _>(
        move || {
            let (mut server, _) = listener.accept().unwrap();
            say.send(thread::current()).unwrap();
            let mut byte = [0];
            server.read_exact(&mut byte).unwrap();
            hand.send(server).unwrap();
            // By `std`: it keeps the OS thread, as one that computes.
            told.recv().unwrap();
        },
        move || {
            until_waiting(&who.recv().unwrap(), Reason::Read);
            (&client).write_all(&[1]).unwrap();
            let server = handed.recv().unwrap();
            let reader = reader_of_three(server);
            (&client).write_all(&[2, 3, 4]).unwrap();
            assert_eq!(reader.join().unwrap(), [2, 3, 4]);
            tell.send(()).unwrap();
        },
    );
}

/// The same when a thread of the busy one goes on waiting for the socket: it gets its share
/// later.
pub fn a_socket_is_shared_with_a_busy_worker<A: Subject, B: Subject>() {
    use std::io::{Read as _, Write as _};
    let take_one = |stream: &TcpStream| {
        let mut byte = [0];
        (&mut &*stream).read_exact(&mut byte).unwrap();
        byte[0]
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let server = Arc::new(listener.accept().unwrap().0);
    let shared = Arc::clone(&server);
    let (say, said) = bounded(1);
    let (tell, told) = std::sync::mpsc::channel();
    let (first, second) = both::<A, B, _, _>(
        move || {
            let reader = thread::spawn(move || take_one(&server));
            until_waiting(reader.thread(), Reason::Read);
            say.send(()).unwrap();
            told.recv().unwrap();
            reader.join().unwrap()
        },
        move || {
            said.recv().unwrap();
            let reader = thread::spawn(move || take_one(&shared));
            until_waiting(reader.thread(), Reason::Read);
            (&client).write_all(&[1, 2]).unwrap();
            let byte = reader.join().unwrap();
            tell.send(()).unwrap();
            byte
        },
    );
    assert_eq!(first + second, 3);
}

/// Threads of both, and a plain one, wait for one child and talk with it.
pub fn a_child_serves_both<A: Subject, B: Subject>() {
    let mut cat = Command::new("cat");
    let cat = cat.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = cat.spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (first, second, plain) = (child.handle(), child.handle(), child.handle());
    let plain = std::thread::spawn(move || plain.wait().unwrap());
    let (says, hears) = both::<A, B, _, _>(
        move || {
            for _ in 0..100 {
                stdin.write_all(&[1; 1000]).unwrap();
                thread::yield_now();
            }
            drop(stdin);
            first.wait().unwrap()
        },
        move || {
            let mut heard = Vec::new();
            stdout.read_to_end(&mut heard).unwrap();
            assert_eq!(heard.len(), 100_000);
            second.wait().unwrap()
        },
    );
    assert!(says.success() && hears.success() && plain.join().unwrap().success());
    assert!(child.wait().unwrap().success());
}

/// A signal reaches threads of both, and a plain one.
pub fn a_signal_reaches_both<A: Subject, B: Subject>() {
    let ended = child::end_of(|| {
        let (ready, listening) = unbounded();
        let listen = move || {
            let signals = on(SIGUSR1).unwrap();
            ready.send(()).unwrap();
            assert_eq!(signals.recv(), Ok(SIGUSR1));
        };
        let sender = std::thread::spawn(move || {
            (0..3).for_each(|_| listening.recv().unwrap());
            kill(getpid(), Signal::SIGUSR1).unwrap();
        });
        let plain = std::thread::spawn(listen.clone());
        both::<A, B, _, _>(listen.clone(), listen);
        plain.join().unwrap();
        sender.join().unwrap();
    });
    ended.assert_came_through();
}

/// A channel with receivers in both loses nothing and doubles nothing.
pub fn a_channel_serves_both<A: Subject, B: Subject>() {
    const EACH: u64 = 400;
    let (send, receive) = bounded::<u64>(3);
    let (other_send, other_receive) = (send.clone(), receive.clone());
    let work = |send: trefoil_sync::channel::Sender<u64>,
                receive: trefoil_sync::channel::Receiver<u64>| {
        let receiver = thread::spawn(move || receive.iter().sum::<u64>());
        (1..=EACH).for_each(|n| send.send(n).unwrap());
        drop(send);
        receiver.join().unwrap()
    };
    let (a, b) = both::<A, B, _, _>(
        move || work(send, receive),
        move || work(other_send, other_receive),
    );
    assert_eq!(a + b, EACH * (EACH + 1));
}

/// Selects of both wait for channels whose other ends are with either, and with a plain thread; and meet.
pub fn a_select_serves_both<A: Subject, B: Subject>() {
    const EACH: u64 = 300;
    let (one, two, meet) = (bounded::<u64>(2), unbounded::<u64>(), bounded::<u64>(0));
    let channels = [one, two, meet];
    let receives = channels.clone().map(|(_, receive)| receive);
    let work = |sends: [Sender<u64>; 3], receives: [Receiver<u64>; 3]| {
        move || {
            let receiver = thread::spawn(move || sum_of(receives));
            let [one, two, meet] = sends;
            for n in 1..=EACH {
                select! {
                    send(one, n) -> sent => sent.unwrap(),
                    send(two, n) -> sent => sent.unwrap(),
                    send(meet, n) -> sent => sent.unwrap(),
                }
            }
            drop((one, two, meet));
            receiver.join().unwrap()
        }
    };
    let senders = || channels.each_ref().map(|(send, _)| send.clone());
    let (a_sends, b_sends, c_sends) = (senders(), senders(), senders());
    let (a_receives, b_receives) = (receives.clone(), receives);
    drop(channels);
    let plain = std::thread::spawn(move || {
        let [one, _, meet] = c_sends;
        for n in 1..=EACH {
            select! {
                send(meet, n) -> sent => sent.unwrap(),
                send(one, n) -> sent => sent.unwrap(),
            }
        }
    });
    let (a, b) = both::<A, B, _, _>(work(a_sends, a_receives), work(b_sends, b_receives));
    plain.join().unwrap();
    assert_eq!(a + b, 3 * EACH * (EACH + 1) / 2);
}

/// The sum of what all of these bring.
fn sum_of(receives: [Receiver<u64>; 3]) -> u64 {
    let ([mut one, mut two, mut meet], mut open, mut sum) = (receives, 3, 0);
    while open > 0 {
        let (ended, number) = select! {
            recv(one) -> n => (&mut one, n),
            recv(two) -> n => (&mut two, n),
            recv(meet) -> n => (&mut meet, n),
        };
        match number {
            Ok(number) => sum += number,
            Err(_) => {
                *ended = never();
                open -= 1;
            }
        }
    }
    sum
}

/// A message that one waits for is sent by a thread of the other that ends at once.
pub fn a_wake_up_outlives_its_waker<A: Subject, B: Subject>() {
    let (send, receive) = unbounded();
    let ((), sum) = both::<A, B, _, _>(
        move || {
            for n in 0..100_u32 {
                let send = send.clone();
                thread::spawn(move || send.send(n).unwrap()).join().unwrap();
            }
        },
        move || receive.iter().sum::<u32>(),
    );
    assert_eq!(sum, 4950);
}
