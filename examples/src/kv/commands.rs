//! What each command does. Whoever asks for something impossible gets an error, in the words of Redis, and may ask for
//! more. Nobody is waited for: a command is done as a whole, whoever ends its thread.

use std::collections::{HashMap, HashSet, VecDeque};

use super::expiry::{self, Condition, SetOptions, number};
use super::pattern;
use super::protocol::Request;
use super::reply::Reply;
use super::store::{Shard, Store, Value};

/// What a client did wrong.
#[derive(Debug)]
pub(super) struct Fault(String);

impl Fault {
    pub(super) fn new(text: impl Into<String>) -> Fault {
        Fault(text.into())
    }

    pub(super) fn syntax() -> Fault {
        Fault::new("ERR syntax error")
    }

    fn wrong_type() -> Fault {
        Fault::new("WRONGTYPE Operation against a key holding the wrong kind of value")
    }

    fn arity(command: &str) -> Fault {
        Fault(format!(
            "ERR wrong number of arguments for '{command}' command"
        ))
    }
}

/// What becomes of the connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    GoesOn,
    Ends,
    /// And the server with it.
    Shutdown,
}

/// One client's view of the store.
#[derive(Debug)]
pub(super) struct Session<'a> {
    store: &'a Store,
    name: Vec<u8>,
}

