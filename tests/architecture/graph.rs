//! Who knows whom: which files name things of which others.

use std::collections::{BTreeMap, BTreeSet};

use super::modules::{Module, ModulePath, Modules};

/// How many imports may lead from a name to the place where it is defined.
const MAX_IMPORTS: usize = 16;

/// For each file, the files that it uses, each with a path that shows it. Files
/// are named by their modules.
pub type Graph = BTreeMap<ModulePath, BTreeMap<ModulePath, ModulePath>>;

/// The graph of a crate. Re-exports are followed to the file that defines.
pub fn of(modules: &Modules) -> Graph {
    let mut graph = Graph::new();
    for (path, module) in modules {
        let uses = graph.entry(module.of_file.clone()).or_default();
        for used in absolute(modules, path, module) {
            if used[0] == "crate" {
                let target = &modules[&owner(modules, &used, MAX_IMPORTS)].of_file;
                if *target != module.of_file {
                    uses.entry(target.clone()).or_insert(used);
                }
            }
        }
    }
    graph
}

/// The paths that a module names, from `crate` or from the name of another crate.
pub fn absolute(modules: &Modules, path: &ModulePath, module: &Module) -> Vec<ModulePath> {
    (module.paths.used.iter()).map(|used| from_root(modules, path, used, MAX_IMPORTS)).collect()
}

/// A path as a module writes it, from the root.
fn from_root(modules: &Modules, at: &ModulePath, used: &[String], imports: usize) -> ModulePath {
    let (first, rest) = used.split_first().expect("no path is empty");
    let below = |start: &[String]| [start, rest].concat();
    match first.as_str() {
        "crate" => used.to_vec(),
        "self" => below(at),
        "super" => {
            from_root(modules, &at[..at.len() - 1].to_vec(), &below(&["self".into()]), imports)
        }
        _ if modules.contains_key(&[at, std::slice::from_ref(first)].concat()) => {
            [at, used].concat()
        }
        _ => match modules.get(at).and_then(|module| module.paths.imports.get(first)) {
            Some(import) if imports > 0 && import.first() != Some(first) => {
                from_root(modules, at, &below(import), imports - 1)
            }
            _ => used.to_vec(),
        },
    }
}

/// The module that owns what is at a path.
fn owner(modules: &Modules, path: &[String], imports: usize) -> ModulePath {
    let known = (1..=path.len()).rev().find(|end| modules.contains_key(&path[..*end]));
    let (module, rest) = path.split_at(known.expect("the root is known"));
    let module = module.to_vec();
    let import = rest.first().and_then(|name| modules[&module].paths.imports.get(name));
    match import {
        Some(import) if imports > 0 => {
            let target = from_root(modules, &module, &[&import[..], &rest[1..]].concat(), imports);
            if target[0] == "crate" { owner(modules, &target, imports - 1) } else { module }
        }
        _ => module,
    }
}

/// The sets of files that know each other in a circle. A file and those below it
/// are one family: what it says of them is no part of a circle.
pub fn circles(graph: &Graph) -> Vec<BTreeSet<ModulePath>> {
    let reached: BTreeMap<_, _> = graph.keys().map(|from| (from, reachable(graph, from))).collect();
    let mut circles = BTreeSet::new();
    for (from, targets) in &reached {
        let back = |to: &&ModulePath| reached.get(to).is_some_and(|there| there.contains(*from));
        let circle: BTreeSet<_> = targets.iter().filter(back).cloned().collect();
        if circle.len() > 1 {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

fn reachable(graph: &Graph, from: &ModulePath) -> BTreeSet<ModulePath> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![from.clone()]);
    while let Some(at) = next.pop() {
        for to in graph.get(&at).into_iter().flat_map(BTreeMap::keys) {
            if !to.starts_with(&at) && reached.insert(to.clone()) {
                next.push(to.clone());
            }
        }
    }
    reached
}
