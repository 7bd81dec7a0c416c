//! Cancelling one thread: each row of the table in `docs/cancellation.md`, and the rules
//! around it. The end of a run cancels too: that is the topic `shutdown`.

use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::unistd::{dup2_stdin, dup2_stdout};
use socket2::{Domain, SockAddr, Socket, Type};
use trefoil_net::fs::File;
use trefoil_net::io::{stdin, stdout};
use trefoil_net::process::{Command, Stdio};
use trefoil_net::signal::ctrl_c;
use trefoil_net::unix::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use trefoil_net::{TcpListener, TcpStream, UdpSocket, pipe};
use trefoil_runtime::cancel::Cancelled;
use trefoil_runtime::future::block_on;
use trefoil_runtime::thread::{self, is_cancelled, uncancellable};
use trefoil_runtime::time::{Elapsed, interval_at, timeout};
use trefoil_runtime::{Reason, Thread};
use trefoil_sync::channel::{Receiver, Select, Sender, bounded, select, unbounded};
use trefoil_sync::{
    Barrier, CancellationToken, Condvar, Mutex, Once, RwLock, Semaphore, WaitGroup, mpsc, oneshot,
};

use crate::Subject;
use crate::child::{self, end_of};
use crate::fs::Place;
use crate::seed::{Random, draw};
use crate::subject::run;
use crate::tcp::pair;
use crate::witness::{Witness, until, until_waiting};

const HOUR: Duration = Duration::from_secs(3600);

fn in_an_hour() -> Instant {
    Instant::now() + HOUR
}

/// A thread that waits there for ever is ended by a cancellation: what it has is dropped, and
/// it does not go on. A timeout ends the same wait, and the thread goes on.
fn point(reason: Reason, wait: impl Fn() + Send + Sync + 'static) {
    let wait = Arc::new(wait);
    let witness = Witness::new();
    let (token, waits) = (witness.token(), Arc::clone(&wait));
    let thread = thread::spawn(move || {
        let _token = token;
        waits();
    });
    until_waiting(thread.thread(), reason);
    thread.cancel();
    let payload = thread.join().expect_err("it does not come back");
    assert!(payload.is::<Cancelled>());
    assert_eq!(witness.dropped(), 1);

    let token = witness.token();
    let result = timeout(Duration::from_millis(2), move || {
        let _token = token;
        wait();
    });
    assert_eq!(result, Err(Elapsed));
    assert_eq!(witness.dropped(), 2);
}

/// A thread that waits there is not ended, gets what it waits for, and is ended at the next
/// cancellation point.
fn no_point(reason: Reason, wait: impl FnOnce() + Send + 'static, end: impl FnOnce()) {
    let got = Arc::new(AtomicBool::new(false));
    let mark = Arc::clone(&got);
    let thread = thread::spawn(move || {
        wait();
        mark.store(true, Ordering::Release);
        thread::park();
    });
    until_waiting(thread.thread(), reason);
    thread.cancel();
    // It has every opportunity to do the wrong thing.
    for _ in 0..50 {
        thread::yield_now();
    }
    end();
    assert!(thread.join().unwrap_err().is::<Cancelled>());
    assert!(got.load(Ordering::Acquire));
}

/// `park`.
pub fn park_is_a_point<S: Subject>() {
    run::<S, _>(|| point(Reason::Park, thread::park));
}

/// `park_timeout`.
pub fn park_timeout_is_a_point<S: Subject>() {
    run::<S, _>(|| point(Reason::Park, || thread::park_timeout(HOUR)));
}

/// `sleep`.
pub fn sleep_is_a_point<S: Subject>() {
    run::<S, _>(|| point(Reason::Sleep, || thread::sleep(HOUR)));
}

/// `sleep_until`.
pub fn sleep_until_is_a_point<S: Subject>() {
    run::<S, _>(|| point(Reason::Sleep, || thread::sleep_until(in_an_hour())));
}

/// `Interval::tick`.
pub fn a_tick_is_a_point<S: Subject>() {
    run::<S, _>(|| {
        point(Reason::Sleep, || {
            let _ = interval_at(in_an_hour(), HOUR).tick();
        });
    });
}

/// `checkpoint`, though it waits for nothing.
pub fn a_checkpoint_is_a_point<S: Subject>() {
    fn compute() {
        loop {
            thread::checkpoint();
        }
    }
    run::<S, _>(|| {
        let (begun, mark) = (Arc::new(AtomicBool::new(false)), Witness::new());
        let (sign, token) = (Arc::clone(&begun), mark.token());
        let thread = thread::spawn(move || {
            let _token = token;
            sign.store(true, Ordering::Release);
            compute();
        });
        until(|| begun.load(Ordering::Acquire));
        thread.cancel();
        assert!(thread.join().unwrap_err().is::<Cancelled>());
        assert_eq!(mark.dropped(), 1);
        assert_eq!(timeout(Duration::from_millis(2), compute), Err(Elapsed));
    });
}

