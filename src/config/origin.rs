//! Where a configuration was written, for messages.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use super::ConfigError;

/// The file that a configuration came from; turns spans into lines.
#[derive(Debug, Default, Clone)]
pub struct Origin {
    /// The file and its text, if there is one.
    file: Option<(PathBuf, String)>,
}

impl Origin {
    /// The text of the file at `path`.
    pub fn file(path: &Path, text: String) -> Self {
        Self { file: Some((path.to_owned(), text)) }
    }

    /// The file, if there is one.
    pub fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(|(path, _)| path.as_path())
    }

    /// The text of the file, if there is one.
    pub fn text(&self) -> Option<&str> {
        self.file.as_ref().map(|(_, text)| text.as_str())
    }

    /// "FILE, line N: ", or nothing for values that stand in no file.
    pub fn place(&self, span: &Range<usize>) -> String {
        let Some((path, text)) = &self.file else { return String::new() };
        let before = text.get(..span.start).unwrap_or_default();
        format!("{}, line {}: ", path.display(), before.matches('\n').count() + 1)
    }

    /// What is wrong with the value at `span`.
    pub fn error(&self, span: &Range<usize>, message: String) -> ConfigError {
        ConfigError::Invalid { place: self.place(span), message }
    }
}
