//! What a reload leaves as it is.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Config,
    key::Key,
    rules::Takes,
    slot::Slot,
    table::{Placed, Table, Visit},
    value::Value,
};

/// A key with a new value that a reload does not put into effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The key, such as `max_connections`; behind its table if it has one, such
    /// as `hooks.timeout`.
    pub key: String,
    /// What puts it into effect.
    pub takes: Takes,
}

impl Config {
    /// The keys to which `new` gives another value, but which a reload leaves as
    /// they are, in the order of their names.
    pub fn pending_after_reload(&self, new: &Self) -> Vec<Pending> {
        let (old, new) = (Lasting::of(self), Lasting::of(new));
        let keys: BTreeSet<_> = old.values.keys().chain(new.values.keys()).collect();
        let changed = keys.into_iter().filter_map(|key| {
            let (was, is) = (old.values.get(key), new.values.get(key));
            let (takes, _) = was.or(is)?;
            (was != is).then(|| Pending { key: key.clone(), takes: *takes })
        });
        changed.collect()
    }
}

/// The values of the keys that a reload leaves as they are.
#[derive(Default)]
struct Lasting {
    /// The table that the keys stand in, such as "hooks.".
    path: String,
    values: BTreeMap<String, (Takes, Option<toml::Value>)>,
}

impl Lasting {
    fn of(config: &Config) -> Self {
        let mut lasting = Self::default();
        config.written.0.clone().visit(&mut lasting);
        lasting
    }

    fn below<T: Table>(&mut self, name: &str, table: &mut T) {
        let path = format!("{}{name}.", self.path);
        let above = std::mem::replace(&mut self.path, path);
        table.visit(self);
        self.path = above;
    }
}

impl Visit for Lasting {
    fn key<T: Value>(&mut self, key: &Key<T>, slot: &mut Slot<T>) {
        if key.rules.takes > Takes::Reload {
            let value = slot.as_ref().or(key.default.as_ref()).map(Value::toml);
            self.values.insert(format!("{}{}", self.path, key.name), (key.rules.takes, value));
        }
    }

    fn table<T: Table>(&mut self, name: &'static str, slot: &mut Option<T>) {
        self.below(name, slot.get_or_insert_default());
    }

    fn tables<T: Table>(&mut self, name: &'static str, slot: &mut Option<Vec<Placed<T>>>) {
        for (index, placed) in slot.iter_mut().flatten().enumerate() {
            self.below(&format!("{name}[{index}]"), &mut placed.table);
        }
    }
}
