//! The two crates, read once for all tests.

use std::sync::LazyLock;

use super::{
    graph::{self, Graph},
    modules::{self, Module, ModulePath, Modules},
};
use crate::support::repository;

/// A crate.
pub struct House {
    /// Its modules.
    pub modules: Modules,
    /// Which of its files use which.
    pub graph: Graph,
}

/// The daemon.
pub static DAEMON: LazyLock<House> = LazyLock::new(|| House::read("src/lib.rs"));
/// The client and worker for Rust.
pub static CLIENT: LazyLock<House> = LazyLock::new(|| House::read("clients/rust/src/lib.rs"));

impl House {
    /// Reads a crate, from the file of its root on.
    pub fn read(root: &str) -> Self {
        let modules = modules::read(&repository().join(root));
        let graph = graph::of(&modules);
        Self { modules, graph }
    }

    /// The modules of a room, with all paths that each names.
    pub fn room(
        &self,
        room: &str,
    ) -> impl Iterator<Item = (&ModulePath, &Module, Vec<ModulePath>)> {
        (self.modules.iter())
            .filter(move |(path, _)| is_in(path, room))
            .map(|(path, module)| (path, module, graph::absolute(&self.modules, path, module)))
    }

    /// The uses of other files by the files of a room: from, to, by which path.
    pub fn uses(
        &self,
        room: &str,
    ) -> impl Iterator<Item = (&ModulePath, &ModulePath, &ModulePath)> {
        (self.graph.iter())
            .filter(move |(from, _)| is_in(from, room))
            .flat_map(|(from, uses)| uses.iter().map(move |(to, path)| (from, to, path)))
    }
}

/// How a module is called in lists and complaints: its path without `crate`.
pub fn name(path: &[String]) -> String {
    path[1..].join("::")
}

/// Whether a module is the room, or in it. The room without a name is all.
pub fn is_in(path: &[String], room: &str) -> bool {
    let path = name(path);
    let rest = path.strip_prefix(room);
    rest.is_some_and(|rest| room.is_empty() || rest.is_empty() || rest.starts_with("::"))
}

/// Reports that a module uses what it should not.
pub fn complaint(from: &[String], used: &[String]) -> String {
    format!("{} uses {}", name(from), used.join("::"))
}
