//! Selects: over the channels that all share, in both directions, with time and tokens among them.

use std::sync::Arc;
use std::time::Duration;

use trefoil::channel::{Select, after, bounded, select, tick};

use crate::dice::Dice;
use crate::world::{Message, World};

const PATIENCE: Duration = Duration::from_millis(1);

pub(super) fn any(world: &Arc<World>, dice: &mut Dice) {
    match dice.below(4) {
        0 => receiving(world, dice),
        1 => both_ways(world, dice),
        2 => by_itself(dice),
        _ => dynamic(world, dice),
    }
}

fn receiving(world: &Arc<World>, dice: &mut Dice) {
    let [(_, some), (_, all), (_, none)] = &world.channels;
    let patience = dice.moment(PATIENCE);
    select! {
        recv(some) -> message => message.into_iter().for_each(Message::receive),
        recv(all) -> message => message.into_iter().for_each(Message::receive),
        recv(none) -> message => message.into_iter().for_each(Message::receive),
        recv(after(patience)) -> _ => {}
    }
}

fn both_ways(world: &Arc<World>, dice: &mut Dice) {
    let [(put, take), _, (give, get)] = &world.channels;
    let patience = dice.moment(PATIENCE);
    select! {
        send(put, Message::new()) -> sent => sent.expect("the world has a receiver"),
        recv(take) -> message => message.into_iter().for_each(Message::receive),
        send(give, Message::new()) -> sent => sent.expect("the world has a receiver"),
        recv(get) -> message => message.into_iter().for_each(Message::receive),
        default(patience) => {}
    }
}

/// One thread holds both ends.
fn by_itself(dice: &mut Dice) {
    let (send, receive) = bounded(1);
    let ticks = tick(Duration::from_micros(50));
    for _ in 0..dice.below(20) {
        select! {
            send(send, Message::new()) -> sent => sent.expect("there is a receiver"),
            recv(receive) -> message => message.into_iter().for_each(Message::receive),
            recv(ticks) -> _ => {}
        }
    }
}

fn dynamic(world: &Arc<World>, dice: &mut Dice) {
    let mut select = Select::new();
    for (_, receive) in &world.channels {
        select.recv(receive);
    }
    let Ok(operation) = select.select_timeout(dice.moment(PATIENCE)) else {
        return;
    };
    let (_, receive) = &world.channels[operation.index()];
    let message = operation.recv(receive);
    message.into_iter().for_each(Message::receive);
}
