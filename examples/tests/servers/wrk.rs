//! The HTTP server under the load of `wrk`.

use std::net::SocketAddr;

use trefoil::Model;

use crate::foreign;
use crate::server::Server;

const PROGRAM: &str = env!("CARGO_BIN_EXE_http_server");
const PIPELINED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/servers/wrk_pipelined.lua"
);

fn on_every_model(options: &[&str], test: impl Fn(SocketAddr)) {
    for model in Model::ALL {
        println!("on {model}");
        test(Server::start(PROGRAM, model, options).address);
    }
}

/// A second of requests on 64 connections: each is answered, and well.
#[track_caller]
fn drive(address: SocketAddr, more: &[&str]) {
    let url = format!("http://{address}/");
    // As long as it wants: the machine may be busy.
    let load = ["-c", "64", "-t", "1", "-d", "1s", "--timeout", "60s"];
    let Some(report) = foreign::run("wrk", &[&load, more, &[&url]].concat()) else {
        return;
    };
    println!("{report}");
    assert!(requests(&report) > 0, "{report}");
    // Lines that it leaves out where there is nothing to say.
    for fault in ["Socket errors", "Non-2xx"] {
        assert!(!report.contains(fault), "{report}");
    }
}

/// Those of the line `1234 requests in 1.00s, 5.67MB read`.
fn requests(report: &str) -> u64 {
    let (before, _) = report.split_once(" requests in ").expect(report);
    let number = before.rsplit(char::is_whitespace).next();
    number.and_then(|number| number.parse().ok()).expect(report)
}

#[test]
fn one_request_after_the_other_is_answered() {
    on_every_model(&[], |address| drive(address, &[]));
}

/// And listeners of which each has a queue of its own.
#[test]
fn sixteen_requests_at_once_are_answered() {
    on_every_model(&["--sharded"], |address| drive(address, &["-s", PIPELINED]));
}
