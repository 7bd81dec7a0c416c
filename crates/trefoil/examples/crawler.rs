//! A crawler: follows every link of a web site once, with a bounded number of requests at a time.
//!
//! ```sh
//! TREFOIL_MODEL=hybrid cargo run -p trefoil --all-features --example crawler
//! ```
//!
//! The site is served from here, on a port of this machine: it knows which pages there are, so
//! that the result can be checked. Each page that is found gets a thread, all in one scope, which
//! ends when the last page has been read. A semaphore bounds the requests, not the threads: a
//! thread that waits for its turn is cheap.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use trefoil::net::{TcpListener, TcpStream};
use trefoil::sync::atomic::{AtomicUsize, Ordering};
use trefoil::sync::{Arc, Mutex, Semaphore};
use trefoil::thread::{self, Scope};

/// The pages are `/0` to `/199`.
const PAGES: usize = 200;
/// The page that has a link to nowhere.
const OUTDATED: usize = 42;
/// The most requests at a time.
const REQUESTS: usize = 8;

#[trefoil::main]
fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let site = Arc::new(Site::default());
    let crawl = Crawl::new(listener.local_addr()?);
    {
        // It serves until it is cancelled: when the main thread ends.
        let site = Arc::clone(&site);
        thread::spawn(move || site.serve(&listener));
    }

    let begun = Instant::now();
    thread::scope(|scope| crawl.visit(scope, "/0".to_owned()));
    let took = begun.elapsed();

    let Findings { visited, broken } = crawl.findings.into_inner().expect("nobody panicked");
    let pages: BTreeSet<String> = (0..PAGES).map(page).collect();
    let nowhere = BTreeSet::from(["/nowhere".to_owned()]);
    assert_eq!(visited, &pages | &nowhere, "not every page was visited");
    assert_eq!(broken, nowhere, "other links are broken");
    let most = site.most.load(Ordering::Relaxed);
    assert!(most <= REQUESTS, "{most} requests at a time");
    println!(
        "crawler ({}): {} links visited in {took:.1?}, at most {most} requests at a time, broken: \
         {broken:?}",
        thread::current().model(),
        visited.len(),
    );
    Ok(())
}

/// What a crawl shares between its threads.
struct Crawl {
    server: SocketAddr,
    turns: Semaphore,
    findings: Mutex<Findings>,
}

#[derive(Default)]
struct Findings {
    visited: BTreeSet<String>,
    broken: BTreeSet<String>,
}

impl Crawl {
    fn new(server: SocketAddr) -> Crawl {
        Crawl {
            server,
            turns: Semaphore::new(REQUESTS),
            findings: Mutex::default(),
        }
    }

    /// Visits a page, and in threads of their own those that it leads to, unless somebody has
    /// been there.
    fn visit<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, path: String) {
        if !self.findings.lock().unwrap().visited.insert(path.clone()) {
            return;
        }
        scope.spawn(move || match self.fetch(&path) {
            Ok(text) => links(&text).for_each(|link| self.visit(scope, link.to_owned())),
            Err(_) => {
                self.findings.lock().unwrap().broken.insert(path);
            }
        });
    }

    /// Asks for a page, when it is our turn.
    fn fetch(&self, path: &str) -> io::Result<String> {
        let _turn = self.turns.acquire();
        let mut stream = TcpStream::connect(self.server)?;
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
        let mut response = String::new();
        stream.read_to_string(&mut response)?;
        match response.split_once("\r\n\r\n") {
            Some((head, text)) if head.starts_with("HTTP/1.0 200 ") => Ok(text.to_owned()),
            _ => Err(io::Error::other("the server has no such page")),
        }
    }
}

/// The links of a page.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("<a href=\"")
        .skip(1)
        .filter_map(|rest| rest.split_once('"'))
        .map(|(link, _)| link)
}

fn page(number: usize) -> String {
    format!("/{number}")
}

/// The web site.
#[derive(Default)]
struct Site {
    /// How many requests are being answered, and the most there were.
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Site {
    fn serve(self: Arc<Site>, listener: &TcpListener) -> io::Result<()> {
        loop {
            let (stream, _) = listener.accept()?;
            let site = Arc::clone(&self);
            thread::spawn(move || site.answer(stream));
        }
    }

    fn answer(&self, mut stream: TcpStream) -> io::Result<()> {
        // Counters: any order will do.
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        let path = requested(&stream)?;
        // As if it had to look the page up.
        thread::sleep(Duration::from_millis(1));
        // Before the end of the answer, which lets the next request come.
        self.now.fetch_sub(1, Ordering::Relaxed);
        match text_of(&path) {
            Some(text) => write!(stream, "HTTP/1.0 200 OK\r\n\r\n{text}"),
            None => write!(stream, "HTTP/1.0 404 Not Found\r\n\r\n"),
        }
    }
}

/// The path of the request, whose head is read to its end.
fn requested(stream: &TcpStream) -> io::Result<String> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().ok_or(io::ErrorKind::UnexpectedEof)??;
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let path = request
        .split(' ')
        .nth(1)
        .ok_or(io::ErrorKind::InvalidData)?;
    Ok(path.to_owned())
}

/// A page with links to two more, so that all can be reached, and to one that may be anywhere.
fn text_of(path: &str) -> Option<String> {
    let number: usize = path.strip_prefix('/')?.parse().ok()?;
    if number >= PAGES {
        return None;
    }
    let mut links: Vec<String> = [2 * number + 1, 2 * number + 2, (7 * number + 3) % PAGES]
        .into_iter()
        .filter(|&to| to < PAGES)
        .map(page)
        .collect();
    if number == OUTDATED {
        links.push("/nowhere".to_owned());
    }
    let anchors = links
        .iter()
        .map(|to| format!("<a href=\"{to}\">{to}</a>\n"));
    Some(anchors.collect())
}
