//! One attack: a daemon, an attacker, and a good client, each a process of another
//! user.

use std::{
    fs::{self, File},
    os::{
        fd::AsRawFd as _,
        unix::{fs::PermissionsExt as _, process::CommandExt as _},
    },
    process::{Child, Command, Stdio},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use dirtyd_client::args;

use crate::{
    Scale,
    attacks::{self, Attack, Cost, Means},
    blows::{self, Ledger},
    good,
    report::Row,
    support::{Daemon, LIMIT, eventually, family::Family, process, python, repository},
};

/// The attacker's user.
pub const STRANGER: u32 = 65_534;
/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// `max_held_bytes`, in MiB.
pub const HELD: u64 = 256;

/// A daemon under attack.
pub struct Siege {
    attack: &'static Attack,
    scale: Scale,
    family: Family,
}

/// A process that ends with this.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = process::wait(&mut self.0, LIMIT);
    }
}

impl Siege {
    /// Starts the daemon.
    pub async fn lay(attack: &'static Attack, scale: Scale) -> Self {
        let faulty = repository().join("tests/workers/faulty.py");
        let config = format!(
            "socket_mode = \"0666\"\nmax_held_bytes = \"{HELD}MiB\"\nheartbeat = \"1s\"\n\
             workers = 2\nmax_restarts = 100000\nmax_queue = 20000\n\
             [[app]]\npath = \"lab:Lab\"\n\
             [[pool]]\nname = \"faults\"\nworkers = 1\ncommand = [{:?}, {faulty:?}]\n\
             app = [{{ path = \"Faulty\", timeout = \"2s\" }}]\n",
            python()
        );
        let family = Family::with(&config).await;
        fs::set_permissions(family.path("."), fs::Permissions::from_mode(0o711)).expect("folder");
        Self { attack, scale, family }
    }

    /// Runs it.
    pub async fn run(self) -> Row {
        let Self { attack, scale, mut family } = self;
        family.client().execute("lab:Lab", "pid", args![]).await.expect("served");
        let pid = family.status().await.arbiter.map_or(0, |arbiter| arbiter.pid);
        let before = resident(pid);
        let ledger = Arc::new(Ledger::default());
        ledger.arbiter.store(pid, Ordering::Relaxed);
        let watched = std::thread::spawn({
            let ledger = Arc::clone(&ledger);
            move || highest(&ledger)
        });
        let good = match attack.means {
            Means::Blows(blow) => {
                let measured = async |daemon| {
                    let good = good::measure(daemon, blow.time(scale)).await;
                    ledger.over.store(true, Ordering::Relaxed);
                    good
                };
                let socket = family.socket();
                let (good, ()) = tokio::join!(
                    measured(socket),
                    blows::strike(blow, &mut family, scale, &ledger)
                );
                good
            }
            _ => {
                let attacker = matches!(attack.means, Means::Process)
                    .then(|| start(attack.name, &family, scale.divisor));
                let good = tokio::select! {
                    good = good::measure(family.socket(), scale.time) => good,
                    never = async {
                        attacks::of_workers(&attack.means, &family).await;
                        std::future::pending().await
                    } => never,
                };
                drop(attacker);
                good
            }
        };
        ledger.over.store(true, Ordering::Relaxed);
        let peak = watched.join().expect("no panic");
        let quiet = async || {
            let arbiter = family.status().await.arbiter?;
            (arbiter.held_bytes == 0).then_some(arbiter.pid)
        };
        let pid = eventually(LIMIT, "what was held is given back", quiet).await;
        family.client().execute("lab:Lab", "pid", args![]).await.expect("served");
        let may_fail = match attack.cost {
            Cost::Calls if ledger.nobody_left.load(Ordering::Relaxed) => usize::MAX,
            Cost::Calls => ledger.blows.load(Ordering::Relaxed) as usize,
            Cost::None | Cost::Waits => 0,
        };
        Row { attack, good, may_fail, before, peak, after: resident(pid) }
    }
}

/// Starts the attacker.
fn start(attack: &str, daemon: &Daemon, divisor: usize) -> Process {
    let mut command = again(STRANGER);
    command.args(["attack", attack]).arg(daemon.socket()).arg(divisor.to_string());
    let attacker = Process(command.stdin(Stdio::null()).spawn().expect("it starts"));
    // What it takes of the processors is the kernel's matter, not the arbiter's.
    let pid = attacker.0.id().to_string();
    let _ = Command::new("renice").args(["-n", "19", "-p", &pid]).stdout(Stdio::null()).status();
    attacker
}

/// This program, for another user, who may not reach its folder. Without root the
/// user stays the same.
pub fn again(uid: u32) -> Command {
    let own = File::open("/proc/self/exe").expect("this program");
    let mut command = Command::new(format!("/proc/self/fd/{}", own.as_raw_fd()));
    // It has to be open when the command is started, and this process is short.
    std::mem::forget(own);
    if nix::unistd::geteuid().is_root() {
        command.uid(uid).gid(uid);
    }
    command.current_dir("/");
    command
}

/// The highest resident memory of the arbiter in MiB, until it is over.
fn highest(ledger: &Ledger) -> u64 {
    let mut peak = 0;
    while !ledger.over.load(Ordering::Relaxed) {
        peak = resident(ledger.arbiter.load(Ordering::Relaxed)).max(peak);
        std::thread::sleep(LOOK);
    }
    peak
}

/// The resident memory of a process in MiB; 0 if it is gone.
fn resident(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / 1024
}
