//! The floors: who may know whom at all.

use super::{
    house::{CLIENT, DAEMON, House, complaint, is_in},
    rules::{CLIENT_LEAVES, FLOORS, LEAVES, STRANGERS},
};

/// The floor of a room of the daemon, counted from the top.
fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

#[test]
fn a_room_uses_only_those_below_it() {
    let mut complaints = Vec::new();
    for (from, to, path) in DAEMON.uses("") {
        let (Some(room), Some(other)) = (from.get(1), to.get(1)) else { continue };
        let Some(own) = floor(room) else {
            complaints.push(format!("{room} has no floor; add it to FLOORS"));
            continue;
        };
        if room != other && floor(other).is_none_or(|other| other <= own) {
            complaints.push(complaint(from, path));
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn leaves_use_nothing_but_what_they_may() {
    let check = |house: &House, leaves: &[(&str, &[&str])]| {
        let mut complaints = Vec::new();
        for (room, allowed) in leaves {
            assert!(house.room(room).next().is_some(), "{room} is gone; take it from the list");
            let mut may = vec![*room];
            may.extend(*allowed);
            let others = (house.uses(room))
                .filter(|(_, to, _)| !may.iter().any(|allowed| is_in(to, allowed)))
                .map(|(from, _, path)| complaint(from, path));
            complaints.extend(others);
        }
        assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    };
    check(&DAEMON, LEAVES);
    check(&CLIENT, CLIENT_LEAVES);
}

#[test]
fn a_room_names_no_stranger() {
    let mut complaints = Vec::new();
    for (room, strangers) in STRANGERS {
        for (path, _, used) in DAEMON.room(room) {
            let named = used.iter().filter(|used| strangers.contains(&used[0].as_str()));
            complaints.extend(named.map(|used| complaint(path, used)));
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn the_binary_knows_only_the_command_line() {
    let binary = House::read("src/main.rs");
    let named: Vec<_> = binary.room("").flat_map(|(_, _, used)| used).collect();
    let own: Vec<_> = named.iter().filter(|used| used[0] == "dirtyd").collect();
    assert!(!own.is_empty() && own.iter().all(|used| used[1] == "cli"), "{own:?}");
}
