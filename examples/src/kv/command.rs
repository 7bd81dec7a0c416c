//! What each command does. Names, answers and errors are Redis'.

use std::collections::{HashMap, HashSet, VecDeque};
use std::str::FromStr;
use std::time::{Duration, Instant};

use super::glob;
use super::reply::Reply;
use super::request::Words;
use super::store::{Entry, Map, Store, Value};

/// An error is an answer too.
type Answer = Result<Reply, Reply>;

/// What a session does besides answering.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Then {
    GoOn,
    HangUp,
}

/// Does what a request with at least one word asks for.
pub(super) fn execute(store: &Store, words: &Words<'_>) -> (Reply, Then) {
    let name = String::from_utf8_lossy(words[0]).to_ascii_uppercase();
    let arguments = &words[1..];
    let then = match name.as_str() {
        "QUIT" => Then::HangUp,
        _ => Then::GoOn,
    };
    let answer = find(&name, arguments.len()).and_then(|run| run(store, arguments));
    (answer.unwrap_or_else(|error| error), then)
}

type Run = fn(&Store, &[&[u8]]) -> Answer;

/// The command of this name, if it takes so many arguments.
fn find(name: &str, arguments: usize) -> Result<Run, Reply> {
    const ANY: usize = usize::MAX;
    let (least, most, run): (usize, usize, Run) = match name {
        "PING" => (0, 1, ping),
        "ECHO" => (1, 1, |_, words| Ok(Reply::Bytes(words[0].to_vec()))),
        "QUIT" => (0, 0, |_, _| Ok(Reply::Ok)),
        "SELECT" => (1, 1, select),
        // What clients ask at their beginning.
        "COMMAND" => (0, ANY, |_, _| Ok(Reply::Array(Vec::new()))),
        "CONFIG" => (1, ANY, config),
        "CLIENT" => (1, ANY, |_, _| Ok(Reply::Ok)),
        "HELLO" => (0, ANY, |_, _| {
            Err(Reply::Error("NOPROTO unsupported protocol version".into()))
        }),
        "INFO" => (0, ANY, |_, _| {
            Ok(Reply::Bytes(
                b"# Server\r\nredis_mode:standalone\r\n".to_vec(),
            ))
        }),
        "GET" => (1, 1, get),
        "SET" => (2, ANY, set),
        "SETNX" => (2, 2, |store, words| set_unless_there(store, words)),
        "GETSET" => (2, 2, get_and_set),
        "APPEND" => (2, 2, append),
        "STRLEN" => (1, 1, |store, words| {
            Ok(Reply::count(
                bytes(store, words[0])?.map_or(0, |it| it.len()),
            ))
        }),
        "MGET" => (1, ANY, mget),
        "MSET" => (2, ANY, mset),
        "INCR" => (1, 1, |store, words| add(store, words[0], 1)),
        "DECR" => (1, 1, |store, words| add(store, words[0], -1)),
        "INCRBY" => (2, 2, |store, words| add(store, words[0], number(words[1])?)),
        "DECRBY" => (2, 2, |store, words| {
            let less = number::<i64>(words[1])?;
            add(store, words[0], less.checked_neg().ok_or_else(overflow)?)
        }),
        "DEL" | "UNLINK" => (1, ANY, del),
        "EXISTS" => (1, ANY, exists),
        "TYPE" => (1, 1, kind),
        "EXPIRE" => (2, 2, |store, words| {
            expire(store, words, Duration::from_secs)
        }),
        "PEXPIRE" => (2, 2, |store, words| {
            expire(store, words, Duration::from_millis)
        }),
        "PERSIST" => (1, 1, persist),
        "TTL" => (1, 1, |store, words| {
            ttl(store, words[0], |left| left.as_secs_f64().round() as i64)
        }),
        "PTTL" => (1, 1, |store, words| {
            ttl(store, words[0], |left| left.as_millis() as i64)
        }),
        "KEYS" => (1, 1, keys),
        "DBSIZE" => (0, 0, |store, _| Ok(Reply::count(store.count()))),
        "FLUSHALL" | "FLUSHDB" => (0, 1, flush),
        "LPUSH" => (2, ANY, |store, words| {
            push(store, words, VecDeque::push_front)
        }),
        "RPUSH" => (2, ANY, |store, words| {
            push(store, words, VecDeque::push_back)
        }),
        "LPOP" => (1, 1, |store, words| {
            pop(store, words[0], VecDeque::pop_front)
        }),
        "RPOP" => (1, 1, |store, words| {
            pop(store, words[0], VecDeque::pop_back)
        }),
        "LLEN" => (1, 1, llen),
        "LRANGE" => (3, 3, lrange),
        "SADD" => (2, ANY, sadd),
        "SREM" => (2, ANY, srem),
        "SPOP" => (1, 1, spop),
        "SISMEMBER" => (2, 2, sismember),
        "SMEMBERS" => (1, 1, smembers),
        "SCARD" => (1, 1, scard),
        "HSET" => (3, ANY, hset),
        "HGET" => (2, 2, hget),
        "HDEL" => (2, ANY, hdel),
        "HGETALL" => (1, 1, hgetall),
        "HLEN" => (1, 1, hlen),
        _ => return Err(Reply::error(&format!("unknown command '{name}'"))),
    };
    match (least..=most).contains(&arguments) {
        true => Ok(run),
        false => Err(arity(name)),
    }
}

