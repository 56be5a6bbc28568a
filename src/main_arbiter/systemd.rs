//! How systemd is told (`sd_notify`), and how often it wants a sign of life.

use std::{env, time::Duration};

use sd_notify::NotifyState;

use super::machine::Notice;

/// How often systemd wants a sign of life. Its `WATCHDOG_PID` is not looked at:
/// after an upgrade it names the old main process.
pub fn watchdog() -> Option<Duration> {
    env::var_os("NOTIFY_SOCKET")?;
    let micros: u64 = env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
    (micros > 0).then(|| Duration::from_micros(micros))
}

/// Tells systemd a notice. Without systemd nobody listens.
pub fn tell(notice: Notice, successor: Option<i32>) {
    let main_pid = |pid: i32| NotifyState::MainPid(pid as u32);
    let states = match notice {
        Notice::Ready => vec![NotifyState::Ready, NotifyState::Status("serving")],
        Notice::Degraded => vec![
            NotifyState::Ready,
            NotifyState::Status("serving, but not every app; see `dirtyd status`"),
        ],
        Notice::Restarting => {
            vec![NotifyState::Status("the dirty arbiter died; another one starts")]
        }
        Notice::Reloading => match NotifyState::monotonic_usec_now() {
            Ok(now) => vec![NotifyState::Reloading, now, NotifyState::Status("reloading")],
            Err(_) => return,
        },
        Notice::Stopping => vec![NotifyState::Stopping, NotifyState::Status("draining")],
        Notice::Watchdog => vec![NotifyState::Watchdog],
        Notice::SuccessorIsMain(true) => match successor {
            Some(pid) => vec![main_pid(pid), NotifyState::Status("upgraded")],
            None => return,
        },
        Notice::SuccessorIsMain(false) => {
            vec![main_pid(std::process::id() as i32), NotifyState::Status("serving")]
        }
    };
    if let Err(error) = sd_notify::notify(&states) {
        tracing::warn!("cannot tell systemd {notice:?}: {error}");
    }
}
