//! `dirtyd upgrade`: the new binary serves first, the old one ends after.

use std::{
    env,
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

use super::{config_flags::ConfigFlags, say};
use crate::{
    main_arbiter::{Names, UPGRADE_AND_END},
    patience::NAME_TAKEN,
    printable::count,
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
    /// Its socket [default: that of --config, else $DIRTYD_SOCKET, else the private directory of
    /// this user]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Its name [default: dirtyd]
    #[arg(long, value_name = "NAME")]
    proc_name: Option<String>,
    /// Wait until the old process has finished its calls and ended; exit with 1 if a call was
    /// cut off
    #[arg(long)]
    wait: bool,
}

impl Upgrade {
    /// Upgrades, and waits until the new binary serves; or until only that is left.
    ///
    /// # Errors
    /// dirtyd does not run, or the new binary is no good: then the old one stays.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let names = self.names()?;
        act_as_owner(&names)?;
        main_arbiter(&names)?;
        let _turn = turn(&names)?;
        let old = in_charge(&names)?;
        match fs::remove_file(names.upgrade()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let ask = || pidfd::send_value(&old.pidfd, Signal::SIGUSR2 as i32, UPGRADE_AND_END);
        ask()?;
        say(format_args!("starting the new binary beside process {}", old.pid));
        if let Some(Serves { new, old_ends }) = outcome(&names.upgrade(), &old)? {
            let then = if self.wait { "" } else { " (--wait waits for that)" };
            say(format_args!(
                "upgraded: process {new} serves; process {} will finish its calls and exit{then}",
                old.pid
            ));
            if !old_ends {
                // Another USR2 was waiting, so that the value of this one was lost.
                ask()?;
            }
            if !self.wait {
                return Ok(ExitCode::SUCCESS);
            }
            ended(&old, new)?;
        }
        let new = named(&names, &old)?;
        say(format_args!("process {} has exited; process {new} has taken over", old.pid));
        if let Some(Word::Ended { cut_off: n @ 1.. }) = Word::left_in(&names.upgrade())? {
            let were = if n == 1 { "was" } else { "were" };
            eprintln!("{} {were} cut off; the log says which", count(n, "call"));
            return Ok(ExitCode::FAILURE);
        }
        Ok(ExitCode::SUCCESS)
    }

    fn names(&self) -> anyhow::Result<Names> {
        if let Some(config) = &self.config {
            let config = ConfigFlags::of_file(config, self.socket.as_deref()).load()?;
            let name = self.proc_name.as_ref().unwrap_or(&config.proc_name);
            return Ok(Names::new(&config.runtime_dir, name));
        }
        let socket = self.socket.clone().or_else(|| Some(env::var_os("DIRTYD_SOCKET")?.into()));
        let dir = socket.as_deref().and_then(Path::parent).map(Path::to_owned);
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
    say(format_args!("another upgrade is under way; this one will begin after it"));
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, error)| error).with_context(named)
}

/// Waits until the old main arbiter has ended, as long as the new one lives.
fn ended(old: &Holder, new: i32) -> anyhow::Result<()> {
    let new = pidfd::open(new).ok();
    let lives = |new: &OwnedFd| !pidfd::wait(new, Duration::ZERO);
    while !pidfd::wait(&old.pidfd, LOOK) {
        anyhow::ensure!(
            new.as_ref().is_some_and(lives) || pidfd::wait(&old.pidfd, NAME_TAKEN),
            "the new main arbiter has exited; process {} stays in charge",
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
            "no process holds {}: dirtyd is not running, or runs with another --proc-name, --socket or --config",
            path.display()
        )
    })
}

/// The main arbiter that is to be replaced, once the upgrade before this one is over:
/// there is one old process at a time.
fn in_charge(names: &Names) -> anyhow::Result<Holder> {
    let mut told = false;
    loop {
        let old = main_arbiter(names)?;
        loop {
            // What is no word is removed before the upgrade begins.
            match Word::left_in(&names.upgrade()) {
                Ok(Some(Word::Ready(Serves { old_ends: true, .. }))) => {}
                _ => return Ok(old),
            }
            if !std::mem::replace(&mut told, true) {
                say(format_args!(
                    "the upgrade before this one is not over: process {} is still finishing its calls; this one will begin when it has exited",
                    old.pid
                ));
            }
            if pidfd::wait(&old.pidfd, LOOK) {
                named(names, &old)?;
                break;
            }
        }
    }
}

/// What the old main arbiter says of an upgrade.
enum Word {
    /// The new one serves.
    Ready(Serves),
    /// The old one has ended.
    Ended {
        /// The number of calls that were ended with it.
        cut_off: u64,
    },
    /// There is no new one, and why.
    Failed(String),
}

/// What it says once the new one serves.
struct Serves {
    /// The new one's process id.
    new: i32,
    /// Whether the old one ends because of it.
    old_ends: bool,
}

impl Word {
    /// The word that was left last, if there is one.
    fn left_in(path: &Path) -> anyhow::Result<Option<Self>> {
        let named = || path.display().to_string();
        let Some(text) = private_file::read(path).with_context(named)? else { return Ok(None) };
        let (word, rest) = text.trim_end().split_once(' ').unwrap_or((&text, ""));
        let wrong = || format!("{}: {text}", path.display());
        Ok(Some(match word {
            "ready" => {
                let (new, then) = rest.split_once(' ').unwrap_or((rest, ""));
                let new = new.parse().with_context(wrong)?;
                Self::Ready(Serves { new, old_ends: then == "ends" })
            }
            "ended" => Self::Ended { cut_off: rest.parse().with_context(wrong)? },
            _ => Self::Failed(rest.to_owned()),
        }))
    }
}

/// What the old main arbiter says of the new one. `None` if the old one has ended,
/// whatever it said.
fn outcome(path: &Path, old: &Holder) -> anyhow::Result<Option<Serves>> {
    loop {
        let ended = pidfd::wait(&old.pidfd, LOOK);
        match Word::left_in(path)? {
            Some(Word::Ready(serves)) => return Ok(Some(serves)),
            Some(Word::Failed(why)) => {
                anyhow::bail!(
                    "the upgrade failed; process {} stays in charge: {why}; see the log",
                    old.pid
                )
            }
            Some(Word::Ended { .. }) => return Ok(None),
            None if ended => return Ok(None),
            None => {}
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
        "process {} has exited, but no other process took the name {}",
        old.pid,
        names.main().display()
    )
}
