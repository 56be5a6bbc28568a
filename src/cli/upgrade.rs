//! `dirtyd upgrade`: the new binary serves first, the old one ends after.

use std::{
    fs::{self, File},
    io,
    os::{fd::OwnedFd, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use dirtyd_client::default_runtime_dir;
use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
    sys::signal::Signal,
    unistd::{Gid, Uid, geteuid, setgid, setgroups, setuid},
};

use super::config_flags::ConfigFlags;
use crate::{
    main_arbiter::{Names, UPGRADE_AND_END},
    patience::NAME_TAKEN,
    process::{
        pidfd,
        pidfile::{self, Holder},
        private_file,
    },
};

/// How often to look for word of the main arbiter.
const LOOK: Duration = Duration::from_millis(50);

/// `dirtyd upgrade`.
#[derive(Debug, clap::Args)]
pub struct Upgrade {
    /// The configuration file that the running dirtyd was started with
    #[arg(long, value_name = "FILE", env = "DIRTYD_CONFIG")]
    config: Option<PathBuf>,
    /// Its socket [default: the private directory of this user]
    #[arg(long, value_name = "PATH", env = "DIRTYD_SOCKET")]
    socket: Option<PathBuf>,
    /// Its name [default: dirtyd]
    #[arg(long, value_name = "NAME")]
    proc_name: Option<String>,
}

impl Upgrade {
    /// Upgrades, and waits until only the new binary is left.
    ///
    /// # Errors
    /// dirtyd does not run, or the new binary is no good: then the old one stays.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let names = self.names()?;
        act_as_owner(&names)?;
        main_arbiter(&names)?;
        let _turn = turn(&names)?;
        let old = main_arbiter(&names)?;
        match fs::remove_file(names.upgrade()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let ask = || pidfd::send_value(&old.pidfd, Signal::SIGUSR2 as i32, UPGRADE_AND_END);
        ask()?;
        println!("the new binary starts beside process {}", old.pid);
        if let Some(Serves { new, old_ends }) = outcome(&names.upgrade(), &old)? {
            println!("process {new} serves; process {} finishes its calls and ends", old.pid);
            if !old_ends {
                // Another USR2 was waiting, so that the value of this one was lost.
                ask()?;
            }
            ended(&old, new)?;
        }
        let new = named(&names, &old)?;
        println!("upgraded: process {new} took over from process {}", old.pid);
        Ok(ExitCode::SUCCESS)
    }

    fn names(&self) -> anyhow::Result<Names> {
        if let Some(config) = &self.config {
            let config = ConfigFlags::of_file(config, self.socket.as_deref()).load()?;
            let name = self.proc_name.as_ref().unwrap_or(&config.proc_name);
            return Ok(Names::new(&config.runtime_dir, name));
        }
        let dir = self.socket.as_deref().and_then(Path::parent).map(Path::to_owned);
        let dir = dir.unwrap_or_else(default_runtime_dir);
        Ok(Names::new(&dir, self.proc_name.as_deref().unwrap_or("dirtyd")))
    }
}

/// Makes root act as the user whose private directory it is: what stands there
/// is that user's word, and nobody else may be signalled because of it.
fn act_as_owner(names: &Names) -> anyhow::Result<()> {
    let main = names.main();
    let Some(Ok(dir)) = main.parent().map(fs::metadata) else { return Ok(()) };
    if geteuid().is_root() && dir.uid() != 0 {
        let (user, group) = (Uid::from_raw(dir.uid()), Gid::from_raw(dir.gid()));
        setgroups(&[])
            .and_then(|()| setgid(group))
            .and_then(|()| setuid(user))
            .with_context(|| format!("cannot act as user {user}, who owns {}", main.display()))?;
    }
    Ok(())
}

/// Waits until no other `dirtyd upgrade` of this instance runs: each has the outcome
/// of its own. The turn ends with what is returned.
fn turn(names: &Names) -> anyhow::Result<Flock<File>> {
    let id = names.id();
    let named = || format!("cannot lock {}", id.display());
    let file = File::open(&id).with_context(named)?;
    let file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(turn) => return Ok(turn),
        Err((file, Errno::EWOULDBLOCK)) => file,
        Err((_, error)) => return Err(error).with_context(named),
    };
    println!("another upgrade is under way; this one begins after it");
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, error)| error).with_context(named)
}

/// Waits until the old main arbiter has ended, as long as the new one lives.
fn ended(old: &Holder, new: i32) -> anyhow::Result<()> {
    let new = pidfd::open(new).ok();
    let lives = |new: &OwnedFd| !pidfd::wait(new, Duration::ZERO);
    while !pidfd::wait(&old.pidfd, LOOK) {
        anyhow::ensure!(
            new.as_ref().is_some_and(lives) || pidfd::wait(&old.pidfd, NAME_TAKEN),
            "the new main arbiter has ended; process {} stays in charge",
            old.pid
        );
    }
    Ok(())
}

/// The main arbiter, its identity proven.
fn main_arbiter(names: &Names) -> anyhow::Result<Holder> {
    let path = names.main();
    pidfile::holder(&path)?.with_context(|| {
        format!(
            "nobody holds {}: dirtyd does not run, or under another --proc-name, --socket or --config",
            path.display()
        )
    })
}

/// What the old main arbiter says once the new one serves.
struct Serves {
    /// The new one's process id.
    new: i32,
    /// Whether the old one ends because of it.
    old_ends: bool,
}

/// What the old main arbiter says of the new one. `None` if the old one has ended,
/// whatever it said.
fn outcome(path: &Path, old: &Holder) -> anyhow::Result<Option<Serves>> {
    loop {
        let ended = pidfd::wait(&old.pidfd, LOOK);
        if let Some(text) = private_file::read(path).with_context(|| path.display().to_string())? {
            let (verdict, rest) = text.trim_end().split_once(' ').unwrap_or((&text, ""));
            anyhow::ensure!(
                verdict == "ready",
                "the upgrade failed, process {} stays in charge: {rest}",
                old.pid
            );
            let (new, then) = rest.split_once(' ').unwrap_or((rest, ""));
            let new = new.parse().with_context(|| format!("{}: {text}", path.display()))?;
            return Ok(Some(Serves { new, old_ends: then == "ends" }));
        }
        if ended {
            return Ok(None);
        }
    }
}

/// Who has the name once the old main arbiter has ended.
fn named(names: &Names, old: &Holder) -> anyhow::Result<i32> {
    let until = Instant::now() + NAME_TAKEN;
    while Instant::now() < until {
        if let Ok(new) = main_arbiter(names)
            && new.published
            && new.pid != old.pid
        {
            return Ok(new.pid);
        }
        std::thread::sleep(LOOK);
    }
    anyhow::bail!(
        "process {} has ended, but no other took the name {}",
        old.pid,
        names.main().display()
    )
}
