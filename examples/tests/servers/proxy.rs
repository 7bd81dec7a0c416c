//! The reverse proxy, in front of the HTTP server and of upstreams that behave badly.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use trefoil::Model;

use crate::foreign;
use crate::http::{PATIENCE, answers, assert_answered, rest};
use crate::nowhere::Nowhere;
use crate::server::Server;

const PROGRAM: &str = env!("CARGO_BIN_EXE_reverse_proxy");
const UPSTREAM: &str = env!("CARGO_BIN_EXE_http_server");

fn proxy(model: Model, upstreams: &[SocketAddr], options: &[&str]) -> Server {
    let to: Vec<String> = upstreams.iter().map(|it| format!("--to={it}")).collect();
    let options: Vec<&str> = to
        .iter()
        .map(String::as_str)
        .chain(options.iter().copied())
        .collect();
    Server::start(PROGRAM, model, &options)
}

/// A connection of the proxy to an upstream of the test.
struct Asked {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    /// Which one it is, from 0.
    number: usize,
}

impl Asked {
    /// The head of the next request; `None`, if none comes.
    fn head(&mut self) -> Option<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.reader.read_line(&mut head).unwrap_or(0) == 0 {
                return None;
            }
        }
        Some(head)
    }

    fn exactly(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.reader.read_exact(&mut bytes).unwrap();
        bytes
    }

    fn say(&mut self, bytes: impl AsRef<[u8]>) {
        // The proxy may have gone.
        let _ = self.stream.write_all(bytes.as_ref());
    }

    fn answer(&mut self, body: &str) {
        let length = body.len();
        self.say(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
    }
}

/// An upstream of the test: each connection is served by a thread. It lasts as long as the test's process.
fn upstream(serve: impl Fn(Asked) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let (stream, serve) = (stream.unwrap(), Arc::clone(&serve));
            stream.set_nodelay(true).unwrap();
            let asked = Asked {
                reader: BufReader::new(stream.try_clone().unwrap()),
                stream,
                number,
            };
            thread::spawn(move || serve(asked));
        }
    });
    address
}

