//! The lists. A room is a module with all that is in it.

/// The floors of the daemon, from the top: a room may use those below its own
/// floor, and nothing else but itself.
pub const FLOORS: &[&[&str]] = &[
    &["internals"],
    &["cli"],
    &["embed"],
    &["main_arbiter"],
    &["dirty_arbiter"],
    &["console"],
    &["server", "hooks"],
    &["observe"],
    &["pool"],
    &["worker"],
    &["call", "lifeline", "listening_socket", "logging", "patience"],
    &["clock", "config", "histogram", "printable", "process", "proto", "working_dir"],
];

/// What rooms of the daemon may use beside themselves, where that is less than
/// what their floor allows.
pub const LEAVES: &[(&str, &[&str])] = &[
    ("call", &["clock", "printable"]),
    ("clock", &[]),
    ("config", &[]),
    ("console::feed", &["observe", "printable"]),
    ("console::operate", &["printable"]),
    ("console::page", &[]),
    ("histogram", &[]),
    ("lifeline", &["process"]),
    ("printable", &[]),
    ("working_dir", &[]),
    ("process", &[]),
    ("proto", &[]),
    // Of processes it knows only how one ended.
    ("main_arbiter::machine", &["clock", "lifeline", "patience", "process"]),
];

/// The same for the client: the rooms that the daemon shares with it.
pub const CLIENT_LEAVES: &[(&str, &[&str])] =
    &[("frames", &["system"]), ("proto", &[]), ("system", &[]), ("value", &["proto"])];

/// Crates that rooms of the daemon do not name.
pub const STRANGERS: &[(&str, &[&str])] = &[
    ("pool", GRPC),
    ("worker", GRPC),
    ("process", GRPC),
    ("config", GRPC),
    ("config", &["tokio"]),
    ("main_arbiter", &["tokio"]),
];

const GRPC: &[&str] = &["tonic", "tonic_types", "hyper", "hyper_util", "h2", "http"];

/// Files of the daemon that know each other in a circle, and why they may. A
/// file and those below it are one family anyway. An entry whose circle is gone
/// has to go, too.
pub const CIRCLES: &[(&[&str], &str)] = &[
    (
        &["main_arbiter::machine::remark", "main_arbiter::machine::upgrade_remark"],
        "a remark and its part",
    ),
    (
        &[
            "main_arbiter::simulation::dirty_process",
            "main_arbiter::simulation::ledger",
            "main_arbiter::simulation::main_process",
            "main_arbiter::simulation::systemd",
            "main_arbiter::simulation::world",
        ],
        "the simulated world and its parts",
    ),
    (
        &[
            "pool::machine::simulation::promises",
            "pool::machine::simulation::steps",
            "pool::machine::simulation::story",
            "pool::machine::simulation::world",
        ],
        "the simulated world and its parts",
    ),
];

/// The same for the client.
pub const CLIENT_CIRCLES: &[(&[&str], &str)] = &[];

/// A room that decides and does nothing is called so; where it stands is in
/// [`DECIDERS`].
pub const MACHINE: &str = "machine";

/// The rooms that have such a room.
pub const DECIDERS: &[&str] = &["pool", "worker", "main_arbiter"];

/// Other rooms that decide and do nothing.
pub const PURE: &[&str] = &[
    "cli::top::model",
    "cli::top::view",
    "clock::deadline",
    "console::feed::json",
    "console::feed::mailbox",
    "console::feed::picture",
    "console::operate",
    "histogram",
    "observe::access_log::choice",
    "observe::access_log::line",
    "observe::family",
    "observe::gather",
    "observe::history",
    "observe::minute",
    "observe::otlp::contact",
    "observe::otlp::failure",
    "observe::otlp::metrics",
    "observe::otlp::spans",
    "observe::otlp::traced",
    "observe::recent",
    "observe::record",
    "observe::seats",
    "observe::tally",
    "observe::trace",
    "patience",
    "pool::app_metrics",
    "printable",
    "server::access",
    "server::envelope",
    "server::origins",
];

/// What around a machine, although it is in its room, is not pure.
pub const AROUND: &[&str] = &["simulation", "tests"];

/// What a room that decides does not name: a path with these segments in a row,
/// or one that begins with the one segment. That is tasks, logs, the present
/// time, files, threads.
pub const IMPURE: &[&[&str]] = &[
    &["Instant", "now"],
    &["SystemTime", "now"],
    &["tokio"],
    &["tracing"],
    &["std", "fs"],
    &["std", "net"],
    &["std", "process"],
    &["std", "thread"],
    &["print"],
    &["println"],
    &["eprint"],
    &["eprintln"],
];

/// The one room of the daemon with unsafe code.
pub const UNSAFE: &str = "process";
/// The same for the client.
pub const CLIENT_UNSAFE: &str = "system";

/// The one room that names gRPC's codes to callers.
pub const CODES: &str = "server::status";

/// The one room that binds the listening socket.
pub const BINDS: &str = "listening_socket";
/// The rooms that accept connections: the seam, and who takes what comes.
pub const ACCEPTS: &[&str] = &["server::listener", "server::edge", "console"];
