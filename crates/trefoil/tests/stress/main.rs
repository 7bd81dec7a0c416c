//! Everything at once, for as long as one likes: threads that spawn, join, cancel, lock, send, select, sleep,
//! read and write, on each model, with more workers than the machine has processors.
//!
//! ```text
//! cargo test --release -p trefoil --all-features --test stress -- --seconds 600 --model hybrid --workers 16
//! ```
//!
//! Without arguments it is short, and tries all models. For each model it takes some *rounds*. A round makes a
//! runtime and a [`World`](world::World) of things that all share; its *actors* do one [turn](turns) after the
//! other. Beside it, plain OS threads and a runtime of another model do turns in the same world. When the time
//! is over, and all of them have ended, must hold:
//!
//! * each item that was begun has come to an end, and just one ([`ledger`]);
//! * no thread is known any more, and the runtime has none left;
//! * no descriptor, no OS thread and no file is left, and memory and mappings have not grown
//!   ([`process`]);
//! * nobody has panicked that was not meant to.
//!
//! A turn that takes too long is a hang, and ends the process with a list of who waits for what
//! ([`watchdog`]). The seed decides what each actor chooses. In which order they run it does not.
//!
//! It is no test of the harness, which has OS threads of its own.
#![forbid(unsafe_code)]

mod arguments;
mod dice;
mod ledger;
mod process;
mod turns;
mod watchdog;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use trefoil::{Builder, Model, thread};

use crate::arguments::Arguments;
use crate::dice::Dice;
use crate::ledger::{Account, Open, Outcome};
use crate::process::{Baseline, Usage};
use crate::turns::{GRACE, Meant};
use crate::watchdog::Collar;
use crate::world::World;

/// Panics that were not meant.
static PANICS: AtomicU64 = AtomicU64::new(0);

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let asked = match Arguments::read(&words) {
        Ok(Some(asked)) => asked,
        Ok(None) => return,
        Err(wrong) => {
            eprintln!("stress: {wrong}");
            std::process::exit(2);
        }
    };
    tell_panics();
    let again: Vec<String> = asked
        .models
        .iter()
        .map(|&model| asked.again(model))
        .collect();
    watchdog::watch(asked.patience, again.join(", or "));
    let baseline = Baseline::now();
    for &model in &asked.models {
        println!("stress: {}", asked.again(model));
        let wrong = stress(model, &asked, &baseline);
        if !wrong.is_empty() {
            eprintln!("stress: {model}: FAILED\n{}", wrong.join("\n"));
            eprintln!("again by: {}", asked.again(model));
            std::process::exit(1);
        }
        println!("stress: {model}: ok");
    }
}

/// Those that are not meant are told, and counted.
fn tell_panics() {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let text = info.payload_as_str().unwrap_or("");
        if !info.payload().is::<Meant>() && text != "a scoped thread panicked" {
            PANICS.fetch_add(1, Ordering::Relaxed);
            told(info);
        }
    }));
}

/// All rounds of one model. Returns what is wrong.
fn stress(model: Model, asked: &Arguments, baseline: &Baseline) -> Vec<String> {
    let mut usages = Vec::new();
    let mut dice = Dice::new(asked.seed);
    for number in 1..=asked.rounds {
        let begin = Instant::now();
        let mut wrong = round(model, asked, &mut dice);
        wrong.extend(baseline.left(asked.is_long()));
        wrong.extend(still_known());
        let usage = Usage::now();
        println!(
            "stress: {model}: round {number} of {}, {:.1?}: {usage:?}",
            asked.rounds,
            begin.elapsed()
        );
        usages.push(usage);
        if !wrong.is_empty() {
            return wrong;
        }
    }
    print!("{}", ledger::table());
    let mut wrong = ledger::wrong();
    if asked.flat {
        wrong.extend(grown(&usages));
    }
    wrong
}

/// Threads in the registry that should be gone. An OS thread that is kept for a while is known, too.
fn still_known() -> impl Iterator<Item = String> {
    let me = thread::current().id();
    let known = trefoil::threads().into_iter();
    let left = known.filter(move |info| {
        let name = info.name.as_deref().unwrap_or("");
        info.id != me && !process::is_kept(name)
    });
    left.map(|info| format!("it is still known: {info}"))
}

