//! One run in a process of its own: this program with `run … --json`, or the program of a peer that
//! is one.
#![forbid(unsafe_code)]

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use trefoil_bench::contender::Contender;
use trefoil_bench::failure::Failure;
use trefoil_bench::order::Order;
use trefoil_bench::peers;
use trefoil_bench::pin;
use trefoil_bench::record::Record;

/// What the child is to run.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    pub(crate) workload: &'a str,
    pub(crate) contender: Contender,
    pub(crate) workers: Option<usize>,
    /// Its program is this program.
    pub(crate) order: &'a Order,
    /// A run that takes longer hangs.
    pub(crate) limit: Duration,
}

/// Runs it. Blocks until the child has ended, or until it has taken too long.
///
/// # Errors
///
/// With a sentence, if the child gives no record.
pub(crate) fn measure(job: &Job<'_>) -> Result<Record, String> {
    let mut command = job.command().map_err(|failure| failure.to_string())?;
    let output = || output_of(&mut command, job.limit);
    let text =
        pin::as_server(job.order.is_pinned(), output).map_err(|why| job.without_name(&why))?;
    Record::from_line(text.trim_end()).map_err(|error| format!("it printed no record: {error}"))
}

impl Job<'_> {
    fn command(&self) -> Result<Command, Failure> {
        let own = match self.contender {
            Contender::Model(_) | Contender::Migrating => None,
            Contender::Peer(peer) => peers::command(peer, self.workload, self.order, self.workers)?,
        };
        Ok(own.unwrap_or_else(|| self.command_of_this_program()))
    }

    /// What `run` says of a failure, without what it was that failed: the comparison says that.
    fn without_name(&self, why: &str) -> String {
        let name = format!("{} on {}: ", self.workload, self.contender);
        why.strip_prefix(&name).unwrap_or(why).into()
    }

    fn command_of_this_program(&self) -> Command {
        let mut command = Command::new(&self.order.program);
        command
            .args(["run", self.workload, "--json"])
            .args(["--runtime", self.contender.name()])
            .args(self.workers.map(|workers| format!("--workers={workers}")))
            .args(
                self.order
                    .parameters
                    .pairs()
                    .map(|pair| format!("--set={pair}")),
            );
        command
    }
}

/// What a program prints, if it ends in time and with success.
fn output_of(command: &mut Command, limit: Duration) -> Result<String, String> {
    let mut process = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start a process: {error}"))?;
    let (ended, end) = mpsc::channel();
    let output = read_all(process.stdout.take(), Some(ended));
    let errors = read_all(process.stderr.take(), None);
    // The output ends when the process does. The sender goes with it, so either is an end.
    if end.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
        return Err(stop(process, limit));
    }
    let status = process
        .wait()
        .map_err(|error| format!("cannot wait: {error}"))?;
    let (output, errors) = (text(output), text(errors));
    match status.success() {
        true => Ok(output),
        false => Err(reason(&errors).unwrap_or_else(|| status.to_string())),
    }
}

fn stop(mut process: Child, limit: Duration) -> String {
    // It may have ended by itself just now.
    let _ = process.kill();
    let _ = process.wait();
    format!("still running after {} s", limit.as_secs_f32())
}

/// Reads to the end, so that the process never waits for a full pipe.
fn read_all(
    pipe: Option<impl Read + Send + 'static>,
    ended: Option<mpsc::Sender<()>>,
) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What has been read so far is good for a message at least.
            let _ = pipe.read_to_end(&mut bytes);
        }
        drop(ended);
        bytes
    })
}

fn text(reader: JoinHandle<Vec<u8>>) -> String {
    let bytes = reader.join().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What begins the line in which a program says why it failed: this one, Go's runtime, or Java's.
const REASONS: [&str; 4] = ["error: ", "panic: ", "fatal error: ", "Error: "];

/// The line in which the program says why it failed, else the last one.
fn reason(errors: &str) -> Option<String> {
    let lines = || {
        errors
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
    };
    let said = lines().find_map(|line| REASONS.iter().find_map(|head| line.strip_prefix(head)));
    said.or_else(|| lines().next_back()).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;
    use trefoil_bench::contender::Peer;
    use trefoil_bench::parameters::{Parameters, Weight};
    use trefoil_bench::workloads;

    const LIMIT: Duration = Duration::from_secs(30);

    fn shell(script: &str, limit: Duration) -> Result<String, String> {
        output_of(Command::new("sh").args(["-c", script]), limit)
    }

    #[test]
    fn success_gives_the_output() {
        assert_eq!(shell("echo hello", LIMIT).unwrap(), "hello\n");
    }

    #[test]
    fn failure_gives_the_reason() {
        let failed = shell(
            "echo noise >&2; echo 'error: wrong result' >&2; exit 1",
            LIMIT,
        );
        assert_eq!(failed.unwrap_err(), "wrong result");
        assert_eq!(shell("echo last >&2; exit 1", LIMIT).unwrap_err(), "last");
        assert!(shell("exit 3", LIMIT).unwrap_err().contains('3'));
        assert!(shell("kill -9 $$", LIMIT).unwrap_err().contains("signal"));
    }

    #[test]
    fn the_reason_of_a_go_program_is_not_its_last_line() {
        let script =
            "printf 'panic: no luck\\n\\ngoroutine 1 [running]:\\nmain.go:7\\n' >&2; exit 2";
        assert_eq!(shell(script, LIMIT).unwrap_err(), "no luck");
    }

    #[test]
    fn a_child_is_told_everything() {
        let workload = workloads::find("ring").unwrap();
        let order = Order {
            parameters: Parameters::defaults(workload.parameters, Weight::Kernel),
            program: "bench".into(),
        };
        let job = Job {
            workload: "ring",
            contender: Contender::Peer(Peer::Std),
            workers: Some(3),
            order: &order,
            limit: LIMIT,
        };
        assert_eq!(job.without_name("ring on std: no luck"), "no luck");
        assert_eq!(job.without_name("no luck"), "no luck");
        let command = job.command().unwrap();
        let arguments: Vec<_> = command
            .get_args()
            .map(|word| word.to_str().unwrap())
            .collect();
        let said = arguments.join(" ");
        assert_eq!(
            said,
            "run ring --json --runtime std --workers=3 --set=threads=500 --set=rounds=60"
        );
    }

    #[test]
    fn a_process_that_hangs_is_stopped() {
        let start = Instant::now();
        let failed = shell("exec sleep 20", Duration::from_millis(50));
        assert!(failed.unwrap_err().contains("still running"));
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn much_on_both_outputs_is_read() {
        let script = "head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero";
        assert_eq!(shell(script, LIMIT).unwrap().len(), 300_000);
    }
}
