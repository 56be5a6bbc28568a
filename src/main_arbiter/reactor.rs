//! The hands of the main arbiter: it waits in one poll(2), makes events of what
//! came, and does what the machine decides.

use std::{
    fs, io,
    os::fd::{AsFd as _, BorrowedFd},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::Signal,
};

use super::{
    Names,
    again::{Again, Predecessor},
    instance::Instance,
    machine::{Action, Event, Level, Machine, Remark, Standing, Timeouts},
    systemd,
};
use crate::{
    clock::Deadline,
    config::Config,
    lifeline::{Lifeline, Report, Word},
    listening_socket::ListeningSocket,
    logging::Log,
    patience,
    process::{
        children::{self, Adoption},
        memo::Memo,
        pidfile::{self, PidFile},
        private_file,
        signals::{self, Signals},
    },
};

const SIGNALS: [Signal; 9] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGHUP,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
    Signal::SIGCHLD,
];
/// What SIGUSR2 is sent with by whoever wants this process to end once the new
/// binary serves.
pub const UPGRADE_AND_END: i32 = 1;

/// A child that reports.
struct Child {
    pid: i32,
    lifeline: Option<Lifeline>,
}

/// Blocks the signals of the main arbiter, to be read as events.
///
/// # Errors
/// The kernel has no descriptor left.
pub fn signals() -> io::Result<Signals> {
    Signals::new(&SIGNALS)
}

/// What a main arbiter owns.
pub struct Parts {
    /// The names to have in the end; an upgrade starts under others.
    pub names: Names,
    /// What marks the processes of its tree.
    pub instance: Instance,
    /// How it starts itself again.
    pub again: Again,
    /// The configuration that was valid last.
    pub valid: Memo,
    /// Its PID file.
    pub file: PidFile,
    /// The listening socket.
    pub socket: ListeningSocket,
    /// The main arbiter that it is to succeed.
    pub predecessor: Option<Predecessor>,
}

/// The main arbiter.
pub struct Reactor {
    log: Log,
    signals: Signals,
    own: Parts,
    machine: Machine,
    arbiter: Option<Child>,
    successor: Option<Child>,
    /// The dirty arbiter's PID file still has the name of the upgrade.
    renames_dirty: bool,
    /// When the word of the last upgrade is forgotten.
    forgets_upgrade_at: Deadline,
    adoption: Adoption,
}

impl Reactor {
    /// A main arbiter that has its name and its socket.
    pub fn new(config: &Config, log: Log, signals: Signals, own: Parts) -> Self {
        let boot = config.pools.iter().map(|pool| pool.boot_timeout).max();
        let timeouts = Timeouts {
            graceful: config.graceful_timeout,
            upgrade: patience::upgrade_takes(boot.unwrap_or_default()),
            watchdog: systemd::watchdog(),
        };
        let standing = match own.predecessor {
            Some(_) => Standing::Waiting,
            None => Standing::Alone,
        };
        let machine = Machine::new(timeouts, standing, Instant::now());
        tracing::info!(
            pid = std::process::id(),
            "dirtyd {} `{}`: the main arbiter starts",
            env!("CARGO_PKG_VERSION"),
            config.proc_name
        );
        Self {
            log,
            signals,
            own,
            machine,
            arbiter: None,
            successor: None,
            renames_dirty: false,
            forgets_upgrade_at: Deadline::Never,
            adoption: Adoption::begin(),
        }
    }

    /// Runs until the machine says so. Returns the exit code.
    ///
    /// # Errors
    /// The kernel refuses to wait.
    pub fn run(mut self) -> io::Result<u8> {
        loop {
            let mut events = self.wait()?;
            events.reverse();
            while let Some(event) = events.pop() {
                for action in self.machine.on(event, Instant::now()) {
                    if let Action::Exit(code) = action {
                        self.leave();
                        return Ok(code);
                    }
                    // What became of it is looked at before anything else.
                    events.extend(self.perform(action));
                }
            }
        }
    }

    /// Waits for what comes first.
    fn wait(&mut self) -> io::Result<Vec<Event>> {
        let timeout = match self.machine.due().min(self.adoption.due().into()) {
            // Rounded up, so that the last wait does not spin.
            Deadline::At(due) => {
                let left = due.saturating_duration_since(Instant::now());
                PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
            }
            Deadline::Never => PollTimeout::NONE,
        };
        let mut fds: Vec<PollFd<'_>> =
            (self.descriptors().into_iter()).map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(self.events())
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let lifelines = [&self.arbiter, &self.successor].into_iter().flatten();
        let lifelines = lifelines.filter_map(|child| child.lifeline.as_ref()).map(|l| l.as_fd());
        let predecessor = self.own.predecessor.as_ref().map(|predecessor| predecessor.as_fd());
        std::iter::once(self.signals.fd()).chain(lifelines).chain(predecessor).collect()
    }

