//! What is declared about a key: all of it, once.

use toml::de::DeValue;

use super::{rules::Rules, value::Value};

/// A key and what holds for it.
#[derive(Debug)]
pub struct Key<T> {
    /// Its name in the file.
    pub name: &'static str,
    /// The lines of its documentation.
    pub doc: &'static [&'static str],
    /// Its value where none is written.
    pub default: Option<T>,
    /// Everything else.
    pub rules: Rules<T>,
}

impl<T: Value> Key<T> {
    /// Whether a file may call it by this name.
    pub fn is(&self, name: &str) -> bool {
        self.name == name || self.rules.alias == Some(name)
    }

    /// The documentation as one line.
    pub fn doc(&self) -> String {
        self.doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
    }

    /// The documentation as a line that starts with a capital letter.
    pub fn sentence(&self) -> String {
        let doc = self.doc();
        let mut letters = doc.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or(doc)
    }

    /// The least and the largest value that it accepts, where there is a bound.
    pub fn range(&self) -> (Option<toml::Value>, Option<toml::Value>) {
        let most = self.rules.most.as_ref().map(|(most, _)| most.toml());
        (self.rules.least.as_ref().map(Value::toml), most)
    }

    /// Reads a value and checks it.
    ///
    /// # Errors
    /// What is wrong with it, to stand after the key's name.
    pub fn read(&self, value: &DeValue<'_>) -> Result<T, String> {
        let value = T::read(value)?;
        let rules = &self.rules;
        if let Some(least) = rules.least.as_ref().filter(|least| value < **least) {
            return Err(format!("it is {}, but must be at least {}", value.toml(), least.toml()));
        }
        if let Some((most, why)) = rules.most.as_ref().filter(|(most, _)| value > *most) {
            let why = if why.is_empty() { String::new() } else { format!(", {why}") };
            return Err(format!(
                "it is {}, but must be at most {}{why}",
                value.toml(),
                most.toml()
            ));
        }
        (rules.check)(&value)?;
        Ok(value)
    }

    /// Reads the text of a variable or a flag: TOML or, if that does not fit, a
    /// string without quotes.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_text(&self, text: &str) -> Result<T, String> {
        let string = DeValue::String(text.into());
        match DeValue::parse(text) {
            Ok(value) => self.read(value.get_ref()).or_else(|error| {
                // The string only says more if the text was meant as one.
                self.read(&string).map_err(|_| error)
            }),
            Err(_) => self.read(&string),
        }
    }
}
