//! Blows at the arbiters and at their files, by who may do anything.

use std::{
    fs,
    os::unix::fs::{chown, symlink},
    path::Path,
    process::Stdio,
    sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering},
    time::Duration,
};

use dirtyd_client::args;
use nix::{
    sys::{signal::Signal, stat::Mode},
    unistd::mkfifo,
};

use crate::{
    Scale,
    siege::STRANGER,
    support::{
        LIMIT, eventually,
        family::{Family, MOMENTS, forked, is_alive, signal_if_there},
        process, signal,
    },
};

/// At whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// Something that is no file of dirtyd's stands where it opens or makes one.
    Plant,
    /// The dirty arbiter is stopped for a moment.
    FreezeDirty,
    /// It is stopped until the main arbiter replaces it.
    SilenceDirty,
    /// The main arbiter is stopped for longer than that takes.
    FreezeMain,
    /// The old main arbiter of an upgrade is killed.
    KillOld,
    /// The new one is.
    KillNew,
}

/// How long the dirty arbiter stands still at a time.
const FREEZE: Duration = Duration::from_millis(300);
/// Longer than the main arbiter bears silence.
const SILENCE: Duration = Duration::from_secs(45);
/// How long another instance may run that was started among planted files.
const OTHER: Duration = Duration::from_millis(500);

/// What has been done so far.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The good client has seen enough.
    pub over: AtomicBool,
    /// How many blows there were.
    pub blows: AtomicU64,
    /// The only main arbiter was killed: nobody could serve.
    pub nobody_left: AtomicBool,
    /// The process whose memory counts.
    pub arbiter: AtomicI32,
}

impl Blow {
    /// How long the good client works beside it.
    pub fn time(self, scale: Scale) -> Duration {
        match self {
            Self::SilenceDirty | Self::FreezeMain if scale.judges_times => {
                SILENCE + Duration::from_secs(10)
            }
            Self::KillOld | Self::KillNew if scale.judges_times => 2 * scale.time,
            _ => scale.time,
        }
    }
}

/// Strikes again and again, until it is over; a blow is brought to its end.
pub async fn strike(blow: Blow, family: &mut Family, scale: Scale, ledger: &Ledger) {
    let silence = if scale.judges_times { SILENCE } else { scale.time / 3 };
    for round in 0.. {
        if ledger.over.load(Ordering::Relaxed) {
            return;
        }
        let arbiter = ledger.arbiter.load(Ordering::Relaxed);
        match blow {
            Blow::Plant => plant(family, round).await,
            Blow::FreezeDirty => freeze(arbiter, FREEZE).await,
            Blow::SilenceDirty if round == 0 => freeze(arbiter, silence).await,
            Blow::FreezeMain if round == 0 => freeze(family.pid(), silence).await,
            Blow::SilenceDirty | Blow::FreezeMain => {}
            Blow::KillOld => {
                let old = |family: &Family, old| match family.successors(old).is_empty() {
                    true => Vec::new(),
                    false => vec![old],
                };
                upgrade(family, round, old).await;
            }
            Blow::KillNew => {
                // Then the old one ends at once, and there is nobody else.
                let new = |family: &Family, old| match gives_way(family, old) {
                    true => Vec::new(),
                    false => family.successors(old),
                };
                upgrade(family, round, new).await;
            }
        }
        ledger.blows.fetch_add(1, Ordering::Relaxed);
        // If the new one gave up in that moment, the old one was the only one.
        if family.processes().is_empty() {
            ledger.nobody_left.store(true, Ordering::Relaxed);
            family.ended().await;
            family.restart().await;
        }
        let serves = async || {
            family.connect().execute("lab:Lab", "pid", args![]).await.ok()?;
            family.status().await.arbiter
        };
        let arbiter = eventually(LIMIT, "it serves", serves).await;
        ledger.arbiter.store(arbiter.pid, Ordering::Relaxed);
        tokio::time::sleep(FREEZE).await;
    }
}

/// It is gone if the main arbiter lost patience.
async fn freeze(pid: i32, time: Duration) {
    signal(pid, Signal::SIGSTOP);
    tokio::time::sleep(time).await;
    signal_if_there(pid, Signal::SIGCONT);
}

/// Whether a main arbiter gives way to its successor, or has done so.
fn gives_way(family: &Family, old: i32) -> bool {
    // Each upgrade begins with this line.
    let log = family.log();
    let begun = log.rfind("starting the new binary on the same socket").unwrap_or_default();
    !is_alive(old) || log[begun..].contains("this one will finish its calls and exit")
}