fn arity(name: &str) -> Reply {
    let name = name.to_ascii_lowercase();
    Reply::error(&format!("wrong number of arguments for '{name}' command"))
}

fn wrong_kind() -> Reply {
    Reply::Error("WRONGTYPE Operation against a key holding the wrong kind of value".into())
}

fn overflow() -> Reply {
    Reply::error("increment or decrement would overflow")
}

fn number<N: FromStr>(word: &[u8]) -> Result<N, Reply> {
    let text = std::str::from_utf8(word).ok();
    let number = text.and_then(|text| text.parse().ok());
    number.ok_or_else(|| Reply::error("value is not an integer or out of range"))
}

// ----- the connection

fn ping(_: &Store, words: &[&[u8]]) -> Answer {
    Ok(match words {
        [] => Reply::Simple("PONG"),
        [word, ..] => Reply::Bytes(word.to_vec()),
    })
}

fn select(_: &Store, words: &[&[u8]]) -> Answer {
    match number::<i64>(words[0])? {
        0 => Ok(Reply::Ok),
        _ => Err(Reply::error("DB index is out of range")),
    }
}

/// There is nothing to configure: asked for a setting, it has no value.
fn config(_: &Store, words: &[&[u8]]) -> Answer {
    match words {
        [what, names @ ..] if what.eq_ignore_ascii_case(b"GET") && !names.is_empty() => {
            let pairs = names.iter().flat_map(|name| [name.to_vec(), Vec::new()]);
            Ok(Reply::Array(pairs.map(Reply::Bytes).collect()))
        }
        _ => Err(Reply::error("there is nothing that can be configured")),
    }
}

// ----- strings

fn bytes(store: &Store, key: &[u8]) -> Result<Option<Vec<u8>>, Reply> {
    store.with(key, |map| match map.get(key).map(|entry| &entry.value) {
        None => Ok(None),
        Some(Value::Bytes(bytes)) => Ok(Some(bytes.clone())),
        Some(_) => Err(wrong_kind()),
    })
}

fn get(store: &Store, words: &[&[u8]]) -> Answer {
    bytes(store, words[0]).map(Reply::of)
}

fn put(map: &mut Map, key: &[u8], value: &[u8], until: Option<Instant>) {
    let value = Value::Bytes(value.to_vec());
    map.insert(key.to_vec(), Entry { value, until });
}

