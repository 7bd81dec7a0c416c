//! The three answers to "what happens when a thread waits?".
#![forbid(unsafe_code)]

use core::fmt;
use core::str::FromStr;

/// A threading model.
///
/// ```
/// use trefoil_runtime::Model;
/// assert_eq!("hybrid".parse(), Ok(Model::Hybrid));
/// assert_eq!(Model::Green.to_string(), "green");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Model {
    /// 1:1. A thread is a kernel thread; it waits in the kernel.
    Kernel,
    /// N:1. A thread is a fiber on the one OS thread that called `run`.
    Green,
    /// M:N. A thread is a fiber on one of several worker OS threads.
    Hybrid,
}

impl Model {
    /// All models, in the order in which documentation lists them.
    ///
    /// ```
    /// use trefoil_runtime::Model;
    ///
    /// assert_eq!(Model::ALL.map(Model::name), ["kernel", "green", "hybrid"]);
    /// ```
    pub const ALL: [Model; 3] = [Model::Kernel, Model::Green, Model::Hybrid];

    /// The model's name as features, the environment and the benchmark spell it. Does not wait.
    ///
    /// ```
    /// use trefoil_runtime::Model;
    ///
    /// assert_eq!(Model::Green.name().parse(), Ok(Model::Green));
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Model::Kernel => "kernel",
            Model::Green => "green",
            Model::Hybrid => "hybrid",
        }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Model {
    type Err = UnknownModel;

    fn from_str(name: &str) -> Result<Model, UnknownModel> {
        Model::ALL
            .into_iter()
            .find(|model| model.name() == name)
            .ok_or_else(|| UnknownModel(name.into()))
    }
}

/// The error for a name that is no model's.
///
/// ```
/// use trefoil_runtime::Model;
///
/// let unknown = "fast".parse::<Model>().unwrap_err();
/// assert!(unknown.to_string().contains("the models are kernel, green and hybrid"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownModel(Box<str>);

impl fmt::Display for UnknownModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a thread model; the models are kernel, green and hybrid",
            self.0
        )
    }
}

impl std::error::Error for UnknownModel {}
