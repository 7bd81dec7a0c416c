//! The HTTP server.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use trefoil::Model;

use crate::foreign;
use crate::server::Server;

const PROGRAM: &str = env!("CARGO_BIN_EXE_http_server");
/// Who waits longer waits for ever.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

impl Server {
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// All that the server says to these bytes, until it ends the connection.
    #[track_caller]
    pub(crate) fn says_to(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect();
        stream.write_all(bytes.as_ref()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        rest(&mut stream)
    }
}

pub(crate) fn rest(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    stream.read_to_end(&mut said).unwrap();
    String::from_utf8(said).unwrap()
}

fn on_every_model(options: &[&str], test: impl Fn(&mut Server)) {
    for model in Model::ALL {
        println!("on {model}");
        test(&mut Server::start(PROGRAM, model, options));
    }
}

/// The answers, one after the other: their first lines, and their bodies.
pub(crate) fn answers(said: &str) -> Vec<(String, String)> {
    let mut answers = Vec::new();
    let mut rest = said;
    while let Some((head, after)) = rest.split_once("\r\n\r\n") {
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "));
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        let status = head.lines().next().unwrap().to_owned();
        answers.push((status, after[..length].to_owned()));
        rest = &after[length..];
    }
    assert_eq!(rest, "", "{said}");
    answers
}

#[track_caller]
pub(crate) fn assert_answered(said: &str, expected: &[(&str, &str)]) {
    let got = answers(said);
    let got: Vec<(&str, &str)> = got
        .iter()
        .map(|(status, body)| (status.strip_prefix("HTTP/1.1 ").unwrap(), body.as_str()))
        .collect();
    assert_eq!(got, expected);
}

#[test]
fn requests_are_answered_in_their_order() {
    on_every_model(&[], |server| {
        let said = server.says_to(
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n\
             POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nfirst\
             HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n\
             GET /too-late HTTP/1.1\r\nHost: a\r\n\r\n",
        );
        let (head, body) = said.split_once("HTTP/1.1 200 OK").unwrap();
        assert_eq!(head, "");
        assert!(body.contains("Hello, World!HTTP/1.1 200 OK"), "{said}");
        assert_eq!(said.matches("HTTP/1.1 ").count(), 3, "{said}");
        let last = said.rsplit_once("HTTP/1.1 ").unwrap().1;
        assert!(
            last.contains("Content-Length: 13\r\nConnection: close\r\n\r\n"),
            "{said}"
        );
        assert!(last.ends_with("\r\n\r\n"), "HEAD has no body: {said}");
    });
}

#[test]
fn a_connection_serves_one_request_after_the_other() {
    on_every_model(&[], |server| {
        let mut stream = server.connect();
        // Each piece is sent at once, and not when the one before has been acknowledged.
        stream.set_nodelay(true).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        for number in 0..100 {
            let body = format!("number {number}");
            let head = format!(
                "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            // In pieces, each of which the server gets alone, mostly.
            for piece in [&head[..10], &head[10..], &body[..]] {
                stream.write_all(piece.as_bytes()).unwrap();
            }
            let mut line = String::new();
            while line != "\r\n" {
                line.clear();
                reader.read_line(&mut line).unwrap();
            }
            let mut echo = vec![0; body.len()];
            reader.read_exact(&mut echo).unwrap();
            assert_eq!(echo, body.as_bytes());
        }
    });
}

#[test]
fn chunks_are_put_together() {
    on_every_model(&[], |server| {
        let said = server.says_to(
            "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
             3\r\none\r\n5;x=y\r\n, two\r\n0\r\nTrailer: ignored\r\n\r\n\
             GET / HTTP/1.0\r\n\r\n",
        );
        assert_answered(
            &said,
            &[("200 OK", "one, two"), ("200 OK", "Hello, World!")],
        );
    });
}

#[test]
fn what_is_too_much_or_wrong_is_refused() {
    on_every_model(&[], |server| {
        let head = "POST /echo HTTP/1.1\r\nHost: a\r\n";
        for (request, status) in [
            ("nonsense\r\n\r\n".to_owned(), "400 Bad Request"),
            ("GET / HTTP/1.1\r\n\r\n".to_owned(), "400 Bad Request"),
            (
                format!("{head}Content-Length: 10\r\n\r\nshort"),
                "400 Bad Request",
            ),
            (
                format!("{head}Content-Length: 1048577\r\n\r\n"),
                "413 Content Too Large",
            ),
            (
                format!("{head}Transfer-Encoding: chunked\r\n\r\n100001\r\n"),
                "413 Content Too Large",
            ),
            (
                format!("{head}A: {}\r\n\r\n", "b".repeat(20_000)),
                "431 Request Header Fields Too Large",
            ),
            (
                format!("{head}{}\r\n", "A: b\r\n".repeat(100)),
                "431 Request Header Fields Too Large",
            ),
            (
                "DELETE / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
                "501 Not Implemented",
            ),
            (
                "GET / HTTP/3.0\r\nHost: a\r\n\r\n".to_owned(),
                "505 HTTP Version Not Supported",
            ),
        ] {
            assert_answered(
                &server.says_to(request),
                &[(status, &format!("{status}\n"))],
            );
        }
        let said = server.says_to(format!(
            "{head}Content-Length: 1048576\r\n\r\n{}",
            "x".repeat(1 << 20)
        ));
        assert_eq!(
            answers(&said)[0].1.len(),
            1 << 20,
            "the largest body is taken"
        );
    });
}

/// Byte after byte, each in good time, and never all of them.
#[test]
fn who_sends_slowly_is_refused_in_the_end() {
    on_every_model(&["--request", "300"], |server| {
        let mut slow = server.connect();
        let mut sent = 0;
        for byte in b"GET / HTTP/1.1\r\nHost: a\r\nX: "
            .iter()
            .chain(std::iter::repeat(&b'x'))
        {
            if slow.write_all(&[*byte]).is_err() {
                break;
            }
            sent += 1;
            thread::sleep(Duration::from_millis(10));
            slow.set_nonblocking(true).unwrap();
            let came = slow.peek(&mut [0]);
            slow.set_nonblocking(false).unwrap();
            if came.is_ok() {
                break;
            }
        }
        assert!(sent > 1);
        let said = rest(&mut slow);
        assert_answered(&said, &[("408 Request Timeout", "408 Request Timeout\n")]);
    });
}

#[test]
fn who_says_nothing_is_left() {
    on_every_model(&["--idle", "50"], |server| {
        assert_eq!(
            rest(&mut server.connect()),
            "",
            "nobody has asked for anything"
        );
        let mut served = server.connect();
        served
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        assert_answered(&rest(&mut served), &[("200 OK", "Hello, World!")]);
    });
}

/// A folder of this test's own, without what an earlier run has left.
fn folder() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("http_files");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("root/sub")).unwrap();
    fs::write(folder.join("secret"), "secret").unwrap();
    fs::write(folder.join("root/sub/a b.txt"), "text").unwrap();
    std::os::unix::fs::symlink("../secret", folder.join("root/link")).unwrap();
    folder
}

