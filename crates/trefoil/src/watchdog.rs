//! The watchdog of a test: when the time is over it says where every thread waits, and has the test
//! end.
//!
//! It is a plain OS thread and waits by `std`'s means: what it watches over may be exactly what does
//! not work.
//!
//! | stage | what it does | until |
//! |---|---|---|
//! | watches | waits for [signs](Sign) | the case is over: it has nothing to say; or its time is |
//! | barks | writes its report to the standard error | |
//! | calls back | cancels all threads of the test, again and again | none is left, or for [`PATIENCE`] |
//! | waits | if the body has ended: for the end of the `run` and of the runtime | the case is over, or for [`REST`] |
//! | bites | ends the process | |
//!
//! Cancelling comes first since it costs this test only. It fails then: what its body still does in
//! its unwinding, or after a wait that was no cancellation point, does not count. A thread that does not
//! listen cannot be ended but with the process.
//!
//! Who barks too late, because the case has ended meanwhile, has barked: the time was over.
#![forbid(unsafe_code)]

use std::env;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use trefoil_runtime::{Domain, Model};

/// The environment variable that says how many seconds a test may take.
const VARIABLE: &str = "TREFOIL_TEST_TIMEOUT";
/// How long a test may take of which nothing is said, in seconds.
const USUAL: u64 = 60;
/// How long the threads are asked to end.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a runtime may take to end after its main thread: longer than its own grace, for the `run`
/// and once more for its workers.
const REST: Duration = Duration::from_secs(12);
/// With which a process ends whose test does not: as the harness, where a test has failed.
const FAILED: i32 = 101;

/// How long a test may take that says so itself, or does not. `None`: for ever. The environment comes
/// first: whoever runs the test knows how slow the machine is, or that there is a debugger.
pub(crate) fn limit(asked: Option<u64>) -> Result<Option<Duration>, String> {
    let value = env::var_os(VARIABLE).unwrap_or_default();
    let seconds = seconds(&value)?.or(asked).unwrap_or(USUAL);
    Ok((seconds != 0).then(|| Duration::from_secs(seconds)))
}

/// What the variable says. Set to nothing it counts as not set.
fn seconds(value: &OsStr) -> Result<Option<u64>, String> {
    if value.is_empty() {
        return Ok(None);
    }
    let number = value.to_str().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| {
        format!(
            "the environment variable {VARIABLE} is `{}`, which it cannot be: set it to a whole \
             number of seconds, to `0` for no limit, or not at all",
            value.to_string_lossy()
        )
    })
}

/// What the watchdog is told of its case.
#[derive(Debug)]
enum Sign {
    /// The body begins; these are its threads.
    Begun(Domain),
    /// The body has ended.
    Ended,
    /// The case is over.
    Over,
}

/// A watchdog at work. A panic of `run`, by which it is dropped, calls it off too.
#[derive(Debug)]
pub(crate) struct Watchdog {
    signs: Sender<Sign>,
    dog: Option<JoinHandle<Option<String>>>,
}

impl Watchdog {
    /// Watches over this case. Without a limit nobody does.
    pub(crate) fn begin(
        case: &'static str,
        model: Model,
        limit: Option<Duration>,
    ) -> Result<Watchdog, String> {
        let (signs, heard) = mpsc::channel();
        // A limit that no clock can tell is none.
        let end = limit.and_then(|limit| Some((limit, Instant::now().checked_add(limit)?)));
        let Some((limit, end)) = end else {
            return Ok(Watchdog { signs, dog: None });
        };
        let dog = Dog {
            case,
            model,
            limit,
            signs: heard,
            threads: None,
            body_has_ended: false,
        };
        let thread = thread::Builder::new().name("trefoil-watchdog".to_owned());
        let spawned = thread.spawn(move || dog.watch(end));
        let dog = Some(spawned.map_err(|refused| {
            format!("there is no OS thread for the watchdog of this test: {refused}")
        })?);
        Ok(Watchdog { signs, dog })
    }

    /// What the body is to be run in.
    pub(crate) fn leash(&self) -> Leash {
        Leash(self.signs.clone())
    }

    /// The case is over. The report, if the time was over before.
    pub(crate) fn call_off(mut self) -> Option<String> {
        self.tell(Sign::Over);
        let report = self.dog.take()?.join();
        report.expect("the watchdog does not panic")
    }

    /// Where there is no dog, nobody hears it.
    fn tell(&self, sign: Sign) {
        let _ = self.signs.send(sign);
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // Not by the end of the channel: a green thread that was left behind has its leash for ever.
        self.tell(Sign::Over);
    }
}

/// The body's end of the watchdog.
#[derive(Debug)]
pub(crate) struct Leash(Sender<Sign>);

impl Leash {
    /// Calls `body`, which does not unwind, as the first thread of a `run`.
    pub(crate) fn around<T>(self, body: impl FnOnce() -> T) -> T {
        // Where there is no watchdog, nobody hears it.
        if let Some(threads) = Domain::current() {
            let _ = self.0.send(Sign::Begun(threads));
        }
        let value = body();
        let _ = self.0.send(Sign::Ended);
        value
    }
}