/// `JoinHandle::join`: the thread that was joined runs on.
pub fn join_is_a_point<S: Subject>() {
    run::<S, _>(|| {
        let (hold, held) = bounded::<()>(0);
        let joined = Arc::new(AtomicUsize::new(0));
        let ends = Arc::clone(&joined);
        point(Reason::Join, move || {
            let (held, ends) = (held.clone(), Arc::clone(&ends));
            let child = thread::spawn(move || {
                let _ = held.recv();
                ends.fetch_add(1, Ordering::AcqRel);
            });
            child.join().unwrap();
        });
        assert_eq!(joined.load(Ordering::Acquire), 0);
        drop(hold);
        until(|| joined.load(Ordering::Acquire) == 2);
    });
}

/// `ScopedJoinHandle::join`: the scope waits for the child all the same.
pub fn a_scoped_join_is_a_point<S: Subject>() {
    run::<S, _>(|| {
        let ended = Arc::new(AtomicUsize::new(0));
        let ends = Arc::clone(&ended);
        point(Reason::Join, move || {
            let (hold, held) = bounded::<()>(0);
            let ends = &ends;
            thread::scope(|scope| {
                let child = scope.spawn(move || {
                    let _ = held.recv();
                    ends.fetch_add(1, Ordering::AcqRel);
                });
                let _hold = hold;
                child.join().unwrap();
            });
        });
        assert_eq!(ended.load(Ordering::Acquire), 2);
    });
}

/// The waits of a `Condvar`: the mutex is free and not poisoned, and a later notification
/// finds who waits then.
pub fn a_condition_is_a_point<S: Subject>() {
    type Pair = (Mutex<bool>, Condvar);
    run::<S, _>(|| {
        let shared = Arc::new((Mutex::new(false), Condvar::new()));
        let waits: [fn(&Pair); 4] = [
            |(mutex, condvar)| {
                loop {
                    drop(condvar.wait(mutex.lock().unwrap()));
                }
            },
            |(mutex, condvar)| drop(condvar.wait_while(mutex.lock().unwrap(), |is| !*is)),
            |(mutex, condvar)| {
                drop(condvar.wait_timeout(mutex.lock().unwrap(), HOUR));
            },
            |(mutex, condvar)| {
                let guard = mutex.lock().unwrap();
                drop(condvar.wait_timeout_while(guard, HOUR, |is| !*is));
            },
        ];
        for wait in waits {
            let shared = Arc::clone(&shared);
            point(Reason::Condvar, move || wait(&shared));
        }
        let other = Arc::clone(&shared);
        let waits = thread::spawn(move || {
            let guard = other.0.lock().unwrap();
            *other.1.wait_while(guard, |is| !*is).unwrap()
        });
        until_waiting(waits.thread(), Reason::Condvar);
        *shared.0.lock().unwrap() = true;
        shared.1.notify_one();
        assert!(waits.join().unwrap());
    });
}

/// The waits of a `Semaphore`: no permit is lost.
pub fn a_permit_is_a_point<S: Subject>() {
    run::<S, _>(|| {
        let semaphore = Arc::new(Semaphore::new(1));
        let waits: [fn(&Semaphore); 4] = [
            |it| drop((it.acquire(), it.acquire())),
            |it| drop(it.acquire_many(2)),
            |it| drop((it.acquire(), it.acquire_timeout(HOUR))),
            |it| drop((it.acquire(), it.acquire_deadline(in_an_hour()))),
        ];
        for wait in waits {
            let shared = Arc::clone(&semaphore);
            point(Reason::Semaphore, move || wait(&shared));
            assert_eq!(semaphore.available_permits(), 1);
        }
    });
}

/// The waits of a `Sender`: the message is dropped, and those that are in the channel stay.
pub fn sending_is_a_point<S: Subject>() {
    run::<S, _>(|| {
        let (full, receive) = bounded(1);
        full.send(Box::new(0)).unwrap();
        let (meeting, nobody) = bounded(0);
        for send in [full, meeting] {
            let again = send.clone();
            point(Reason::Send, move || drop(again.send(Box::new(1))));
            let again = send.clone();
            point(Reason::Send, move || {
                drop(again.send_timeout(Box::new(2), HOUR))
            });
            point(Reason::Send, move || {
                drop(send.send_deadline(Box::new(3), in_an_hour()));
            });
        }
        assert_eq!(receive.iter().collect::<Vec<_>>(), [Box::new(0)]);
        assert!(nobody.try_recv().is_err());
    });
}

/// The waits of a `Receiver`: a message that is sent afterwards is for the others.
pub fn receiving_is_a_point<S: Subject>() {
    run::<S, _>(|| {
        let (send, receive) = unbounded::<Box<u32>>();
        let again = receive.clone();
        point(Reason::Receive, move || drop(again.recv()));
        let again = receive.clone();
        point(Reason::Receive, move || drop(again.recv_timeout(HOUR)));
        let again = receive.clone();
        point(Reason::Receive, move || {
            drop(again.recv_deadline(in_an_hour()));
        });
        let again = receive.clone();
        point(Reason::Receive, move || drop(again.iter().next()));
        send.send(Box::new(7)).unwrap();
        assert_eq!(receive.recv(), Ok(Box::new(7)));
    });
}

