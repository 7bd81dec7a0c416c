//! One run in a process of its own: this program with `run … --json`.
#![forbid(unsafe_code)]

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use trefoil_bench::contender::Contender;
use trefoil_bench::record::Record;

/// A run that takes longer hangs. The longest ones take a few seconds.
const LIMIT: Duration = Duration::from_secs(30);

/// What the child is to run.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    pub(crate) program: &'a Path,
    pub(crate) workload: &'a str,
    pub(crate) contender: Contender,
    pub(crate) setting: Option<&'a str>,
}

/// Runs it. Blocks until the child has ended, or until it has taken too long.
///
/// # Errors
///
/// With a sentence, if the child gives no record.
pub(crate) fn measure(job: &Job<'_>) -> Result<Record, String> {
    let mut command = Command::new(job.program);
    command
        .args([
            "run",
            job.workload,
            "--runtime",
            job.contender.name(),
            "--json",
        ])
        .args(job.setting.map(|pair| format!("--set={pair}")));
    let text = output_of(&mut command, LIMIT)?;
    Record::from_line(text.trim_end()).map_err(|error| format!("it printed no record: {error}"))
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

/// The line in which the program says why it failed, else the last one.
fn reason(errors: &str) -> Option<String> {
    let lines = || {
        errors
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
    };
    let said = lines().find_map(|line| line.strip_prefix("error: "));
    said.or_else(|| lines().next_back()).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

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
