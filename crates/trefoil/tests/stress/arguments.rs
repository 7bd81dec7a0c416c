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

/// The short form, which the gate runs.
const SECONDS: u64 = 3;

impl Arguments {
    /// `Err`: what is wrong with them.
    pub(crate) fn read(words: impl Iterator<Item = String>) -> Result<Arguments, String> {
        let mut asked = Arguments {
            models: Vec::new(),
            time: Duration::from_secs(SECONDS),
            rounds: 3,
            workers: 16,
            actors: 24,
            seed: RandomState::new().hash_one("seed"),
            patience: Duration::from_secs(60),
            flat: true,
        };
        if let Ok(seed) = std::env::var("TREFOIL_SEED") {
            asked.seed = number("TREFOIL_SEED", &seed)?;
        }
        let mut words = words;
        while let Some(word) = words.next() {
            // What `cargo test` hands on to every test.
            if ["--nocapture", "--quiet", "-q"].contains(&word.as_str()) {
                continue;
            }
            let value = words
                .next()
                .ok_or(format!("`{word}` has no value\n{USAGE}"))?;
            asked.set(&word, &value)?;
        }
        if asked.models.is_empty() {
            asked.models = vec![Model::Kernel, Model::Green, Model::Hybrid];
        }
        if asked.rounds == 0 || asked.actors == 0 {
            return Err("there has to be a round, and an actor".to_owned());
        }
        Ok(asked)
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
            "--memory" => self.flat = value == "flat",
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
        self.time > Duration::from_secs(SECONDS)
    }
}

fn number(word: &str, value: &str) -> Result<u64, String> {
    value
        .parse()
        .map_err(|_| format!("{word}: `{value}` is no number"))
}
