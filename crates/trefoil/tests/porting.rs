//! Programs written for `std` and crossbeam move to Trefoil by their `use` lines.
//!
//! Each stands in a folder under `porting/`: in `std.rs` as it was written, in `trefoil.rs` as it is
//! moved. Both are compiled, nothing but `use` lines may differ, and what the first returns the second
//! must return on each of our models. `docs/porting.md` shows all of them; a test holds the page against
//! the files.
#![forbid(unsafe_code)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::models;

macro_rules! ported {
    ($($name:ident)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];

        /// By its name the compiler finds the folder.
        mod porting {
            $(mod $name {
                #[path = "std.rs"]
                mod on_std;
                #[path = "trefoil.rs"]
                mod on_trefoil;

                #[test]
                fn returns_the_same_on_every_model() {
                    let expected = on_std::program();
                    for model in crate::models() {
                        let builder = trefoil::Builder::new().model(model);
                        let runtime = builder.workers(2).build().unwrap();
                        assert_eq!(runtime.run(on_trefoil::program), expected, "on {model}");
                    }
                }
            })*
        }
    };
}

ported! {
    worker_pool
    scoped_sum
    bounded_buffer
    shared_cache
    phases
    parked
    thread_locals
    prime_sieve
    wait_group
    fan_in
    matching
    timeouts
    echo_server
    panics
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/porting")
}

fn read(name: &str, file: &str) -> String {
    fs::read_to_string(folder().join(name).join(file)).unwrap()
}

/// The lines of one that are not in the other, and those that are left.
fn split<'a>(program: &'a str, other: &str) -> (Vec<&'a str>, Vec<&'a str>) {
    program
        .lines()
        .partition(|line| !other.lines().any(|theirs| theirs == *line))
}

#[test]
fn only_use_lines_differ() {
    for name in NAMES {
        let (std, trefoil) = (read(name, "std.rs"), read(name, "trefoil.rs"));
        let ((was, rest), (is, same)) = (split(&std, &trefoil), split(&trefoil, &std));
        assert_eq!(rest, same, "{name}");
        for line in was.iter().chain(&is) {
            assert!(line.starts_with("use "), "{name}: {line}");
        }
    }
}

/// The page shows each program whole, with our `use` lines, and what those were before.
#[test]
fn the_page_shows_these_programs() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/porting.md");
    let page = fs::read_to_string(page).unwrap();
    for name in NAMES {
        let (std, trefoil) = (read(name, "std.rs"), read(name, "trefoil.rs"));
        let whole = format!("```rust\n{trefoil}```\n");
        assert!(
            page.contains(&whole),
            "docs/porting.md does not show {name}:\n{whole}"
        );
        for line in split(&std, &trefoil).0 {
            let was = format!("\n-{line}\n");
            assert!(
                page.contains(&was),
                "docs/porting.md does not show for {name}: {was}"
            );
        }
    }
}

/// No program was forgotten above.
#[test]
fn every_folder_is_a_test() {
    let mut folders: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort();
    let mut names = NAMES.to_vec();
    names.sort_unstable();
    assert_eq!(folders, names);
}