/// `select!`, and the waits of a `Select`.
pub fn select_is_a_point<S: Subject>() {
    run::<S, _>(|| {
        let (full, receive) = bounded::<u32>(1);
        full.send(1).unwrap();
        let (keep, empty) = unbounded::<u32>();
        let (sends, receives) = (full.clone(), empty.clone());
        point(Reason::Select, move || {
            select! {
                send(sends, 2) -> _ => {},
                recv(receives) -> _ => {},
                default(HOUR) => {},
            }
        });
        let receives = empty.clone();
        point(Reason::Select, move || {
            let mut select = Select::new();
            select.recv(&receives);
            drop(select.select());
        });
        point(Reason::Select, move || {
            let mut select = Select::new();
            select.recv(&empty);
            select.ready();
        });
        // All messages are there, and no more.
        assert_eq!(receive.try_iter().collect::<Vec<_>>(), [1]);
        drop(keep);
    });
}

/// The waits of `mpsc`.
pub fn mpsc_is_a_point<S: Subject>() {
    run::<S, _>(|| {
        let waits: [fn(&mpsc::Receiver<Box<u32>>); 3] = [
            |it| drop(it.recv()),
            |it| drop(it.recv_timeout(HOUR)),
            |it| drop(it.iter().next()),
        ];
        for wait in waits {
            point(Reason::Receive, move || {
                let (_send, receive) = mpsc::channel();
                wait(&receive);
            });
        }
        point(Reason::Send, || {
            let (send, _receive) = mpsc::sync_channel(0);
            drop(send.send(Box::new(1)));
        });
    });
}

/// The waits of `oneshot`.
pub fn oneshot_is_a_point<S: Subject>() {
    run::<S, _>(|| {
        let waits: [fn(oneshot::Receiver<Box<u32>>); 3] = [
            |it| drop(it.recv()),
            |it| drop(it.recv_timeout(HOUR)),
            |it| drop(it.recv_deadline(in_an_hour())),
        ];
        for wait in waits {
            point(Reason::Receive, move || {
                let (_send, receive) = oneshot::channel();
                wait(receive);
            });
        }
        point(Reason::Send, || {
            let (send, _receive) = oneshot::channel::<u32>();
            send.closed();
        });
    });
}

/// The waits of a `WaitGroup`: who gives up is no member any more.
pub fn a_wait_group_is_a_point<S: Subject>() {
    run::<S, _>(|| {
        let group = WaitGroup::new();
        for wait in [WaitGroup::wait, |it: WaitGroup| {
            drop(it.wait_timeout(HOUR));
        }] {
            let member = group.clone();
            point(Reason::Barrier, move || wait(member.clone()));
        }
        // Only we are left.
        group.wait();
    });
}

/// `CancellationToken::wait` and its kin: the token is not cancelled by it.
pub fn a_token_is_a_point<S: Subject>() {
    run::<S, _>(|| {
        let token = CancellationToken::new();
        let waits: [fn(&CancellationToken); 4] = [
            |it| it.wait(),
            |it| it.cancelled(),
            |it| assert!(it.wait_timeout(HOUR)),
            |it| assert!(it.wait_deadline(in_an_hour())),
        ];
        for wait in waits {
            let token = token.clone();
            point(Reason::Receive, move || wait(&token));
        }
        assert!(!token.is_cancelled());
    });
}

/// `future::block_on`.
pub fn block_on_is_a_point<S: Subject>() {
    run::<S, _>(|| point(Reason::Future, || block_on(std::future::pending::<()>())));
}

/// Waiting for a child. It can be waited for again.
pub fn a_child_is_a_point<S: Subject>() {
    run::<S, _>(|| {
        let mut child = Command::new("sleep").arg("3600").spawn().unwrap();
        let handle = child.handle();
        point(Reason::Process, move || drop(handle.wait()));
        let late = timeout(Duration::from_millis(2), || child.wait());
        assert!(matches!(late, Err(Elapsed)));
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success());
        point(Reason::Process, || {
            let mut endless = Command::new("sleep");
            drop(endless.arg("3600").kill_on_drop(true).status());
        });
    });
}

/// Collecting what a child says.
pub fn output_is_a_point<S: Subject>() {
    fn endless() -> Command {
        let mut endless = Command::new("sleep");
        endless.arg("3600").kill_on_drop(true);
        endless
    }
    run::<S, _>(|| {
        point(Reason::Read, || drop(endless().output()));
        point(Reason::Read, || {
            let child = endless().stdout(Stdio::piped()).spawn();
            drop(child.unwrap().wait_with_output());
        });
        // And what never waits, because the child is always ahead.
        let talks = || Command::new("yes").kill_on_drop(true).output();
        let late = timeout(Duration::from_millis(20), talks);
        assert!(matches!(late, Err(Elapsed)));
    });
}

