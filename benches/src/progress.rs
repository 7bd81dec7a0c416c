//! The bar that shows on a terminal how far the comparison is. Where standard error is no
//! terminal there is none.
#![forbid(unsafe_code)]

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressStyle};

use trefoil_bench::contender::Contender;

const TEMPLATE: &str = "{wide_bar} {percent}%  {eta} left  {msg}";

/// The bar. It is drawn between two runs only, so that it takes no time from one.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// For so many runs.
    pub(crate) fn new(runs: u64) -> Progress {
        let bar = match io::stderr().is_terminal() {
            true => ProgressBar::new(runs),
            false => ProgressBar::hidden(),
        };
        let style = ProgressStyle::with_template(TEMPLATE).expect("the template is well formed");
        Progress(bar.with_style(style))
    }

    /// Says what runs now.
    pub(crate) fn begin(&self, round: u64, case: &str, contender: Contender) {
        self.0
            .set_message(format!("round {round}: {case} on {contender}"));
    }

    /// One run has ended.
    pub(crate) fn done(&self) {
        self.0.inc(1);
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_well_formed() {
        Progress::new(1).finish();
    }
}
