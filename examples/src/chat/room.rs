//! Who is in the room, and what is said there.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use trefoil::channel::{Receiver, Sender, bounded};
use trefoil::net::{Shutdown, TcpStream};
use trefoil::sync::{Mutex, MutexGuard};
use trefoil::thread;

/// What is said to a client.
pub(super) type Line = Arc<str>;

/// How many lines may wait for a client.
const QUEUE: usize = 256;

/// How long somebody who speaks waits for who hears, and how often it looks.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(2);

/// Those who are there, by their names. All hear what is said in the same order: it is queued under the lock,
/// and queueing does not wait.
#[derive(Debug, Default)]
pub struct Room {
    members: Mutex<BTreeMap<String, Member>>,
}

#[derive(Debug)]
struct Member {
    queue: Sender<Line>,
    /// To put it out.
    stream: TcpStream,
}

/// A client is in the room until this is dropped, and the others are told then.
#[derive(Debug)]
pub(super) struct Membership<'a> {
    room: &'a Room,
    name: String,
    queue: Sender<Line>,
    /// The others are not told that it goes.
    silent: Cell<bool>,
}

/// Why a name cannot be had.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Invalid,
    Taken,
}

impl Room {
    /// Lets a client in, and tells the others. What is to be said to it comes out of the receiver.
    pub(super) fn enter(
        &self,
        name: &str,
        stream: TcpStream,
    ) -> Result<(Membership<'_>, Receiver<Line>), Refused> {
        let length = name.chars().count();
        if !(1..=20).contains(&length) || !name.chars().all(char::is_alphanumeric) {
            return Err(Refused::Invalid);
        }
        let mut members = self.lock();
        if members.contains_key(name) {
            return Err(Refused::Taken);
        }
        let others = members.len();
        say(&mut members, None, &format!("* {name} has come").into());
        let (queue, lines) = bounded(QUEUE);
        let membership = Membership {
            room: self,
            name: name.into(),
            queue: queue.clone(),
            silent: Cell::new(false),
        };
        membership.hear(format!("* welcome, {name}; others here: {others}"));
        members.insert(name.into(), Member { queue, stream });
        Ok((membership, lines))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Member>> {
        self.members.lock().expect("nobody panics with the members")
    }
}

/// Queues a line for all but one. Whose queue is full has not read for long: it is put out.
fn say(members: &mut BTreeMap<String, Member>, but: Option<&str>, line: &Line) {
    let mut gone = Vec::new();
    members.retain(|name, member| {
        let heard = Some(name.as_str()) == but || member.queue.try_send(Arc::clone(line)).is_ok();
        if !heard {
            // Its threads end by that. It may have hung up itself.
            let _ = member.stream.shutdown(Shutdown::Both);
            gone.push(format!("* {name} was too slow").into());
        }
        heard
    });
    for line in gone {
        say(members, None, &line);
    }
}

impl Membership<'_> {
    /// Says something to all others. Who says much at once waits for those who hear, as long as [`PATIENCE`];
    /// whose queue is full then is put out.
    pub(super) fn say(&self, text: &str) {
        let line = format!("{}: {text}", self.name).into();
        let begun = Instant::now();
        loop {
            let mut members = self.room.lock();
            let mut others = members.iter().filter(|(name, _)| **name != self.name);
            if others.all(|(_, member)| !member.queue.is_full()) || begun.elapsed() >= PATIENCE {
                return say(&mut members, Some(&self.name), &line);
            }
            drop(members);
            thread::sleep(PAUSE);
        }
    }

    /// Has the client itself hear something. If its queue is full, it will be put out.
    pub(super) fn hear(&self, line: String) {
        let _ = self.queue.try_send(line.into());
    }

    /// Has it hear the last line of all: the others leave too.
    pub(super) fn hear_the_last(&self, line: String) {
        self.silent.set(true);
        self.hear(line);
    }

    /// The names of all who are there.
    pub(super) fn who(&self) -> Vec<String> {
        self.room.lock().keys().cloned().collect()
    }
}

impl Drop for Membership<'_> {
    fn drop(&mut self) {
        let mut members = self.room.lock();
        // One that was put out is not there any more, and its name may be another's.
        let own = |member: &Member| member.queue.same_channel(&self.queue);
        if members.get(&self.name).is_some_and(own) {
            members.remove(&self.name);
            if self.silent.get() {
                return;
            }
            say(
                &mut members,
                None,
                &format!("* {} has gone", self.name).into(),
            );
        }
    }
}
