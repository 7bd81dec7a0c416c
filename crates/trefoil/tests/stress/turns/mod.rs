//! What an actor may do in a turn. Every turn comes to an end by itself, whoever is cancelled meanwhile,
//! and closes what it has opened, also when it is unwound in the middle.

mod calls;
mod cancels;
mod channels;
mod clocks;
mod locals;
mod locks;
mod runtimes;
mod selects;
mod sockets;
mod streams;
mod threads;
mod tokens;

pub(crate) use runtimes::GRACE;

use std::sync::Arc;

use crate::dice::Dice;
use crate::watchdog::Collar;
use crate::world::World;

/// As deep as turns nest.
const DEEPEST: u32 = 3;

/// The payload of a panic that is meant.
#[derive(Debug)]
pub(crate) struct Meant;

type Turn = fn(&Arc<World>, &mut Dice);

struct Kind {
    name: &'static str,
    turn: Turn,
    /// How often it comes, among the others.
    weight: u64,
}

const fn kind(name: &'static str, weight: u64, turn: Turn) -> Kind {
    Kind { name, turn, weight }
}

/// Those that any OS thread can do.
const ANYWHERE: &[Kind] = &[
    kind("puts a message into a channel", 8, channels::put),
    kind("takes a message from a channel", 8, channels::take),
    kind("selects", 6, selects::any),
    kind("locks a mutex", 6, locks::mutex),
    kind("hands over a ticket", 4, locks::put_ticket),
    kind("waits for a ticket", 4, locks::take_ticket),
    kind("locks for reading or writing", 4, locks::rwlock),
    kind("acquires permits", 4, locks::permits),
    kind("initializes once", 2, locks::once),
    kind("sleeps", 4, clocks::sleep),
    kind("ticks", 2, clocks::ticks),
    kind("parks", 2, clocks::park),
    kind("waits for a token", 2, tokens::wait),
    kind("makes a blocking call", 2, calls::blocking),
    kind("writes and reads a file", 2, calls::file),
    kind("sends datagrams", 2, sockets::datagrams),
    kind("uses a pipe alone", 2, streams::pipe_alone),
    kind("lets others run", 2, clocks::give_way),
];

/// Those that spawn, and so need a runtime.
const SPAWNING: &[Kind] = &[
    kind("spawns and joins", 8, threads::plain),
    kind("spawns in a scope", 6, threads::scoped),
    kind("tries in a scope", 4, threads::tried),
    kind("forks and joins", 4, threads::fork),
    kind("detaches", 4, threads::detached),
    kind("spawns threads that panic", 3, threads::panics),
    kind("cancels a thread", 12, cancels::victim),
    kind("cancels a thread from everywhere", 3, cancels::hunted),
    kind("limits a turn", 8, cancels::limited),
    kind("runs until a token is cancelled", 4, cancels::by_token),
    kind("fills a channel", 6, channels::pipeline),
    kind("uses mpsc", 4, channels::mpsc),
    kind("uses oneshot", 4, channels::oneshot),
    kind("meets at a barrier", 3, locks::barrier),
    kind("waits for a group", 3, locks::group),
    kind("waits for a condition", 3, locks::condition),
    kind("panics with a lock", 2, locks::poison),
    kind("cancels a tree of tokens", 3, tokens::tree),
    kind("asks a TCP server", 6, sockets::tcp),
    kind("shuts one direction down", 3, sockets::half_closed),
    kind("resets a connection", 3, sockets::reset),
    kind(
        "closes a connection under a reader",
        3,
        sockets::closed_by_another,
    ),
    kind("connects to nobody", 1, sockets::nobody_listens),
    kind("asks a Unix server", 4, streams::unix),
    kind("uses a pipe", 4, streams::pipe_of_two),
    kind("uses thread locals", 4, locals::some),
    kind("spawns a kernel thread", 3, runtimes::kernel_thread),
    kind("starts a plain thread", 2, runtimes::plain_thread),
    kind("runs another runtime", 1, runtimes::another),
];

/// One turn, which the dice choose.
pub(crate) fn any(world: &Arc<World>, dice: &mut Dice) {
    (chosen(dice).turn)(world, dice);
}

/// One turn of an actor, of which the watchdog is told.
pub(crate) fn any_of(world: &Arc<World>, dice: &mut Dice, collar: &Collar) {
    let kind = chosen(dice);
    collar.does(kind.name);
    (kind.turn)(world, dice);
}

fn chosen(dice: &mut Dice) -> &'static Kind {
    let spawns = trefoil::in_runtime() && dice.depth() < DEEPEST;
    let kinds = || {
        let spawning = SPAWNING.iter().filter(|_| spawns);
        ANYWHERE.iter().chain(spawning)
    };
    let mut number = dice.below(kinds().map(|kind| kind.weight).sum());
    for kind in kinds() {
        match number.checked_sub(kind.weight) {
            None => return kind,
            Some(rest) => number = rest,
        }
    }
    unreachable!("the number is below the sum of all weights")
}
