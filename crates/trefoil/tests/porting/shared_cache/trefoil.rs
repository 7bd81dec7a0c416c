use std::collections::HashMap;
use trefoil::sync::{LazyLock, OnceLock, RwLock};
use trefoil::thread;

/// Many read a table, few write it; the rest is made once, by whoever comes first.
static WORDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| vec!["one", "two", "three"]);
static TABLE: OnceLock<RwLock<HashMap<usize, String>>> = OnceLock::new();

fn look_up(number: usize) -> String {
    let table = TABLE.get_or_init(RwLock::default);
    if let Some(known) = table.read().unwrap().get(&number) {
        return known.clone();
    }
    let mut table = table.write().unwrap();
    let word = WORDS[number % WORDS.len()].to_uppercase();
    table.entry(number).or_insert(word).clone()
}

pub(crate) fn program() -> Vec<String> {
    let readers: Vec<_> = (0..8)
        .map(|number| thread::spawn(move || look_up(number % 4)))
        .collect();
    readers
        .into_iter()
        .map(|reader| reader.join().unwrap())
        .collect()
}
