use std::thread;

/// Scoped threads borrow their parts of a vector.
pub(crate) fn program() -> u64 {
    let numbers: Vec<u64> = (1..=1000).collect();
    thread::scope(|scope| {
        let parts = numbers.chunks(300);
        let sums: Vec<_> = parts
            .map(|part| scope.spawn(|| part.iter().sum::<u64>()))
            .collect();
        sums.into_iter().map(|sum| sum.join().unwrap()).sum()
    })
}