#[track_caller]
fn assert_status(said: &str, status: &str) {
    assert_answered(said, &[(status, &format!("{status}\n"))]);
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn curl_gets_what_the_servers_behind_say() {
    for model in Model::ALL {
        let start = || Server::start(UPSTREAM, model, &[]);
        let mut servers = [start(), start()];
        let proxy = proxy(model, &[servers[0].address, servers[1].address], &[]);
        let curl = |arguments: &[&str]| {
            let quiet = ["--silent", "--show-error", "--fail", "--max-time", "60"];
            foreign::run("curl", &[&quiet, arguments].concat())
        };
        let url = format!("http://{}", proxy.address);
        let Some(twice) = curl(&[&url, &url]) else {
            return;
        };
        assert_eq!(twice, "Hello, World!Hello, World!");
        let (body, echo) = ("x".repeat(100_000), format!("{url}/echo"));
        for header in ["Expect: 100-continue", "Transfer-Encoding: chunked"] {
            let post = ["--header", header, "--data-binary", &body, &echo];
            assert_eq!(curl(&post).unwrap(), body);
        }
        for server in &mut servers {
            server.terminate();
            // None of them, if the proxy's connections were closed already: it keeps them.
            let words = server.last_words();
            assert!(
                words.starts_with("ended: 2 requests served,"),
                "in turn: {words}"
            );
        }
    }
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    for model in Model::ALL {
        let server = Server::start(UPSTREAM, model, &[]);
        let proxy = proxy(model, &[server.address], &[]);
        let said = proxy.says_to(
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nfirst\
             POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
             3;x\r\nsec\r\n3\r\nond\r\n0\r\nA: b\r\n\r\n\
             GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n\
             GET / HTTP/1.0\r\n\r\n",
        );
        let expected = [
            ("200 OK", "first"),
            ("200 OK", "second"),
            ("404 Not Found", "404 Not Found\n"),
            ("200 OK", "Hello, World!"),
        ];
        assert_answered(&said, &expected);
        assert_status(&proxy.says_to("nonsense\r\n\r\n"), "400 Bad Request");
    }
}

#[test]
fn what_is_for_the_next_hop_does_not_go_on() {
    for model in Model::ALL {
        let address = upstream(|mut asked| {
            while let Some(head) = asked.head() {
                let length = head.len();
                asked.say(format!(
                    "HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\
                     X-Goes: on\r\nContent-Length: {length}\r\n\r\n{head}"
                ));
            }
        });
        let proxy = proxy(model, &[address], &[]);
        let said = proxy.says_to(
            "GET /a HTTP/1.1\r\nHost: b\r\nConnection: X-Mine, close\r\nX-Mine: 1\r\nTE: trailers\r\n\
             X-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\n\r\n",
        );
        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        assert!(
            !head.contains("Hop") && !head.contains("Keep-Alive"),
            "{said}"
        );
        assert!(head.contains("X-Goes: on\r\n"), "{said}");
        assert_eq!(
            body,
            "GET /a HTTP/1.1\r\nHost: b\r\nX-Forwarded-For: 1.2.3.4, 127.0.0.1\r\n\
             Forwarded: for=1.2.3.4, for=127.0.0.1;host=\"b\";proto=http\r\nVia: 1.1 trefoil\r\n\r\n"
        );
    }
}

/// Each half is seen on the other side before the second one is sent.
#[test]
fn bodies_go_through_as_they_come() {
    for model in Model::ALL {
        let (seen, sees) = mpsc::channel();
        let (goes_on, go_on) = mpsc::channel::<()>();
        let (seen, go_on) = (Mutex::new(seen), Mutex::new(go_on));
        let address = upstream(move |mut asked| {
            let head = asked.head().unwrap();
            assert!(head.contains("Content-Length: 10\r\n"), "{head}");
            for _ in 0..2 {
                seen.lock().unwrap().send(asked.exactly(5)).unwrap();
            }
            asked.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nthird\r\n");
            go_on.lock().unwrap().recv().unwrap();
            asked.say("6\r\nfourth\r\n0\r\n\r\n");
        });
        let proxy = proxy(model, &[address], &[]);
        let mut client = proxy.connect();
        let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nConnection: close\r\n\r\n";
        client.write_all(head.as_bytes()).unwrap();
        for half in [b"first", b"secnd"] {
            client.write_all(half).unwrap();
            assert_eq!(sees.recv_timeout(PATIENCE).unwrap(), half);
        }
        let mut said = Vec::new();
        while !said.ends_with(b"5\r\nthird\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte).unwrap();
            said.push(byte[0]);
        }
        goes_on.send(()).unwrap();
        assert_eq!(rest(&mut client), "6\r\nfourth\r\n0\r\n\r\n");
    }
}

#[test]
fn a_body_that_ends_with_its_connection_gets_an_end() {
    for model in Model::ALL {
        let address = upstream(|mut asked| {
            asked.head().unwrap();
            asked.say("HTTP/1.0 200 OK\r\n\r\nto the end");
        });
        let proxy = proxy(model, &[address], &[]);
        let said = proxy.says_to(GET);
        assert!(said.contains("Transfer-Encoding: chunked\r\n"), "{said}");
        assert!(
            said.ends_with("\r\n\r\na\r\nto the end\r\n0\r\n\r\n"),
            "{said}"
        );
        let old = proxy.says_to("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert!(
            old.ends_with("Connection: close\r\n\r\nto the end"),
            "{old}"
        );
    }
}

/// Twenty clients, one after the other.
#[test]
fn connections_to_upstreams_are_kept() {
    for model in Model::ALL {
        let address = upstream(|mut asked| {
            while asked.head().is_some() {
                let number = asked.number.to_string();
                asked.answer(&number);
            }
        });
        let proxy = proxy(model, &[address], &[]);
        for _ in 0..20 {
            assert_answered(&proxy.says_to(GET), &[("200 OK", "0")]);
        }
    }
}

/// Each connection serves one request, and is hung up when the next one has come.
#[test]
fn what_may_be_repeated_is_sent_again_once() {
    for model in Model::ALL {
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        let address = upstream(move |mut asked| {
            asked.head();
            counted.fetch_add(1, Ordering::SeqCst);
            let number = asked.number.to_string();
            asked.answer(&number);
            asked.head();
            counted.fetch_add(1, Ordering::SeqCst);
        });
        let proxy = proxy(model, &[address], &[]);
        assert_answered(&proxy.says_to(GET), &[("200 OK", "0")]);
        // It meets the kept connection, which is hung up, and then a fresh one.
        assert_answered(&proxy.says_to(GET), &[("200 OK", "1")]);
        assert_eq!(requests.load(Ordering::SeqCst), 3);
        let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
        assert_status(&proxy.says_to(post), "502 Bad Gateway");
        assert_eq!(requests.load(Ordering::SeqCst), 4, "it was sent once");
    }
}

/// The kernel on the other side has heard that nothing more comes from this one.
fn is_known_to_end(stream: &TcpStream) -> bool {
    let end = |address: SocketAddr| format!(":{:04X} ", address.port());
    let both = [stream.local_addr(), stream.peer_addr()].map(|address| end(address.unwrap()));
    // Address, address, state: 05 is FIN_WAIT2.
    let sockets = fs::read_to_string("/proc/net/tcp").unwrap();
    let mut ours = sockets
        .lines()
        .filter(|line| both.iter().all(|end| line.contains(end)));
    ours.any(|line| line.contains(" 05 ") && line.find(&both[0]) < line.find(&both[1]))
}

/// A request that must not be sent twice meets none of them.
#[test]
fn connections_that_have_ended_are_not_used() {
    for model in Model::ALL {
        let (ended, has_ended) = mpsc::channel();
        let ended = Mutex::new(ended);
        let address = upstream(move |mut asked| {
            asked.head();
            let number = asked.number.to_string();
            asked.answer(&number);
            asked.stream.shutdown(Shutdown::Write).unwrap();
            while !is_known_to_end(&asked.stream) {
                thread::yield_now();
            }
            ended.lock().unwrap().send(()).unwrap();
            asked.head();
        });
        let proxy = proxy(model, &[address], &[]);
        for number in ["0", "1", "2"] {
            let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
            assert_answered(&proxy.says_to(post), &[("200 OK", number)]);
            has_ended.recv_timeout(PATIENCE).unwrap();
        }
    }
}

/// An upstream that hangs up on each request, also on a fresh connection, is not asked for ever.
#[test]
fn who_is_not_there_is_passed_over() {
    for model in Model::ALL {
        let hangs_up = upstream(|mut asked| drop(asked.head()));
        let answers = upstream(|mut asked| {
            while asked.head().is_some() {
                asked.answer("here");
            }
        });
        let nowhere = Nowhere::new();
        let upstreams = [nowhere.address, answers, nowhere.address];
        let gone = proxy(model, &upstreams, &[]);
        for _ in 0..6 {
            assert_answered(&gone.says_to(GET), &[("200 OK", "here")]);
        }
        let none = proxy(model, &[nowhere.address], &[]);
        assert_status(&none.says_to(GET), "502 Bad Gateway");
        let said = none.says_to(format!("{}{GET}", GET.replace("GET", "HEAD")));
        let (of_head, of_get) = said.split_once("\r\n\r\n").unwrap();
        assert!(of_head.ends_with("Content-Length: 16"), "{said}");
        assert_status(of_get, "502 Bad Gateway");
        let bad = proxy(model, &[hangs_up], &[]);
        let twice = format!("{GET}{GET}");
        let refused = ("502 Bad Gateway", "502 Bad Gateway\n");
        assert_answered(&bad.says_to(twice), &[refused, refused]);
    }
}

#[test]
fn who_is_too_slow_is_told() {
    for model in Model::ALL {
        let silent = upstream(|mut asked| while asked.head().is_some() {});
        let slow = proxy(model, &[silent], &["--answer", "100"]);
        assert_status(&slow.says_to(GET), "504 Gateway Timeout");
        // Its queue is full: nobody is refused, and nobody gets in.
        let full = trefoil::net::TcpListener::builder()
            .backlog(1)
            .bind("127.0.0.1:0")
            .unwrap();
        let address = full.local_addr().unwrap();
        let mut queue = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            queue.push(stream);
        }
        let far = proxy(model, &[address], &["--connect", "100"]);
        assert_status(&far.says_to(GET), "504 Gateway Timeout");
        let late = proxy(model, &[silent], &["--request", "100"]);
        let mut client = late.connect();
        client.write_all(b"GET / HT").unwrap();
        assert_status(&rest(&mut client), "408 Request Timeout");
    }
}

