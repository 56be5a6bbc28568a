//! Finding processes by an entry in their environment.
//!
//! What a process was started with stays readable in /proc, and its children
//! inherit it. So an entry that nobody else has identifies all descendants of a
//! process, even if every process in between is gone.

use std::{
    fs, io, iter,
    os::{fd::OwnedFd, unix::fs::MetadataExt as _},
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use nix::{
    sys::signal::Signal,
    unistd::{geteuid, getpid},
};

use super::{pidfd, stat::Stat};

/// The variable that names the worker to which a process belongs.
pub const WORKER: &str = "DIRTYD_WORKER";

/// A name for a worker that is about to start, of no other one's.
pub fn new_worker() -> String {
    static STARTED: AtomicU64 = AtomicU64::new(0);
    format!("{}.{}", getpid(), STARTED.fetch_add(1, Ordering::Relaxed))
}

/// To which worker a process belongs, as its environment says; `None` if it does not
/// say.
pub fn worker_of(pid: i32) -> Option<Vec<u8>> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let is_value =
        |entry: &[u8]| Some(entry.strip_prefix(WORKER.as_bytes())?.strip_prefix(b"=")?.to_owned());
    environment.split(|byte| *byte == 0).find_map(is_value)
}

/// A process that was found.
#[derive(Debug)]
pub struct Marked {
    /// Its id.
    pub pid: i32,
    /// Its name.
    pub name: String,
    pidfd: OwnedFd,
}

impl Marked {
    /// Kills exactly this process.
    ///
    /// # Errors
    /// It is not ours to signal.
    pub fn kill(&self) -> io::Result<()> {
        match pidfd::send_signal(&self.pidfd, Signal::SIGKILL as i32) {
            Err(error) if error.raw_os_error() != Some(nix::libc::ESRCH) => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Waits until it has ended, for `limit` at most. Returns whether it has.
    pub fn ended(&self, limit: Duration) -> bool {
        pidfd::wait(&self.pidfd, limit)
    }
}

/// The processes of this user that were started with `entry` in their
/// environment: not this one, nor those that it descends from.
pub fn started_with(entry: &str) -> Vec<Marked> {
    let forebears: Vec<i32> = forebears().collect();
    super::stat::all()
        .filter(|stat| stat.state != 'Z' && !forebears.contains(&stat.pid))
        .filter_map(|stat| {
            // The descriptor first: should the id be reused meanwhile, then it
            // stands for a process that has ended, and nobody is signalled.
            let pidfd = pidfd::open(stat.pid).ok()?;
            has(stat.pid, entry).then_some(Marked { pid: stat.pid, name: stat.name, pidfd })
        })
        .collect()
}

/// This process, its parent, and so on.
fn forebears() -> impl Iterator<Item = i32> {
    iter::successors(Some(getpid().as_raw()), |pid| Some(Stat::of(*pid)?.parent))
}

fn has(pid: i32, entry: &str) -> bool {
    let path = Path::new("/proc").join(pid.to_string());
    let is_ours = fs::metadata(&path).is_ok_and(|found| found.uid() == geteuid().as_raw());
    // Others' cannot be read.
    let environment = fs::read(path.join("environ")).unwrap_or_default();
    is_ours && environment.split(|byte| *byte == 0).any(|found| found == entry.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    fn pids(entry: &str) -> Vec<i32> {
        started_with(entry).iter().map(|found| found.pid).collect()
    }

    /// Starts a process, which has its environment once it runs the program.
    fn sleeper(entry: &str, value: &str) -> Child {
        Command::new("sleep").arg("1000").env(entry, value).spawn().expect("sleep is there")
    }

    #[test]
    fn exactly_those_with_the_entry_are_found_and_killed() {
        let id = std::process::id().to_string();
        let entry = format!("MARKED_TEST={id}");
        let mut others = [sleeper("MARKED_TEST", &format!("{id}0")), sleeper("UNMARKED_TEST", &id)];
        let mut child = sleeper("MARKED_TEST", &id);
        assert_eq!(pids(&entry), [child.id() as i32]);
        let found = started_with(&entry);
        found[0].kill().expect("ours");
        assert!(found[0].ended(LIMIT));
        child.wait().expect("a child");
        found[0].kill().expect("one that is gone is no failure");
        assert!(pids(&entry).is_empty());
        for other in &mut others {
            assert!(other.try_wait().expect("a child").is_none(), "it was left alone");
            other.kill().and_then(|()| other.wait()).expect("a child");
        }
    }

    #[test]
    fn this_process_and_where_it_comes_from_are_spared() {
        let own = fs::read("/proc/self/environ").expect("ours");
        let first = own.split(|byte| *byte == 0).next().expect("an entry");
        let entry = String::from_utf8_lossy(first).into_owned();
        assert!(!pids(&entry).contains(&getpid().as_raw()), "{entry}");
        assert!(!pids(&entry).contains(&nix::unistd::getppid().as_raw()), "{entry}");
    }
}
