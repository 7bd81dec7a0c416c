//! The sizes of a workload: what can be set, to what, and what it is when nobody sets it.
//!
//! A kernel thread costs a thousand times what a fiber does to start and to wake. So a parameter
//! may have a smaller default on kernel threads: a run then takes about as long, and what is
//! compared is the time per operation.
#![forbid(unsafe_code)]

use std::fmt;
use std::ops::RangeInclusive;

/// One thing that can be set about a workload.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its name, as `--set` takes it.
    pub name: &'static str,
    /// What it says about the work.
    pub about: &'static str,
    /// Its value when nobody sets it.
    pub default: u64,
    /// Its value on kernel threads when nobody sets it.
    pub on_kernel: u64,
    /// The values that it can have.
    pub range: RangeInclusive<u64>,
}

impl Parameter {
    /// A parameter with one default for all, and values from 1 to ten million.
    #[must_use]
    pub const fn new(name: &'static str, default: u64, about: &'static str) -> Parameter {
        Parameter {
            name,
            about,
            default,
            on_kernel: default,
            range: 1..=10_000_000,
        }
    }

    /// Gives it another default on kernel threads.
    #[must_use]
    pub const fn on_kernel(self, default: u64) -> Parameter {
        Parameter {
            on_kernel: default,
            ..self
        }
    }

    /// Gives it other limits.
    #[must_use]
    pub const fn within(self, least: u64, most: u64) -> Parameter {
        Parameter {
            range: least..=most,
            ..self
        }
    }
}

/// Which of a parameter's defaults holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Threads are fibers or tasks.
    Light,
    /// Threads are kernel threads.
    Kernel,
}

/// The parameters of one run, all of them with a value.
#[derive(Debug, Clone)]
pub struct Parameters {
    known: &'static [Parameter],
    values: Vec<u64>,
}

impl Parameters {
    /// All parameters at their defaults.
    #[must_use]
    pub fn defaults(known: &'static [Parameter], weight: Weight) -> Parameters {
        let default = |parameter: &Parameter| match weight {
            Weight::Light => parameter.default,
            Weight::Kernel => parameter.on_kernel,
        };
        Parameters {
            known,
            values: known.iter().map(default).collect(),
        }
    }

    /// Sets one parameter from `key=value`.
    ///
    /// # Errors
    ///
    /// If there is no such parameter, or if that is no value for it.
    pub fn set(&mut self, pair: &str) -> Result<(), SetError> {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| SetError::NoPair(pair.into()))?;
        let index = self.index_of(key).ok_or_else(|| SetError::Unknown {
            key: key.into(),
            known: self.known,
        })?;
        let parameter = &self.known[index];
        let value = value
            .replace('_', "")
            .parse()
            .ok()
            .filter(|value| parameter.range.contains(value))
            .ok_or_else(|| SetError::Value {
                value: value.into(),
                parameter: parameter.clone(),
            })?;
        self.values[index] = value;
        Ok(())
    }

    /// The value of a parameter.
    ///
    /// # Panics
    ///
    /// If the workload has no such parameter: it may only ask for its own.
    #[must_use]
    #[track_caller]
    pub fn get(&self, name: &str) -> u64 {
        match self.index_of(name) {
            Some(index) => self.values[index],
            None => panic!("the workload has no parameter `{name}`"),
        }
    }

    /// Names and values, in the order in which the workload lists them.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let names = self.known.iter().map(|parameter| parameter.name);
        names.zip(self.values.iter().copied())
    }

    /// Each as `key=value`, as [`set`](Parameters::set) takes it.
    pub fn pairs(&self) -> impl Iterator<Item = String> {
        self.iter().map(|(name, value)| format!("{name}={value}"))
    }

    fn index_of(&self, name: &str) -> Option<usize> {
        self.known.iter().position(|known| known.name == name)
    }
}

impl fmt::Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pairs().collect::<Vec<_>>().join(" "))
    }
}

/// Why a `key=value` was refused.
#[derive(Debug)]
pub enum SetError {
    /// It is no `key=value`.
    NoPair(String),
    /// The workload has no such parameter.
    Unknown {
        /// What was asked for.
        key: String,
        /// What there is.
        known: &'static [Parameter],
    },
    /// The parameter cannot have this value.
    Value {
        /// What was asked for.
        value: String,
        /// The parameter that was to have it.
        parameter: Parameter,
    },
}

impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetError::NoPair(pair) => write!(f, "`{pair}` is no `key=value`"),
            SetError::Unknown { key, known } => {
                let known: Vec<_> = known.iter().map(|known| known.name).collect();
                let known = known.join(", ");
                write!(f, "there is no parameter `{key}`; there is {known}")
            }
            SetError::Value { value, parameter } => write!(
                f,
                "`{value}` is no value for `{}`: it is a whole number from {} to {}",
                parameter.name,
                parameter.range.start(),
                parameter.range.end()
            ),
        }
    }
}

impl std::error::Error for SetError {}

#[cfg(test)]
mod tests {
    use super::*;

    static KNOWN: &[Parameter] = &[
        Parameter::new("threads", 1_000, "how many").on_kernel(10),
        Parameter::new("direct", 0, "whether").within(0, 1),
    ];

    fn defaults() -> Parameters {
        Parameters::defaults(KNOWN, Weight::Light)
    }

    #[test]
    fn kernel_threads_have_defaults_of_their_own() {
        assert_eq!(defaults().get("threads"), 1_000);
        assert_eq!(
            Parameters::defaults(KNOWN, Weight::Kernel).get("threads"),
            10
        );
    }

    #[test]
    fn a_pair_sets_one_parameter() {
        let mut parameters = defaults();
        parameters.set("threads=2_000").unwrap();
        assert_eq!(parameters.to_string(), "threads=2000 direct=0");
    }

    #[test]
    fn what_cannot_be_set_is_an_error_that_lists_what_can() {
        let refused = |pair| defaults().set(pair).unwrap_err().to_string();
        assert_eq!(refused("threads"), "`threads` is no `key=value`");
        assert_eq!(
            refused("fibers=3"),
            "there is no parameter `fibers`; there is threads, direct"
        );
        for pair in ["threads=many", "threads=0", "threads=-1", "threads="] {
            assert!(refused(pair).contains("a whole number from 1 to 10000000"));
        }
        assert!(refused("direct=2").contains("from 0 to 1"));
    }
}
