//! What the program was asked for.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use trefoil::Model;

#[derive(Clone, Debug)]
pub(crate) struct Arguments {
    pub(crate) models: Vec<Model>,
    /// For each model.
    pub(crate) time: Duration,
    pub(crate) rounds: u32,
    pub(crate) workers: usize,
    pub(crate) actors: u64,
    pub(crate) seed: u64,
    /// How long a single turn may take before it counts as a hang.
    pub(crate) patience: Duration,
    /// Whether memory and mappings have to stay flat. A sanitizer keeps what was freed.
    pub(crate) flat: bool,
}

const USAGE: &str = "\
stress [--seconds N] [--model kernel|green|hybrid]... [--workers N] [--actors N] [--rounds N]
       [--seed N] [--patience SECONDS] [--memory flat|any]";

const OURS: [&str; 8] = [
    "--seconds",
    "--model",
    "--workers",
    "--actors",
    "--rounds",
    "--seed",
    "--patience",
    "--memory",
];

/// The short form, for each model.
const SHORT: Duration = Duration::from_secs(2);

impl Arguments {
    /// `None`: it is called as one test of many, and another one is meant. `Err`: what is wrong with them.
    pub(crate) fn read(words: &[String]) -> Result<Option<Arguments>, String> {
        let mut asked = Arguments::short()?;
        if !words.iter().any(|word| OURS.contains(&word.as_str())) {
            let meant = words
                .iter()
                .all(|word| word.starts_with('-') || "stress".contains(word));
            let lists = words.iter().any(|word| word == "--list");
            asked.models = Model::ALL.to_vec();
            // So short a time ends before there have been as many OS threads at once as there will be.
            asked.flat = false;
            return Ok((meant && !lists).then_some(asked));
        }
        for pair in words.chunks(2) {
            let [word, value] = pair else {
                return Err(format!("`{}` has no value\n{USAGE}", pair[0]));
            };
            asked.set(word, value)?;
        }
        if asked.models.is_empty() {
            asked.models = Model::ALL.to_vec();
        }
        if asked.rounds == 0 || asked.actors == 0 {
            return Err("there has to be a round, and an actor".to_owned());
        }
        Ok(Some(asked))
    }

    /// What the gate runs.
    fn short() -> Result<Arguments, String> {
        let seed = match std::env::var("TREFOIL_SEED") {
            Ok(seed) => number("TREFOIL_SEED", &seed)?,
            Err(_) => RandomState::new().hash_one("seed"),
        };
        Ok(Arguments {
            models: Vec::new(),
            time: SHORT,
            rounds: 2,
            workers: 16,
            actors: 24,
            seed,
            patience: Duration::from_secs(60),
            flat: true,
        })
    }

    fn set(&mut self, word: &str, value: &str) -> Result<(), String> {
        match word {
            "--seconds" => self.time = Duration::from_secs(number(word, value)?),
            "--model" => {
                let model = value.parse::<Model>();
                self.models.push(model.map_err(|error| error.to_string())?);
            }
            "--workers" => self.workers = number(word, value)? as usize,
            "--actors" => self.actors = number(word, value)?,
            "--rounds" => self.rounds = number(word, value)? as u32,
            "--seed" => self.seed = number(word, value)?,
            "--patience" => self.patience = Duration::from_secs(number(word, value)?),
            "--memory" if value == "flat" || value == "any" => self.flat = value == "flat",
            _ => {
                return Err(format!(
                    "`{word}` is nothing that can be asked for\n{USAGE}"
                ));
            }
        }
        Ok(())
    }

    /// The command that does the same on one model.
    pub(crate) fn again(&self, model: Model) -> String {
        format!(
            "--model {model} --seconds {} --rounds {} --workers {} --actors {} --seed {}",
            self.time.as_secs(),
            self.rounds,
            self.workers,
            self.actors,
            self.seed
        )
    }

    /// Whether a person waits for it, and not the gate.
    pub(crate) fn is_long(&self) -> bool {
        self.time > SHORT
    }
}

fn number(word: &str, value: &str) -> Result<u64, String> {
    value
        .parse()
        .map_err(|_| format!("{word}: `{value}` is no number"))
}
