//! `dirtyd upgrade`: the new binary serves first, the old one ends after.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use dirtyd_client::default_runtime_dir;
use nix::{
    sys::signal::Signal,
    unistd::{Gid, Uid, geteuid, setgid, setgroups, setuid},
};

use super::serve::ConfigFlags;
use crate::{
    main_arbiter::Names,
    process::{
        pidfd,
        pidfile::{self, Holder},
    },
};

/// How often to look for word of the main arbiter.
const LOOK: Duration = Duration::from_millis(50);
/// How long the new one may take for the name once the old one is gone.
const NAME: Duration = Duration::from_secs(10);

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
        let old = main_arbiter(&names)?;
        match fs::remove_file(names.upgrade()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        pidfd::send_signal(&old.pidfd, Signal::SIGUSR2 as i32)?;
        println!("the new binary starts beside process {}", old.pid);
        let new = outcome(&names.upgrade(), &old)?;
        println!("process {new} serves; process {} finishes its calls and ends", old.pid);
        pidfd::send_signal(&old.pidfd, Signal::SIGTERM as i32)?;
        while !pidfd::wait(&old.pidfd, Duration::from_secs(3600)) {}
        named(&names, &new)?;
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

/// What the old main arbiter says of the new one; it always says something,
/// unless it ends.
fn outcome(path: &Path, old: &Holder) -> anyhow::Result<String> {
    loop {
        let ended = pidfd::wait(&old.pidfd, LOOK);
        match fs::read_to_string(path) {
            Ok(text) => {
                let (verdict, rest) = text.trim_end().split_once(' ').unwrap_or((&text, ""));
                anyhow::ensure!(
                    verdict == "ready",
                    "the upgrade failed, process {} stays in charge: {rest}",
                    old.pid
                );
                return Ok(rest.to_owned());
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        }
        anyhow::ensure!(!ended, "process {} ended before the new binary was ready", old.pid);
    }
}

fn named(names: &Names, new: &str) -> anyhow::Result<()> {
    let until = std::time::Instant::now() + NAME;
    while std::time::Instant::now() < until {
        if main_arbiter(names).is_ok_and(|holder| holder.published && holder.pid.to_string() == new)
        {
            return Ok(());
        }
        std::thread::sleep(LOOK);
    }
    anyhow::bail!("process {new} serves, but did not take the name {}", names.main().display())
}