/// The pipes of a child.
pub fn a_childs_pipe_is_a_point<S: Subject>() {
    run::<S, _>(|| {
        let mut sleeps = Command::new("sleep");
        let sleeps = sleeps.arg("3600").kill_on_drop(true);
        let sleeps = sleeps.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = sleeps.stderr(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let stderr = child.stderr.take().unwrap();
        point(Reason::Read, move || drop((&stdout).read(&mut [0; 8])));
        point(Reason::Read, move || {
            drop((&stderr).read_to_end(&mut Vec::new()))
        });
        point(Reason::Write, move || {
            drop((&stdin).write_all(&[0; 1 << 20]))
        });
    });
}

/// `ctrl_c`, in a process of its own: it changes what a signal does.
pub fn ctrl_c_is_a_point<S: Subject>() {
    let ended = child::end_of(|| {
        run::<S, _>(|| point(Reason::Receive, || drop(ctrl_c())));
    });
    ended.assert_came_through();
}

/// `accept`: the listener goes on, and a connection that comes afterwards is for the others.
pub fn accept_is_a_point<S: Subject>() {
    run::<S, _>(|| {
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
        let again = Arc::clone(&listener);
        point(Reason::Accept, move || drop(again.accept()));
        let again = Arc::clone(&listener);
        point(Reason::Accept, move || drop(again.incoming().next()));
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        listener.accept().unwrap();
    });
}

/// `connect`, to somebody who does not answer.
pub fn connect_is_a_point<S: Subject>() {
    run::<S, _>(|| {
        // Whose queue is full: the kernel lets further connections wait.
        let deaf = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
        deaf.bind(&any.into()).unwrap();
        deaf.listen(0).unwrap();
        let address = deaf.local_addr().unwrap().as_socket().unwrap();
        let fill = || TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok();
        let queued: Vec<_> = std::iter::from_fn(fill).take(16).collect();
        point(Reason::Connect, move || drop(TcpStream::connect(address)));
        point(Reason::Connect, move || {
            drop(TcpStream::connect_timeout(&address, HOUR));
        });
        point(Reason::Connect, move || {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            drop(TcpStream::connect_socket(socket, address));
        });
        let datagrams = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        let refused = TcpStream::connect_socket(datagrams, address).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::InvalidInput);
        drop((queued, deaf));
    });
}

/// `read` and its kin: what comes afterwards is for the others.
pub fn reading_is_a_point<S: Subject>() {
    run::<S, _>(|| {
        let (mut client, server) = pair();
        let server = Arc::new(server);
        let reads: [fn(&TcpStream); 3] = [
            |mut it| drop(it.read(&mut [0; 8])),
            |mut it| drop(it.read_exact(&mut [0; 8])),
            |it| drop(it.peek(&mut [0; 8])),
        ];
        for read in reads {
            let server = Arc::clone(&server);
            point(Reason::Read, move || read(&server));
        }
        client.write_all(b"x").unwrap();
        let mut heard = [0; 8];
        assert_eq!((&*server).read(&mut heard).unwrap(), 1);
    });
}

/// `write` and its kin.
pub fn writing_is_a_point<S: Subject>() {
    run::<S, _>(|| {
        let (client, mut server) = pair();
        let client = Arc::new(client);
        let again = Arc::clone(&client);
        point(Reason::Write, move || {
            while (&*again).write(&[1; 1 << 16]).is_ok() {}
        });
        drop(client);
        let mut all = Vec::new();
        server.read_to_end(&mut all).unwrap();
        assert!(!all.is_empty() && all.iter().all(|byte| *byte == 1));
    });
}

/// `File::lock`: the lock is free for others.
pub fn a_file_lock_is_a_point<S: Subject>() {
    run::<S, _>(|| {
        let place = Place::new();
        let path = place.at("file");
        let holder = File::create(&path).unwrap();
        holder.lock().unwrap();
        let waits = Arc::new(File::open(&path).unwrap());
        let (one, other) = (Arc::clone(&waits), Arc::clone(&waits));
        point(Reason::FileLock, move || one.lock().unwrap());
        point(Reason::FileLock, move || other.lock_shared().unwrap());
        holder.unlock().unwrap();
        holder.lock().unwrap();
    });
}

/// Reading from standard input: the line is for the next one.
pub fn standard_input_is_a_point<S: Subject>() {
    end_of(|| {
        run::<S, _>(|| {
            let (reader, writer) = std::io::pipe().unwrap();
            dup2_stdin(&reader).unwrap();
            point(Reason::Read, || drop(stdin().read(&mut [0; 8])));
            point(Reason::Read, || drop(stdin().read_line(&mut String::new())));
            drop(writer);
        });
    })
    .assert_came_through();
}

