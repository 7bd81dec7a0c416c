use std::sync::{Arc, Mutex, mpsc};
use std::thread;

/// Four workers share one receiver and send their results back.
pub(crate) fn program() -> u64 {
    let (jobs, queue) = mpsc::channel::<u64>();
    let queue = Arc::new(Mutex::new(queue));
    let (results, collected) = mpsc::channel();
    for _ in 0..4 {
        let (queue, results) = (Arc::clone(&queue), results.clone());
        thread::spawn(move || {
            loop {
                let job = queue.lock().unwrap().recv();
                match job {
                    Ok(number) => results.send(number * number).unwrap(),
                    Err(mpsc::RecvError) => break,
                }
            }
        });
    }
    drop(results);
    for number in 0..100 {
        jobs.send(number).unwrap();
    }
    drop(jobs);
    collected.iter().sum()
}