#[test]
fn files_are_those_below_the_root() {
    let root = folder().join("root");
    on_every_model(&["--files", root.to_str().unwrap()], |server| {
        let get = |path: &str| server.says_to(format!("GET {path} HTTP/1.0\r\n\r\n"));
        assert_answered(&get("/files/sub/a%20b.txt"), &[("200 OK", "text")]);
        assert!(get("/files/sub/a%20b.txt?query").contains("Content-Type: text/plain"));
        for outside in [
            "/files/../secret",
            "/files/%2e%2e/secret",
            "/files/sub/..%2f..%2f..%2fsecret",
            "/files//etc/passwd",
            "/files/link",
            "/files/sub",
            "/files/",
            "/files/sub/a%00b",
            "/files/nothing",
        ] {
            assert_answered(&get(outside), &[("404 Not Found", "404 Not Found\n")]);
        }
    });
}

/// More at once than any model has workers; some of them go in the middle.
#[test]
fn many_clients_are_served_beside_those_that_go() {
    on_every_model(&[], |server| {
        let server = &*server;
        thread::scope(|scope| {
            for number in 0..100 {
                scope.spawn(move || {
                    let mut stream = server.connect();
                    if number % 4 == 0 {
                        // It goes without a word: the kernel resets the connection.
                        stream
                            .write_all(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Le")
                            .unwrap();
                        return;
                    }
                    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(number);
                    stream.write_all(&request).unwrap();
                    stream.shutdown(Shutdown::Write).unwrap();
                    let said = rest(&mut stream);
                    assert_eq!(said.matches("Hello, World!").count(), number);
                });
            }
        });
    });
}

/// A connection whose request the server is reading: it has asked for the body.
fn in_the_middle(server: &Server) -> TcpStream {
    let mut stream = server.connect();
    let head =
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut go_on = [0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
    stream.read_exact(&mut go_on).unwrap();
    stream
}

/// It accepts nobody, lets who says nothing go, answers who comes to the end, and cancels who does not.
#[test]
fn it_ends_with_grace() {
    on_every_model(&["--grace", "2000"], |server| {
        let mut idle = server.connect();
        idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        // It is served before the server is asked to end.
        idle.peek(&mut [0]).unwrap();
        let (mut ends, mut stays) = (in_the_middle(server), in_the_middle(server));
        server.terminate();
        assert_answered(&rest(&mut idle), &[("200 OK", "Hello, World!")]);
        assert!(
            TcpStream::connect(server.address).is_err(),
            "nobody is accepted"
        );
        ends.write_all(b"done").unwrap();
        let said = rest(&mut ends);
        assert_answered(&said, &[("200 OK", "done")]);
        assert!(said.contains("Connection: close\r\n"), "{said}");
        assert_eq!(rest(&mut stays), "");
        let report = "ended: 2 requests served, 3 connections were open, 1 of them cancelled\n";
        assert_eq!(server.last_words(), report);
    });
}

/// Its real client, where that is installed.
#[test]
fn curl_is_satisfied() {
    let curl = |arguments: &[&str]| {
        let quiet = ["--silent", "--show-error", "--fail", "--max-time", "60"];
        foreign::run("curl", &[&quiet, arguments].concat())
    };
    on_every_model(&[], |server| {
        let url = format!("http://{}", server.address);
        let Some(twice) = curl(&[&url, &url]) else {
            return;
        };
        assert_eq!(twice, "Hello, World!Hello, World!");
        // More than 1 KiB: curl asks whether it may go on, and waits for `100 Continue`.
        let body = "x".repeat(100_000);
        let post = [
            "--header",
            "Expect: 100-continue",
            "--data-binary",
            &body,
            &format!("{url}/echo"),
        ];
        assert_eq!(curl(&post).unwrap(), body);
        let chunked = [
            "--header",
            "Transfer-Encoding: chunked",
            "--data-binary",
            "in chunks",
            &format!("{url}/echo"),
        ];
        assert_eq!(curl(&chunked).unwrap(), "in chunks");
    });
}