/// Whether the second half of the rounds took more than the first.
fn grown(usages: &[Usage]) -> Option<String> {
    let (first, second) = usages.split_at(usages.len().div_ceil(2));
    let most = |usages: &[Usage], of: fn(&Usage) -> usize| usages.iter().map(of).max().unwrap_or(0);
    let resident = |usages| most(usages, |usage| usage.resident);
    let mappings = |usages| most(usages, |usage| usage.mappings);
    // An allocator does not return everything; a leak goes on.
    let memory = resident(second) > resident(first) * 5 / 4 + 16;
    let maps = mappings(second) > mappings(first) * 5 / 4 + 32;
    (memory || maps).then(|| format!("it has grown: {usages:?}"))
}

/// One runtime, from its beginning to its end. Returns what is wrong.
fn round(model: Model, asked: &Arguments, dice: &mut Dice) -> Vec<String> {
    let end = Instant::now() + asked.time / asked.rounds;
    let directory = std::env::temp_dir().join(format!("trefoil-stress-{}", std::process::id()));
    std::fs::create_dir(&directory).expect("a directory can be made");
    let world = Arc::new(World::new(directory));
    let others = others(model, &world, dice, asked.workers);
    let mut wrong = actors_of(model, &world, dice, asked.actors, asked.workers, Some(end));
    for other in others {
        other.join().expect("an actor outside has ended");
    }
    match Arc::into_inner(world) {
        Some(world) => wrong.extend(world.wrong()),
        None => wrong.push("somebody still has the world".to_owned()),
    }
    wrong.extend(
        ledger::wrong()
            .into_iter()
            .filter(|text| !text.ends_with("tried")),
    );
    let panics = PANICS.load(Ordering::Relaxed);
    if panics > 0 {
        wrong.push(format!("{panics} panics were not meant"));
    }
    wrong
}

/// Actors outside of the runtime: two plain OS threads, and a runtime of another model.
fn others(
    model: Model,
    world: &Arc<World>,
    dice: &mut Dice,
    workers: usize,
) -> Vec<std::thread::JoinHandle<()>> {
    let mut others = Vec::new();
    for number in 1..=2 {
        let (world, own) = (Arc::clone(world), dice.branch());
        others.push(std::thread::spawn(move || {
            act(&world, own, format!("plain actor {number}"))
        }));
    }
    let (world, mut own) = (Arc::clone(world), dice.branch());
    let beside = match model {
        Model::Hybrid => Model::Green,
        _ => Model::Hybrid,
    };
    others.push(std::thread::spawn(move || {
        let wrong = actors_of(beside, &world, &mut own, 4, workers.min(4), None);
        assert!(wrong.is_empty(), "beside: {wrong:#?}");
    }));
    others
}

/// A runtime whose actors act until the world is over. Returns what is wrong.
fn actors_of(
    model: Model,
    world: &Arc<World>,
    dice: &mut Dice,
    actors: u64,
    workers: usize,
    end: Option<Instant>,
) -> Vec<String> {
    let open = Open::new(Account::Runtimes);
    let builder = Builder::new().model(model).workers(workers).grace(GRACE);
    let runtime = builder.build().expect("there is room for a runtime");
    let all: Vec<Dice> = (0..actors).map(|_| dice.branch()).collect();
    let shared = Arc::clone(world);
    let collar = Collar::on(format!("the main thread of {model}"));
    let ours = Arc::clone(&collar);
    runtime.run(move || main_thread(&shared, all, &ours, end));
    collar.does("ends its run");
    let left = runtime.leftover();
    drop(runtime);
    collar.off();
    open.close(Outcome::Done);
    let left = left.into_iter();
    left.map(|info| format!("it has not ended: {info}"))
        .collect()
}

/// Spawns the actors, and joins them when the world is over. Who is told the end sees to it that it is.
fn main_thread(world: &Arc<World>, all: Vec<Dice>, collar: &Collar, end: Option<Instant>) {
    let actors: Vec<_> = (1..)
        .zip(all)
        .map(|(number, dice)| {
            let (world, name) = (Arc::clone(world), format!("actor {number}"));
            let builder = thread::Builder::new().name(name.clone());
            let actor = builder.spawn(move || act(&world, dice, name));
            actor.expect("there is room for an actor")
        })
        .collect();
    while !world.is_over() {
        collar.does("waits for the end");
        thread::sleep(Duration::from_millis(50));
        if end.is_some_and(|end| end <= Instant::now()) {
            world.end();
        }
    }
    collar.does("joins its actors");
    for actor in actors {
        actor.join().expect("nobody cancels an actor");
    }
}

/// One turn after the other, until the world is over.
fn act(world: &Arc<World>, mut dice: Dice, name: String) {
    let open = Open::new(Account::Actors);
    let collar = Collar::on(name);
    while !world.is_over() {
        turns::any_of(world, &mut dice, &collar);
    }
    collar.off();
    open.close(Outcome::Done);
}
