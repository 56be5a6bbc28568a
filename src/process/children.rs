//! The children of this process, its own and those that it inherited.

use std::fs;

use nix::{
    errno::Errno,
    sys::{
        prctl,
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::{Pid, getpid},
};

use super::signals;

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
            Self::Code(code) => write!(f, "exited with {code}"),
            Self::Signal(signal) => match nix::sys::signal::Signal::try_from(*signal) {
                Ok(signal) => write!(f, "was ended by {signal}"),
                Err(_) => write!(f, "was ended by signal {signal}"),
            },
        }
    }
}

/// Makes processes whose parents have died children of this one.
pub fn adopt_orphans() {
    // Every kernel since 3.4 can.
    let _ = prctl::set_child_subreaper(true);
}

/// Reaps a child that has ended.
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

/// A child that this process did not start.
#[derive(Debug)]
pub struct Stray {
    /// Its id; not reused before it is reaped, since it is a child.
    pub pid: i32,
    /// Its name.
    pub name: String,
    /// Its process group.
    group: i32,
}

impl Stray {
    /// Whether the leader of its process group lives: then it belongs to a
    /// worker that is at work.
    pub fn has_leader(&self) -> bool {
        self.group != self.pid && fs::exists(format!("/proc/{}", self.group)).unwrap_or(false)
    }

    /// Ends it.
    pub fn kill(&self) {
        signals::send(self.pid, nix::sys::signal::Signal::SIGKILL);
    }
}

/// The living children of this process, `known` ones aside. It reads all of
/// /proc: kernels without `CONFIG_PROC_CHILDREN` have no list.
pub fn strays(known: &[i32]) -> Vec<Stray> {
    let me = getpid();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    (entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok()))
        .filter(|pid| !known.contains(pid))
        .filter_map(|pid| stray(pid, me))
        .collect()
}

fn stray(pid: i32, me: Pid) -> Option<Stray> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in brackets and may hold anything, brackets too.
    let (head, tail) = stat.rsplit_once(") ")?;
    let mut fields = tail.split(' ');
    let (state, parent, group) = (fields.next()?, fields.next()?, fields.next()?);
    let is_ours = parent.parse() == Ok(me.as_raw()) && state != "Z";
    is_ours.then(|| Stray {
        pid,
        name: head.split_once('(').map_or("", |(_, name)| name).to_owned(),
        group: group.parse().unwrap_or(0),
    })
}
