//! What the process has, as the kernel counts it: descriptors, OS threads, mappings, memory.

use std::fs;
use std::time::{Duration, Instant};

/// Idle OS threads of the kernel model and of the pool for blocking calls end after ten seconds. Twice as
/// long, for a machine that is busy.
const KEPT: Duration = Duration::from_secs(20);

/// OS threads that are kept for the next call, or the next thread, for a while.
const IDLE: [&str; 2] = ["trefoil-block", "trefoil-kernel"];

#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) mappings: usize,
    /// In MiB.
    pub(crate) resident: usize,
}

impl Usage {
    pub(crate) fn now() -> Usage {
        let maps = fs::read_to_string("/proc/self/maps").expect("a process knows its mappings");
        let status = fs::read_to_string("/proc/self/status").expect("and its memory");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = resident.and_then(|line| line.split_whitespace().next());
        let kibibytes: usize = number.expect("a number").parse().expect("of KiB");
        Usage {
            mappings: maps.lines().count(),
            resident: kibibytes >> 10,
        }
    }
}

/// What is there before anything runs, and has to be all that is there when everything has ended.
#[derive(Debug)]
pub(crate) struct Baseline {
    descriptors: Vec<String>,
    threads: Vec<String>,
}

impl Baseline {
    pub(crate) fn now() -> Baseline {
        Baseline {
            descriptors: descriptors(),
            threads: threads(),
        }
    }

    /// What is left beyond it. Waits for OS threads that are kept for a while, or takes them for granted.
    pub(crate) fn left(&self, waits: bool) -> Vec<String> {
        let end = Instant::now() + KEPT;
        loop {
            let left = self.left_now(waits);
            if left.is_empty() || Instant::now() > end {
                return left;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn left_now(&self, waits: bool) -> Vec<String> {
        let mut left = Vec::new();
        let mut now = threads();
        let all = now.len();
        now.retain(|name| waits || !is_kept(name));
        // An OS thread that has waited for a descriptor keeps its alarm, as long as it is there.
        let mut alarms = all - now.len();
        if now.len() != self.threads.len() {
            left.push(format!("OS threads: {now:?} instead of {:?}", self.threads));
        }
        let mut now = descriptors();
        now.retain(|target| {
            let alarm = target == "anon_inode:[eventfd]" && alarms > 0;
            alarms -= usize::from(alarm);
            !alarm
        });
        if now.len() != self.descriptors.len() {
            left.push(format!(
                "descriptors: {now:?} instead of {:?}",
                self.descriptors
            ));
        }
        left
    }
}

/// Whether an OS thread of that name is kept for a while, when it has nothing to do.
pub(crate) fn is_kept(name: &str) -> bool {
    IDLE.iter().any(|idle| name.starts_with(idle))
}

/// What each descriptor is, but for the one by which this is found out.
fn descriptors() -> Vec<String> {
    let names = fs::read_dir("/proc/self/fd").expect("a process knows its descriptors");
    let open = names
        .flatten()
        .filter_map(|name| fs::read_link(name.path()).ok());
    let all = open.map(|target| target.display().to_string());
    all.filter(|target| !target.contains("/fd")).collect()
}

fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").expect("a process knows its OS threads");
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).ok();
    let names = tasks.flatten().filter_map(name);
    names.map(|name| name.trim().to_owned()).collect()
}

/// What each OS thread does, as the kernel sees it.
pub(crate) fn tasks() -> String {
    let tasks = fs::read_dir("/proc/self/task").expect("a process knows its OS threads");
    let mut text = String::new();
    for task in tasks.flatten() {
        let read = |name| fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let (name, stat, waits) = (read("comm"), read("stat"), read("wchan"));
        let state = stat.rsplit(')').next().unwrap_or("").trim().get(..1);
        let number = task.file_name();
        let state = state.unwrap_or("?");
        text.push_str(&format!("  {number:?} {} {state} {waits}\n", name.trim()));
    }
    text
}
