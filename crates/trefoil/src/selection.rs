//! Which model a runtime gets: what the program says, then the environment, then the features.
#![forbid(unsafe_code)]

use std::ffi::OsStr;

use trefoil_runtime::Model;

use crate::compiled::AVAILABLE;
use crate::error::Error;

/// The environment variable that names a model.
pub(crate) const VARIABLE: &str = "TREFOIL_MODEL";

/// The order in which an enabled feature stands for a wish. Who enables one beside the default
/// feature wants the one that does more.
const PREFERENCE: [Model; 3] = [Model::Hybrid, Model::Green, Model::Kernel];

/// The model for a program that asks for `asked`.
pub(crate) fn select(asked: Option<Model>) -> Result<Model, Error> {
    let environment = std::env::var_os(VARIABLE);
    choose(asked, environment.as_deref(), AVAILABLE)
}

/// A variable that is set to nothing counts as not set: `TREFOIL_MODEL= program` takes it back.
fn choose(
    asked: Option<Model>,
    environment: Option<&OsStr>,
    available: &'static [Model],
) -> Result<Model, Error> {
    if available.is_empty() {
        return Err(Error::NoModel);
    }
    let named = match (asked, environment) {
        (Some(model), _) => Some(model),
        (None, Some(name)) if !name.is_empty() => Some(parse(name, available)?),
        (None, _) => None,
    };
    match named {
        Some(model) => check(model, available),
        None => Ok(preferred(available)),
    }
}

fn parse(name: &OsStr, available: &'static [Model]) -> Result<Model, Error> {
    let name = name.to_string_lossy();
    name.parse().map_err(|_| Error::UnknownModel {
        name: name.into_owned(),
        available,
    })
}

fn check(model: Model, available: &'static [Model]) -> Result<Model, Error> {
    if available.contains(&model) {
        Ok(model)
    } else {
        Err(Error::ModelNotCompiledIn { model, available })
    }
}

fn preferred(available: &[Model]) -> Model {
    PREFERENCE
        .into_iter()
        .find(|model| available.contains(model))
        .expect("some model is available, and all are in the order")
}

#[cfg(test)]
mod tests {
    use super::*;
    use Model::{Green, Hybrid, Kernel};

    fn chosen(asked: Option<Model>, name: Option<&str>, available: &'static [Model]) -> Model {
        choose(asked, name.map(OsStr::new), available).unwrap()
    }

    #[test]
    fn the_program_wins_over_the_environment_and_the_features() {
        assert_eq!(chosen(Some(Kernel), Some("green"), &Model::ALL), Kernel);
        assert_eq!(chosen(Some(Green), None, &Model::ALL), Green);
    }

    #[test]
    fn the_environment_is_not_even_read_where_the_program_chose() {
        assert_eq!(chosen(Some(Kernel), Some("nonsense"), &[Kernel]), Kernel);
    }

    #[test]
    fn the_environment_wins_over_the_features() {
        for model in Model::ALL {
            assert_eq!(chosen(None, Some(model.name()), &Model::ALL), model);
        }
    }

    #[test]
    fn an_empty_variable_is_none() {
        assert_eq!(chosen(None, Some(""), &Model::ALL), Hybrid);
    }

    #[test]
    fn of_the_features_hybrid_comes_before_green_before_kernel() {
        assert_eq!(chosen(None, None, &Model::ALL), Hybrid);
        assert_eq!(chosen(None, None, &[Kernel, Hybrid]), Hybrid);
        assert_eq!(chosen(None, None, &[Kernel, Green]), Green);
        assert_eq!(chosen(None, None, &[Kernel]), Kernel);
    }

    #[test]
    fn an_unknown_name_is_no_guess() {
        for name in ["Green", "green ", "async", "1"] {
            let refused = choose(None, Some(OsStr::new(name)), &[Kernel]).unwrap_err();
            let Error::UnknownModel { name: told, .. } = refused else {
                panic!("{refused}");
            };
            assert_eq!(told, name);
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_not_text_is_an_unknown_model() {
        use std::os::unix::ffi::OsStrExt as _;
        let refused = choose(None, Some(OsStr::from_bytes(b"gr\xffen")), &[Kernel]).unwrap_err();
        assert!(refused.to_string().contains("`gr\u{fffd}en`"), "{refused}");
    }

    #[test]
    fn what_is_not_compiled_in_is_refused_whoever_asks() {
        let program = choose(Some(Hybrid), None, &[Kernel, Green]);
        let environment = choose(None, Some(OsStr::new("hybrid")), &[Kernel, Green]);
        for refused in [program, environment] {
            assert!(matches!(
                refused,
                Err(Error::ModelNotCompiledIn {
                    model: Hybrid,
                    available: [Kernel, Green],
                })
            ));
        }
    }

    #[test]
    fn with_no_model_nothing_can_be_chosen() {
        for asked in [None, Some(Kernel)] {
            assert!(matches!(
                choose(asked, Some(OsStr::new("green")), &[]),
                Err(Error::NoModel)
            ));
        }
    }
}
