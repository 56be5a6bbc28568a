//! The arguments of a call.

use std::collections::BTreeMap;

use super::{Value, WrongKind};

/// Positional and keyword arguments.
///
/// ```
/// use dirtyd_client::args;
/// let args = args!["text", 3].kwarg("temperature", 0.8);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Args {
    /// Positional arguments.
    pub args: Vec<Value>,
    /// Keyword arguments.
    pub kwargs: BTreeMap<String, Value>,
}

/// An argument that is missing or of the wrong kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
    /// It was not given.
    #[error("the argument `{0}` is missing")]
    Missing(String),
    /// It is of another kind.
    #[error("the argument `{name}`: {wrong}")]
    WrongKind {
        /// Its name.
        name: String,
        /// What was expected.
        wrong: WrongKind,
    },
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

    /// Takes the argument at `position`, or the keyword argument `name`.
    ///
    /// # Errors
    /// It is missing, or of another kind.
    pub fn take<T>(&mut self, position: usize, name: &str) -> Result<T, ArgumentError>
    where
        T: TryFrom<Value>,
        WrongKind: From<T::Error>,
    {
        self.take_opt(position, name)?.ok_or_else(|| ArgumentError::Missing(name.to_owned()))
    }

    /// As [`take`](Self::take), for an argument that may be left out.
    ///
    /// # Errors
    /// It is of another kind.
    pub fn take_opt<T>(&mut self, position: usize, name: &str) -> Result<Option<T>, ArgumentError>
    where
        T: TryFrom<Value>,
        WrongKind: From<T::Error>,
    {
        let positional = self.args.get_mut(position).map(|arg| std::mem::replace(arg, Value::Null));
        let value = positional.or_else(|| self.kwargs.remove(name));
        value.map(T::try_from).transpose().map_err(|error| ArgumentError::WrongKind {
            name: name.to_owned(),
            wrong: WrongKind::from(error),
        })
    }
}

impl From<std::convert::Infallible> for WrongKind {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
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

/// Positional arguments of anything that has a [`Value`]: `args![1, "two", 3.0]`.
#[macro_export]
macro_rules! args {
    ($($value:expr),* $(,)?) => {
        $crate::Args::from(vec![$($crate::Value::from($value)),*])
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_taken_by_place_or_name_and_checked() {
        let mut args = Args::from([Value::from(3), Value::from("x")]).kwarg("scale", 2);
        assert_eq!(args.take(0, "count"), Ok(3_i64));
        assert_eq!(args.take(7, "scale"), Ok(2.0));
        assert_eq!(args.take_opt::<bool>(2, "flag"), Ok(None));
        let wrong = args.take::<i64>(1, "size").expect_err("text").to_string();
        assert_eq!(wrong, "the argument `size`: expected an int, got a string");
        let missing = args.take::<Value>(9, "path").expect_err("none").to_string();
        assert_eq!(missing, "the argument `path` is missing");
    }
}
