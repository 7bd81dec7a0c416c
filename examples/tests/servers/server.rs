//! A server that runs as a program of its own.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use trefoil::Model;

/// It ends when this is dropped.
pub(crate) struct Server {
    process: Child,
    output: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts this program on this model, on a free port of the loopback.
    pub(crate) fn start(program: &str, model: Model, options: &[&str]) -> Server {
        let mut process = Command::new(program)
            .args(["--listen", "127.0.0.1:0"])
            .args(options)
            .env("TREFOIL_MODEL", model.name())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap();
        let address = address.parse().unwrap();
        Server {
            process,
            output,
            address,
        }
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        let id = self.process.id().to_string();
        let status = Command::new("kill").args(["-TERM", &id]).status();
        assert!(status.unwrap().success());
    }

    /// Waits until it has ended well, and gives what it wrote at last.
    pub(crate) fn last_words(&mut self) -> String {
        let mut words = String::new();
        self.output.read_to_string(&mut words).unwrap();
        assert!(self.process.wait().unwrap().success(), "{words}");
        words
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
