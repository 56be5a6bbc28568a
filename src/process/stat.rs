//! What /proc knows of a process.

use std::fs;

/// The head of `/proc/PID/stat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Its id.
    pub pid: i32,
    /// Its name, cut by the kernel.
    pub name: String,
    /// `Z` once it has ended and is not reaped.
    pub state: char,
    /// Its parent's id.
    pub parent: i32,
    /// Its process group's id.
    pub group: i32,
}

impl Stat {
    /// That of a process; `None` once it is gone.
    pub fn of(pid: i32) -> Option<Self> {
        Self::read(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn read(pid: i32, text: &str) -> Option<Self> {
        // The name stands in brackets and may hold anything, brackets too.
        let (head, tail) = text.rsplit_once(") ")?;
        let name = head.split_once('(').map_or("", |(_, name)| name).to_owned();
        let mut fields = tail.split(' ');
        let state = fields.next()?.chars().next()?;
        let (parent, group) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(Self { pid, name, state, parent, group })
    }
}

/// All processes.
pub fn all() -> impl Iterator<Item = Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| Stat::of(entry.ok()?.file_name().to_str()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let stat = Stat::read(7, "7 (a) Z 1 (b) S 3 4 5 0").expect("its form");
        let name = "a) Z 1 (b".to_owned();
        assert_eq!(stat, Stat { pid: 7, name, state: 'S', parent: 3, group: 4 });
        assert_eq!(Stat::read(7, "7 (a"), None);
    }
}
