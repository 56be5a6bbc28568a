//! From TOML to the values of a table.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    ConfigError,
    key::Key,
    nearest::nearest,
    origin::Origin,
    slot::Slot,
    table::{Placed, Table, Visit},
    value::{Value, expected},
};

/// How many known keys a message lists.
const LISTED: usize = 12;

/// Reads all keys of `from`, which stands at `path` (such as "pool.app."), into
/// `table`.
///
/// # Errors
/// The first key, in the order of the file, that is unknown, written twice, or
/// has a value that it cannot have.
pub fn read<T: Table>(
    table: &mut T,
    from: &DeTable<'_>,
    path: &str,
    origin: &Origin,
) -> Result<(), ConfigError> {
    let mut entries: Vec<_> = from.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    for (name, value) in entries {
        let mut entry = Entry { name: name.get_ref(), value, path, origin, done: None };
        table.visit(&mut entry);
        entry.done.unwrap_or_else(|| {
            let message = format!("{path}{}: {}", name.get_ref(), unknown(table, name.get_ref()));
            Err(origin.error(&name.span(), message))
        })?;
    }
    Ok(())
}

/// A key of the file, on its way to its slot.
struct Entry<'a, 'i> {
    name: &'a str,
    value: &'a Spanned<DeValue<'i>>,
    path: &'a str,
    origin: &'a Origin,
    /// How it went, once the slot is found.
    done: Option<Result<(), ConfigError>>,
}

impl Entry<'_, '_> {
    fn error(&self, message: &str) -> ConfigError {
        let message = format!("{}{}: {message}", self.path, self.name);
        self.origin.error(&self.value.span(), message)
    }

    fn read_below<T: Table>(
        &self,
        table: &mut T,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), ConfigError> {
        let Some(from) = value.get_ref().as_table() else {
            let message = expected::<()>("a table", value.get_ref()).err().unwrap_or_default();
            let such = match self.name {
                "app" => " such as { path = \"a:A\" }",
                _ => "",
            };
            return Err(self.error(&format!("{message}{such}")));
        };
        read(table, from, &format!("{}{}.", self.path, self.name), self.origin)
    }
}

impl Visit for Entry<'_, '_> {
    fn key<T: Value>(&mut self, key: &Key<T>, slot: &mut Slot<T>) {
        if self.done.is_some() || !key.is(self.name) {
            return;
        }
        self.done = Some(if slot.is_some() {
            Err(self
                .error(&format!("`{}` is set already, under its other name; keep one", key.name)))
        } else {
            let read = key.read(self.value.get_ref()).map_err(|error| self.error(&error));
            let place = self.origin.place(&self.value.span());
            read.map(|value| *slot = Slot::at(place, value))
        });
    }

    fn table<T: Table>(&mut self, name: &'static str, slot: &mut Option<T>) {
        if self.name == name {
            let table = slot.get_or_insert_default();
            self.done = Some(self.read_below(table, self.value));
        }
    }

    fn tables<T: Table>(&mut self, name: &'static str, slot: &mut Option<Vec<Placed<T>>>) {
        if self.name != name {
            return;
        }
        let Some(items) = self.value.get_ref().as_array() else {
            let message = expected::<()>("a list of tables", self.value.get_ref());
            let message = message.err().unwrap_or_default();
            let remedy = format!("write `[[{}{name}]]`", self.path);
            self.done = Some(Err(self.error(&format!("{message}; {remedy}"))));
            return;
        };
        let read = |item: &Spanned<DeValue<'_>>| {
            let mut placed = Placed { place: self.origin.place(&item.span()), table: T::default() };
            self.read_below(&mut placed.table, item).map(|()| placed)
        };
        let tables = items.iter().map(read).collect::<Result<_, _>>();
        self.done = Some(tables.map(|tables| *slot = Some(tables)));
    }
}

/// What to say about a key that `table` does not have.
fn unknown<T: Table>(table: &mut T, name: &str) -> String {
    let mut names = Names(Vec::new());
    table.visit(&mut names);
    match nearest(name, names.0.iter().copied()) {
        Some(nearest) => format!("this key is unknown; did you mean `{nearest}`?"),
        None if names.0.len() <= LISTED => {
            format!("this key is unknown here; known are {}", names.0.join(", "))
        }
        None => "this key is unknown here; `dirtyd serve --help` lists most keys".to_owned(),
    }
}

/// The names of a table's keys and tables.
struct Names(Vec<&'static str>);

impl Visit for Names {
    fn key<T: Value>(&mut self, key: &Key<T>, _: &mut Slot<T>) {
        self.0.push(key.name);
        self.0.extend(key.rules.alias);
    }

    fn table<T: Table>(&mut self, name: &'static str, _: &mut Option<T>) {
        self.0.push(name);
    }

    fn tables<T: Table>(&mut self, name: &'static str, _: &mut Option<Vec<Placed<T>>>) {
        self.0.push(name);
    }
}