fn set(store: &Store, words: &[&[u8]]) -> Answer {
    let (key, value) = (words[0], words[1]);
    let (mut until, mut there) = (None, None);
    let mut options = words[2..].iter();
    while let Some(option) = options.next() {
        let option = option.to_ascii_uppercase();
        let unit = match option.as_slice() {
            b"NX" if there.is_none() => {
                there = Some(false);
                continue;
            }
            b"XX" if there.is_none() => {
                there = Some(true);
                continue;
            }
            b"EX" if until.is_none() => Duration::from_secs,
            b"PX" if until.is_none() => Duration::from_millis,
            _ => return Err(Reply::error("syntax error")),
        };
        let Some(amount) = options.next() else {
            return Err(Reply::error("syntax error"));
        };
        let wrong = || Reply::error("invalid expire time in 'set' command");
        let after = number::<i64>(amount)?;
        let after = u64::try_from(after).ok().filter(|&after| after > 0);
        let end = Instant::now().checked_add(unit(after.ok_or_else(wrong)?));
        until = Some(end.ok_or_else(wrong)?);
    }
    store.with(key, |map| {
        if there.is_some_and(|there| map.contains_key(key) != there) {
            return Ok(Reply::Nothing);
        }
        put(map, key, value, until);
        Ok(Reply::Ok)
    })
}

fn set_unless_there(store: &Store, words: &[&[u8]]) -> Answer {
    let (key, value) = (words[0], words[1]);
    store.with(key, |map| {
        let is_new = !map.contains_key(key);
        if is_new {
            put(map, key, value, None);
        }
        Ok(Reply::Integer(is_new.into()))
    })
}

fn get_and_set(store: &Store, words: &[&[u8]]) -> Answer {
    let (key, value) = (words[0], words[1]);
    store.with(key, |map| {
        let before = match map.get(key).map(|entry| &entry.value) {
            None => None,
            Some(Value::Bytes(bytes)) => Some(bytes.clone()),
            Some(_) => return Err(wrong_kind()),
        };
        put(map, key, value, None);
        Ok(Reply::of(before))
    })
}

fn append(store: &Store, words: &[&[u8]]) -> Answer {
    let (key, more) = (words[0], words[1]);
    store.with(key, |map| {
        let empty = || Entry::lasting(Value::Bytes(Vec::new()));
        match &mut map.entry(key.to_vec()).or_insert_with(empty).value {
            Value::Bytes(bytes) => {
                bytes.extend_from_slice(more);
                Ok(Reply::count(bytes.len()))
            }
            _ => Err(wrong_kind()),
        }
    })
}

fn mget(store: &Store, words: &[&[u8]]) -> Answer {
    // What is no string is nothing here.
    let value = |key: &&[u8]| Reply::of(bytes(store, key).ok().flatten());
    Ok(Reply::Array(words.iter().map(value).collect()))
}

/// Each key by itself: who reads meanwhile may see some of them.
fn mset(store: &Store, words: &[&[u8]]) -> Answer {
    let (pairs, []) = words.as_chunks::<2>() else {
        return Err(arity("mset"));
    };
    for [key, value] in pairs {
        store.with(key, |map| put(map, key, value, None));
    }
    Ok(Reply::Ok)
}

fn add(store: &Store, key: &[u8], more: i64) -> Answer {
    store.with(key, |map| {
        let zero = || Entry::lasting(Value::Bytes(b"0".to_vec()));
        let before = match map.get(key).map(|entry| &entry.value) {
            None => 0,
            Some(Value::Bytes(bytes)) => number::<i64>(bytes)?,
            Some(_) => return Err(wrong_kind()),
        };
        let sum = before.checked_add(more).ok_or_else(overflow)?;
        // Its time stays.
        map.entry(key.to_vec()).or_insert_with(zero).value =
            Value::Bytes(sum.to_string().into_bytes());
        Ok(Reply::Integer(sum))
    })
}

// ----- keys

fn del(store: &Store, words: &[&[u8]]) -> Answer {
    let was_there = |key: &&&[u8]| store.with(key, |map| map.remove(**key).is_some());
    Ok(Reply::count(words.iter().filter(was_there).count()))
}

fn exists(store: &Store, words: &[&[u8]]) -> Answer {
    let is_there = |key: &&&[u8]| store.with(key, |map| map.contains_key(**key));
    Ok(Reply::count(words.iter().filter(is_there).count()))
}

