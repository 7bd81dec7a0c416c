//! Where and how urgently the operating system runs a kernel thread: its nice value, and the CPUs
//! that it may use.
//!
//! It only makes the calling OS thread what was asked for, or says why not. Nobody undoes it: a
//! priority that was lowered cannot be raised again without a privilege. So an OS thread that was
//! placed ends with its thread, and so do those that it starts, which inherit it.

use std::io::{self, ErrorKind};

/// The kernel knows no more than so many, by far.
const MOST_CPUS: usize = 8192;
const WORDS: usize = MOST_CPUS / 64;

/// What a thread asks of the operating system's scheduler.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// As of `nice(1)`. `None`: that of who starts the thread.
    pub(crate) nice: Option<i32>,
    /// `None`: those of who starts the thread.
    pub(crate) cpus: Option<Vec<usize>>,
}

impl Placement {
    pub(crate) fn is_empty(&self) -> bool {
        self.nice.is_none() && self.cpus.is_none()
    }

    /// What can be said without the operating system.
    pub(crate) fn check(&self) -> io::Result<()> {
        if let Some(nice) = self.nice
            && !(-20..=19).contains(&nice)
        {
            return Err(invalid(format!(
                "a thread's priority is a nice value from -20, the most urgent, to 19: not {nice}"
            )));
        }
        match self.cpus.as_deref() {
            Some([]) => Err(invalid(
                "a thread needs a CPU: its affinity must not be empty".to_owned(),
            )),
            Some(cpus) => match cpus.iter().find(|cpu| **cpu >= MOST_CPUS) {
                Some(cpu) => Err(no_such(&[*cpu])),
                None => Ok(()),
            },
            None => Ok(()),
        }
    }

    /// Places the calling OS thread, for good. What comes first may be done although it fails.
    ///
    /// # Errors
    ///
    /// `InvalidInput`: a CPU that does not exist, or that the process may not use.
    /// `PermissionDenied`: a priority above the process's own takes a privilege.
    pub fn apply(&self) -> io::Result<()> {
        if let Some(cpus) = &self.cpus {
            set_cpus(cpus)?;
        }
        self.nice.map_or(Ok(()), set_nice)
    }
}

fn set_nice(nice: i32) -> io::Result<()> {
    // SAFETY: it passes no pointer. On Linux 0 is the calling thread.
    let done = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) };
    if done == 0 {
        return Ok(());
    }
    Err(explain(nice, io::Error::last_os_error()))
}

#[cold]
fn explain(nice: i32, refused: io::Error) -> io::Error {
    if refused.kind() != ErrorKind::PermissionDenied {
        return refused;
    }
    io::Error::new(
        ErrorKind::PermissionDenied,
        format!(
            "a thread of nice value {nice} is more urgent than the process may make one \
             ({refused}): ask for a higher value, raise `ulimit -e` (RLIMIT_NICE) to {} or more, or \
             give the process CAP_SYS_NICE",
            20 - nice
        ),
    )
}

fn set_cpus(cpus: &[usize]) -> io::Result<()> {
    let mut wanted = [0_u64; WORDS];
    for cpu in cpus {
        wanted[cpu / 64] |= 1 << (cpu % 64);
    }
    // SAFETY: a live array, of the length that is told; 0 is the calling thread. The kernel reads
    // bits of it as words, whatever `cpu_set_t` is.
    let done = unsafe { libc::sched_setaffinity(0, size_of_val(&wanted), wanted.as_ptr().cast()) };
    if done == 0 {
        // The kernel passes over those that are not there, as long as there is one that is.
        let given = self::cpus()?;
        let missing: Vec<usize> = cpus
            .iter()
            .copied()
            .filter(|cpu| !has(&given, *cpu))
            .collect();
        return if missing.is_empty() {
            Ok(())
        } else {
            Err(no_such(&missing))
        };
    }
    let refused = io::Error::last_os_error();
    Err(if refused.raw_os_error() == Some(libc::EINVAL) {
        no_such(cpus)
    } else {
        refused
    })
}

fn has(set: &[u64; WORDS], cpu: usize) -> bool {
    set[cpu / 64] & (1 << (cpu % 64)) != 0
}

/// Those that the calling OS thread may use.
fn cpus() -> io::Result<[u64; WORDS]> {
    let mut given = [0_u64; WORDS];
    // SAFETY: a live array, of the length that is told, which the kernel fills at most.
    let filled =
        unsafe { libc::sched_getaffinity(0, size_of_val(&given), given.as_mut_ptr().cast()) };
    if filled < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(given)
}

#[cold]
fn no_such(cpus: &[usize]) -> io::Error {
    invalid(format!(
        "a thread cannot run on CPU {cpus:?}: there is none of this number, or this process may not \
         use it (`nproc --all` and `taskset -p $$` tell which there are)"
    ))
}

fn invalid(sentence: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_priority_says_what_to_do() {
        let refused = explain(-5, io::Error::from_raw_os_error(libc::EACCES));
        assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
        let sentence = refused.to_string();
        for part in ["-5", "`ulimit -e`", "to 25 or more", "CAP_SYS_NICE"] {
            assert!(sentence.contains(part), "{sentence}");
        }
        let other = explain(-5, io::Error::from_raw_os_error(libc::ESRCH));
        assert_eq!(other.raw_os_error(), Some(libc::ESRCH));
    }

    #[test]
    fn a_cpu_that_is_not_there_is_refused_also_beside_one_that_is() {
        let placed = std::thread::spawn(|| {
            let given = cpus().unwrap();
            let mine = (0..MOST_CPUS).find(|cpu| has(&given, *cpu)).unwrap();
            let none = MOST_CPUS - 1;
            for cpus in [vec![none], vec![mine, none]] {
                let refused = set_cpus(&cpus).unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{refused}");
                assert!(refused.to_string().contains(&none.to_string()), "{refused}");
            }
            set_cpus(&[mine]).unwrap();
            let given = self::cpus().unwrap();
            assert_eq!(
                (0..MOST_CPUS)
                    .filter(|cpu| has(&given, *cpu))
                    .collect::<Vec<_>>(),
                [mine]
            );
        });
        placed.join().unwrap();
    }
}