/// Writing to standard output, while it has no room.
pub fn standard_output_is_a_point<S: Subject>() {
    end_of(|| {
        run::<S, _>(|| {
            let (reader, writer) = std::io::pipe().unwrap();
            dup2_stdout(&writer).unwrap();
            point(Reason::Write, || {
                while stdout().write_all(&[b'x'; 100]).is_ok() {}
            });
            // What is left in the buffer is no reason to wait at the end.
            dup2_stdout(std::io::stderr()).unwrap();
            drop(reader);
        });
    })
    .assert_came_through();
}

/// A call of `fs` that has begun; what comes before it is of the topic `fs`.
pub fn a_file_is_no_point<S: Subject>() {
    run::<S, _>(|| {
        let place = Place::new();
        let fifo = place.fifo("fifo");
        let opens = fifo.clone();
        no_point(
            Reason::Blocking,
            move || drop(File::open(opens).unwrap()),
            || drop(File::options().write(true).open(&fifo).unwrap()),
        );
    });
}

/// Receiving and sending messages: what comes afterwards is for the others.
pub fn a_datagram_is_a_point<S: Subject>() {
    run::<S, _>(|| {
        let bind = || UdpSocket::bind("127.0.0.1:0").unwrap();
        let (left, right) = (bind(), Arc::new(bind()));
        let receives: [fn(&UdpSocket); 4] = [
            |it| drop(it.recv(&mut [0; 8])),
            |it| drop(it.recv_from(&mut [0; 8])),
            |it| drop(it.peek(&mut [0; 8])),
            |it| drop(it.peek_from(&mut [0; 8])),
        ];
        for receive in receives {
            let right = Arc::clone(&right);
            point(Reason::Read, move || receive(&right));
        }
        left.send_to(b"x", right.local_addr().unwrap()).unwrap();
        assert_eq!(right.recv(&mut [0; 8]).unwrap(), 1);

        let nameless = SocketAddr::from_pathname("").unwrap();
        let mailbox = Arc::new(UnixDatagram::bind_addr(&nameless).unwrap());
        let address = mailbox.local_addr().unwrap();
        let again = Arc::clone(&mailbox);
        point(Reason::Read, move || drop(again.recv(&mut [0; 8])));
        let again = Arc::clone(&mailbox);
        point(Reason::Read, move || drop(again.recv_from(&mut [0; 8])));
        let connected = UnixDatagram::unbound().unwrap();
        connected.connect_addr(&address).unwrap();
        point(Reason::Write, move || while connected.send(b"x").is_ok() {});
        let sender = UnixDatagram::unbound().unwrap();
        point(Reason::Write, move || {
            while sender.send_to_addr(b"x", &address).is_ok() {}
        });
        assert_eq!(mailbox.recv(&mut [0; 8]).unwrap(), 1);
    });
}

/// Connections of Unix sockets, at each of their calls.
pub fn a_unix_stream_is_a_point<S: Subject>() {
    run::<S, _>(|| {
        // With the shortest queue there is, at a name that the kernel chooses.
        let deaf = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        deaf.bind(&SockAddr::unix("").unwrap()).unwrap();
        deaf.listen(0).unwrap();
        let listener = UnixListener::try_from(OwnedFd::from(deaf)).unwrap();
        let listener = Arc::new(listener);
        let address = listener.local_addr().unwrap();
        let again = Arc::clone(&listener);
        point(Reason::Accept, move || drop(again.accept()));
        let again = Arc::clone(&listener);
        point(Reason::Accept, move || drop(again.incoming().next()));
        let mut left = UnixStream::connect_addr(&address).unwrap();
        let right = Arc::new(listener.accept().unwrap().0);
        let again = Arc::clone(&right);
        point(Reason::Read, move || drop((&*again).read(&mut [0; 8])));
        left.write_all(b"x").unwrap();
        assert_eq!((&*right).read(&mut [0; 8]).unwrap(), 1);
        point(Reason::Write, move || {
            while (&*right).write(&[0; 1 << 16]).is_ok() {}
        });
        point(Reason::Connect, move || {
            let mut queued = Vec::new();
            while let Ok(stream) = UnixStream::connect_addr(&address) {
                queued.push(stream);
            }
        });
        // Those are gone, but for their places in it.
        listener.accept().unwrap();
    });
}

/// Either end of a pipe.
pub fn a_pipe_is_a_point<S: Subject>() {
    run::<S, _>(|| {
        let (reader, writer) = pipe().unwrap();
        let ends = Arc::new((reader, writer));
        let again = Arc::clone(&ends);
        point(Reason::Read, move || drop((&again.0).read(&mut [0; 8])));
        let again = Arc::clone(&ends);
        point(
            Reason::Write,
            move || {
                while (&again.1).write(&[0; 4096]).is_ok() {}
            },
        );
        assert_eq!((&ends.0).read(&mut [0; 8]).unwrap(), 8);
    });
}

