//! Where something is written: in a line of the file, in a variable or in a flag.

use std::{fmt, path::Path, sync::Arc};

/// Where a value or a table is written.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub enum Place {
    /// Nowhere: it was made from others, or is missing.
    #[default]
    Nowhere,
    /// Somewhere in a file.
    File(Arc<Path>),
    /// In a line of a file, the first of which is 1.
    Line(Arc<Path>, usize),
    /// In a variable of the environment.
    Variable(String),
    /// In a flag of the command line, such as `--max-queue`.
    Flag(String),
}

impl Place {
    /// What stands before a message about it; nothing for what is nowhere.
    pub fn prefix(&self) -> String {
        match self {
            Self::Nowhere => String::new(),
            place => format!("{place}: "),
        }
    }

    /// Whether it is outside the file.
    pub fn is_outside(&self) -> bool {
        matches!(self, Self::Variable(_) | Self::Flag(_))
    }

    /// The place as who reads the file itself would call it.
    pub fn in_file(&self) -> String {
        match self {
            Self::Line(_, line) => format!("line {line}"),
            place => place.to_string(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere => Ok(()),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Line(path, line) => write!(f, "{}, line {line}", path.display()),
            Self::Variable(name) => write!(f, "${name}"),
            Self::Flag(name) => f.write_str(name),
        }
    }
}
