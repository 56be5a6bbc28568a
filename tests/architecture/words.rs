//! What may stand only in certain rooms.

use std::fs;

use super::{
    house::{CLIENT, DAEMON, House, complaint, is_in, name},
    modules::ModulePath,
    rules::{
        ACCEPTS, AROUND, BINDS, CLIENT_UNSAFE, CODES, DECIDERS, IMPURE, MACHINE, PURE, UNSAFE,
    },
};

/// Whether a path has these segments in a row; one segment must be its first.
fn has(path: &[String], segments: &[&str]) -> bool {
    match segments {
        [first] => path[0] == *first,
        _ => path.windows(segments.len()).any(|window| window == segments),
    }
}

/// Whether a module decides and does nothing.
fn is_pure(path: &ModulePath) -> bool {
    let has_part = |part: &str| path.iter().any(|name| name == part);
    let is_machine = has_part(MACHINE) && DECIDERS.iter().any(|room| is_in(path, room));
    let is_around = AROUND.iter().any(|part| has_part(part));
    (is_machine && !is_around) || PURE.iter().any(|room| is_in(path, room))
}

#[test]
fn a_room_that_decides_does_nothing() {
    for room in DECIDERS {
        assert!(DAEMON.room(&format!("{room}::{MACHINE}")).next().is_some(), "{room}");
    }
    let mut complaints = Vec::new();
    for (path, _, used) in DAEMON.room("").filter(|(path, _, _)| is_pure(path)) {
        let impure = used.iter().filter(|used| IMPURE.iter().any(|words| has(used, words)));
        complaints.extend(impure.map(|used| complaint(path, used)));
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn one_room_of_the_edge_names_the_codes_of_grpc() {
    let named = |(path, _, used): (&ModulePath, _, Vec<ModulePath>)| {
        used.iter().any(|used| has(used, &["tonic", "Code"])).then(|| path.clone())
    };
    let rooms: Vec<_> = DAEMON.room("server").filter_map(named).collect();
    assert!(!rooms.is_empty() && rooms.iter().all(|room| is_in(room, CODES)), "{rooms:?}");
}

#[test]
fn a_socket_is_bound_in_one_room_and_accepted_from_in_another() {
    let mut complaints = Vec::new();
    for (path, module, used) in DAEMON.room("") {
        let binds = used.iter().any(|used| has(used, &["UnixListener", "bind"]));
        if binds && !is_in(path, BINDS) {
            complaints.push(format!("{} binds", name(path)));
        }
        let accepts = module.paths.methods.contains("accept");
        if accepts && !ACCEPTS.iter().any(|room| is_in(path, room)) {
            complaints.push(format!("{} accepts", name(path)));
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn unsafe_code_is_in_one_room_of_each_crate_and_says_why() {
    let check = |house: &House, room: &str| {
        let with_unsafe = house.room("").filter(|(_, module, _)| module.paths.has_unsafe);
        for (path, module, _) in with_unsafe {
            assert!(is_in(path, room), "{} has unsafe code", name(path));
            let text = fs::read_to_string(&module.file).expect("source");
            let reasons = text.matches("// SAFETY:").count();
            let blocks = text.matches("unsafe {").count();
            assert!(reasons >= blocks, "{}: {blocks} blocks, {reasons} reasons", name(path));
        }
    };
    check(&DAEMON, UNSAFE);
    check(&CLIENT, CLIENT_UNSAFE);
}

#[test]
fn a_process_knows_no_python() {
    for (path, module, _) in DAEMON.room("process") {
        let text = fs::read_to_string(&module.file).expect("source");
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let names = |line: &str| line.to_lowercase().contains("python");
        assert!(!code.into_iter().any(names), "{} names Python", name(path));
    }
}
