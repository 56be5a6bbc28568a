//! A configuration as text: the TOML file that means the same, with every key.

use super::{
    Config,
    key::Key,
    slot::Slot,
    table::{Placed, Table, Visit},
    value::Value,
};

/// Where the comments of a line start.
const COMMENT: usize = 48;

impl Config {
    /// A file that means the same wherever it stands: every key with its value, and a
    /// comment that says where it comes from.
    pub fn to_toml(&self) -> String {
        let mut raw = self.written.0.clone();
        let has_default_pool = raw.app.as_ref().is_some_and(|apps| !apps.is_empty());
        let mut shown = Shown { path: String::new(), text: String::new() };
        raw.instance.visit(&mut shown);
        raw.log.visit(&mut shown);
        raw.edge.visit(&mut shown);
        raw.streams.visit(&mut shown);
        if has_default_pool {
            raw.top.visit(&mut shown);
        }
        shown.tables("access", &mut raw.access);
        shown.tables("app", &mut raw.app);
        shown.table("hooks", &mut raw.hooks);
        shown.table("observe", &mut raw.observe);
        shown.tables("pool", &mut raw.pool);
        shown.text
    }
}

impl Config {
    /// The keys of the top level that variables and flags set, and which, such as
    /// "socket from $DIRTYD_SOCKET, which beats line 3".
    pub fn from_outside(&self) -> Vec<String> {
        let mut outside = Sources(Vec::new());
        self.written.0.clone().visit(&mut outside);
        outside.0
    }
}

/// The keys that are set outside the file.
struct Sources(Vec<String>);

impl Visit for Sources {
    fn key<T: Value>(&mut self, key: &Key<T>, slot: &mut Slot<T>) {
        if slot.place.is_outside() {
            self.0.push(format!("{} from {}", key.name, slot.source().unwrap_or_default()));
        }
    }

    fn table<T: Table>(&mut self, _: &'static str, _: &mut Option<T>) {}

    fn tables<T: Table>(&mut self, _: &'static str, _: &mut Option<Vec<Placed<T>>>) {}
}

/// The text of what was visited.
struct Shown {
    /// The table that the keys stand in, such as "pool.app.".
    path: String,
    text: String,
}

impl Shown {
    fn below<T: Table>(&mut self, name: &str, header: &str, table: &mut T) {
        self.text += &format!("\n{header}\n");
        let path = format!("{}{name}.", self.path);
        let above = std::mem::replace(&mut self.path, path);
        table.visit(self);
        self.path = above;
    }
}

impl Visit for Shown {
    fn key<T: Value>(&mut self, key: &Key<T>, slot: &mut Slot<T>) {
        let unset = key.rules.unset.replace('`', "");
        let line = |value: &T, from: &str| {
            let line = format!("{} = {}", key.name, value.toml());
            format!("{line:COMMENT$} # {from}")
        };
        let line = match (slot.as_ref(), &key.default) {
            (Some(value), _) => line(value, &slot.source().unwrap_or(unset)),
            (None, Some(default)) => line(default, "the default"),
            (None, None) => format!("# {} is not set: {unset}", key.name),
        };
        self.text += &(line + "\n");
    }

    fn table<T: Table>(&mut self, name: &'static str, slot: &mut Option<T>) {
        if let Some(table) = slot {
            self.below(name, &format!("[{}{name}]", self.path), table);
        }
    }

    fn tables<T: Table>(&mut self, name: &'static str, slot: &mut Option<Vec<Placed<T>>>) {
        for placed in slot.iter_mut().flatten() {
            self.below(name, &format!("[[{}{name}]]", self.path), &mut placed.table);
        }
    }
}
