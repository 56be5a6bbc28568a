//! Starting, watching and ending a worker process: fork and exec with one
//! inherited socket.

use std::{
    collections::BTreeMap,
    io,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::{
            net::UnixStream,
            process::{CommandExt as _, ExitStatusExt as _},
        },
    },
    path::Path,
    process::{Command, Stdio},
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, FdFlag, fcntl},
    sys::{
        prctl,
        signal::{SigSet, SigmaskHow, Signal, kill, killpg, sigprocmask},
    },
    unistd::{Pid, getpid, getppid},
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    net::unix::pipe,
};

use super::{children::OwnChild, pidfd};

/// What to start.
#[derive(Debug)]
pub struct WorkerCommand<'a> {
    /// The program and its arguments; not empty.
    pub command: &'a [String],
    /// Additions to the environment.
    pub env: &'a BTreeMap<String, String>,
    /// The working directory.
    pub chdir: &'a Path,
}

/// A started worker. Dropping it kills it and its process group.
#[derive(Debug)]
pub struct WorkerProcess {
    child: OwnChild,
    exit: AsyncFd<OwnedFd>,
    /// What it writes to stdout.
    pub stdout: Option<pipe::Receiver>,
    /// What it writes to stderr.
    pub stderr: Option<pipe::Receiver>,
}

impl WorkerProcess {
    /// Starts a worker that leads its own process group (so that a Ctrl-C at
    /// the terminal reaches only the arbiter, and a kill takes what the worker
    /// forked too), with stdin from /dev/null, stdout and stderr piped, and one
    /// further descriptor: its end of a socketpair, named by `DIRTYD_WORKER_FD`.
    ///
    /// Should this process die, the kernel kills the worker, even a stopped one.
    ///
    /// # Errors
    /// The program cannot be started; the text names it.
    pub fn spawn(spec: &WorkerCommand<'_>) -> io::Result<(Self, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let (program, arguments) =
            spec.command.split_first().ok_or_else(|| io::Error::other("the command is empty"))?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .envs(spec.env)
            .env("DIRTYD_WORKER_FD", theirs.as_raw_fd().to_string())
            .env("PYTHONUNBUFFERED", "1")
            .current_dir(spec.chdir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        inherit(&mut command, OwnedFd::from(theirs));
        let mut child = OwnChild::spawn(&mut command).map_err(|error| {
            let text = format!("cannot start `{program}` in {}: {error}", spec.chdir.display());
            io::Error::new(error.kind(), text)
        })?;
        let stdout = child.stdout.take().map(|out| pipe::Receiver::from_owned_fd(out.into()));
        let stderr = child.stderr.take().map(|err| pipe::Receiver::from_owned_fd(err.into()));
        let process = match pidfd::open(child.id() as i32).and_then(watch) {
            Ok(exit) => {
                Self { exit, stdout: stdout.transpose()?, stderr: stderr.transpose()?, child }
            }
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(error);
            }
        };
        Ok((process, ours))
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Waits until it has ended, without reaping it.
    pub async fn exited(&self) {
        // An error here means that the reactor is gone; so is everything else.
        let _ = self.exit.readable().await;
    }

    /// Sends it a signal. Its id cannot have been reused: it is not reaped.
    pub fn signal(&self, number: i32) {
        if let Ok(signal) = Signal::try_from(number) {
            let _ = kill(Pid::from_raw(self.pid()), signal);
        }
    }

    /// Kills it and what it forked.
    pub fn kill_group(&self) {
        // ESRCH only says that they are gone already.
        let _ = killpg(Pid::from_raw(self.pid()), Signal::SIGKILL);
        self.signal(Signal::SIGKILL as i32);
    }

    /// Reaps it, once it has [`exited`](Self::exited), with what it left behind
    /// in its process group. Gives the exit code or the signal.
    pub fn reap(mut self) -> Result<i32, i32> {
        // As long as it is not reaped, its group's id cannot be reused.
        self.kill_group();
        match self.child.wait() {
            Ok(status) => match status.code() {
                Some(code) => Ok(code),
                None => Err(status.signal().unwrap_or(0)),
            },
            Err(_) => Ok(-1),
        }
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.kill_group();
            let _ = self.child.try_wait();
        }
    }
}

/// Registers a descriptor for its reading side with the reactor.
#[allow(unsafe_code)]
fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor must stay open and the same while it is
    // registered; an `OwnedFd` inside the `AsyncFd` does.
    unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }.map_err(io::Error::from)
}

/// Makes the child keep `socket` across exec, and die with its parent.
#[allow(unsafe_code)]
fn inherit(command: &mut Command, socket: OwnedFd) {
    let parent = getpid();
    let prepare = move || {
        // All other descriptors are CLOEXEC, and so is this one in the parent.
        fcntl(&socket, FcntlArg::F_SETFD(FdFlag::empty()))?;
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        if getppid() != parent {
            return Err(io::Error::from(Errno::ESRCH)); // the parent died in between
        }
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
        Ok(())
    };
    // SAFETY: the closure runs in the child between fork and exec. It only
    // makes system calls (fcntl, prctl, getppid, sigprocmask), allocates
    // nothing and takes no locks, so it is async-signal-safe.
    unsafe { command.pre_exec(prepare) };
}
