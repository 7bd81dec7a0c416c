//! What was begun, and what became of it. Every account must balance when nobody runs any more.
//!
//! An [`Open`] is one item: it is counted when it begins, and once more when it ends, however that is.
//! One that is neither closed nor dropped is one that the runtime has lost.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! listed {
    ($(#[$about:meta])* $name:ident: $($(#[$each:meta])* $variant:ident,)*) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug)]
        pub(crate) enum $name { $($(#[$each])* $variant,)* }

        impl $name {
            const ALL: &'static [$name] = &[$($name::$variant,)*];
        }
    };
}

listed! {
    /// What is counted.
    Account:
    Actors,
    /// As the thread sees it: its closure.
    Threads,
    /// As its spawner sees it: its handle.
    Handles,
    /// Threads that were asked to end.
    Victims,
    Messages,
    /// Of locks and semaphores, from the moment that they are held.
    Guards,
    Sleeps,
    Timeouts,
    TokenWaits,
    /// To servers of sockets and pipes.
    Requests,
    BlockingCalls,
    Files,
    Locals,
    PlainThreads,
    Runtimes,
}

listed! {
    /// What became of one.
    Outcome:
    Done,
    Cancelled,
    Panicked,
    TimedOut,
    /// The other side, or the operating system, did not want it.
    Refused,
    /// The thread that was at it was cancelled, or its time was over, or it panicked.
    Unwound,
    /// Nobody wanted it any more.
    Dropped,
}

const ACCOUNTS: usize = Account::ALL.len();
const OUTCOMES: usize = Outcome::ALL.len();

static BEGUN: [AtomicU64; ACCOUNTS] = [const { AtomicU64::new(0) }; ACCOUNTS];
static ENDED: [[AtomicU64; OUTCOMES]; ACCOUNTS] =
    [const { [const { AtomicU64::new(0) }; OUTCOMES] }; ACCOUNTS];

/// One item that has not ended.
#[derive(Debug)]
#[must_use = "it ends when it is dropped"]
pub(crate) struct Open(Account, Option<Outcome>);

impl Open {
    pub(crate) fn new(account: Account) -> Open {
        BEGUN[account as usize].fetch_add(1, Ordering::Relaxed);
        Open(account, None)
    }

    pub(crate) fn close(mut self, outcome: Outcome) {
        self.1 = Some(outcome);
    }

    /// What becomes of it unless it is closed.
    pub(crate) fn or(mut self, outcome: Outcome) -> Open {
        self.1 = Some(outcome);
        self
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let outcome = self.1.unwrap_or(Outcome::Dropped);
        ENDED[self.0 as usize][outcome as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// What of all accounts does not add up. By then nobody counts any more: all have been joined.
pub(crate) fn wrong() -> Vec<String> {
    let mut wrong = Vec::new();
    for &account in Account::ALL {
        let begun = BEGUN[account as usize].load(Ordering::Relaxed);
        let ended = ended(account).iter().map(|(_, number)| number).sum::<u64>();
        if begun != ended {
            wrong.push(format!("{account:?}: {begun} have begun, {ended} ended"));
        }
        if begun == 0 {
            wrong.push(format!(
                "{account:?}: there were none, so nothing was tried"
            ));
        }
    }
    wrong
}

/// All accounts, in a line each.
pub(crate) fn table() -> String {
    let mut table = String::new();
    for &account in Account::ALL {
        let begun = BEGUN[account as usize].load(Ordering::Relaxed);
        let _ = write!(table, "  {:<14}{begun:>10} =", format!("{account:?}"));
        for (outcome, number) in ended(account).into_iter().filter(|(_, number)| *number > 0) {
            let _ = write!(table, " {number} {outcome:?}");
        }
        table.push('\n');
    }
    table
}

fn ended(account: Account) -> Vec<(Outcome, u64)> {
    let number = |&outcome| {
        let number = ENDED[account as usize][outcome as usize].load(Ordering::Relaxed);
        (outcome, number)
    };
    Outcome::ALL.iter().map(number).collect()
}
