use crossbeam_channel::{bounded, never, select, tick, unbounded};
use std::thread;
use std::time::Duration;

/// Two producers, a ticker that nobody waits for, and an end that comes by a channel of its own.
pub(crate) fn program() -> (u32, u32) {
    let (even, evens) = unbounded();
    let (odd, odds) = bounded(1);
    let (done, end) = bounded::<()>(0);
    let producer = thread::spawn(move || {
        for number in 0..10 {
            even.send(2 * number).unwrap();
            odd.send(2 * number + 1).unwrap();
        }
        // Dropping it is the message.
        drop(done);
    });
    let ticks = tick(Duration::from_secs(3600));
    let (mut sum_of_evens, mut sum_of_odds) = (0, 0);
    let (mut evens, mut odds) = (evens, odds);
    let mut open = 3;
    let mut end = end;
    while open > 0 {
        select! {
            recv(evens) -> number => match number {
                Ok(number) => sum_of_evens += number,
                Err(_) => {
                    evens = never();
                    open -= 1;
                }
            },
            recv(odds) -> number => match number {
                Ok(number) => sum_of_odds += number,
                Err(_) => {
                    odds = never();
                    open -= 1;
                }
            },
            recv(end) -> _ => {
                end = never();
                open -= 1;
            }
            recv(ticks) -> _ => unreachable!("an hour has not passed"),
        }
    }
    producer.join().unwrap();
    (sum_of_evens, sum_of_odds)
}