/// `Mutex::lock`.
pub fn a_mutex_is_no_point<S: Subject>() {
    run::<S, _>(|| {
        let mutex = Arc::new(Mutex::new(()));
        let (guard, shared) = (mutex.lock().unwrap(), Arc::clone(&mutex));
        no_point(
            Reason::Mutex,
            move || drop(shared.lock().unwrap()),
            || drop(guard),
        );
        assert!(mutex.lock().is_ok());
    });
}

/// `RwLock::read` and `write`.
pub fn a_rwlock_is_no_point<S: Subject>() {
    run::<S, _>(|| {
        let lock = Arc::new(RwLock::new(()));
        let (guard, shared) = (lock.write().unwrap(), Arc::clone(&lock));
        no_point(
            Reason::RwLockRead,
            move || drop(shared.read().unwrap()),
            || drop(guard),
        );
        let (guard, shared) = (lock.read().unwrap(), Arc::clone(&lock));
        no_point(
            Reason::RwLockWrite,
            move || drop(shared.write().unwrap()),
            || drop(guard),
        );
    });
}

/// `Once::call_once`, for those who wait for the initializer.
pub fn a_once_is_no_point<S: Subject>() {
    run::<S, _>(|| {
        let once = Arc::new(Once::new());
        let (go, gate) = bounded::<()>(0);
        let shared = Arc::clone(&once);
        let first = thread::spawn(move || shared.call_once(|| assert!(gate.recv().is_err())));
        until_waiting(first.thread(), Reason::Receive);
        let shared = Arc::clone(&once);
        no_point(Reason::Once, move || shared.call_once(|| ()), || drop(go));
        first.join().unwrap();
    });
}

/// `Barrier::wait`.
pub fn a_barrier_is_no_point<S: Subject>() {
    run::<S, _>(|| {
        let barrier = Arc::new(Barrier::new(2));
        let shared = Arc::clone(&barrier);
        no_point(
            Reason::Barrier,
            move || {
                shared.wait();
            },
            move || {
                barrier.wait();
            },
        );
    });
}

/// The end of a `scope`.
pub fn the_end_of_a_scope_is_no_point<S: Subject>() {
    run::<S, _>(|| {
        let (go, gate) = bounded::<()>(0);
        let waits = move || {
            thread::scope(|scope| {
                scope.spawn(move || assert!(gate.recv().is_err()));
            });
        };
        no_point(Reason::Scope, waits, || drop(go));
    });
}

/// `thread::blocking`: neither the call, nor what is waited for inside it.
pub fn a_blocking_call_is_no_point<S: Subject>() {
    run::<S, _>(|| {
        let (go, gate) = bounded::<()>(0);
        let inside = Arc::new(AtomicBool::new(false));
        let mark = Arc::clone(&inside);
        let got = Arc::new(AtomicBool::new(false));
        let after = Arc::clone(&got);
        let thread = thread::spawn(move || {
            thread::blocking(|| {
                mark.store(true, Ordering::Release);
                let _ = gate.recv();
            });
            after.store(true, Ordering::Release);
            thread::park();
        });
        until(|| inside.load(Ordering::Acquire));
        thread.cancel();
        for _ in 0..50 {
            thread::yield_now();
        }
        drop(go);
        assert!(thread.join().unwrap_err().is::<Cancelled>());
        assert!(got.load(Ordering::Acquire));
    });
}

/// A call that finds what it wants at once does not look: nothing that is there is lost.
pub fn what_is_there_is_got_first<S: Subject>() {
    run::<S, _>(|| {
        let got = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&got);
        let thread = thread::spawn(move || {
            let (send, receive) = bounded(2);
            thread::current().cancel();
            send.send(1).unwrap();
            send.send(2).unwrap();
            notes.lock().unwrap().push(receive.recv().unwrap());
            drop(Semaphore::new(1).acquire());
            notes.lock().unwrap().push(receive.recv().unwrap());
            let _ = receive.recv();
            notes.lock().unwrap().push(3);
        });
        assert!(thread.join().unwrap_err().is::<Cancelled>());
        assert_eq!(*got.lock().unwrap(), [1, 2]);
    });
}

/// A thread can ask whether it was asked to end, and end a computation by itself.
pub fn a_thread_can_ask<S: Subject>() {
    run::<S, _>(|| {
        assert!(!is_cancelled());
        let begun = Arc::new(AtomicBool::new(false));
        let mark = Arc::clone(&begun);
        let thread = thread::spawn(move || {
            mark.store(true, Ordering::Release);
            while !is_cancelled() {
                thread::yield_now();
            }
            "by itself"
        });
        until(|| begun.load(Ordering::Acquire));
        thread.cancel();
        assert_eq!(thread.join().unwrap(), "by itself");
        assert!(!is_cancelled());
    });
}

/// A thread that has not begun never begins. (On a model that starts it at once it may have
/// begun, and is ended where it waits.)
pub fn a_thread_that_has_not_begun_is_dropped<S: Subject>() {
    let witness = Witness::new();
    let tokens: Vec<_> = (0..20).map(|_| witness.token()).collect();
    run::<S, _>(|| {
        for token in tokens {
            let thread = thread::spawn(move || {
                let _token = token;
                thread::park();
            });
            thread.cancel();
            assert!(thread.join().unwrap_err().is::<Cancelled>());
        }
    });
    assert_eq!(witness.dropped(), 20);
}

