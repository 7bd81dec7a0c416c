use std::sync::mpsc;
use std::thread;

/// A chain of threads, each of which lets through what its prime does not divide.
fn filter(numbers: mpsc::Receiver<u32>, prime: u32, passed: mpsc::SyncSender<u32>) {
    for number in numbers {
        if number % prime != 0 && passed.send(number).is_err() {
            // Nobody wants more primes.
            return;
        }
    }
}

pub(crate) fn program() -> Vec<u32> {
    // A channel without room: each number goes from hand to hand.
    let (first, mut numbers) = mpsc::sync_channel(0);
    thread::spawn(move || {
        (2..)
            .take_while(|&number| first.send(number).is_ok())
            .count()
    });
    let mut primes = Vec::new();
    while primes.len() < 15 {
        let prime = numbers.recv().unwrap();
        primes.push(prime);
        let (passed, next) = mpsc::sync_channel(0);
        thread::spawn(move || filter(numbers, prime, passed));
        numbers = next;
    }
    primes
}
