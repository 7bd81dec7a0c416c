//! Why there is no runtime: each error is one sentence, and says what to do.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;

use trefoil_runtime::Model;

use crate::selection::VARIABLE;

/// The most workers that a runtime can be asked for.
pub(crate) const MOST_WORKERS: usize = 1024;

/// Why a [`Runtime`](crate::Runtime) could not be built. Its text says what to do about it.
///
/// ```
/// use trefoil::{Builder, Error};
///
/// let refused = Builder::new().workers(0).build().unwrap_err();
/// assert!(matches!(refused, Error::Workers(0)));
/// assert_eq!(
///     refused.to_string(),
///     "a runtime has 1 to 1024 workers, not 0: give `workers` another number",
/// );
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The environment variable `TREFOIL_MODEL` holds a name that is no model's.
    #[non_exhaustive]
    UnknownModel {
        /// What it holds. What is not UTF-8 in it has been replaced.
        name: String,
        /// The models that are compiled in.
        available: &'static [Model],
    },
    /// The program or `TREFOIL_MODEL` asks for a model whose Cargo feature is not enabled.
    #[non_exhaustive]
    ModelNotCompiledIn {
        /// The model. Its [`name`](Model::name) is the feature's too.
        model: Model,
        /// The models that are compiled in.
        available: &'static [Model],
    },
    /// No model is compiled in.
    NoModel,
    /// So many workers were asked for: none, or too many.
    Workers(usize),
    /// A setting that no model accepts, also one of the environment, or what the operating system
    /// refuses.
    Io(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::UnknownModel { name, available } => write!(
                f,
                "{VARIABLE} is `{name}`, which is no thread model: this program has {}",
                Listed(available)
            ),
            Error::ModelNotCompiledIn { model, available } => write!(
                f,
                "the {model} model is not compiled into this program, which has {}: choose \
                 another one, or enable the feature `{model}` of the crate `trefoil`",
                Listed(available)
            ),
            Error::NoModel => f.write_str(
                "no thread model is compiled into this program: enable at least one of the \
                 features `kernel`, `green` and `hybrid` of the crate `trefoil`",
            ),
            Error::Workers(asked) => write!(
                f,
                "a runtime has 1 to {MOST_WORKERS} workers, not {asked}: give `workers` another \
                 number"
            ),
            Error::Io(refused) => write!(f, "the thread runtime cannot be built: {refused}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io(refused) => Some(refused),
            _ => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(refused: io::Error) -> Error {
        Error::Io(refused)
    }
}

/// Models in a sentence: `kernel, green and hybrid`.
struct Listed<'a>(&'a [Model]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, model) in self.0.iter().enumerate() {
            let before = match at {
                0 => "",
                _ if at + 1 == self.0.len() => " and ",
                _ => ", ",
            };
            write!(f, "{before}{model}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    #[test]
    fn models_are_listed_as_in_a_sentence() {
        let listed = |models: &[Model]| Listed(models).to_string();
        assert_eq!(listed(&[Model::Green]), "green");
        assert_eq!(listed(&[Model::Kernel, Model::Hybrid]), "kernel and hybrid");
        assert_eq!(listed(&Model::ALL), "kernel, green and hybrid");
    }

    #[test]
    fn an_unknown_model_is_named_with_what_there_is() {
        let error = Error::UnknownModel {
            name: "async".to_owned(),
            available: &[Model::Kernel, Model::Green],
        };
        assert_eq!(
            error.to_string(),
            "TREFOIL_MODEL is `async`, which is no thread model: this program has kernel and green"
        );
        assert!(error.source().is_none());
    }

    #[test]
    fn a_model_that_is_not_compiled_in_names_its_feature() {
        let error = Error::ModelNotCompiledIn {
            model: Model::Hybrid,
            available: &[Model::Kernel],
        };
        assert_eq!(
            error.to_string(),
            "the hybrid model is not compiled into this program, which has kernel: choose another \
             one, or enable the feature `hybrid` of the crate `trefoil`"
        );
    }

    #[test]
    fn without_a_model_all_features_are_named() {
        let text = Error::NoModel.to_string();
        for model in Model::ALL {
            assert!(text.contains(&format!("`{model}`")), "{text}");
        }
    }

    #[test]
    fn what_the_system_says_is_kept() {
        let error = Error::from(io::Error::other("no room"));
        assert!(error.to_string().ends_with(": no room"));
        assert_eq!(error.source().unwrap().to_string(), "no room");
    }
}
