//! The children of this process: those that it started, and those that it
//! inherited because their parents died.
//!
//! Whoever inherits children must reap them, or they stay as zombies. To wait
//! for "any child" would take the exit status of the own ones away from whoever
//! waits for those. So own children are [`OwnChild`]ren, and the others are
//! reaped one by one.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    ops::{Deref, DerefMut},
    process::{Child, Command},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::{
        prctl,
        signal::Signal,
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::{Pid, getpid},
};

use super::{marked, signals, stat::Stat};

/// How long the processes that a worker left behind may take to end: they have shared
/// memory and temporary files to remove.
pub const HELPERS_END: Duration = Duration::from_secs(2);
/// How long those that are killed may take to be gone.
const GONE: Duration = Duration::from_secs(2);

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It exited.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal(signal) => match Signal::try_from(*signal) {
                Ok(signal) => write!(f, "was killed by {signal}"),
                Err(_) => write!(f, "was killed by signal {signal}"),
            },
        }
    }
}

/// The own children that are not reaped. The kernel's table of children belongs
/// to the whole process, and so does this one.
static OWN: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

fn own() -> MutexGuard<'static, BTreeSet<i32>> {
    // Whoever panicked left a whole set.
    OWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A child that this process started, and that only its owner reaps. Once this
/// is dropped, it is one of the adopted.
#[derive(Debug)]
pub struct OwnChild(Child);

impl OwnChild {
    /// Starts it.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        // Held meanwhile, so that it is never seen without being known.
        let mut own = own();
        let child = command.spawn()?;
        own.insert(child.id() as i32);
        Ok(Self(child))
    }
}

impl Drop for OwnChild {
    fn drop(&mut self) {
        own().remove(&(self.0.id() as i32));
    }
}

impl Deref for OwnChild {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for OwnChild {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

/// Reaps a child that has ended, whichever; only where there is no
/// [`OwnChild`].
pub fn reap() -> Option<(i32, Exit)> {
    loop {
        return match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => Some((pid.as_raw(), Exit::Code(code))),
            Ok(WaitStatus::Signaled(pid, signal, _)) => {
                Some((pid.as_raw(), Exit::Signal(signal as i32)))
            }
            Err(Errno::EINTR) => continue,
            Ok(_) | Err(_) => None,
        };
    }
}

/// How long after it was found without an environment a process is asked again whose
/// it is.
const ASKED_AGAIN: Duration = Duration::from_millis(200);

/// What makes this process the parent of those whose parents have died.
#[derive(Debug)]
pub struct Adoption {
    /// Children from before: they belong to who ran here until it became this
    /// program, as `exec dirtyd` of a shell that has started others.
    strangers: BTreeSet<i32>,
    /// Those that were told to end, and when they are killed.
    ending: BTreeMap<i32, Instant>,
    /// Those that said nothing of whose they are, and when they are asked again: a
    /// process has no environment while it becomes another program.
    silent: BTreeMap<i32, Instant>,
}

impl Adoption {
    /// Adopts from now on.
    pub fn begin() -> Self {
        let strangers = of_this_process().map(|stat| stat.pid).collect();
        // Every kernel since 3.4 can.
        let _ = prctl::set_child_subreaper(true);
        Self { strangers, ending: BTreeMap::new(), silent: BTreeMap::new() }
    }

    /// Reaps the adopted that have ended, and no [`OwnChild`]. Returns whether
    /// there were any.
    pub fn reap(&mut self) -> bool {
        let own = own();
        let mut any = false;
        for ended in of_this_process().filter(|s| s.state == 'Z' && !own.contains(&s.pid)) {
            let status = waitpid(Pid::from_raw(ended.pid), Some(WaitPidFlag::WNOHANG));
            if status.is_ok_and(|status| status.pid().is_some()) {
                self.reaped(ended.pid);
                any = true;
            }
        }
        any
    }

    /// A child was reaped by [`reap`]; its id may mean another one from now on.
    pub fn reaped(&mut self, pid: i32) {
        self.strangers.remove(&pid);
        self.ending.remove(&pid);
        self.silent.remove(&pid);
    }

    /// Sends TERM to the adopted, to all of them or to those whose worker is gone, and
    /// SIGKILL to those that got TERM [`HELPERS_END`] ago. Those of `known` are own
    /// children without being [`OwnChild`]ren. Returns whether any are left.
    pub fn sweep(&mut self, known: &[i32], all: bool, now: Instant) -> bool {
        // Held to the end: what is started meanwhile would look like a stray.
        let own = own();
        let spared =
            |pid: &i32| known.contains(pid) || own.contains(pid) || self.strangers.contains(pid);
        let processes: Vec<Stat> = super::stat::all().filter(|stat| stat.state != 'Z').collect();
        let me = getpid().as_raw();
        let strays: Vec<&Stat> =
            (processes.iter()).filter(|stat| stat.parent == me && !spared(&stat.pid)).collect();
        if strays.is_empty() {
            return false;
        }
        let is_worker = |stat: &&Stat| own.contains(&stat.pid) || known.contains(&stat.parent);
        let workers: Vec<&Stat> = processes.iter().filter(is_worker).collect();
        let at_work: Vec<Vec<u8>> =
            workers.iter().filter_map(|stat| marked::worker_of(stat.pid)).collect();
        let silent = &mut self.silent;
        let mut belongs = |stray: &Stat| {
            let known = match marked::worker_of(stray.pid) {
                Some(worker) => Some(at_work.contains(&worker)),
                None => workers.iter().any(|worker| worker.pid == stray.group).then_some(true),
            };
            if known.is_some() {
                silent.remove(&stray.pid);
            }
            // It has thrown its environment away, if it has none for longer.
            known.unwrap_or_else(|| *silent.entry(stray.pid).or_insert(now + ASKED_AGAIN) > now)
        };
        let strays: Vec<&Stat> =
            strays.into_iter().filter(|stray| all || !belongs(stray)).collect();
        for stray in strays {
            // A child's id is not reused before it is reaped.
            let send = |signal| signals::send(stray.pid, signal);
            match self.ending.get(&stray.pid) {
                Some(by) if *by <= now => send(Signal::SIGKILL),
                Some(_) => {}
                None => {
                    tracing::warn!(
                        "process {} (`{}`) was left behind by a worker or a dirty arbiter that exited; it gets {HELPERS_END:?} to exit",
                        stray.pid,
                        stray.name
                    );
                    send(Signal::SIGTERM);
                    // A stopped one takes no signal but this one.
                    send(Signal::SIGCONT);
                    self.ending.insert(stray.pid, now + HELPERS_END);
                }
            }
        }
        true
    }

    /// When to [`sweep`](Self::sweep) again, because somebody who was told to end may
    /// not have.
    pub fn due(&self) -> Option<Instant> {
        let silent = self.silent.iter().filter(|(pid, _)| !self.ending.contains_key(pid));
        self.ending.values().chain(silent.map(|(_, at)| at)).min().copied()
    }

    /// Sweeps them all, and waits for their end, and reaps them.
    pub fn end_all(&mut self, known: &[i32]) {
        let limit = Instant::now() + HELPERS_END + GONE;
        while self.sweep(known, true, Instant::now()) && Instant::now() < limit {
            thread::sleep(Duration::from_millis(5));
            self.reap();
        }
        self.reap();
    }
}

/// The children of this process. It reads all of /proc: kernels without
/// `CONFIG_PROC_CHILDREN` have no list.
fn of_this_process() -> impl Iterator<Item = Stat> {
    let me = getpid().as_raw();
    super::stat::all().filter(move |stat| stat.parent == me)
}
