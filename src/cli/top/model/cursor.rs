//! The chosen row of a list that changes: it stays with what was chosen, wherever that
//! stands now.

/// The chosen row, by what it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor<K> {
    key: Option<K>,
    index: usize,
}

impl<K> Default for Cursor<K> {
    fn default() -> Self {
        Self { key: None, index: 0 }
    }
}

impl<K: Clone + PartialEq> Cursor<K> {
    /// What is chosen; nothing if the list is empty.
    pub fn chosen(&self) -> Option<&K> {
        self.key.as_ref()
    }

    /// Where it stands.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The list is this now. What was chosen is gone, its place is not: the next row is
    /// chosen then.
    pub fn settle(&mut self, keys: &[K]) {
        let found = self.key.as_ref().and_then(|key| keys.iter().position(|other| other == key));
        self.index = found.unwrap_or(self.index.min(keys.len().saturating_sub(1)));
        self.key = keys.get(self.index).cloned();
    }

    /// Chooses another row, by so many rows, as far as there are any.
    pub fn step(&mut self, keys: &[K], rows: isize) {
        let last = keys.len().saturating_sub(1);
        self.index = self.index.saturating_add_signed(rows).min(last);
        self.key = keys.get(self.index).cloned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_stays_with_what_was_chosen_and_then_with_its_place() {
        let mut cursor = Cursor::default();
        cursor.settle(&[1, 2, 3]);
        assert_eq!(cursor.chosen(), Some(&1));
        cursor.step(&[1, 2, 3], 1);
        cursor.settle(&[9, 3, 2, 1]);
        assert_eq!((cursor.chosen(), cursor.index()), (Some(&2), 2));
        cursor.settle(&[9, 3, 1]);
        assert_eq!(cursor.chosen(), Some(&1), "the next one");
        cursor.settle(&[9]);
        assert_eq!(cursor.chosen(), Some(&9));
        cursor.step(&[9], isize::MAX);
        cursor.step(&[9], isize::MIN);
        assert_eq!(cursor.chosen(), Some(&9));
        cursor.settle(&[]);
        assert_eq!((cursor.chosen(), cursor.index()), (None, 0));
    }
}
