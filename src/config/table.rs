//! A table of the file: groups of keys, and tables below it.

use super::{key::Key, place::Place, slot::Slot, value::Value};

/// A table, or a group of keys that stands in one.
pub trait Table: Default + Clone {
    /// Shows `visit` every key and every table below, keys first.
    fn visit<V: Visit>(&mut self, visit: &mut V);
}

/// Keys that take from others what they leave out.
pub trait Overlay {
    /// These values, with every value that `over` has put over them.
    #[must_use]
    fn overlaid_with(&self, over: &Self) -> Self;
}

/// What is done with every key of a table: reading, writing, describing.
pub trait Visit {
    /// A key and its slot.
    fn key<T: Value>(&mut self, key: &Key<T>, slot: &mut Slot<T>);

    /// A table below, written `[name]`.
    fn table<T: Table>(&mut self, name: &'static str, slot: &mut Option<T>);

    /// A list of tables below, written `[[name]]`.
    fn tables<T: Table>(&mut self, name: &'static str, slot: &mut Option<Vec<Placed<T>>>);
}

/// A table of a list, and where it is written.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Placed<T> {
    /// Where it begins.
    pub place: Place,
    /// The table.
    pub table: T,
}
