//! The key-value server, by `redis-cli` and `redis-benchmark`, and by clients that do what those do not.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};

use trefoil::Model;

use crate::foreign;
use crate::server::Server;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kv_server");

fn on_every_model(test: impl Fn(&mut Server)) {
    for model in Model::ALL {
        println!("on {model}");
        test(&mut Server::start(PROGRAM, model, &[]));
    }
}

/// What the server says to these bytes, until it hangs up.
fn said(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(bytes).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    said
}

#[test]
fn redis_cli_is_served() {
    on_every_model(|server| {
        let port = server.address.port().to_string();
        let ask = |words: &[&str]| {
            let said = foreign::run("redis-cli", &[&["-p", port.as_str()], words].concat())?;
            Some(said.trim_end().to_owned())
        };
        for (words, expected) in [
            (&["ping"][..], "PONG"),
            (&["set", "greeting", "hello world"], "OK"),
            (&["get", "greeting"], "hello world"),
            (&["incrby", "n", "42"], "42"),
            (&["rpush", "l", "a", "b"], "2"),
            (&["lrange", "l", "0", "-1"], "a\nb"),
            (&["hset", "h", "f", "1"], "1"),
            (&["hget", "h", "f"], "1"),
            (&["ttl", "n"], "-1"),
            (&["keys", "gr?et*"], "greeting"),
            (
                &["get", "l"],
                "WRONGTYPE Operation against a key holding the wrong kind of value",
            ),
            (&["dbsize"], "4"),
            (&["flushall"], "OK"),
            (&["get", "greeting"], ""),
        ] {
            if let Some(said) = ask(words) {
                assert_eq!(said, expected, "{words:?}");
            }
        }
    });
}

/// Fifty clients with sixteen requests at once each: every test is there at the end, and none had an error.
#[test]
fn redis_benchmark_is_served() {
    on_every_model(|server| {
        let port = server.address.port().to_string();
        let tests = "ping_mbulk,set,get,incr,lpush,rpop,sadd,hset,lrange_100,mset";
        let load = [
            "-p", &port, "-n", "2000", "-c", "50", "-P", "16", "--csv", "-t", tests,
        ];
        let Some(report) = foreign::run("redis-benchmark", &load) else {
            return;
        };
        assert!(!report.to_lowercase().contains("error"), "{report}");
        for test in [
            "PING_MBULK",
            "SET",
            "GET",
            "INCR",
            "LPUSH",
            "RPOP",
            "SADD",
            "HSET",
            "LRANGE_100",
            "MSET",
        ] {
            let line = report
                .lines()
                .find(|line| line.starts_with(&format!("\"{test}")));
            let rate = line.and_then(|line| line.split(',').nth(1)).expect(&report);
            let rate: f64 = rate.trim_matches('"').parse().expect(&report);
            assert!(rate > 0.0, "{report}");
        }
        server.terminate();
        let words = server.last_words();
        let served = words
            .strip_prefix("ended: ")
            .and_then(|rest| rest.split(' ').next());
        // The list for LRANGE is filled first.
        assert!(
            served.unwrap().parse::<u64>().unwrap() >= 10 * 2000,
            "{words}"
        );
    });
}

#[test]
fn requests_that_come_together_or_in_pieces_are_answered_in_order() {
    on_every_model(|server| {
        let requests = b"SET a 1\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n\r\nINCR a\r\nPING\r\n";
        let answers = "+OK\r\n$1\r\n1\r\n:2\r\n+PONG\r\n";
        assert_eq!(said(server.address, requests), answers);
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_nodelay(true).unwrap();
        for byte in requests {
            stream.write_all(&[*byte]).unwrap();
        }
        let mut got = vec![0; answers.len()];
        stream.read_exact(&mut got).unwrap();
        assert_eq!(String::from_utf8(got).unwrap(), answers);
        // A large value, which comes and goes in many pieces.
        let large = "x".repeat(1 << 20);
        let request = format!("*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1048576\r\n{large}\r\nGET b\r\n");
        let answer = format!("+OK\r\n$1048576\r\n{large}\r\n");
        assert!(said(server.address, request.as_bytes()) == answer);
    });
}

#[test]
fn what_is_no_request_ends_its_connection_and_no_other() {
    on_every_model(|server| {
        let refused = |bytes: &[u8], why: &str| {
            let said = said(server.address, bytes);
            assert_eq!(said, format!("-ERR Protocol error: {why}\r\n"));
        };
        refused(b"*x\r\n", "invalid multibulk length");
        refused(b"*1\r\n+PING\r\n", "expected '$'");
        refused(b"*1\r\n$99999999999\r\n", "invalid bulk length");
        refused(&[b'x'; 70_000], "too big inline request");
        assert_eq!(said(server.address, b"QUIT\r\nPING\r\n"), "+OK\r\n");
        assert_eq!(said(server.address, b"PING\r\n*1\r\n$4\r\nPI"), "+PONG\r\n");
    });
}

/// Many clients count together, and none of their steps is lost.
#[test]
fn clients_count_together() {
    const CLIENTS: usize = 8;
    const STEPS: usize = 200;
    on_every_model(|server| {
        let address = server.address;
        let count = move || {
            let steps = "INCR n\r\n".repeat(STEPS);
            assert_eq!(said(address, steps.as_bytes()).lines().count(), STEPS);
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| std::thread::spawn(count)).collect();
        clients
            .into_iter()
            .for_each(|client| client.join().unwrap());
        assert_eq!(said(address, b"GET n\r\n"), "$4\r\n1600\r\n");
    });
}