fn kind(store: &Store, words: &[&[u8]]) -> Answer {
    let kind = store.with(words[0], |map| {
        map.get(words[0]).map(|entry| entry.value.kind())
    });
    Ok(Reply::Simple(kind.unwrap_or("none")))
}

fn expire(store: &Store, words: &[&[u8]], unit: fn(u64) -> Duration) -> Answer {
    let (key, after) = (words[0], number::<i64>(words[1])?);
    // One that is over already is dropped.
    let after = u64::try_from(after).map_or(Duration::ZERO, unit);
    let until = Instant::now().checked_add(after);
    let until = until.ok_or_else(|| Reply::error("invalid expire time in 'expire' command"))?;
    store.with(key, |map| {
        let entry = map.get_mut(key);
        Ok(Reply::Integer(
            entry
                .map(|entry| entry.until = Some(until))
                .is_some()
                .into(),
        ))
    })
}

fn persist(store: &Store, words: &[&[u8]]) -> Answer {
    let taken = store.with(words[0], |map| {
        map.get_mut(words[0]).and_then(|entry| entry.until.take())
    });
    Ok(Reply::Integer(taken.is_some().into()))
}

fn ttl(store: &Store, key: &[u8], unit: fn(Duration) -> i64) -> Answer {
    store.with(key, |map| {
        Ok(Reply::Integer(
            match map.get(key).map(|entry| entry.until) {
                None => -2,
                Some(None) => -1,
                Some(Some(until)) => unit(until.saturating_duration_since(Instant::now())),
            },
        ))
    })
}

fn keys(store: &Store, words: &[&[u8]]) -> Answer {
    let keys = store.keys(|key| glob::matches(words[0], key));
    Ok(Reply::Array(keys.into_iter().map(Reply::Bytes).collect()))
}

fn flush(store: &Store, _: &[&[u8]]) -> Answer {
    store.clear();
    Ok(Reply::Ok)
}

// ----- what has several values

/// A kind of value that has several.
trait Several: Default {
    fn into_value(self) -> Value;
    fn of(value: &mut Value) -> Option<&mut Self>;
}

macro_rules! several {
    ($($type:ty, $kind:ident;)*) => {$(
        impl Several for $type {
            fn into_value(self) -> Value {
                Value::$kind(self)
            }

            fn of(value: &mut Value) -> Option<&mut Self> {
                match value {
                    Value::$kind(several) => Some(several),
                    _ => None,
                }
            }
        }
    )*};
}

several! {
    VecDeque<Vec<u8>>, List;
    HashSet<Vec<u8>>, Set;
    HashMap<Vec<u8>, Vec<u8>>, Hash;
}

/// Changes what a key has; one that is not there is made.
fn change<S: Several>(store: &Store, key: &[u8], change: impl FnOnce(&mut S) -> Reply) -> Answer {
    store.with(key, |map| {
        let empty = || Entry::lasting(S::default().into_value());
        let entry = map.entry(key.to_vec()).or_insert_with(empty);
        S::of(&mut entry.value).map(change).ok_or_else(wrong_kind)
    })
}

/// Looks at what a key has, or takes from it; without anything left it goes. `none`: it is not there.
fn look<S: Several>(
    store: &Store,
    key: &[u8],
    none: Reply,
    look: impl FnOnce(&mut S) -> Reply,
) -> Answer {
    store.with(key, |map| {
        let Some(entry) = map.get_mut(key) else {
            return Ok(none);
        };
        let reply = S::of(&mut entry.value).map(look).ok_or_else(wrong_kind);
        if entry.value.is_empty() {
            map.remove(key);
        }
        reply
    })
}

type List = VecDeque<Vec<u8>>;
type Set = HashSet<Vec<u8>>;
type Hash = HashMap<Vec<u8>, Vec<u8>>;

fn push(store: &Store, words: &[&[u8]], push: fn(&mut List, Vec<u8>)) -> Answer {
    change(store, words[0], |list: &mut List| {
        words[1..].iter().for_each(|word| push(list, word.to_vec()));
        Reply::count(list.len())
    })
}

fn pop(store: &Store, key: &[u8], pop: fn(&mut List) -> Option<Vec<u8>>) -> Answer {
    look(store, key, Reply::Nothing, |list| Reply::of(pop(list)))
}

