//! The fetching client.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use trefoil::Model;

use crate::nowhere::Nowhere;
use crate::server::Server;

const PROGRAM: &str = env!("CARGO_BIN_EXE_fetch");
const SERVER: &str = env!("CARGO_BIN_EXE_http_server");
const URLS: usize = 1000;

/// Its lines, in the alphabet's order, and its report; and whether it says that all went well.
fn fetch(model: Model, list: &Path, options: &[&str]) -> (Vec<String>, String, bool) {
    let output = Command::new(PROGRAM)
        .arg("--list")
        .arg(list)
        .args(options)
        .env("TREFOIL_MODEL", model.name())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let report = lines.pop().unwrap_or_else(|| panic!("{:?}", output.stderr));
    lines.sort();
    (lines, report, output.status.success())
}

/// A folder of a test's own, without what an earlier run has left.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn list(folder: &Path, urls: impl Iterator<Item = String>) -> PathBuf {
    let list = folder.join("list");
    fs::write(&list, urls.collect::<Vec<_>>().join("\n")).unwrap();
    list
}

#[test]
fn a_thousand_urls_are_fetched() {
    let folder = folder("fetch_thousand");
    for number in 0..URLS {
        fs::write(folder.join(format!("{number}.txt")), "x".repeat(number)).unwrap();
    }
    for model in Model::ALL {
        let mut server = Server::start(SERVER, model, &["--files", folder.to_str().unwrap()]);
        let url = |number: usize| format!("http://{}/files/{number}.txt", server.address);
        let list = list(&folder, (0..URLS).map(url));
        let mut expected: Vec<String> = (0..URLS)
            .map(|number| format!("{}: {number} bytes", url(number)))
            .collect();
        expected.sort();
        let (lines, report, well) = fetch(model, &list, &[]);
        assert_eq!(lines, expected);
        let bytes = URLS * (URLS - 1) / 2;
        assert_eq!(
            report,
            format!("fetched {URLS} with {bytes} bytes, 0 failed")
        );
        assert!(well);
        server.terminate();
        let words = server.last_words();
        assert!(
            words.starts_with("ended: 1000 requests served, "),
            "{words}"
        );
    }
}

/// A server that answers the first requests only when there are as many as may be at a time.
#[derive(Default)]
struct Counting {
    counts: Mutex<Counts>,
    changed: Condvar,
}

#[derive(Default)]
struct Counts {
    now: usize,
    most: usize,
}

/// How many at a time.
const AT_ONCE: usize = 7;

impl Counting {
    fn start(self: &Arc<Counting>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let this = Arc::clone(self);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let this = Arc::clone(&this);
                thread::spawn(move || this.serve(stream.unwrap()));
            }
        });
        address
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut head = String::new();
        while reader.read_line(&mut head).is_ok_and(|count| count != 0) {
            if !head.ends_with("\r\n\r\n") {
                continue;
            }
            head.clear();
            self.count();
            if stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                .is_err()
            {
                return;
            }
        }
    }

    fn count(&self) {
        let mut counts = self.counts.lock().unwrap();
        counts.now += 1;
        counts.most = counts.most.max(counts.now);
        self.changed.notify_all();
        counts = self
            .changed
            .wait_while(counts, |counts| counts.most < AT_ONCE)
            .unwrap();
        drop(counts);
        thread::yield_now();
        // Before the answer, which lets the next request come.
        self.counts.lock().unwrap().now -= 1;
    }
}

#[test]
fn so_many_are_fetched_at_once_and_no_more() {
    let folder = folder("fetch_limit");
    for model in Model::ALL {
        let counting = Arc::new(Counting::default());
        let address = counting.start();
        let list = list(
            &folder,
            (0..URLS).map(|number| format!("http://{address}/{number}")),
        );
        let (lines, report, well) = fetch(model, &list, &["--at-once", &AT_ONCE.to_string()]);
        assert_eq!(lines.len(), URLS);
        assert_eq!(
            report,
            format!("fetched {URLS} with {} bytes, 0 failed", 2 * URLS)
        );
        assert!(well);
        assert_eq!(counting.counts.lock().unwrap().most, AT_ONCE);
    }
}

#[test]
fn what_cannot_be_fetched_is_told() {
    let folder = folder("fetch_failures");
    for model in Model::ALL {
        let server = Server::start(SERVER, model, &[]);
        let nowhere = Nowhere::new();
        let urls = [
            (format!("http://{}/", server.address), "13 bytes"),
            (
                format!("http://{}/nothing", server.address),
                "http status: 404",
            ),
            (format!("http://{}/", nowhere.address), "Connection refused"),
            // Its name is too long for anybody to be asked.
            (
                format!("http://{}.example/", "a".repeat(64)),
                "could not be looked up",
            ),
            ("no-url".to_owned(), "bad uri"),
        ];
        let list = list(&folder, urls.iter().map(|(url, _)| url.clone()));
        let (lines, report, well) = fetch(model, &list, &[]);
        for (url, says) in &urls {
            let line = lines
                .iter()
                .find(|line| line.starts_with(&format!("{url}: ")));
            let line = line.unwrap_or_else(|| panic!("{url}: {lines:?}"));
            assert!(line.contains(says), "{line}");
        }
        assert_eq!(report, "fetched 1 with 13 bytes, 4 failed");
        assert!(!well);
    }
}

/// The kernel takes its connections, and nobody says a word.
#[test]
fn who_says_nothing_is_given_up() {
    let folder = folder("fetch_silent");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let list = list(
        &folder,
        (0..10).map(|number| format!("http://{address}/{number}")),
    );
    for model in Model::ALL {
        let (lines, report, well) = fetch(model, &list, &["--timeout", "100", "--at-once", "5"]);
        assert!(
            lines.iter().all(|line| line.contains(": timeout: ")),
            "{lines:?}"
        );
        assert_eq!(report, "fetched 0 with 0 bytes, 10 failed");
        assert!(!well);
    }
}
