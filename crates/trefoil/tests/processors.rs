//! How many workers there are where nobody says it: as many as the process may use processors.
#![cfg(all(feature = "kernel", feature = "hybrid"))]
#![forbid(unsafe_code)]

mod support;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;

use support::{INSIDE, end_of, program};
use trefoil::{Builder, Model, thread};

fn workers() -> usize {
    let runtime = Builder::new().model(Model::Hybrid).build().unwrap();
    runtime.workers()
}

/// A mask of one processor is one worker, and where it is wider again there are more: it is asked each time.
#[test]
fn the_affinity_mask_counts() {
    let kernel = Builder::new().model(Model::Kernel).build().unwrap();
    let masked = kernel.run(|| {
        let allowed = thread::Builder::new().affinity([first_allowed()]);
        allowed.spawn(workers).unwrap().join().unwrap()
    });
    assert_eq!(masked, 1);
    let all = std::thread::available_parallelism().unwrap().get();
    assert_eq!(workers(), all);
}

/// The first processor of this process's mask.
fn first_allowed() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let digits = list.unwrap().trim().split(['-', ',']).next().unwrap();
    digits.parse().unwrap()
}

/// A control group with a quota, and one inside of it, where the process is: such as the quota of a container
/// and the groups that are made in there.
struct Groups {
    outer: PathBuf,
    inner: PathBuf,
    /// The file that takes a process in.
    members: &'static str,
}

impl Groups {
    /// `None`: here nobody may make them.
    fn with_quota_of_one() -> Option<Groups> {
        let name = format!("trefoil-{}", process::id());
        let first = |hierarchy: &str| Path::new("/sys/fs/cgroup").join(hierarchy).join(&name);
        Groups::new(first("cpu"), "cpu.cfs_quota_us", "100000", "tasks")
            .or_else(|| Groups::new(first(""), "cpu.max", "100000 100000", "cgroup.procs"))
    }

    fn new(outer: PathBuf, file: &str, quota: &str, members: &'static str) -> Option<Groups> {
        fs::create_dir(&outer).ok()?;
        let groups = Groups {
            inner: outer.join("inner"),
            outer,
            members,
        };
        fs::create_dir(&groups.inner).ok()?;
        // The file is not made, but is there, if the controller is.
        let path = groups.outer.join(file);
        (path.exists() && fs::write(path, quota).is_ok()).then_some(groups)
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.inner);
        let _ = fs::remove_dir(&self.outer);
    }
}

/// A quota of one processor is one worker, also where it is the quota of a group around the process's own.
#[test]
fn the_quota_of_a_control_group_counts() {
    if let Some(members) = env::var_os("TREFOIL_TEST_GROUP") {
        fs::write(members, process::id().to_string()).unwrap();
        println!("workers: {}", workers());
        process::exit(0);
    }
    let Some(groups) = Groups::with_quota_of_one() else {
        println!("NOT CHECKED: no control group can be made here");
        return;
    };
    let members = groups.inner.join(groups.members);
    let mut inside = program("the_quota_of_a_control_group_counts", Model::Hybrid);
    let ended = end_of(inside.env("TREFOIL_TEST_GROUP", members).env_remove(INSIDE));
    drop(groups);
    assert!(ended.status.success(), "{ended:?}");
    assert!(ended.out.contains("workers: 1\n"), "{ended:?}");
}
