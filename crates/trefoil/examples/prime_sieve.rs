//! The concurrent prime sieve: a chain of threads, one for each prime, with a channel between.
//!
//! ```sh
//! TREFOIL_MODEL=green cargo run -p trefoil --all-features --example prime_sieve
//! cargo run -p trefoil --example prime_sieve -- 200   # the first 200 primes
//! ```
//!
//! The first thread sends 2, 3, 4, …; each of the others takes the first number it hears for a
//! prime and hands on those that it does not divide. It is a poor way to find primes, and a good
//! one to make threads wait for each other.
#![forbid(unsafe_code)]

use std::env;
use std::time::Instant;

use trefoil::channel::{Receiver, Sender, bounded};
use trefoil::thread;

/// How many numbers may lie between two threads.
const ROOM: usize = 16;

#[trefoil::main]
fn main() -> Result<(), String> {
    let count = match env::args().nth(1) {
        None => 100,
        Some(count) => count
            .parse()
            .map_err(|_| format!("`{count}` is not a number of primes"))?,
    };
    let begun = Instant::now();
    let primes = sieve(count);
    let took = begun.elapsed();

    let expected: Vec<u32> = (2..).filter(|&n| is_prime(n)).take(count).collect();
    assert_eq!(primes, expected, "the sieve and the division disagree");
    let first: Vec<String> = primes.iter().take(10).map(u32::to_string).collect();
    println!(
        "prime_sieve ({}): {count} primes by {} threads in {took:.1?}: {}, …",
        thread::current().model(),
        count + 1,
        first.join(", "),
    );
    Ok(())
}

/// The first `count` primes.
fn sieve(count: usize) -> Vec<u32> {
    let (sender, mut numbers) = bounded(ROOM);
    let mut threads = vec![thread::spawn(move || generate(&sender))];
    let mut primes = Vec::with_capacity(count);
    for _ in 0..count {
        let prime = numbers.recv().expect("the numbers do not end");
        primes.push(prime);
        let (sender, passed) = bounded(ROOM);
        let before = std::mem::replace(&mut numbers, passed);
        threads.push(thread::spawn(move || filter(&before, &sender, prime)));
    }
    // Nobody listens to the last thread any more. It ends, then the one before it, and so on.
    drop(numbers);
    for thread in threads {
        thread.join().expect("no thread of the sieve panics");
    }
    primes
}

/// Sends all numbers from 2 on, for as long as somebody listens.
fn generate(numbers: &Sender<u32>) {
    let _ = (2..).try_for_each(|number| numbers.send(number));
}

/// Hands on what `prime` does not divide, for as long as somebody listens.
fn filter(numbers: &Receiver<u32>, passed: &Sender<u32>, prime: u32) {
    let mut others = numbers
        .iter()
        .filter(|number| !number.is_multiple_of(prime));
    let _ = others.try_for_each(|number| passed.send(number));
}

fn is_prime(number: u32) -> bool {
    (2..)
        .take_while(|divisor| divisor * divisor <= number)
        .all(|divisor| !number.is_multiple_of(divisor))
}
