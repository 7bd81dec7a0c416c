//! What the expansion of `#[trefoil::main]` calls. Not for anybody else: it may change at any time.
//! What that of `#[trefoil::test]` calls is in `case.rs`.
#![forbid(unsafe_code)]

use std::process;

use crate::error::Error;

/// Says why the program cannot run, and ends it. This is the program's own end: the function with
/// the attribute is its entry, and has not begun.
#[cold]
pub fn exit_with(error: Error) -> ! {
    eprintln!("error: {error}");
    process::exit(2)
}
