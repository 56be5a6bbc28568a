//! The file that a configuration came from, for messages.

use std::{ops::Range, path::Path, sync::Arc};

use super::{ConfigError, place::Place};

/// The file that a configuration came from; turns spans into lines.
#[derive(Debug, Default, Clone)]
pub struct Origin {
    /// The file and its text, if there is one.
    file: Option<(Arc<Path>, String)>,
}

impl Origin {
    /// The text of the file at `path`.
    pub fn file(path: &Path, text: String) -> Self {
        Self { file: Some((path.into(), text)) }
    }

    /// The file, if there is one.
    pub fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(|(path, _)| &**path)
    }

    /// The text of the file, if there is one.
    pub fn text(&self) -> Option<&str> {
        self.file.as_ref().map(|(_, text)| text.as_str())
    }

    /// The file as a whole.
    pub fn whole(&self) -> Place {
        self.file.as_ref().map_or(Place::Nowhere, |(path, _)| Place::File(Arc::clone(path)))
    }

    /// The line in which `span` begins.
    pub fn place(&self, span: &Range<usize>) -> Place {
        let Some((path, text)) = &self.file else { return Place::Nowhere };
        let before = text.get(..span.start).unwrap_or_default();
        Place::Line(Arc::clone(path), before.matches('\n').count() + 1)
    }

    /// What is wrong with the value at `span`.
    pub fn error(&self, span: &Range<usize>, message: String) -> ConfigError {
        ConfigError::Invalid { place: self.place(span), message }
    }
}