#[test]
fn an_answer_that_is_cut_off_stays_cut_off() {
    for model in Model::ALL {
        let address = upstream(|mut asked| {
            let head = asked.head().unwrap();
            let framing = if head.starts_with("GET /chunked ") {
                "Transfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n"
            } else {
                "Content-Length: 10\r\n\r\nbegun"
            };
            asked.say(format!("HTTP/1.1 200 OK\r\n{framing}"));
        });
        let proxy = proxy(model, &[address], &[]);
        for (request, end) in [
            (GET, "Content-Length: 10\r\n\r\nbegun"),
            (
                "GET /chunked HTTP/1.1\r\nHost: a\r\n\r\n",
                "\r\n\r\n5\r\nbegun\r\n",
            ),
        ] {
            // Nothing is said behind it, where it would be taken for the rest.
            let said = proxy.says_to(request.repeat(2));
            assert!(said.ends_with(end), "{said}");
            assert_eq!(said.matches("HTTP/1.1").count(), 1, "{said}");
        }
    }
}

/// It says no before it has read the body, which never comes to its end.
#[test]
fn an_answer_may_come_before_the_request_is_over() {
    for model in Model::ALL {
        let address = upstream(|mut asked| {
            asked.head().unwrap();
            asked.say("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
            asked.stream.shutdown(Shutdown::Both).unwrap();
        });
        let proxy = proxy(model, &[address], &[]);
        let mut client = proxy.connect();
        let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n";
        client.write_all(head.as_bytes()).unwrap();
        // Until the proxy does not take it any more.
        let writer = {
            let mut client = client.try_clone().unwrap();
            thread::spawn(move || while client.write_all(&[b'x'; 10_000]).is_ok() {})
        };
        let mut line = String::new();
        BufReader::new(&client).read_line(&mut line).unwrap();
        assert_eq!(line, "HTTP/1.1 413 Content Too Large\r\n");
        client.shutdown(Shutdown::Both).unwrap();
        writer.join().unwrap();
    }
}

/// More than fits between both sides: the answer has to be read while the request is sent.
#[test]
fn an_upstream_may_answer_as_it_reads() {
    const PIECE: usize = 100_000;
    const PIECES: usize = 200;
    for model in Model::ALL {
        let address = upstream(|mut asked| {
            asked.head().unwrap();
            let length = PIECE * PIECES;
            asked.say(format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"
            ));
            for _ in 0..PIECES {
                let piece = asked.exactly(PIECE);
                asked.say(piece);
            }
            // It is kept by nobody who has not read the answer.
            asked.head();
        });
        let proxy = proxy(model, &[address], &[]);
        let mut client = proxy.connect();
        let mut writer = client.try_clone().unwrap();
        let sends = thread::spawn(move || {
            let length = PIECE * PIECES;
            write!(
                writer,
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
            )
            .unwrap();
            for number in 0..PIECES {
                writer.write_all(&[number as u8; PIECE]).unwrap();
            }
        });
        let mut reader = BufReader::new(&mut client);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
        }
        let mut piece = vec![0; PIECE];
        for number in 0..PIECES {
            reader.read_exact(&mut piece).unwrap();
            assert!(piece.iter().all(|&byte| byte == number as u8), "{number}");
        }
        sends.join().unwrap();
    }
}