impl<'a> Session<'a> {
    pub(super) fn new(store: &'a Store) -> Session<'a> {
        let name = Vec::new();
        Session { store, name }
    }

    /// Does what is asked for, and writes the one answer.
    pub(super) fn run(&mut self, request: Request, reply: &mut Reply) -> Next {
        let command = request[0].to_ascii_lowercase();
        match command.as_slice() {
            b"quit" => {
                reply.simple("OK");
                return Next::Ends;
            }
            b"shutdown" => return Next::Shutdown,
            _ => {}
        }
        let name = String::from_utf8_lossy(&command).into_owned();
        if let Err(fault) = self.answer(&name, request, reply) {
            reply.error(&fault.0);
        }
        Next::GoesOn
    }

    /// Writes nothing if it fails.
    fn answer(&mut self, name: &str, request: Request, reply: &mut Reply) -> Result<(), Fault> {
        let (least, most) = arity(name).ok_or_else(|| unknown(&request))?;
        if !(least..=most).contains(&(request.len() - 1)) {
            return Err(Fault::arity(name));
        }
        let arguments = &request[1..];
        match name {
            "ping" => match arguments {
                [] => reply.simple("PONG"),
                [text, ..] => reply.bulk(text),
            },
            "echo" => reply.bulk(&arguments[0]),
            "select" => self.select(&arguments[0], reply)?,
            "command" => reply.array(0),
            "config" => config(arguments, reply)?,
            "client" => self.client(arguments, reply)?,
            "hello" => hello(arguments, reply)?,
            "dbsize" => {
                let mut count = 0;
                self.store.each(|_| count += 1);
                reply.count(count);
            }
            "flushall" | "flushdb" => {
                self.store.clear();
                reply.simple("OK");
            }
            "keys" => self.keys(&arguments[0], reply),
            "mget" | "del" | "exists" => self.several(name, arguments, reply),
            "mset" => self.mset(request, reply)?,
            _ => self.one_key(name, request, reply)?,
        }
        Ok(())
    }

    fn select(&self, number: &[u8], reply: &mut Reply) -> Result<(), Fault> {
        match expiry::number(number)? {
            0 => reply.simple("OK"),
            _ => return Err(Fault::new("ERR DB index is out of range")),
        }
        Ok(())
    }

    fn client(&mut self, arguments: &[Vec<u8>], reply: &mut Reply) -> Result<(), Fault> {
        let subcommand = String::from_utf8_lossy(&arguments[0]).to_ascii_lowercase();
        match (subcommand.as_str(), &arguments[1..]) {
            ("setname", [name]) => {
                self.name.clone_from(name);
                reply.simple("OK");
            }
            ("getname", []) => reply.optional((!self.name.is_empty()).then_some(&self.name)),
            _ => return Err(subcommand_unknown("CLIENT", &subcommand)),
        }
        Ok(())
    }

    fn keys(&self, wanted: &[u8], reply: &mut Reply) {
        let mut found = Vec::new();
        self.store.each(|key| {
            if pattern::matches(wanted, key) {
                found.push(key.to_vec());
            }
        });
        reply.array(found.len());
        found.iter().for_each(|key| reply.bulk(key));
    }

    /// Commands of many keys, which see all of them at once.
    fn several(&self, name: &str, keys: &[Vec<u8>], reply: &mut Reply) {
        let mut shards = self.store.shards(keys.iter().map(Vec::as_slice));
        if name == "mget" {
            reply.array(keys.len());
            for key in keys {
                match shards.of(key).get(key).map(|entry| &entry.value) {
                    Some(Value::Text(text)) => reply.bulk(text),
                    _ => reply.null(),
                }
            }
            return;
        }
        let found = keys.iter().filter(|key| match name {
            "del" => shards.of(key).remove(key).is_some(),
            _ => shards.of(key).get(key).is_some(),
        });
        let found = found.count();
        reply.count(found);
    }

    fn mset(&self, request: Request, reply: &mut Reply) -> Result<(), Fault> {
        if request.len().is_multiple_of(2) {
            return Err(Fault::arity("mset"));
        }
        let keys = request[1..].iter().step_by(2).map(Vec::as_slice);
        let mut wanted = self.store.shards(keys);
        for pair in request[1..].chunks_exact(2) {
            let value = Value::Text(pair[1].clone());
            wanted.of(&pair[0]).set(pair[0].clone(), value, None);
        }
        reply.simple("OK");
        Ok(())
    }

    fn one_key(&self, name: &str, request: Request, reply: &mut Reply) -> Result<(), Fault> {
        let mut arguments = request.into_iter().skip(1);
        let key = arguments.next().ok_or_else(|| Fault::arity(name))?;
        let arguments: Vec<_> = arguments.collect();
        let mut shard = self.store.shard(&key);
        let shard = &mut *shard;
        match name {
            "get" => match shard.get(&key).map(|entry| &entry.value) {
                None => reply.null(),
                Some(Value::Text(text)) => reply.bulk(text),
                Some(_) => return Err(Fault::wrong_type()),
            },
            "set" => return set(shard, key, arguments, reply),
            "incr" => return increase(shard, key, 1, reply),
            "decr" => return increase(shard, key, -1, reply),
            "incrby" => return increase(shard, key, number(&arguments[0])?, reply),
            "expire" => return expire(shard, &key, number(&arguments[0])?, reply),
            "ttl" | "pttl" => time_left(shard, &key, name == "pttl", reply),
            "lpush" | "rpush" => return push(shard, key, arguments, name == "lpush", reply),
            "lpop" | "rpop" => return pop(shard, &key, name == "lpop", reply),
            "lrange" => {
                let (from, to) = (number(&arguments[0])?, number(&arguments[1])?);
                return range(shard, &key, from, to, reply);
            }
            "sadd" => match shard.get_or_set(key, Value::Set(HashSet::new())) {
                Value::Set(set) => {
                    let new = arguments.into_iter().filter(|new| set.insert(new.clone()));
                    reply.count(new.count());
                }
                _ => return Err(Fault::wrong_type()),
            },
            "hset" => return hash_set(shard, key, &arguments, reply),
            "hget" => match shard.get(&key).map(|entry| &entry.value) {
                None => reply.null(),
                Some(Value::Hash(hash)) => {
                    reply.optional(hash.get(&arguments[0]).map(Vec::as_slice))
                }
                Some(_) => return Err(Fault::wrong_type()),
            },
            _ => unreachable!("`arity` knows the commands"),
        }
        Ok(())
    }
}

/// How many arguments a command takes; `None`: there is none of this name.
fn arity(name: &str) -> Option<(usize, usize)> {
    const MANY: usize = usize::MAX;
    Some(match name {
        "dbsize" => (0, 0),
        "ping" | "flushall" | "flushdb" => (0, 1),
        "command" | "hello" => (0, MANY),
        "echo" | "select" | "keys" | "get" | "incr" | "decr" | "ttl" | "pttl" | "lpop" | "rpop" => {
            (1, 1)
        }
        "del" | "exists" | "mget" | "client" | "config" => (1, MANY),
        "incrby" | "expire" | "hget" => (2, 2),
        "set" | "mset" | "lpush" | "rpush" | "sadd" => (2, MANY),
        "lrange" => (3, 3),
        "hset" => (3, MANY),
        _ => return None,
    })
}

fn unknown(request: &Request) -> Fault {
    /// So much of the client's own words is repeated.
    fn shown(bytes: &[u8]) -> String {
        String::from_utf8_lossy(&bytes[..bytes.len().min(128)]).into_owned()
    }
    let arguments = request[1..].iter().take(8);
    let arguments: String = arguments
        .map(|argument| format!("'{}' ", shown(argument)))
        .collect();
    let command = shown(&request[0]);
    Fault(format!(
        "ERR unknown command '{command}', with args beginning with: {arguments}"
    ))
}

fn subcommand_unknown(command: &str, subcommand: &str) -> Fault {
    let subcommand: String = subcommand.chars().take(128).collect();
    Fault(format!(
        "ERR Unknown subcommand or wrong number of arguments for '{subcommand}'. Try {command} HELP."
    ))
}

/// The two settings that clients ask for: nothing is kept on a disk.
fn config(arguments: &[Vec<u8>], reply: &mut Reply) -> Result<(), Fault> {
    const SETTINGS: [(&str, &str); 2] = [("save", ""), ("appendonly", "no")];
    let subcommand = String::from_utf8_lossy(&arguments[0]).to_ascii_lowercase();
    let (true, [wanted]) = (subcommand == "get", &arguments[1..]) else {
        return Err(subcommand_unknown("CONFIG", &subcommand));
    };
    let wanted = wanted.to_ascii_lowercase();
    let found = SETTINGS
        .iter()
        .filter(|(name, _)| pattern::matches(&wanted, name.as_bytes()));
    let found: Vec<_> = found.collect();
    reply.array(2 * found.len());
    for (name, value) in found {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
    Ok(())
}

fn hello(arguments: &[Vec<u8>], reply: &mut Reply) -> Result<(), Fault> {
    match arguments {
        [] => {}
        [version] if version == b"2" => {}
        [version] if number(version).is_err() => {
            return Err(Fault::new(
                "ERR Protocol version is not an integer or out of range",
            ));
        }
        [_] => return Err(Fault::new("NOPROTO unsupported protocol version")),
        _ => return Err(Fault::new("ERR Syntax error in HELLO")),
    }
    reply.array(6);
    reply.bulk(b"server");
    reply.bulk(b"trefoil");
    reply.bulk(b"version");
    reply.bulk(env!("CARGO_PKG_VERSION").as_bytes());
    reply.bulk(b"proto");
    reply.integer(2);
    Ok(())
}

fn set(
    shard: &mut Shard,
    key: Vec<u8>,
    mut arguments: Vec<Vec<u8>>,
    reply: &mut Reply,
) -> Result<(), Fault> {
    let options = SetOptions::parse(&arguments[1..])?;
    let present = options.condition.map(|_| shard.get(&key).is_some());
    match (options.condition, present) {
        (Some(Condition::Missing), Some(true)) | (Some(Condition::Present), Some(false)) => {
            reply.null();
        }
        _ => {
            let value = Value::Text(arguments.swap_remove(0));
            shard.set(key, value, options.expires);
            reply.simple("OK");
        }
    }
    Ok(())
}

fn increase(shard: &mut Shard, key: Vec<u8>, by: i64, reply: &mut Reply) -> Result<(), Fault> {
    let Value::Text(text) = shard.get_or_set(key, Value::Text(b"0".to_vec())) else {
        return Err(Fault::wrong_type());
    };
    let increased = number(text)?.checked_add(by);
    let increased =
        increased.ok_or_else(|| Fault::new("ERR increment or decrement would overflow"))?;
    *text = increased.to_string().into_bytes();
    reply.integer(increased);
    Ok(())
}

fn expire(shard: &mut Shard, key: &[u8], seconds: i64, reply: &mut Reply) -> Result<(), Fault> {
    let milliseconds = seconds.checked_mul(1000);
    let expires = milliseconds.and_then(expiry::after);
    let expires =
        expires.ok_or_else(|| Fault::new("ERR invalid expire time in 'expire' command"))?;
    let found = shard.get(key);
    reply.integer(i64::from(found.is_some()));
    if let Some(entry) = found {
        entry.expires = Some(expires);
    }
    Ok(())
}

fn time_left(shard: &mut Shard, key: &[u8], in_milliseconds: bool, reply: &mut Reply) {
    reply.integer(match shard.get(key).map(|entry| entry.expires) {
        None => -2,
        Some(None) => -1,
        Some(Some(expires)) if in_milliseconds => expiry::left(expires),
        // To the nearest second, as Redis.
        Some(Some(expires)) => expiry::left(expires).saturating_add(500) / 1000,
    });
}

fn push(
    shard: &mut Shard,
    key: Vec<u8>,
    values: Vec<Vec<u8>>,
    front: bool,
    reply: &mut Reply,
) -> Result<(), Fault> {
    let Value::List(list) = shard.get_or_set(key, Value::List(VecDeque::new())) else {
        return Err(Fault::wrong_type());
    };
    for value in values {
        if front {
            list.push_front(value);
        } else {
            list.push_back(value);
        }
    }
    reply.count(list.len());
    Ok(())
}

/// A list that is empty is no longer there.
fn pop(shard: &mut Shard, key: &[u8], front: bool, reply: &mut Reply) -> Result<(), Fault> {
    let list = match shard.get(key).map(|entry| &mut entry.value) {
        None => {
            reply.null();
            return Ok(());
        }
        Some(Value::List(list)) => list,
        Some(_) => return Err(Fault::wrong_type()),
    };
    let popped = if front {
        list.pop_front()
    } else {
        list.pop_back()
    };
    reply.optional(popped.as_deref());
    if list.is_empty() {
        shard.remove(key);
    }
    Ok(())
}

fn range(
    shard: &mut Shard,
    key: &[u8],
    from: i64,
    to: i64,
    reply: &mut Reply,
) -> Result<(), Fault> {
    let list = match shard.get(key).map(|entry| &entry.value) {
        None => {
            reply.array(0);
            return Ok(());
        }
        Some(Value::List(list)) => list,
        Some(_) => return Err(Fault::wrong_type()),
    };
    // A negative place is counted from the end.
    let length = list.len() as i64;
    let place = |at: i64| {
        if at < 0 {
            at.saturating_add(length)
        } else {
            at
        }
    };
    let from = place(from).clamp(0, length);
    let behind = place(to).saturating_add(1).clamp(from, length);
    reply.array((behind - from) as usize);
    let elements = list.range(from as usize..behind as usize);
    elements.for_each(|element| reply.bulk(element));
    Ok(())
}

fn hash_set(
    shard: &mut Shard,
    key: Vec<u8>,
    pairs: &[Vec<u8>],
    reply: &mut Reply,
) -> Result<(), Fault> {
    if !pairs.len().is_multiple_of(2) {
        return Err(Fault::arity("hset"));
    }
    let Value::Hash(hash) = shard.get_or_set(key, Value::Hash(HashMap::new())) else {
        return Err(Fault::wrong_type());
    };
    let new = pairs
        .chunks_exact(2)
        .filter(|pair| hash.insert(pair[0].clone(), pair[1].clone()).is_none());
    reply.count(new.count());
    Ok(())
}
