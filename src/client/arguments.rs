//! The arguments of a call.

use std::collections::BTreeMap;

use super::Value;

/// Positional and keyword arguments.
///
/// ```
/// use dirtyd::client::{Args, args};
/// let args = Args::from(args!["text", 3]).kwarg("temperature", 0.8);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Args {
    /// Positional arguments.
    pub args: Vec<Value>,
    /// Keyword arguments.
    pub kwargs: BTreeMap<String, Value>,
}

impl Args {
    /// No arguments.
    pub fn none() -> Self {
        Self::default()
    }

    /// These arguments and a keyword argument more.
    #[must_use]
    pub fn kwarg(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.kwargs.insert(name.to_owned(), value.into());
        self
    }
}

impl From<Vec<Value>> for Args {
    fn from(args: Vec<Value>) -> Self {
        Self { args, kwargs: BTreeMap::new() }
    }
}

impl<const N: usize> From<[Value; N]> for Args {
    fn from(args: [Value; N]) -> Self {
        Self::from(Vec::from(args))
    }
}

/// Positional arguments: `args![1, "two", 3.0]`.
#[doc(hidden)]
#[macro_export]
macro_rules! __dirtyd_args {
    ($($value:expr),* $(,)?) => {
        $crate::client::Args::from(vec![$($crate::client::Value::from($value)),*])
    };
}