/// A kept connection is not mixed up with what is left of a request that was answered early.
#[test]
fn who_answers_early_is_heard_at_once() {
    for model in Model::ALL {
        let address = upstream(|mut asked| {
            while asked.head().is_some() {
                let number = asked.number.to_string();
                asked.answer(&number);
            }
        });
        let proxy = proxy(model, &[address], &[]);
        for number in ["0", "1"] {
            let mut client = proxy.connect();
            let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf";
            client.write_all(head.as_bytes()).unwrap();
            // Its other half never comes.
            let said = rest(&mut client);
            assert_answered(&said, &[("200 OK", number)]);
            assert!(said.contains("Connection: close\r\n"), "{said}");
        }
    }
}

/// The client hears of it, and not of an upstream.
#[test]
fn a_request_that_is_cut_off_is_refused() {
    for model in Model::ALL {
        let address = upstream(|mut asked| while asked.head().is_some() {});
        let proxy = proxy(model, &[address], &["--stall", "100"]);
        let head = "POST / HTTP/1.1\r\nHost: a\r\n";
        let short = format!("{head}Content-Length: 10\r\n\r\nhalf");
        assert_status(&proxy.says_to(&short), "400 Bad Request");
        let no_chunk = format!("{head}Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n");
        assert_status(&proxy.says_to(no_chunk), "400 Bad Request");
        let mut late = proxy.connect();
        late.write_all(short.as_bytes()).unwrap();
        assert_status(&rest(&mut late), "408 Request Timeout");
    }
}

/// Who waits is let go, and who is being answered gets the answer.
#[test]
fn it_ends_with_grace() {
    for model in Model::ALL {
        let (asked_for, is_asked) = mpsc::channel();
        let (goes_on, go_on) = mpsc::channel::<()>();
        let (asked_for, go_on) = (Mutex::new(asked_for), Mutex::new(go_on));
        let address = upstream(move |mut asked| {
            while let Some(head) = asked.head() {
                if head.starts_with("GET /at-once ") {
                    asked.answer("at once");
                } else {
                    asked_for.lock().unwrap().send(()).unwrap();
                    go_on.lock().unwrap().recv().unwrap();
                    asked.answer("at last");
                }
            }
        });
        let mut proxy = proxy(model, &[address], &["--grace", "60000"]);
        let (mut idle, mut busy) = (proxy.connect(), proxy.connect());
        // Both are served before it is asked to end.
        idle.write_all(b"GET /at-once HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        idle.peek(&mut [0]).unwrap();
        busy.write_all(GET.as_bytes()).unwrap();
        is_asked.recv_timeout(PATIENCE).unwrap();
        proxy.terminate();
        assert_answered(&rest(&mut idle), &[("200 OK", "at once")]);
        goes_on.send(()).unwrap();
        let said = rest(&mut busy);
        assert_eq!(
            answers(&said),
            [("HTTP/1.1 200 OK".to_owned(), "at last".to_owned())]
        );
        assert!(said.contains("Connection: close\r\n"), "{said}");
        drop(busy);
        let report = "ended: 2 requests served, 2 connections were open, 0 of them cancelled\n";
        assert_eq!(proxy.last_words(), report);
    }
}