/// What the watchdog's own thread knows.
#[derive(Debug)]
struct Dog {
    case: &'static str,
    model: Model,
    limit: Duration,
    signs: Receiver<Sign>,
    threads: Option<Domain>,
    body_has_ended: bool,
}

impl Dog {
    /// The report, if the case was not over in time.
    fn watch(mut self, end: Instant) -> Option<String> {
        if self.is_over_by(end) {
            return None;
        }
        let report = self.report();
        say(&format!("\n{report}\n"));
        if !self.comes_when_called() {
            self.end_the_process();
        }
        Some(report)
    }

    /// Takes signs until then, or until the case is over.
    fn is_over_by(&mut self, end: Instant) -> bool {
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.signs.recv_timeout(left) {
                Ok(Sign::Begun(threads)) => self.threads = Some(threads),
                Ok(Sign::Ended) => self.body_has_ended = true,
                Ok(Sign::Over) | Err(RecvTimeoutError::Disconnected) => return true,
                Err(RecvTimeoutError::Timeout) => return false,
            }
        }
    }

    /// Has all threads end. Whether the case was over then.
    fn comes_when_called(&mut self) -> bool {
        let now = Instant::now();
        let called_until = match self.threads.take() {
            Some(threads) => {
                let _left = threads.wind_down(PATIENCE);
                now
            }
            None => now + PATIENCE,
        };
        if self.is_over_by(called_until) {
            return true;
        }
        self.body_has_ended && self.is_over_by(Instant::now() + REST)
    }

    fn report(&self) -> String {
        let Dog {
            case, model, limit, ..
        } = self;
        let mut report = format!("`{case}` has not ended after {limit:?}, on the {model} model. ");
        let Some(threads) = &self.threads else {
            report.push_str("Its first thread has not begun");
            return report;
        };
        report.push_str(if self.body_has_ended {
            "Its body has; these threads have not:"
        } else {
            "Its threads:"
        });
        for thread in threads.describe() {
            let _ = write!(report, "\n  {thread}");
            if let Some(place) = thread.spawned_at {
                let _ = write!(report, "; spawned at {place}");
            }
        }
        report
    }

    fn end_the_process(&self) -> ! {
        say(&format!(
            "`{}` has not ended by being cancelled either: the process ends, and with it all tests \
             that have not ended yet\n",
            self.case
        ));
        process::exit(FAILED)
    }
}

/// Not by `eprintln`, whose output the harness keeps to itself, and loses when the process ends.
fn say(text: &str) {
    // Nobody is left to be told that this failed.
    let _ = io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt as _;

    fn read(value: &[u8]) -> Result<Option<u64>, String> {
        seconds(OsStr::from_bytes(value))
    }

    #[test]
    fn a_number_is_read() {
        assert_eq!(read(b"0"), Ok(Some(0)));
        assert_eq!(read(b"120"), Ok(Some(120)));
    }

    #[test]
    fn nothing_counts_as_not_set() {
        assert_eq!(read(b""), Ok(None));
    }

    #[test]
    fn another_value_is_no_guess() {
        for value in ["1.5", "-1", " 1", "10s", "off", "99999999999999999999"] {
            assert_eq!(
                read(value.as_bytes()).unwrap_err(),
                format!(
                    "the environment variable TREFOIL_TEST_TIMEOUT is `{value}`, which it cannot be: \
                     set it to a whole number of seconds, to `0` for no limit, or not at all"
                )
            );
        }
        assert!(read(b"1\xff").unwrap_err().contains("`1\u{fffd}`"));
    }

    #[test]
    fn who_ends_in_time_hears_nothing() {
        let hour = Some(Duration::from_secs(3600));
        let watchdog = Watchdog::begin("a::kernel", Model::Kernel, hour).unwrap();
        assert_eq!(watchdog.leash().around(|| 7), 7);
        assert_eq!(watchdog.call_off(), None);
    }

    /// As after a panic of `run` that has left its main thread behind, with its leash.
    #[test]
    fn who_is_dropped_is_called_off() {
        let some = Some(Duration::from_secs(30));
        let mut watchdog = Watchdog::begin("a::green", Model::Green, some).unwrap();
        let leash = watchdog.leash();
        let dog = watchdog.dog.take().unwrap();
        drop(watchdog);
        assert_eq!(dog.join().unwrap(), None);
        drop(leash);
    }

    #[test]
    fn without_a_limit_nobody_watches() {
        for limit in [None, Some(Duration::MAX)] {
            let watchdog = Watchdog::begin("a::kernel", Model::Kernel, limit).unwrap();
            assert!(watchdog.dog.is_none());
            assert_eq!(watchdog.leash().around(|| 7), 7);
            assert_eq!(watchdog.call_off(), None);
        }
    }
}