    /// What has come. The reports of a process come before its end.
    fn events(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        events.extend(reports(&mut self.arbiter).into_iter().map(Event::Report));
        events.extend(reports(&mut self.successor).into_iter().map(Event::SuccessorReport));
        let mut reap = false;
        while let Some(signal) = self.signals.next() {
            match signal {
                (Signal::SIGCHLD, _) => reap = true,
                (Signal::SIGUSR2, UPGRADE_AND_END) => events.push(Event::UpgradeAndEnd),
                (signal, _) => events.push(Event::Signal(signal)),
            }
        }
        if reap {
            let mut buried = Vec::new();
            while let Some((pid, exit)) = children::reap() {
                buried.push(self.buried(pid, exit));
            }
            // Whoever is about to give way should know first that nobody is left to
            // give way to.
            buried.sort_by_key(|event| !matches!(event, Event::SuccessorExited(_)));
            events.append(&mut buried);
        }
        for word in self.own.predecessor.as_mut().map(Predecessor::words).unwrap_or_default() {
            match word {
                Word::Admit => events.push(Event::Admitted),
                Word::GiveWay => events.push(Event::PredecessorLeaves),
                Word::Ping | Word::Listen => {}
            }
        }
        if self.own.predecessor.as_ref().is_some_and(Predecessor::is_gone) {
            self.own.predecessor = None;
            events.push(Event::PredecessorGone);
        }
        if Deadline::from(self.adoption.due()).is_over(Instant::now()) {
            self.sweep(false);
        }
        if self.machine.due().is_over(Instant::now()) {
            events.push(Event::Alarm);
        }
        events
    }

    fn buried(&mut self, pid: i32, exit: children::Exit) -> Event {
        let is = |child: &Option<Child>| child.as_ref().is_some_and(|child| child.pid == pid);
        if is(&self.arbiter) {
            self.arbiter = None;
            Event::DirtyExited(exit)
        } else if is(&self.successor) {
            self.successor = None;
            Event::SuccessorExited(exit)
        } else {
            self.adoption.reaped(pid);
            Event::StrayEnded
        }
    }

