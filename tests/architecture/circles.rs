//! No circle of files, except where a type and its parts belong together.

use std::collections::BTreeSet;

use super::{
    graph,
    house::{CLIENT, DAEMON, House, complaint, name},
    modules::ModulePath,
    rules::{CIRCLES, CLIENT_CIRCLES},
};

fn check(house: &House, families: &[(&[&str], &str)]) {
    let circles = graph::circles(&house.graph);
    let is_family = |circle: &BTreeSet<ModulePath>, family: &[&str]| {
        circle.iter().all(|path| family.contains(&name(path).as_str()))
    };
    let mut complaints = Vec::new();
    for circle in &circles {
        if !families.iter().any(|(family, _)| is_family(circle, family)) {
            complaints.push("a circle:".to_owned());
            for from in circle {
                let inside = |to: &ModulePath| circle.contains(to) && !to.starts_with(from);
                let uses = house.graph[from].iter().filter(|(to, _)| inside(to));
                complaints.extend(uses.map(|(_, path)| complaint(from, path)));
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    for (family, _) in families {
        let is_there = circles.iter().any(|circle| is_family(circle, family));
        assert!(is_there, "the circle of {family:?} is gone; take it from the list");
    }
}

#[test]
fn no_files_of_the_daemon_know_each_other_in_a_circle() {
    check(&DAEMON, CIRCLES);
}

#[test]
fn no_files_of_the_client_know_each_other_in_a_circle() {
    check(&CLIENT, CLIENT_CIRCLES);
}
