//! The server of keys and values, by the clients of Redis, and by clients that do what none of these would.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use trefoil::Model;

use crate::foreign;
use crate::server::Server;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kv_server");

fn on_every_model(options: &[&str], mut test: impl FnMut(&mut Server)) {
    for model in Model::ALL {
        println!("on {model}");
        test(&mut Server::start(PROGRAM, model, options));
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream
}

/// All that the server answers to these bytes, until it ends the connection or has answered the last one.
#[track_caller]
fn answers(address: SocketAddr, sent: &[u8]) -> String {
    let mut stream = connect(address);
    stream.write_all(sent).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut come = String::new();
    stream.read_to_string(&mut come).unwrap();
    come
}

#[track_caller]
fn assert_answers(address: SocketAddr, sent: &str, expected: &str) {
    assert_eq!(answers(address, sent.as_bytes()), expected, "{sent:?}");
}

/// What `redis-cli` shows, without colours and quotes. `None`: it is not installed.
fn cli(address: SocketAddr, arguments: &[&str]) -> Option<String> {
    let port = address.port().to_string();
    let shown = foreign::run("redis-cli", &[&["-p", &port], arguments].concat());
    shown.map(|shown| shown.trim_end().to_owned())
}

#[test]
fn redis_cli_is_answered() {
    on_every_model(&[], |server| {
        for (command, expected) in [
            ("PING", "PONG"),
            ("ECHO hello", "hello"),
            ("SET a 1", "OK"),
            ("SET a 2 NX", ""),
            ("SET b 2 XX", ""),
            ("SET a 5 XX EX 100", "OK"),
            ("TTL a", "100"),
            ("INCR a", "6"),
            ("INCRBY a -10", "-4"),
            ("DECR a", "-5"),
            ("GET a", "-5"),
            ("MSET x 1 y 2", "OK"),
            ("MGET x y nothing", "1\n2\n"),
            ("EXISTS x y nothing x", "3"),
            ("EXPIRE x 0", "1"),
            ("GET x", ""),
            ("PTTL x", "-2"),
            ("PTTL y", "-1"),
            ("RPUSH list b c", "2"),
            ("LPUSH list a", "3"),
            ("LRANGE list 0 -1", "a\nb\nc"),
            ("LRANGE list -2 1", "b"),
            ("LRANGE list 5 9", ""),
            ("LPOP list", "a"),
            ("RPOP list", "c"),
            ("RPOP list", "b"),
            ("EXISTS list", "0"),
            ("SADD set m n m", "2"),
            ("HSET hash f 1 g 2", "2"),
            ("HSET hash f 3", "0"),
            ("HGET hash f", "3"),
            ("KEYS [x-z]", "y"),
            ("DBSIZE", "4"),
            ("DEL y nothing", "1"),
            ("CONFIG GET save", "save\n"),
            ("COMMAND", ""),
            ("CLIENT SETNAME me", "OK"),
            ("SELECT 0", "OK"),
            ("FLUSHALL", "OK"),
            ("DBSIZE", "0"),
        ] {
            let words: Vec<_> = command.split(' ').collect();
            let Some(shown) = cli(server.address, &words) else {
                return;
            };
            assert_eq!(shown, expected.trim_end(), "{command}");
        }
    });
}

/// Fifty clients, with sixteen commands each under way.
#[test]
fn redis_benchmark_is_answered() {
    const TESTS: &str =
        "ping_inline,ping_mbulk,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,lrange_100,mset";
    on_every_model(&[], |server| {
        let port = server.address.port().to_string();
        let load = ["-n", "2000", "-c", "50", "-P", "16", "--csv", "-t", TESTS];
        let report = foreign::run("redis-benchmark", &[&["-p", &port], &load[..]].concat());
        let Some(report) = report else {
            return;
        };
        println!("{report}");
        assert!(!report.to_lowercase().contains("err"), "{report}");
        // A line for each, with the requests of a second behind the name.
        let rates = report.lines().filter_map(|line| line.split("\",\"").nth(1));
        let rates = rates.filter_map(|rate| rate.trim_matches('"').parse::<f64>().ok());
        let rates: Vec<_> = rates.collect();
        assert!(rates.iter().all(|rate| *rate > 0.0), "{report}");
        assert!(rates.len() >= TESTS.split(',').count(), "{report}");
        // None was lost, and none was done twice.
        assert_answers(
            server.address,
            "GET counter:__rand_int__\r\n",
            "$4\r\n2000\r\n",
        );
    });
}

#[test]
fn what_came_at_once_is_answered_in_its_order() {
    on_every_model(&[], |server| {
        let many = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n\r\n\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n\r\nGET k extra\r\n";
        assert_answers(
            server.address,
            many,
            "+OK\r\n$2\r\n\r\n\r\n+PONG\r\n-ERR wrong number of arguments for 'get' command\r\n",
        );
        // More answers than are kept before they are sent.
        let long = format!("ECHO {}\r\n", "x".repeat(1000)).repeat(1000);
        let expected = format!("$1000\r\n{}\r\n", "x".repeat(1000)).repeat(1000);
        let mut stream = connect(server.address);
        let mut reader = stream.try_clone().unwrap();
        let reads = std::thread::spawn(move || {
            let mut come = String::new();
            reader.read_to_string(&mut come).unwrap();
            come
        });
        stream.write_all(long.as_bytes()).unwrap();
        stream.write_all(b"QUIT\r\nPING\r\n").unwrap();
        assert!(reads.join().unwrap() == expected + "+OK\r\n");
    });
}

#[test]
fn mistakes_are_told_in_the_words_of_redis() {
    on_every_model(&[], |server| {
        let wrong_type = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
        let syntax = "-ERR syntax error\r\n";
        let number = "-ERR value is not an integer or out of range\r\n";
        let expire = "-ERR invalid expire time in 'set' command\r\n";
        for (sent, expected) in [
            ("LPUSH l 1\r\nGET l\r\n", &format!(":1\r\n{wrong_type}")[..]),
            ("INCR l\r\n", wrong_type),
            ("HGET l f\r\n", wrong_type),
            ("SADD l 1\r\n", wrong_type),
            ("SET a b EX\r\n", syntax),
            ("SET a b NX XX\r\n", syntax),
            ("SET a b EX 0\r\n", expire),
            ("SET a b EX 9223372036854775807\r\n", expire),
            ("SET a b PX 1.5\r\n", number),
            ("SET a 01\r\nINCR a\r\n", &format!("+OK\r\n{number}")),
            (
                "SET a 9223372036854775807\r\nINCR a\r\n",
                "+OK\r\n-ERR increment or decrement would overflow\r\n",
            ),
            (
                "MSET a\r\n",
                "-ERR wrong number of arguments for 'mset' command\r\n",
            ),
            (
                "NOTHING \"a\\nb\"\r\n",
                "-ERR unknown command 'NOTHING', with args beginning with: 'a b' \r\n",
            ),
            ("SELECT 1\r\n", "-ERR DB index is out of range\r\n"),
            ("HELLO 3\r\n", "-NOPROTO unsupported protocol version\r\n"),
        ] {
            assert_answers(server.address, sent, expected);
        }
    });
}

#[test]
fn what_is_no_request_ends_the_connection() {
    on_every_model(&["--largest", "1000"], |server| {
        for (sent, expected) in [
            ("*1\r\n+PING\r\n", "expected '$', got '+'"),
            ("*x\r\n", "invalid multibulk length"),
            ("*1\r\n$1001\r\n", "invalid bulk length"),
            ("*1\r\n$-5\r\n", "invalid bulk length"),
            ("GET \"a\r\n", "unbalanced quotes in request"),
            (&"x".repeat(70_000), "too big inline request"),
        ] {
            // What stood before it is answered, and nothing behind it.
            let sent = format!("PING\r\n{sent}PING\r\n");
            let expected = format!("+PONG\r\n-ERR Protocol error: {expected}\r\n");
            assert_answers(server.address, &sent, &expected);
        }
        // The end in the middle of a command is no command.
        assert_answers(server.address, "PING\r\n*1\r\n$4\r\nPI", "+PONG\r\n");
        assert_answers(server.address, "PING\r\n", "+PONG\r\n");
    });
}

#[test]
fn time_ends_values() {
    on_every_model(&[], |server| {
        let mut stream = connect(server.address);
        stream.write_all(b"SET a 1 PX 5\r\nSET b 1\r\n").unwrap();
        let mut come = [0; 10];
        stream.read_exact(&mut come).unwrap();
        loop {
            stream.write_all(b"DBSIZE\r\n").unwrap();
            let mut come = [0; 4];
            stream.read_exact(&mut come).unwrap();
            if &come == b":1\r\n" {
                break;
            }
            assert_eq!(&come, b":2\r\n");
        }
        assert_answers(
            server.address,
            "EXISTS a b\r\nSET a 2 NX\r\n",
            ":1\r\n+OK\r\n",
        );
    });
}

/// A client that sends a byte now and then is cut off, and so is one that says nothing.
#[test]
fn who_is_too_slow_is_cut_off() {
    on_every_model(&["--complete", "50", "--idle", "50"], |server| {
        let mut silent = connect(server.address);
        assert_eq!(silent.read(&mut [0; 8]).unwrap(), 0);
        let mut slow = connect(server.address);
        slow.set_read_timeout(Some(Duration::from_millis(5)))
            .unwrap();
        slow.write_all(b"*1\r\n$1000\r\n").unwrap();
        let mut byte = [0];
        loop {
            match slow.read(&mut byte) {
                Ok(count) => {
                    assert_eq!(count, 0);
                    break;
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => break,
            }
            if slow.write_all(b"x").is_err() {
                break;
            }
        }
    });
}

#[test]
fn it_ends_with_grace() {
    on_every_model(&[], |server| {
        let mut idle = connect(server.address);
        idle.write_all(b"PING\r\n").unwrap();
        let mut come = [0; 7];
        idle.read_exact(&mut come).unwrap();
        server.terminate();
        assert_eq!(idle.read(&mut come).unwrap(), 0);
        let words = server.last_words();
        assert_eq!(
            words,
            "ended: 1 requests served, 1 connections were open, 0 of them cancelled\n"
        );
    });
}

#[test]
fn a_client_ends_it() {
    on_every_model(&[], |server| {
        assert_answers(server.address, "PING\r\nSHUTDOWN\r\n", "+PONG\r\n");
        let words = server.last_words();
        assert!(words.starts_with("ended: 2 requests served"), "{words}");
    });
}
