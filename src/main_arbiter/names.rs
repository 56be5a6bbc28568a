//! The names of an instance: the files that say who it is, and who holds them.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::sys::signal::Signal;

use super::instance::Instance;
use crate::{
    patience::{KILLED, dirty_arbiter_is_killed},
    process::{
        pidfd,
        pidfile::{self, Holder, PidFile, PidFileError},
    },
};

/// Where the files of an instance are.
#[derive(Debug, Clone)]
pub struct Names {
    dir: PathBuf,
    name: String,
}

impl Names {
    /// The names of the instance `name`.
    pub fn new(dir: &Path, name: &str) -> Self {
        Self { dir: dir.to_owned(), name: name.to_owned() }
    }

    /// The PID file of the main arbiter.
    pub fn main(&self) -> PathBuf {
        self.dir.join(format!("{}.pid", self.name))
    }

    /// The PID file of the dirty arbiter.
    pub fn dirty(&self) -> PathBuf {
        self.dir.join(format!("{}-dirty.pid", self.name))
    }

    /// How the last upgrade went, for `dirtyd upgrade`.
    pub fn upgrade(&self) -> PathBuf {
        self.dir.join(format!("{}.upgrade", self.name))
    }

    /// The id of the instance, of all who ever have its name.
    pub fn id(&self) -> PathBuf {
        self.dir.join(format!("{}.id", self.name))
    }

    /// The names during an upgrade, of the new one.
    pub fn successor(&self) -> Self {
        Self { dir: self.dir.clone(), name: format!("{}.2", self.name) }
    }

    /// Takes the name for a fresh start.
    ///
    /// # Errors
    /// A live instance has the name; the text names the process, and what to do.
    pub fn claim(&self) -> anyhow::Result<PidFile> {
        let file = PidFile::take(&self.main()).map_err(|error| self.explain(error))?;
        if let Some(holder) = pidfile::holder(&self.successor().main())? {
            let path = self.successor().main();
            return Err(self.explain(PidFileError::Held { path, pid: holder.pid }));
        }
        file.publish()?;
        Ok(file)
    }

    fn explain(&self, error: PidFileError) -> anyhow::Error {
        let PidFileError::Held { pid, path } = &error else { return error.into() };
        anyhow::anyhow!(
            "`{}` is already running: process {pid} holds {}; stop it (kill -TERM {pid}), upgrade it (dirtyd upgrade), or start this one with another --proc-name and --socket",
            self.name,
            path.display()
        )
    }

    /// Ends what earlier runs of this instance have left: dirty arbiters without
    /// a main arbiter, then processes without any arbiter. Returns the identity.
    /// Only for who has claimed the name.
    ///
    /// # Errors
    /// A dirty arbiter cannot be ended, or the id not be read.
    pub fn clear(&self, graceful_timeout: Duration) -> anyhow::Result<Instance> {
        self.end_orphans(graceful_timeout)?;
        let instance = self.instance()?;
        instance.end_leftovers();
        Ok(instance)
    }

    /// The identity of the instance.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn instance(&self) -> io::Result<Instance> {
        Instance::at(&self.id())
    }

    /// Ends dirty arbiters that have lost their main arbiter, and their workers
    /// with them. Whatever a PID file says, only its proven holder is signalled.
    fn end_orphans(&self, graceful_timeout: Duration) -> anyhow::Result<()> {
        for path in [self.dirty(), self.successor().dirty()] {
            match pidfile::holder(&path) {
                Ok(Some(orphan)) if orphan.published => end(&orphan, &path, graceful_timeout)?,
                Ok(Some(other)) => anyhow::bail!(
                    "{}: process {} holds this PID file, which does not name it; it was not signalled; stop it by hand",
                    path.display(),
                    other.pid
                ),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!("{}: {error}; no process was signalled", path.display())
                }
            }
        }
        Ok(())
    }
}

fn end(orphan: &Holder, path: &Path, graceful_timeout: Duration) -> anyhow::Result<()> {
    let (pid, pidfd) = (orphan.pid, &orphan.pidfd);
    tracing::warn!(
        "{}: dirty arbiter {pid} has lost its main arbiter; it gets TERM, and up to {graceful_timeout:?} to drain",
        path.display()
    );
    // A stopped process takes no signal but CONT and KILL.
    let send = |signal: Signal| pidfd::send_signal(pidfd, signal as i32);
    let _ = send(Signal::SIGTERM).and_then(|()| send(Signal::SIGCONT));
    if pidfd::wait(pidfd, dirty_arbiter_is_killed(graceful_timeout)) {
        tracing::info!("dirty arbiter {pid} has exited, and its workers with it");
        return Ok(());
    }
    tracing::warn!("dirty arbiter {pid} did not exit in time; killing it and its workers");
    let _ = send(Signal::SIGKILL);
    if !pidfd::wait(pidfd, KILLED) {
        let stuck = io::Error::other(format!("dirty arbiter {pid} did not exit even when killed"));
        return Err(stuck.into());
    }
    Ok(())
}