fn llen(store: &Store, words: &[&[u8]]) -> Answer {
    look(store, words[0], Reply::Integer(0), |list: &mut List| {
        Reply::count(list.len())
    })
}

fn lrange(store: &Store, words: &[&[u8]]) -> Answer {
    let (first, last) = (number::<i64>(words[1])?, number::<i64>(words[2])?);
    look(
        store,
        words[0],
        Reply::Array(Vec::new()),
        |list: &mut List| {
            let length = i64::try_from(list.len()).unwrap_or(i64::MAX);
            // Negative ones count from the end.
            let place = |at: i64| {
                if at < 0 {
                    at.saturating_add(length)
                } else {
                    at
                }
            };
            let (first, last) = (place(first).max(0), place(last).min(length - 1));
            let many = usize::try_from(last.saturating_sub(first).saturating_add(1)).unwrap_or(0);
            let items = list
                .iter()
                .skip(usize::try_from(first).unwrap_or(usize::MAX))
                .take(many);
            Reply::Array(items.cloned().map(Reply::Bytes).collect())
        },
    )
}

fn sadd(store: &Store, words: &[&[u8]]) -> Answer {
    change(store, words[0], |set: &mut Set| {
        let is_new = |word: &&&[u8]| set.insert(word.to_vec());
        Reply::count(words[1..].iter().filter(is_new).count())
    })
}

fn srem(store: &Store, words: &[&[u8]]) -> Answer {
    look(store, words[0], Reply::Integer(0), |set: &mut Set| {
        Reply::count(words[1..].iter().filter(|word| set.remove(**word)).count())
    })
}

fn spop(store: &Store, words: &[&[u8]]) -> Answer {
    look(store, words[0], Reply::Nothing, |set: &mut Set| {
        // The order of a set is by chance.
        let any = set.iter().next().cloned();
        Reply::of(any.and_then(|any| set.take(&any)))
    })
}

fn sismember(store: &Store, words: &[&[u8]]) -> Answer {
    look(store, words[0], Reply::Integer(0), |set: &mut Set| {
        Reply::Integer(set.contains(words[1]).into())
    })
}

fn smembers(store: &Store, words: &[&[u8]]) -> Answer {
    look(
        store,
        words[0],
        Reply::Array(Vec::new()),
        |set: &mut Set| Reply::Array(set.iter().cloned().map(Reply::Bytes).collect()),
    )
}

fn scard(store: &Store, words: &[&[u8]]) -> Answer {
    look(store, words[0], Reply::Integer(0), |set: &mut Set| {
        Reply::count(set.len())
    })
}

fn hset(store: &Store, words: &[&[u8]]) -> Answer {
    let (pairs, []) = words[1..].as_chunks::<2>() else {
        return Err(arity("hset"));
    };
    change(store, words[0], |hash: &mut Hash| {
        let is_new =
            |[field, value]: &&[&[u8]; 2]| hash.insert(field.to_vec(), value.to_vec()).is_none();
        Reply::count(pairs.iter().filter(is_new).count())
    })
}

fn hget(store: &Store, words: &[&[u8]]) -> Answer {
    look(store, words[0], Reply::Nothing, |hash: &mut Hash| {
        Reply::of(hash.get(words[1]).cloned())
    })
}

fn hdel(store: &Store, words: &[&[u8]]) -> Answer {
    look(store, words[0], Reply::Integer(0), |hash: &mut Hash| {
        Reply::count(
            words[1..]
                .iter()
                .filter(|field| hash.remove(**field).is_some())
                .count(),
        )
    })
}

fn hgetall(store: &Store, words: &[&[u8]]) -> Answer {
    look(
        store,
        words[0],
        Reply::Array(Vec::new()),
        |hash: &mut Hash| {
            let pairs = hash
                .iter()
                .flat_map(|(field, value)| [field.clone(), value.clone()]);
            Reply::Array(pairs.map(Reply::Bytes).collect())
        },
    )
}

