//! What holds for a key beside its name, its documentation and its default.

use std::fmt;

/// What makes a change of a key take effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Takes {
    /// A reload, and whatever does more.
    Reload,
    /// An upgrade or a restart; a reload leaves it as it is.
    Upgrade,
    /// A restart; even an upgrade leaves it as it is.
    Restart,
}

impl fmt::Display for Takes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reload => "reload",
            Self::Upgrade => "upgrade",
            Self::Restart => "restart",
        })
    }
}

/// Where a key can be set besides the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// By a variable, and by a flag of `-h` and `--help`.
    CommonFlag,
    /// By a variable, and by a flag of `--help` alone.
    Flag,
    /// By a variable; a flag of another name does it.
    Variable,
    /// Nowhere.
    Nowhere,
}

impl Outside {
    /// Whether a key of this kind can be set by `source`, a variable or a flag.
    pub fn reaches(self, source: Self) -> bool {
        match self {
            Self::CommonFlag | Self::Flag => true,
            Self::Variable => source == Self::Variable,
            Self::Nowhere => false,
        }
    }
}

/// What holds for a key, built from [`reload`], [`upgrade`] or [`restart`].
#[derive(Debug)]
pub struct Rules<T> {
    /// What makes a change take effect.
    pub takes: Takes,
    /// What holds where the key has no value and no default, in words.
    pub unset: &'static str,
    /// Other names of the key, from gunicorn.
    pub alias: Option<&'static str>,
    /// Where else it can be set.
    pub outside: Outside,
    /// Whether its table is invalid without it.
    pub required: bool,
    /// The least value.
    pub least: Option<T>,
    /// The largest value, and why it is that, which may be empty.
    pub most: Option<(T, &'static str)>,
    /// What else a value must pass; the error stands after the key's name.
    pub check: fn(&T) -> Result<(), String>,
}

/// A key whose change takes a reload.
pub fn reload<T>() -> Rules<T> {
    Rules {
        takes: Takes::Reload,
        unset: "",
        alias: None,
        outside: Outside::Flag,
        required: false,
        least: None,
        most: None,
        check: |_| Ok(()),
    }
}

/// A key whose change takes an upgrade or a restart.
pub fn upgrade<T>() -> Rules<T> {
    Rules { takes: Takes::Upgrade, ..reload() }
}

/// A key whose change takes a restart.
pub fn restart<T>() -> Rules<T> {
    Rules { takes: Takes::Restart, ..reload() }
}

impl<T> Rules<T> {
    /// Describes in words what holds where nothing is written.
    pub fn unset(self, words: &'static str) -> Self {
        Self { unset: words, ..self }
    }

    /// Accepts gunicorn's name for it, too.
    pub fn alias(self, name: &'static str) -> Self {
        Self { alias: Some(name), ..self }
    }

    /// Where it can be set besides the file.
    pub fn outside(self, outside: Outside) -> Self {
        Self { outside, ..self }
    }

    /// Its table is invalid without it.
    pub fn required(self) -> Self {
        Self { required: true, unset: "required", ..self }
    }

    /// Accepts nothing below `least`.
    pub fn at_least(self, least: T) -> Self {
        Self { least: Some(least), ..self }
    }

    /// Accepts nothing above `most`; `why` may be empty.
    pub fn at_most(self, most: T, why: &'static str) -> Self {
        Self { most: Some((most, why)), ..self }
    }

    /// Accepts only what passes `check`, whose error stands after the key's name.
    pub fn check(self, check: fn(&T) -> Result<(), String>) -> Self {
        Self { check, ..self }
    }
}
