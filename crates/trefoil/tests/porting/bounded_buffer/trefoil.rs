use std::collections::VecDeque;
use trefoil::sync::{Arc, Condvar, Mutex};
use trefoil::thread;

/// A buffer with a mutex and two condition variables, as textbooks have it.
#[derive(Default)]
struct Buffer {
    items: Mutex<VecDeque<u32>>,
    not_empty: Condvar,
    not_full: Condvar,
}

impl Buffer {
    fn put(&self, item: u32) {
        let items = self.items.lock().unwrap();
        let mut items = self
            .not_full
            .wait_while(items, |items| items.len() == 2)
            .unwrap();
        items.push_back(item);
        self.not_empty.notify_one();
    }

    fn take(&self) -> u32 {
        let mut items = self.items.lock().unwrap();
        while items.is_empty() {
            items = self.not_empty.wait(items).unwrap();
        }
        self.not_full.notify_one();
        items.pop_front().unwrap()
    }
}

pub(crate) fn program() -> Vec<u32> {
    let buffer = Arc::new(Buffer::default());
    let producer = Arc::clone(&buffer);
    let producer = thread::spawn(move || (0..20).for_each(|item| producer.put(item)));
    let taken = (0..20).map(|_| buffer.take()).collect();
    producer.join().unwrap();
    taken
}
