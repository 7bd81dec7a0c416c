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
    /// The hybrid model, with threads that change their worker. It shows what it costs that they do not.
    Migrating,
    /// Somebody else's.
    Peer(Peer),
}

/// A runtime that is not ours. All are known; what they do is compiled in with the feature `peers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    /// `std::thread`, `std::sync`, and crossbeam's channel where several threads receive.
    Std,
    /// tokio's tasks.
    Tokio,
    /// smol's tasks.
    Smol,
    /// rayon's jobs, which fork and join.
    Rayon,
    /// may's coroutines.
    May,
    /// Goroutines. They run in a program of their own.
    Go,
    /// Java's virtual threads. They run in a program of their own.
    Java,
    /// A bare loop around `epoll(7)`, which has no threads.
    Epoll,
}

impl Peer {
    /// All peers.
    pub const ALL: [Peer; 8] = [
        Peer::Std,
        Peer::Tokio,
        Peer::Smol,
        Peer::Rayon,
        Peer::May,
        Peer::Go,
        Peer::Java,
        Peer::Epoll,
    ];

    /// Those that can do few workloads: they are measured where they are named.
    const NAMED: [Peer; 2] = [Peer::Rayon, Peer::Epoll];
}

impl Contender {
    /// All that can be measured here, the models first: what is compiled in, and Go and Java if
    /// they are installed. Not rayon and the bare loop, which can do few workloads, nor the migrating mode, which
    /// no program should use.
    #[must_use]
    pub fn available() -> Vec<Contender> {
        let models = Model::ALL.into_iter().map(Contender::Model);
        let peers = Peer::ALL.into_iter().map(Contender::Peer);
        let named = Peer::NAMED.map(Contender::Peer);
        models
            .chain(peers.filter(|peer| !named.contains(peer) && peer.obstacle().is_none()))
            .collect()
    }

    /// Whether it runs in a program of its own, and not in this process.
    #[must_use]
    pub const fn is_program(self) -> bool {
        matches!(self, Contender::Peer(Peer::Go | Peer::Java))
    }

    /// Why it cannot be measured here, and what to do about it.
    #[must_use]
    pub fn obstacle(self) -> Option<String> {
        match self {
            Contender::Model(_) | Contender::Migrating => None,
            Contender::Peer(peer) => peers::obstacle(peer),
        }
    }

    /// Those that are compiled in and cannot be measured all the same, each with its obstacle.
    #[must_use]
    pub fn left_out() -> Vec<(Contender, String)> {
        let peers = Peer::ALL.into_iter().map(Contender::Peer);
        let compiled_in = peers.filter(|_| peers::COMPILED_IN);
        compiled_in
            .filter_map(|peer| Some((peer, peer.obstacle()?)))
            .collect()
    }

    /// Its name, as the command line takes it and as the results give it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Contender::Model(model) => model.name(),
            Contender::Migrating => "migrating",
            Contender::Peer(Peer::Std) => "std",
            Contender::Peer(Peer::Tokio) => "tokio",
            Contender::Peer(Peer::Smol) => "smol",
            Contender::Peer(Peer::Rayon) => "rayon",
            Contender::Peer(Peer::May) => "may",
            Contender::Peer(Peer::Go) => "go",
            Contender::Peer(Peer::Java) => "java",
            Contender::Peer(Peer::Epoll) => "epoll",
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
const STARTS_THREADS: [&str; 7] = [
    "spawn_join",
    "spawn_batch",
    "skynet_channel",
    "skynet_join",
    "timers_cancelled",
    "parked",
    "sleepers",
];

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
        let mut known = models.chain([Contender::Migrating]).chain(peers);
        let known = known.find(|known| known.name() == name);
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
                "the runtimes are kernel, green and hybrid, migrating, and with the Cargo feature \
                 `peers` std, tokio, smol, rayon, may, go, java and epoll"
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
        assert_eq!("erlang".parse::<Contender>(), Err(UnknownContender::NoSuch));
    }

    #[test]
    fn threads_that_migrate_are_measured_where_they_are_named() {
        assert_eq!("migrating".parse(), Ok(Contender::Migrating));
        assert!(!Contender::available().contains(&Contender::Migrating));
    }

    #[test]
    fn a_peer_is_available_with_its_feature_only() {
        for peer in Peer::ALL.map(Contender::Peer) {
            let found = peer.name().parse::<Contender>();
            match peers::COMPILED_IN {
                true => assert_eq!(found, Ok(peer)),
                false => assert_eq!(found, Err(UnknownContender::NotCompiledIn)),
            }
        }
    }

    #[test]
    fn each_that_is_compiled_in_is_available_or_left_out_with_a_reason() {
        let mut all = Contender::available();
        all.extend(Contender::left_out().into_iter().map(|(left_out, why)| {
            assert!(!why.is_empty());
            left_out
        }));
        let peers = if peers::COMPILED_IN {
            Peer::ALL.len() - Peer::NAMED.len()
        } else {
            0
        };
        assert_eq!(all.len(), Model::ALL.len() + peers);
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
