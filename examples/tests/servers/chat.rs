//! The chat server, by people who type lines.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;

use trefoil::Model;

use crate::server::Server;

const PROGRAM: &str = env!("CARGO_BIN_EXE_chat_server");

fn on_every_model(test: impl Fn(&mut Server)) {
    for model in Model::ALL {
        println!("on {model}");
        test(&mut Server::start(PROGRAM, model, &[]));
    }
}

struct Person(BufReader<TcpStream>);

impl Person {
    fn unknown(address: SocketAddr) -> Person {
        let mut person = Person(BufReader::new(TcpStream::connect(address).unwrap()));
        assert_eq!(person.hears(), "* your name?");
        person
    }

    /// One who is in the room.
    fn named(name: &str, address: SocketAddr) -> Person {
        let mut person = Person::unknown(address);
        person.says(name);
        let welcome = person.hears();
        assert!(
            welcome.starts_with(&format!("* welcome, {name};")),
            "{welcome}"
        );
        person
    }

    fn says(&mut self, line: &str) {
        writeln!(self.0.get_mut(), "{line}").unwrap();
    }

    /// The next line; "" at the end.
    fn hears(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

#[test]
fn people_talk() {
    on_every_model(|server| {
        let mut ann = Person::named("Ann", server.address);
        let mut bob = Person::named("Bob", server.address);
        assert_eq!(ann.hears(), "* Bob has come");
        ann.says("good day");
        assert_eq!(bob.hears(), "Ann: good day");
        bob.says("/who");
        assert_eq!(bob.hears(), "* here: Ann, Bob");
        bob.says("/help");
        assert_eq!(bob.hears(), "* there is /who and /quit, and no /help");
        bob.says("/quit");
        assert_eq!(bob.hears(), "* good bye");
        assert_eq!(bob.hears(), "");
        assert_eq!(ann.hears(), "* Bob has gone");
        // Without a word.
        drop(Person::named("Cid", server.address));
        assert_eq!(ann.hears(), "* Cid has come");
        assert_eq!(ann.hears(), "* Cid has gone");
    });
}

#[test]
fn names_are_those_of_one() {
    on_every_model(|server| {
        let _ann = Person::named("Ann", server.address);
        let mut other = Person::unknown(server.address);
        other.says("Ann");
        assert_eq!(other.hears(), "* that name is taken; your name?");
        for none in ["", "no spaces", "twentyoneletterslongname"] {
            other.says(none);
            assert_eq!(
                other.hears(),
                "* a name has up to 20 letters and digits; your name?"
            );
        }
        other.says("Bob");
        assert_eq!(other.hears(), "* welcome, Bob; others here: 1");
        other.says(&"x".repeat(2_000));
        assert_eq!(other.hears(), "* a line has less than 1000 bytes");
    });
}

/// All hear all that the others say, that of each in its order, and that of all in the same order.
#[test]
fn many_talk_at_once() {
    const PEOPLE: usize = 8;
    const LINES: usize = 25;
    on_every_model(|server| {
        let mut listener = Person::named("Ear", server.address);
        let mut second = Person::named("Ear2", server.address);
        assert_eq!(listener.hears(), "* Ear2 has come");
        let address = server.address;
        let talkers: Vec<_> = (0..PEOPLE)
            .map(|number| thread::spawn(move || talk(number, address)))
            .collect();
        let hear_all = |person: &mut Person| {
            let lines = std::iter::from_fn(|| Some(person.hears()));
            let said = lines.filter(|line| !line.starts_with('*'));
            said.take(PEOPLE * LINES).collect::<Vec<_>>()
        };
        let heard = hear_all(&mut listener);
        assert_eq!(hear_all(&mut second), heard);
        for number in 0..PEOPLE {
            let own = format!("P{number}: ");
            let of_one = heard.iter().filter_map(|line| line.strip_prefix(&own));
            let expected = (0..LINES).map(|line| line.to_string());
            assert!(of_one.eq(expected), "{heard:?}");
        }
        for talker in talkers {
            talker.join().unwrap();
        }
    });

    fn talk(number: usize, address: SocketAddr) {
        let mut person = Person::named(&format!("P{number}"), address);
        for line in 0..LINES {
            person.says(&line.to_string());
        }
        person.says("/quit");
        while person.hears() != "* good bye" {}
    }
}

/// Who says much at once is heard by all who read.
#[test]
fn a_long_text_is_heard() {
    const LINES: usize = 2_000;
    on_every_model(|server| {
        let mut ann = Person::named("Ann", server.address);
        let mut bob = Person::named("Bob", server.address);
        let text: String = (0..LINES).map(|line| format!("{line}\n")).collect();
        let mut mouth = ann.0.get_ref().try_clone().unwrap();
        let says = thread::spawn(move || mouth.write_all(text.as_bytes()).unwrap());
        for line in 0..LINES {
            assert_eq!(bob.hears(), format!("Ann: {line}"));
        }
        says.join().unwrap();
        assert_eq!(ann.hears(), "* Bob has come");
    });
}

/// Who does not read is put out, and keeps nobody waiting.
#[test]
fn who_does_not_read_is_put_out() {
    on_every_model(|server| {
        let mut deaf = Person::named("Deaf", server.address);
        let mut ann = Person::named("Ann", server.address);
        let mut bob = Person::named("Bob", server.address);
        assert_eq!(ann.hears(), "* Bob has come");
        // Far more than the sockets of both ends hold.
        let long = "x".repeat(900);
        let put_out = (0..100_000).any(|_| {
            ann.says(&long);
            match bob.hears().as_str() {
                "* Deaf was too slow" => true,
                line => {
                    assert_eq!(line, format!("Ann: {long}"));
                    false
                }
            }
        });
        assert!(put_out);
        while deaf
            .0
            .read_line(&mut String::new())
            .is_ok_and(|count| count != 0)
        {}
    });
}

#[test]
fn it_ends_with_a_last_word() {
    on_every_model(|server| {
        let mut people = ["Ann", "Bob", "Cid"].map(|name| Person::named(name, server.address));
        let mut nameless = Person::unknown(server.address);
        people[0].says("hello");
        while people[1].hears() != "Ann: hello" {}
        server.terminate();
        for person in &mut people {
            let last = std::iter::from_fn(|| Some(person.hears()).filter(|line| !line.is_empty()));
            let heard: Vec<_> = last.collect();
            assert_eq!(heard.last().unwrap(), "* the server ends", "{heard:?}");
        }
        assert_eq!(nameless.hears(), "");
        let words = server.last_words();
        assert!(
            words.contains("1 requests served, 4 connections were open, 0 of them"),
            "{words}"
        );
    });
}