/// Upgrades, and kills at a moment whom `victims` names then.
async fn upgrade(family: &mut Family, round: usize, victims: fn(&Family, i32) -> Vec<i32>) {
    let old = family.named("dirtyd.pid").await;
    let mut command = family.upgrade();
    let begun = tokio::task::spawn_blocking(move || forked(old));
    if begun.await.expect("no panic") {
        // Spread over the whole upgrade, however few rounds there are.
        let moment = MOMENTS[round * 5 % MOMENTS.len()];
        tokio::time::sleep(Duration::from_micros(moment)).await;
        for pid in victims(family, old) {
            signal_if_there(pid, Signal::SIGKILL);
        }
    }
    let ended = tokio::task::spawn_blocking(move || process::wait(&mut command, LIMIT));
    ended.await.expect("no panic").expect("the command ends, too");
    // Whoever is left has the names, and can be upgraded.
    let in_charge = async || {
        let names = ["dirtyd.pid", "dirtyd-dirty.pid"].map(|name| family.path(name));
        let pid = |path| fs::read_to_string(path).ok()?.trim().parse().ok();
        let all = names.into_iter().all(|name| pid(name).is_some_and(is_alive));
        let free = !family.path("dirtyd.2-dirty.pid").exists();
        (all && free || family.processes().is_empty()).then_some(())
    };
    eventually(LIMIT, "somebody is in charge", in_charge).await;
}

/// Plants something of a kind wherever a reload, an upgrade or another instance opens or
/// makes a file, and has them try.
async fn plant(family: &Family, kind: usize) {
    const OF_UPGRADE: [&str; 4] =
        ["dirtyd.2.pid", "dirtyd.2-dirty.pid", "dirtyd.upgrade", "dirtyd.2.upgrade"];
    const OF_ANOTHER: [&str; 5] =
        ["other.pid", "other-dirty.pid", "other.id", "other.sock", "runtime"];
    let config = fs::read_to_string(family.path("dirtyd.toml")).expect("it is there");
    let precious = family.path("precious");
    fs::write(&precious, "precious").expect("written");
    for name in OF_UPGRADE.iter().chain(&OF_ANOTHER) {
        put(kind, &family.path(name), &precious);
    }
    remove(&family.path("dirtyd.toml"));
    put(kind, &family.path("dirtyd.toml"), &precious);
    family.run(&["reload"]).await;
    remove(&family.path("dirtyd.toml"));
    fs::write(family.path("dirtyd.toml"), config).expect("written");
    family.run(&["upgrade", "--wait"]).await;
    let socket = family.path("other.sock").display().to_string();
    for folder in [".", "runtime"] {
        let folder = family.path(folder).display().to_string();
        let arguments = ["--proc-name", "other", "--socket", &socket, "--runtime-dir", &folder];
        let mut command = family.command(&["serve", "--config", "dirtyd.toml"]);
        command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
        let mut other = command.spawn().expect("dirtyd starts");
        let ended = tokio::task::spawn_blocking(move || {
            if process::wait(&mut other, OTHER).is_none() {
                signal_if_there(other.id() as i32, Signal::SIGTERM);
            }
            process::wait(&mut other, LIMIT)
        });
        ended.await.expect("no panic").expect("it ends");
    }
    assert_eq!(fs::read_to_string(&precious).expect("it is there"), "precious");
    for name in OF_UPGRADE.iter().chain(&OF_ANOTHER) {
        remove(&family.path(name));
    }
}

/// A link, a link to nowhere, a FIFO, a folder, or a file of another user.
fn put(kind: usize, path: &Path, target: &Path) {
    match kind % 5 {
        0 => symlink(target, path).expect("planted"),
        1 => symlink("/nowhere/at/all", path).expect("planted"),
        2 => mkfifo(path, Mode::S_IRWXU).expect("planted"),
        3 => fs::create_dir(path).expect("planted"),
        _ => {
            fs::write(path, "1\n").expect("planted");
            // Without root it stays one of ours.
            let _ = chown(path, Some(STRANGER), Some(STRANGER));
        }
    }
}

/// Whatever stands there.
fn remove(path: &Path) {
    if fs::remove_file(path).is_err() {
        let _ = fs::remove_dir_all(path);
    }
}
