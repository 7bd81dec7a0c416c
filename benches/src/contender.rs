//! Who can be measured: Trefoil's three models, and the runtimes that a user would otherwise pick.
#![forbid(unsafe_code)]

use std::fmt;
use std::str::FromStr;

use trefoil::Model;

use crate::parameters::Weight;
use crate::peers;

/// A runtime that can run the workloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Contender {
    /// A model of Trefoil.
    Model(Model),
    /// Somebody else's.
    Peer(Peer),
}

/// A runtime that is not ours. All are known; what they do is compiled in with the feature `peers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    /// `std::thread` and `std::sync::mpsc`.
    Std,
    /// tokio's tasks.
    Tokio,
    /// may's coroutines.
    May,
}

impl Peer {
    /// All peers.
    pub const ALL: [Peer; 3] = [Peer::Std, Peer::Tokio, Peer::May];
}

impl Contender {
    /// All that are compiled in, the models first.
    #[must_use]
    pub fn available() -> Vec<Contender> {
        let models = Model::ALL.into_iter().map(Contender::Model);
        let peers = Peer::ALL.into_iter().map(Contender::Peer);
        models.chain(peers.filter(|_| peers::COMPILED_IN)).collect()
    }

    /// Its name, as the command line takes it and as the results give it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Contender::Model(model) => model.name(),
            Contender::Peer(Peer::Std) => "std",
            Contender::Peer(Peer::Tokio) => "tokio",
            Contender::Peer(Peer::May) => "may",
        }
    }

    /// Which defaults a workload has for it.
    #[must_use]
    pub fn weight(self, workload: &str) -> Weight {
        match self {
            Contender::Model(Model::Kernel) | Contender::Peer(Peer::Std) => Weight::Kernel,
            // Its scheduler hands each new coroutine to the next worker and wakes that: starting
            // one costs nearly what starting a kernel thread does.
            Contender::Peer(Peer::May) if STARTS_THREADS.contains(&workload) => Weight::Kernel,
            _ => Weight::Light,
        }
    }
}

/// The workloads that mostly start threads.
const STARTS_THREADS: [&str; 4] = ["spawn_join", "spawn_batch", "parked", "sleepers"];

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Contender {
    type Err = UnknownContender;

    fn from_str(name: &str) -> Result<Contender, UnknownContender> {
        let models = Model::ALL.into_iter().map(Contender::Model);
        let peers = Peer::ALL.into_iter().map(Contender::Peer);
        let known = models.chain(peers).find(|known| known.name() == name);
        match known {
            Some(Contender::Peer(_)) if !peers::COMPILED_IN => Err(UnknownContender::NotCompiledIn),
            Some(contender) => Ok(contender),
            None => Err(UnknownContender::NoSuch),
        }
    }
}

/// The error for a name that cannot be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownContender {
    /// Nobody has this name.
    NoSuch,
    /// It is a peer's, and the peers are not compiled in.
    NotCompiledIn,
}

impl fmt::Display for UnknownContender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UnknownContender::NoSuch => {
                "the runtimes are kernel, green and hybrid, and with the Cargo feature `peers` std, \
                 tokio and may"
            }
            UnknownContender::NotCompiledIn => {
                "this is a peer: build the benchmark with `--features peers`"
            }
        })
    }
}

impl std::error::Error for UnknownContender {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_contender_is_found_by_its_name() {
        for contender in Contender::available() {
            assert_eq!(contender.name().parse(), Ok(contender));
        }
        assert_eq!("go".parse::<Contender>(), Err(UnknownContender::NoSuch));
    }

    #[test]
    fn a_peer_is_available_with_its_feature_only() {
        let found = "tokio".parse::<Contender>();
        match peers::COMPILED_IN {
            true => assert_eq!(found, Ok(Contender::Peer(Peer::Tokio))),
            false => assert_eq!(found, Err(UnknownContender::NotCompiledIn)),
        }
    }

    #[test]
    fn kernel_threads_are_heavy_everywhere() {
        let weight = |name: &str, workload| name.parse::<Contender>().unwrap().weight(workload);
        assert_eq!(weight("kernel", "yield"), Weight::Kernel);
        assert_eq!(weight("hybrid", "spawn_join"), Weight::Light);
        assert_eq!(Contender::Peer(Peer::May).weight("parked"), Weight::Kernel);
        assert_eq!(Contender::Peer(Peer::May).weight("yield"), Weight::Light);
    }
}
