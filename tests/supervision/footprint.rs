//! What a daemon uses that could leak: processes, descriptors, threads, memory,
//! files; of its whole tree.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use dirtyd_client::args;

use crate::{
    family::{Family, LIFE},
    support::{LIMIT, eventually, pids},
};

/// Calls that are served before it is taken: it is always that of a tree that
/// has served, and is at rest.
const CALLS: i64 = 50;
/// By how much the memory of a process may differ. A leak of a few KiB for each
/// of hundreds of blows is larger; the moods of an allocator are smaller.
const TOLERANCE: u64 = 1024 * 1024;

/// A part in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Main,
    Dirty,
    Worker,
    /// It should not be there.
    Nobody,
}

/// What a process uses, memory aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    role: Role,
    descriptors: usize,
    /// Of an arbiter; those of a worker come and go with its calls.
    threads: Option<usize>,
    /// Children that it has not reaped.
    zombies: usize,
}

/// The footprint of the whole tree.
#[derive(Debug, PartialEq, Eq)]
pub struct Footprint {
    held: Vec<Held>,
    files: Vec<String>,
    /// The most of those in a part, in bytes; what they have allocated, not what
    /// they map.
    memory: BTreeMap<Role, u64>,
}

impl Footprint {
    /// Takes it at rest: every worker is ready, and no client but the test's own
    /// is connected.
    pub async fn at_rest(family: &Family) -> Self {
        serve(family).await;
        // Those that have ended are reaped when what they left behind had its time.
        // What is open for a moment, to read of a process, is not there twice.
        let rests = async || {
            let (before, now) = (Self::of(family).await, Self::of(family).await);
            let is_reaped = now.held.iter().all(|held| held.zombies == 0);
            (is_reaped && before.held == now.held).then_some(now)
        };
        eventually(LIMIT, "the ended are reaped, and nothing changes", rests).await
    }

    /// Waits until it is back to what it was, and compares the memory.
    pub async fn is_again(&self, family: &Family) {
        serve(family).await;
        let mut now = Self::of(family).await;
        let same = |now: &Self| (&now.held, &now.files) == (&self.held, &self.files);
        // What is dying takes its time.
        let back = tokio::time::timeout(LIMIT, async {
            while !same(&now) {
                now = Self::of(family).await; // asks the daemon: no hot loop
            }
        });
        if back.await.is_err() {
            panic!("something is left: before {self}\nafter {now}");
        }
        for (role, memory) in &now.memory {
            let grown = memory.saturating_sub(self.memory[role]);
            assert!(grown <= TOLERANCE, "{role:?} grew by {grown}: before {self}\nafter {now}");
        }
        eprintln!("footprint {now}");
    }

    async fn of(family: &Family) -> Self {
        let (main, dirty) = arbiters(family).await;
        let workers = pids(&family.status().await);
        let role = |pid| match pid {
            _ if pid == main => Role::Main,
            _ if pid == dirty => Role::Dirty,
            _ if workers.contains(&pid) => Role::Worker,
            _ => Role::Nobody,
        };
        let (mut held, mut memory) = (Vec::new(), BTreeMap::new());
        for (role, pid) in family.processes().into_iter().map(|pid| (role(pid), pid)) {
            held.push(Held {
                role,
                descriptors: entries(pid, "fd"),
                threads: (role != Role::Worker).then(|| entries(pid, "task")),
                zombies: zombies_of(pid),
            });
            let most = memory.entry(role).or_default();
            *most = allocated(pid).max(*most);
        }
        held.sort();
        Self { held, files: family.files(), memory }
    }
}

impl fmt::Display for Footprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.memory, self.files)?;
        self.held.iter().try_for_each(|held| write!(f, "\n  {held:?}"))
    }
}

/// The main arbiter and the dirty arbiter.
pub async fn arbiters(family: &Family) -> (i32, i32) {
    (family.named("dirtyd.pid").await, family.named("dirtyd-dirty.pid").await)
}

async fn serve(family: &Family) {
    family.ready().await;
    for number in 0..CALLS {
        let echoed = family.client().execute(LIFE, "echo", args![number]).await;
        assert_eq!(echoed.expect("a tree at rest serves").as_int(), Some(number));
    }
}

fn entries(pid: i32, folder: &str) -> usize {
    fs::read_dir(Path::new("/proc").join(pid.to_string()).join(folder)).map_or(0, Iterator::count)
}

fn allocated(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.map_or(0, |kibibytes| kibibytes * 1024)
}

/// Zombies have no environment, so they are no processes of the family.
fn zombies_of(parent: i32) -> usize {
    let is_one = |stat: String| {
        let (_, rest) = stat.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        (fields.next()? == "Z" && fields.next()?.parse() == Ok(parent)).then_some(())
    };
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    entries.filter_map(|entry| is_one(fs::read_to_string(entry.path().join("stat")).ok()?)).count()
}
