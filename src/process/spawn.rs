//! Starting, watching and ending a worker process: fork and exec with one
//! inherited socket.

use std::{
    collections::BTreeMap,
    io,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::{net::UnixStream, process::CommandExt as _},
    },
    path::Path,
    process::{Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use dirtyd_client::system::enlarge;
use nix::{
    errno::Errno,
    libc,
    sys::{
        prctl,
        signal::{SigSet, SigmaskHow, Signal, kill, killpg, sigprocmask},
        wait::{Id, WaitPidFlag, WaitStatus, waitid},
    },
    unistd::{Pid, getpid, getppid},
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    net::unix::pipe,
};

use super::{
    children::{HELPERS_END, OwnChild},
    descriptors, marked, pidfd, stat,
    stat::Stat,
};

/// The descriptor of a worker's socket, in the worker: the first after the
/// three that every program has. Runtimes that look through the descriptors
/// they were started with, to mark them or to close them, stop early; a fixed
/// low number is always within their sight.
const WORKER_FD: libc::c_int = 3;

/// How much later than asked for the kernel may end a sleep of a worker, in
/// nanoseconds; its default of 50 µs saves power, and makes short waits late.
const TIMER_SLACK: u64 = 1;

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
    /// further descriptor: its end of a socketpair, always number 3, as
    /// `DIRTYD_WORKER_FD` says. Its environment marks it, and what it will fork. Nothing else is inherited, not even what this
    /// process was itself started with.
    ///
    /// Should this process die, the kernel kills the worker, even a stopped one.
    ///
    /// # Errors
    /// The program cannot be started; the text names it.
    pub fn spawn(spec: &WorkerCommand<'_>) -> io::Result<(Self, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        enlarge(&theirs);
        ours.set_nonblocking(true)?;
        let (program, arguments) =
            spec.command.split_first().ok_or_else(|| io::Error::other("the command is empty"))?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .envs(spec.env)
            .env("DIRTYD_WORKER_FD", WORKER_FD.to_string())
            .current_dir(spec.chdir)
            .env("PWD", spec.chdir)
            .env(marked::WORKER, marked::new_worker())
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
        let process = match pidfd::open(child.id() as i32).and_then(register) {
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

    /// Sends a signal to a process of its group, which a shell may have started for it;
    /// to itself if `pid` is none of those.
    pub fn signal_in_group(&self, pid: i32, number: i32) {
        let is_in = pid > 1 && Stat::of(pid).is_some_and(|stat| stat.group == self.pid());
        match Signal::try_from(number) {
            Ok(signal) if is_in => drop(kill(Pid::from_raw(pid), signal)),
            _ => self.signal(number),
        }
    }

    /// Kills it. What it forked has the time to clean up:
    /// [`ended`](Self::ended).
    pub fn kill(&self) {
        self.signal(Signal::SIGKILL as i32);
    }

    /// How it ended, once it has [`exited`](Self::exited): the exit code, or the signal
    /// as the error. With it comes what it left behind in its process group.
    pub fn ended(self) -> (Result<i32, i32>, Helpers) {
        // It stays a zombie, so that its group's id is not reused.
        let status = waitid(
            Id::Pid(Pid::from_raw(self.pid())),
            WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT,
        );
        let ended = match status {
            Ok(WaitStatus::Exited(_, code)) => Ok(code),
            Ok(WaitStatus::Signaled(_, signal, _)) => Err(signal as i32),
            Ok(_) | Err(_) => Ok(-1),
        };
        (ended, Helpers { worker: self, had_their_time: false })
    }

    fn signal_group(&self, signal: Signal) {
        // ESRCH only says that they are gone already.
        let _ = killpg(Pid::from_raw(self.pid()), signal);
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        // Until it is reaped, its ids are not reused.
        self.signal_group(Signal::SIGKILL);
        self.kill();
        let _ = self.child.try_wait();
    }
}

/// What a worker that has ended left behind in its process group: processes that
/// remove shared memory and temporary files once it is gone. They are told to end, and
/// killed if they do not in time.
#[derive(Debug)]
pub struct Helpers {
    worker: WorkerProcess,
    had_their_time: bool,
}

impl Helpers {
    /// Ends them, and reaps the worker.
    pub async fn end(mut self) {
        self.worker.signal_group(Signal::SIGTERM);
        // A stopped one takes no signal but this one.
        self.worker.signal_group(Signal::SIGCONT);
        tokio::time::sleep(HELPERS_END).await;
        self.had_their_time = true;
    }

    fn are_left(&self) -> bool {
        let group = self.worker.pid();
        stat::all().any(|stat| stat.group == group && stat.state != 'Z')
    }
}

impl Drop for Helpers {
    /// Before their time is over, only where this process ends: all of them together
    /// have a moment.
    fn drop(&mut self) {
        static LAST_MOMENT: OnceLock<Instant> = OnceLock::new();
        if self.had_their_time {
            return;
        }
        let until = *LAST_MOMENT.get_or_init(|| Instant::now() + HELPERS_END / 2);
        while Instant::now() < until && self.are_left() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Registers a descriptor for its reading side with the reactor.
#[allow(unsafe_code)]
fn register(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor must stay open and the same while it is
    // registered; an `OwnedFd` inside the `AsyncFd` does.
    unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }.map_err(io::Error::from)
}

/// Makes the child find `socket` at [`WORKER_FD`] after exec and inherit no
/// other descriptor, and makes it die with its parent.
#[allow(unsafe_code)]
fn inherit(command: &mut Command, socket: OwnedFd) {
    let (parent, limits) = (getpid(), descriptors::limits_before());
    let prepare = move || {
        move_to_worker_fd(&socket)?;
        close_others_on_exec();
        descriptors::give_back(limits)?;
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        prctl::set_timerslack(TIMER_SLACK)?;
        if getppid() != parent {
            return Err(io::Error::from(Errno::ESRCH)); // the parent died in between
        }
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
        Ok(())
    };
    // SAFETY: the closure runs in the child between fork and exec. It only
    // makes system calls (dup2, fcntl, close_range, setrlimit, prctl, getppid,
    // sigprocmask), allocates nothing and takes no locks, so it is
    // async-signal-safe.
    unsafe { command.pre_exec(prepare) };
}

/// In the child: makes [`WORKER_FD`] the socket, open across exec. What had
/// that number is closed here and stays open in the parent.
///
/// The standard library keeps a descriptor of its own in the child, to report
/// that exec failed. It is not number 3: it was opened after the socketpair,
/// which has taken that number if nobody had it. (In a program with threads one
/// may close it just in between; then a failed exec is told by the worker's end.)
#[allow(unsafe_code)]
fn move_to_worker_fd(socket: &OwnedFd) -> io::Result<()> {
    // SAFETY: dup2 closes what has number 3 in this process. This is the child,
    // which runs nothing but this preparation until exec replaces it, or, if
    // exec fails, the report of that, which goes to another number: no owner of
    // number 3 is used or dropped in it.
    Errno::result(unsafe { libc::dup2(socket.as_raw_fd(), WORKER_FD) })?;
    // dup2 clears close-on-exec, but leaves a descriptor that has the number
    // already as it is.
    // SAFETY: F_SETFD takes an int and touches no memory.
    Errno::result(unsafe { libc::fcntl(WORKER_FD, libc::F_SETFD, 0) })?;
    Ok(())
}

/// In the child: marks every descriptor above [`WORKER_FD`] close-on-exec. Ours
/// are already; what this process was started with may not be.
#[allow(unsafe_code)]
fn close_others_on_exec() {
    // A kernel before 5.11 does not know the call, and lets those through.
    // SAFETY: close_range takes three integers, touches no memory, and closes
    // nothing before exec with this flag.
    unsafe {
        libc::syscall(
            libc::SYS_close_range,
            libc::c_long::from(WORKER_FD + 1),
            libc::c_uint::MAX as libc::c_long,
            libc::CLOSE_RANGE_CLOEXEC as libc::c_long,
        )
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::fcntl::{FcntlArg, fcntl};
    use std::{fs::File, io::Read as _, os::fd::FromRawFd as _};

    fn spawn(command: &[&str]) -> io::Result<(WorkerProcess, UnixStream)> {
        let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        let spec =
            WorkerCommand { command: &command, env: &BTreeMap::new(), chdir: Path::new("/") };
        WorkerProcess::spawn(&spec)
    }

    /// Another descriptor of /dev/null that children inherit, unless told not to;
    /// the first from `least` on that is free.
    #[allow(unsafe_code)]
    fn leak(least: i32) -> OwnedFd {
        let null = File::open("/dev/null").expect("/dev/null");
        let number = fcntl(&null, FcntlArg::F_DUPFD(least)).expect("a descriptor");
        // SAFETY: the kernel has just opened this number, and nobody else has it.
        unsafe { OwnedFd::from_raw_fd(number) }
    }

    #[tokio::test]
    async fn a_worker_has_its_socket_at_3_and_nothing_else_whatever_its_parent_has_open() {
        // From here on somebody has 3, and some have more, close-on-exec or not.
        let _leaked = [leak(3), leak(3), leak(40)];
        let script = "exec >&3; echo $DIRTYD_WORKER_FD; ls /proc/$$/fd; :";
        let (worker, mut socket) = spawn(&["sh", "-c", script]).expect("sh");
        worker.exited().await;
        socket.set_nonblocking(false).expect("blocking");
        let mut said = String::new();
        socket.read_to_string(&mut said).expect("the worker's words");
        assert_eq!(said, "3\n0\n1\n2\n3\n", "the variable, then the descriptors");
        assert_eq!(worker.ended().0, Ok(0));
    }

    #[tokio::test]
    async fn a_program_that_cannot_be_started_is_an_error_that_names_it() {
        let error = spawn(&["/nonesuch"]).expect_err("no such program");
        assert!(error.to_string().contains("/nonesuch"), "{error}");
    }
}
