//! Channels: those that all share, and those of some threads alone, whose ends are dropped at any time.

use std::sync::Arc;
use std::time::Duration;

use trefoil::channel::{RecvTimeoutError, bounded, unbounded};
use trefoil::sync::{mpsc, oneshot};
use trefoil::thread;

use super::threads::{self, Handle};
use crate::dice::Dice;
use crate::world::{Ends, Message, World};

const PATIENCE: Duration = Duration::from_millis(1);
/// More than so many messages nobody leaves in the channel that has room for all.
const CROWD: usize = 100;

pub(super) fn put(world: &Arc<World>, dice: &mut Dice) {
    let (send, receive) = &world.channels[dice.below(3) as usize];
    for _ in 0..=dice.below(8) {
        if dice.once_in(3) {
            // Refused or timed out, the message is dropped.
            drop(send.try_send(Message::new()));
        } else {
            drop(send.send_timeout(Message::new(), dice.moment(PATIENCE)));
        }
    }
    if receive.len() > CROWD {
        receive.try_iter().for_each(Message::receive);
    }
}

pub(super) fn take(world: &Arc<World>, dice: &mut Dice) {
    let (_, receive) = &world.channels[dice.below(3) as usize];
    for _ in 0..=dice.below(8) {
        if dice.once_in(3) {
            receive.try_recv().into_iter().for_each(Message::receive);
            continue;
        }
        match receive.recv_timeout(dice.moment(PATIENCE)) {
            Ok(message) => message.receive(),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => panic!("the world has a sender"),
        }
    }
}

/// Some send until nobody receives, others receive until nobody sends.
pub(super) fn pipeline(_: &Arc<World>, dice: &mut Dice) {
    let (send, receive): Ends = match dice.below(4) {
        0 => bounded(0),
        1 => bounded(1),
        2 => bounded(1 + dice.below(8) as usize),
        _ => unbounded(),
    };
    let mut threads: Vec<Handle<()>> = Vec::new();
    for _ in 0..=dice.below(3) {
        let (send, most) = (send.clone(), dice.below(60));
        threads.extend(threads::spawn(move || {
            let _all = (0..most).all(|_| send.send(Message::new()).is_ok());
        }));
    }
    for _ in 0..=dice.below(3) {
        let (receive, most) = (receive.clone(), dice.below(90) as usize);
        threads.extend(threads::spawn(move || {
            receive.iter().take(most).for_each(Message::receive);
        }));
    }
    drop((send, receive));
    join_all(threads, dice);
}

pub(super) fn mpsc(_: &Arc<World>, dice: &mut Dice) {
    let room = dice.below(4) as usize;
    let (send, receive) = mpsc::sync_channel(room);
    let (send_all, receive_all) = mpsc::channel();
    let mut threads = Vec::new();
    for _ in 0..=dice.below(3) {
        let (send, send_all, most) = (send.clone(), send_all.clone(), dice.below(30));
        threads.extend(threads::spawn(move || {
            for _ in 0..most {
                drop(send.send(Message::new()));
                drop(send_all.send(Message::new()));
            }
        }));
    }
    drop((send, send_all));
    let most = dice.below(60) as usize;
    receive.iter().take(most).for_each(Message::receive);
    drop(receive);
    receive_all.into_iter().for_each(Message::receive);
    join_all(threads, dice);
}

/// One message, or none, and either side may leave before the other comes.
pub(super) fn oneshot(_: &Arc<World>, dice: &mut Dice) {
    let (send, receive) = oneshot::channel();
    let (mut own, waits) = (dice.branch(), dice.once_in(4));
    let sender = threads::spawn(move || {
        thread::sleep(own.moment(PATIENCE));
        match own.below(3) {
            0 => {}
            1 if waits => send.closed(),
            _ => drop(send.send(Message::new())),
        }
    });
    if !waits {
        match dice.below(3) {
            0 => receive.recv().into_iter().for_each(Message::receive),
            1 => {
                let received = receive.recv_timeout(dice.moment(PATIENCE));
                received.into_iter().for_each(Message::receive);
            }
            _ => receive.try_recv().into_iter().for_each(Message::receive),
        }
    } else {
        thread::sleep(dice.moment(PATIENCE));
        drop(receive);
    }
    join_all(sender, dice);
}

fn join_all(threads: impl IntoIterator<Item = Handle<()>>, dice: &mut Dice) {
    for thread in threads {
        if dice.once_in(6) {
            thread.thread().cancel();
        }
        thread.join();
    }
}