fn hlen(store: &Store, words: &[&[u8]]) -> Answer {
    look(store, words[0], Reply::Integer(0), |hash: &mut Hash| {
        Reply::count(hash.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a line of words is answered with, as it is written.
    fn said(store: &Store, line: &str) -> String {
        let words = line.split(' ').map(str::as_bytes).collect();
        let mut out = Vec::new();
        execute(store, &words).0.write(&mut out);
        String::from_utf8(out)
            .unwrap()
            .replace("\r\n", " ")
            .trim_end()
            .to_owned()
    }

    #[track_caller]
    fn session(lines: &[(&str, &str)]) {
        let store = Store::default();
        for (line, expected) in lines {
            assert_eq!(said(&store, line), *expected, "{line}");
        }
    }

    #[test]
    fn strings_are_kept() {
        session(&[
            ("GET k", "$-1"),
            ("SET k v XX", "$-1"),
            ("set k v nx", "+OK"),
            ("SET k w NX", "$-1"),
            ("GETSET k 41", "$1 v"),
            ("INCR k", ":42"),
            ("DECRBY k 2", ":40"),
            ("APPEND k 0", ":3"),
            ("STRLEN k", ":3"),
            ("MSET a 1 b 2", "+OK"),
            ("MGET a x b", "*3 $1 1 $-1 $1 2"),
            ("DEL a b x", ":2"),
            ("EXISTS k k", ":2"),
            ("TYPE k", "+string"),
        ]);
    }

    #[test]
    fn times_are_kept_and_taken() {
        session(&[
            ("TTL k", ":-2"),
            ("SET k v EX 100", "+OK"),
            ("TTL k", ":100"),
            ("INCRBY n 5", ":5"),
            ("PEXPIRE n 100000", ":1"),
            ("INCR n", ":6"),
            ("TTL n", ":100"),
            ("PERSIST n", ":1"),
            ("TTL n", ":-1"),
            ("EXPIRE k -1", ":1"),
            ("GET k", "$-1"),
            ("EXPIRE k 1", ":0"),
            ("SET k v PX 0", "-ERR invalid expire time in 'set' command"),
            ("SET k v EX 1 PX 1", "-ERR syntax error"),
        ]);
    }

    #[test]
    fn lists_sets_and_hashes_are_kept() {
        session(&[
            ("RPUSH l b c", ":2"),
            ("LPUSH l a", ":3"),
            ("LRANGE l 0 -1", "*3 $1 a $1 b $1 c"),
            ("LRANGE l -2 1", "*1 $1 b"),
            ("LRANGE l 5 9", "*0"),
            ("LPOP l", "$1 a"),
            ("RPOP l", "$1 c"),
            ("RPOP l", "$1 b"),
            ("EXISTS l", ":0"),
            ("SADD s a b a", ":2"),
            ("SISMEMBER s a", ":1"),
            ("SREM s a x", ":1"),
            ("SMEMBERS s", "*1 $1 b"),
            ("SPOP s", "$1 b"),
            ("SCARD s", ":0"),
            ("HSET h f 1 g 2", ":2"),
            ("HSET h f 3", ":0"),
            ("HGET h f", "$1 3"),
            ("HDEL h g x", ":1"),
            ("HGETALL h", "*2 $1 f $1 3"),
            ("DBSIZE", ":1"),
            ("FLUSHALL", "+OK"),
            ("KEYS *", "*0"),
        ]);
    }

    #[test]
    fn what_is_wrong_is_told() {
        session(&[
            ("NONE", "-ERR unknown command 'NONE'"),
            ("GET", "-ERR wrong number of arguments for 'get' command"),
            (
                "MSET a 1 b",
                "-ERR wrong number of arguments for 'mset' command",
            ),
            ("RPUSH l a", ":1"),
            (
                "GET l",
                "-WRONGTYPE Operation against a key holding the wrong kind of value",
            ),
            ("SET n x", "+OK"),
            ("INCR n", "-ERR value is not an integer or out of range"),
            ("SET n 9223372036854775807", "+OK"),
            ("INCR n", "-ERR increment or decrement would overflow"),
            ("GET n", "$19 9223372036854775807"),
        ]);
    }
}