/// In `uncancellable` nothing is ended, however deep; what came meanwhile is raised at the
/// next point after.
pub fn uncancellable_holds_it_off<S: Subject>() {
    run::<S, _>(|| {
        let (go, gate) = bounded::<()>(0);
        let steps = Arc::new(AtomicUsize::new(0));
        let at = Arc::clone(&steps);
        let thread = thread::spawn(move || {
            uncancellable(|| {
                uncancellable(|| thread::sleep(Duration::from_micros(1)));
                let _ = gate.recv();
                at.store(1, Ordering::Release);
                assert!(is_cancelled());
                uncancellable(|| thread::sleep(Duration::from_micros(1)));
                thread::sleep(Duration::from_micros(1));
                at.store(2, Ordering::Release);
            });
            thread::sleep(Duration::from_micros(1));
            at.store(3, Ordering::Release);
        });
        until_waiting(thread.thread(), Reason::Receive);
        thread.cancel();
        for _ in 0..50 {
            thread::yield_now();
        }
        assert_eq!(steps.load(Ordering::Acquire), 0);
        drop(go);
        assert!(thread.join().unwrap_err().is::<Cancelled>());
        assert_eq!(steps.load(Ordering::Acquire), 2);
    });
}

/// A panic in `uncancellable` comes out of it, and holds nothing off afterwards.
pub fn a_panic_ends_uncancellable<S: Subject>() {
    run::<S, _>(|| {
        let thread = thread::spawn(|| {
            let panics = || uncancellable(|| panic!("it is meant to"));
            assert!(panic::catch_unwind(panics).is_err());
            thread::current().cancel();
            thread::park();
        });
        assert!(thread.join().unwrap_err().is::<Cancelled>());
    });
}

/// A request that comes while a neighbour waits in the middle of a panic is not lost: when that is over
/// the thread is ended. So is what a token ends, and a wait that has begun before.
pub fn a_request_beside_a_suspended_panic_is_seen<S: Subject>() {
    struct WaitsInDrop(Sender<()>, Receiver<()>);
    impl Drop for WaitsInDrop {
        fn drop(&mut self) {
            let _ = self.0.send(());
            let _ = self.1.recv();
        }
    }
    run::<S, _>(|| {
        let token = CancellationToken::new();
        let waiter = |by_token: bool| {
            let token = token.clone();
            let waiter = thread::spawn(move || match by_token {
                true => assert_eq!(token.run_until_cancelled(thread::park), None),
                false => thread::park(),
            });
            until_waiting(waiter.thread(), Reason::Park);
            waiter
        };
        let early = [false, true].map(waiter);
        let (there, arrived) = bounded(1);
        let (go, gate) = bounded::<()>(1);
        let panics = thread::spawn(move || {
            let _waits = WaitsInDrop(there, gate);
            panic!("it is meant to");
        });
        arrived.recv().unwrap();
        let late = [false, true].map(waiter);
        early[0].cancel();
        late[0].cancel();
        token.cancel();
        for _ in 0..50 {
            thread::yield_now();
        }
        go.send(()).unwrap();
        assert!(panics.join().is_err());
        for [cancelled, ended] in [early, late] {
            assert!(cancelled.join().unwrap_err().is::<Cancelled>());
            ended.join().unwrap();
        }
    });
}

/// A lock that a cancelled thread holds is given back, and not poisoned.
pub fn no_lock_is_poisoned<S: Subject>() {
    run::<S, _>(|| {
        let locks = Arc::new((Mutex::new(()), RwLock::new(())));
        let shared = Arc::clone(&locks);
        let thread = thread::spawn(move || {
            let _guards = (shared.0.lock().unwrap(), shared.1.write().unwrap());
            thread::park();
        });
        until_waiting(thread.thread(), Reason::Park);
        thread.cancel();
        assert!(thread.join().unwrap_err().is::<Cancelled>());
        assert!(locks.0.lock().is_ok() && locks.1.write().is_ok());
    });
}

/// A plain `std::thread` is ended in the same way.
pub fn a_plain_thread_is_ended<S: Subject>() {
    run::<S, _>(|| {
        let (tell, told) = unbounded();
        let plain = std::thread::spawn(move || {
            tell.send(thread::current()).unwrap();
            thread::park();
        });
        let thread: Thread = told.recv().unwrap();
        thread.cancel();
        let join = AssertUnwindSafe(|| plain.join());
        assert!(thread::blocking(join.0).unwrap_err().is::<Cancelled>());
    });
}

/// To cancel a thread that has ended does nothing.
pub fn an_ended_thread_is_not_affected<S: Subject>() {
    run::<S, _>(|| {
        let thread = thread::spawn(|| 5);
        until(|| thread.is_finished());
        thread.cancel();
        assert_eq!(thread.join().unwrap(), 5);
    });
}

