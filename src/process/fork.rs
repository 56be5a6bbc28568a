//! Starting this program again: the dirty arbiter, and the successor of an
//! upgrade.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::{fd::OwnedFd, unix::process::CommandExt as _},
    path::Path,
    process::Command,
};

use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    sys::{
        prctl,
        signal::{SigSet, SigmaskHow, Signal, sigprocmask},
    },
};

/// The variables by which systemd speaks to a service.
const SYSTEMD: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];
const LISTEN: [&str; 3] = ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"];

/// How to start this program again.
#[derive(Debug)]
pub struct Program<'a> {
    /// The file.
    pub file: &'a Path,
    /// What it is called in the process list.
    pub name: &'a OsStr,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Descriptors that it inherits under their numbers; closed here.
    pub inherits: Vec<OwnedFd>,
    /// What its environment has beside that of this process.
    pub env: [(&'a str, &'a OsStr); 2],
    /// Whether systemd may be told by it.
    pub speaks_to_systemd: bool,
}

/// Starts it in a process group of its own, so that a Ctrl-C at the terminal
/// reaches only the main arbiter, with no signal blocked. Returns its process id;
/// the caller reaps it.
///
/// Should this process die, the kernel sends it SIGCONT: a stopped process could
/// not see the end of its lifeline, one that runs does not notice. For that, the
/// thread that calls this must be the one that lives as long as the process.
///
/// # Errors
/// It cannot be started; the text names it.
#[allow(unsafe_code)]
pub fn fork_self(program: Program<'_>) -> io::Result<i32> {
    let mut command = Command::new(program.file);
    command.arg0(program.name).args(&program.args).envs(program.env).process_group(0);
    for name in LISTEN.iter().chain(SYSTEMD.iter().filter(|_| !program.speaks_to_systemd)) {
        command.env_remove(name);
    }
    let inherits = program.inherits;
    let prepare = move || {
        for fd in &inherits {
            // All other descriptors are CLOEXEC, and so are these in the parent.
            fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty()))?;
        }
        prctl::set_pdeathsig(Signal::SIGCONT)?;
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
        Ok(())
    };
    // SAFETY: the closure runs in the child between fork and exec. It only
    // makes system calls (fcntl, prctl, sigprocmask), allocates nothing and
    // takes no locks, so it is async-signal-safe.
    unsafe { command.pre_exec(prepare) };
    let child = command.spawn().map_err(|error| {
        let text = format!("cannot start {}: {error}", program.file.display());
        io::Error::new(error.kind(), text)
    })?;
    Ok(child.id() as i32)
}