    /// Does it. Returns what became of it, where that is an event.
    fn perform(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Start => {
                let error = self.start().err()?;
                tracing::error!("the dirty arbiter cannot be started: {error}");
                return Some(Event::StartFailed);
            }
            Action::Signal(signal) => send(&self.arbiter, signal),
            Action::Ping => {
                say(&self.arbiter, Word::Ping);
                self.rename_dirty();
                self.restore_socket();
                if self.forgets_upgrade_at.is_over(Instant::now()) {
                    self.forget_upgrade();
                }
            }
            Action::Admit => say(&self.arbiter, Word::Admit),
            Action::GiveWay => say(&self.arbiter, Word::GiveWay),
            Action::AdmitSuccessor => say(&self.successor, Word::Admit),
            Action::TellSuccessor => say(&self.successor, Word::GiveWay),
            Action::Sweep { all } => self.sweep(all),
            Action::Log(remark) => log(&remark),
            Action::ReopenLog => self.log.reopen(),
            Action::CloseSocket => {
                let leave = self.machine.is_succeeded() || self.own.predecessor.is_some();
                self.own.socket.close(leave);
            }
            Action::StartSuccessor => {
                let error = self.start_successor().err()?;
                return Some(Event::SuccessorNotStarted(error.to_string()));
            }
            Action::SignalSuccessor(signal) => send(&self.successor, signal),
            Action::Upgraded(result) => self.tell_upgrade(result.map_err(|why| why.to_string())),
            Action::SuccessorLost(exit) => {
                self.leave_word(&format!("failed the new main arbiter {exit}\n"));
            }
            Action::TellPredecessor(report) => self.tell_predecessor(report),
            Action::TakeName => self.take_name(),
            Action::Notify(notice) => {
                systemd::tell(notice, self.successor.as_ref().map(|child| child.pid));
            }
            Action::Exit(_) => {}
        }
        None
    }

    fn start(&mut self) -> io::Result<()> {
        let (lifeline, theirs) = Lifeline::pair()?;
        let names = match self.own.predecessor {
            Some(_) => self.own.names.successor(),
            None => self.own.names.clone(),
        };
        let own = &self.own;
        let (listener, admitted) = (own.socket.share()?, self.machine.is_admitted());
        let inherits = [listener, theirs, own.valid.share()?];
        let pid = own.again.start_arbiter(&own.instance, inherits, admitted, &names.dirty())?;
        tracing::info!(pid, "started the dirty arbiter, process {pid}");
        self.arbiter = Some(Child { pid, lifeline: Some(lifeline) });
        Ok(())
    }

    fn start_successor(&mut self) -> io::Result<()> {
        let _ = fs::remove_file(self.own.names.upgrade());
        let (lifeline, theirs) = Lifeline::pair()?;
        let (listener, owns) = (self.own.socket.share()?, self.own.socket.owns_file());
        let pid = self.own.again.start_successor(&self.own.instance, listener, theirs, owns)?;
        tracing::info!(pid, "started the new main arbiter, process {pid}");
        self.successor = Some(Child { pid, lifeline: Some(lifeline) });
        Ok(())
    }

    fn sweep(&mut self, all: bool) {
        let known: Vec<i32> =
            [&self.arbiter, &self.successor].into_iter().flatten().map(|child| child.pid).collect();
        self.adoption.sweep(&known, all, Instant::now());
    }

    /// Leaves word for `dirtyd upgrade`, in one step.
    fn tell_upgrade(&self, result: Result<(), String>) {
        let text = match (result, &self.successor) {
            (Ok(()), Some(child)) => {
                let then = if self.machine.gives_way() { "ends" } else { "stays" };
                format!("ready {} {then}\n", child.pid)
            }
            (Ok(()), None) => "failed the new main arbiter exited\n".to_owned(),
            (Err(why), _) => format!("failed {why}\n"),
        };
        self.leave_word(&text);
    }

    /// Binds the socket again if somebody has removed its file. In an upgrade the new
    /// one does that, once it is alone.
    fn restore_socket(&mut self) {
        let is_alone = self.own.predecessor.is_none() && !self.machine.is_succeeded();
        if !is_alone || !self.own.socket.restore() {
            return;
        }
        // Who removes a socket often removes its folder.
        let file = self
            .own
            .instance
            .restore()
            .and_then(|()| self.own.file.restore(&self.own.names.main()));
        if let Err(error) = file {
            tracing::error!("the files of this instance cannot be made again: {error}");
        }
        let lifeline = self.arbiter.as_ref().and_then(|child| child.lifeline.as_ref());
        let handed = match (self.own.socket.share(), lifeline) {
            (Ok(socket), Some(lifeline)) => lifeline.hand(&socket),
            (Ok(_), None) => Ok(()), // the next one starts with it
            (Err(error), _) => Err(error),
        };
        if let Err(error) = handed {
            tracing::error!("cannot hand the new socket to the dirty arbiter: {error}");
        }
    }

    fn forget_upgrade(&mut self) {
        self.forgets_upgrade_at = Deadline::Never;
        let _ = fs::remove_file(self.own.names.upgrade());
    }

    fn leave_word(&self, text: &str) {
        let (path, part) = (self.own.names.upgrade(), self.own.names.successor().upgrade());
        if let Err(error) = private_file::replace(&path, &part, text) {
            tracing::warn!("cannot write {}: {error}", path.display());
        }
    }

    fn tell_predecessor(&mut self, report: Report) {
        // That it serves: from then on it can be found.
        if report != Report::Stopping
            && let Err(error) = self.own.file.publish()
        {
            tracing::warn!("cannot write the PID file: {error}");
        }
        if let Some(predecessor) = &mut self.own.predecessor {
            predecessor.tell(report);
        }
    }

    fn take_name(&mut self) {
        let renamed =
            self.own.file.rename(&self.own.names.main()).and_then(|()| self.own.file.publish());
        if let Err(error) = renamed {
            tracing::error!("cannot take the name {}: {error}", self.own.names.main().display());
        }
        // Until then `dirtyd upgrade` may read how the old one has ended.
        self.forgets_upgrade_at = Deadline::after(Instant::now(), patience::NAME_TAKEN);
        self.renames_dirty = true;
        self.rename_dirty();
    }

    /// Gives the dirty arbiter's PID file its plain name, once the old dirty
    /// arbiter is gone too: it may outlive its main arbiter by its drain.
    fn rename_dirty(&mut self) {
        let (from, to) = (self.own.names.successor().dirty(), self.own.names.dirty());
        if self.renames_dirty && !matches!(pidfile::holder(&to), Ok(Some(_))) {
            let _ = fs::rename(from, to);
            self.renames_dirty = false;
        }
    }

    fn leave(&mut self) {
        let known: Vec<i32> = self.successor.iter().map(|child| child.pid).collect();
        self.adoption.end_all(&known);
        let succeeded = self.machine.is_succeeded();
        if self.machine.gives_way() {
            self.leave_word(&format!("ended {}\n", self.machine.cut_off()));
        }
        self.own.socket.close(succeeded || self.own.predecessor.is_some());
        if !succeeded && self.own.predecessor.is_none() {
            let _ = fs::remove_file(self.own.names.upgrade());
            self.own.instance.retire();
        }
        tracing::info!("the main arbiter exits");
    }
}

fn log(remark: &Remark) {
    match remark.level() {
        Level::Info => tracing::info!("{remark}"),
        Level::Warn => tracing::warn!("{remark}"),
        Level::Error => tracing::error!("{remark}"),
    }
}

fn say(child: &Option<Child>, word: Word) {
    if let Some(lifeline) = child.as_ref().and_then(|child| child.lifeline.as_ref()) {
        lifeline.say(word);
    }
}

fn send(child: &Option<Child>, signal: Signal) {
    if let Some(child) = child {
        signals::send(child.pid, signal);
    }
}

/// The reports of a child; a lifeline that ended is not looked at again.
fn reports(child: &mut Option<Child>) -> Vec<Report> {
    let Some(child) = child else { return Vec::new() };
    let Some(lifeline) = &child.lifeline else { return Vec::new() };
    let reports = lifeline.reports();
    if reports.is_none() {
        child.lifeline = None;
    }
    reports.unwrap_or_default()
}