/// What one thread of the storm waits for; it says whether it got it.
fn one_wait(shared: &Storm, kind: usize) -> bool {
    match kind {
        0 => shared.receive.recv().is_ok(),
        1 => {
            let guard = shared.tokens.lock().unwrap();
            let mut tokens = shared
                .condvar
                .wait_while(guard, |tokens| *tokens == 0)
                .unwrap();
            *tokens -= 1;
            true
        }
        2 => {
            shared.permits.acquire().forget();
            true
        }
        _ => (&shared.socket)
            .read(&mut [0; 1])
            .is_ok_and(|read| read == 1),
    }
}

/// One sum for each kind of thing that is handed out: what was got, and what is left.
struct Storm {
    receive: trefoil_sync::channel::Receiver<()>,
    tokens: Mutex<usize>,
    condvar: Condvar,
    permits: Semaphore,
    socket: TcpStream,
    got: AtomicUsize,
}

/// Cancellations, timeouts and what is waited for race at a channel, a condition, a semaphore
/// and a socket: whatever was handed out was got by somebody or is still there, and nobody
/// waits for what is there.
pub fn a_storm_loses_nothing<S: Subject>() {
    const THREADS: usize = 12;
    const ROUNDS: usize = 200;
    let seed = draw();
    let mut random = seed.random();
    run::<S, _>(move || {
        let (send, receive) = unbounded();
        let (mut client, socket) = pair();
        let storm = Arc::new(Storm {
            receive,
            tokens: Mutex::new(0),
            condvar: Condvar::new(),
            permits: Semaphore::new(0),
            socket,
            got: AtomicUsize::new(0),
        });
        let spawn = |at: usize, random: &mut Random| {
            let (storm, mut random) = (Arc::clone(&storm), random.branch());
            thread::spawn(move || {
                loop {
                    // Half of the waits end by what they wait for alone: a wake-up that went
                    // astray is not made good by the next attempt.
                    let limit = match random.below(600) {
                        short @ ..300 => Duration::from_micros(short),
                        _ => HOUR,
                    };
                    if let Ok(got) = timeout(limit, || one_wait(&storm, at % 4)) {
                        storm.got.fetch_add(usize::from(got), Ordering::AcqRel);
                    }
                    // One that got something may be cancelled here only, where it has counted.
                    thread::yield_now();
                }
            })
        };
        let mut threads: Vec<_> = (0..THREADS).map(|at| spawn(at, &mut random)).collect();
        let mut given = 0;
        for _ in 0..ROUNDS {
            match random.below(6) {
                0 => send.send(()).unwrap(),
                1 => {
                    *storm.tokens.lock().unwrap() += 1;
                    storm.condvar.notify_one();
                }
                2 => storm.permits.add_permits(1),
                3 => client.write_all(&[0]).unwrap(),
                _ => {
                    let at = usize::try_from(random.below(THREADS as u64)).unwrap();
                    let old = std::mem::replace(&mut threads[at], spawn(at, &mut random));
                    old.cancel();
                    assert!(old.join().unwrap_err().is::<Cancelled>());
                    continue;
                }
            }
            given += 1;
            thread::yield_now();
        }
        // Those that are left get everything: a wake-up that went astray leaves something.
        until(|| storm.got.load(Ordering::Acquire) == given);
        for thread in threads {
            thread.cancel();
            assert!(thread.join().unwrap_err().is::<Cancelled>());
        }
        assert!(!storm.tokens.is_poisoned());
    });
}

#[cfg(test)]
mod tests {
    /// Each row of the table in the document names the promise that checks it, and each such
    /// promise has its row.
    #[test]
    fn the_table_and_the_promises_are_the_same() {
        let document = include_str!("../../../docs/cancellation.md");
        let rows = document.lines().filter(|line| line.starts_with("| "));
        let mut documented: Vec<_> = rows
            .filter_map(|row| row.split('|').rev().nth(1))
            .map(|cell| cell.trim().trim_matches('`'))
            .filter(|name| name.ends_with("_point"))
            .collect();
        let mut written: Vec<_> = include_str!("cancellation.rs")
            .lines()
            .filter_map(|line| line.strip_prefix("pub fn ")?.split_once('<'))
            .map(|(name, _)| name)
            .filter(|name| name.ends_with("_point"))
            .collect();
        documented.sort_unstable();
        written.sort_unstable();
        assert_eq!(documented, written);
    }

    /// And says of each whether it is a point, as the promise does.
    #[test]
    fn the_table_says_what_the_promises_say() {
        let document = include_str!("../../../docs/cancellation.md");
        for row in document.lines().filter(|line| line.ends_with("_point` |")) {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            let says = cells[cells.len() - 3];
            let is_point = !row.contains("_is_no_point");
            assert_eq!(says.starts_with("yes"), is_point, "{row}");
        }
    }
}
