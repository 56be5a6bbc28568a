//! Who waits for whom, and for how long. Each process has longer than the ones
//! below it, so that an end in order is never cut short from above:
//!
//! ```text
//!   calls            graceful_timeout
//!   dirty arbiter    graceful_timeout + DRAIN_OVERHEAD     ends by itself
//!   main arbiter     graceful_timeout + ARBITER_OVERHEAD   kills the dirty arbiter
//!   older main       graceful_timeout + SUCCESSOR_OVERHEAD kills a refused successor
//!   service manager  more than all of them                 TimeoutStopSec
//! ```
//!
//! The constants stand together because they are derived from each other; a test
//! holds the inequalities. This is a leaf: it knows nobody.

use std::time::Duration;

/// How long a process on a crowded machine may need to notice that something has
/// ended, reap it, and write its last lines to the log.
const NOTICING: Duration = Duration::from_secs(3);

/// How long open connections may take to end once no call is owed anything.
pub const CONNECTIONS_CLOSE: Duration = Duration::from_secs(1);

/// How long a drain waits for readers who take nothing, once no call runs.
pub const READERS_STALL: Duration = Duration::from_secs(5);

/// How long workers may take to close after the last call, if
/// `graceful_timeout` leaves less: they have state to save.
pub const WORKERS_CLOSE: Duration = Duration::from_secs(1);

/// How long a collector may take to take the last spans.
pub const COLLECTOR_TAKES: Duration = Duration::from_secs(2);

/// How much longer than `graceful_timeout` a dirty arbiter may take to end: the
/// connections close, then the workers, then the last spans are sent, then it notices.
const DRAIN_OVERHEAD: Duration = CONNECTIONS_CLOSE
    .saturating_add(WORKERS_CLOSE)
    .saturating_add(COLLECTOR_TAKES)
    .saturating_add(NOTICING);

/// How much longer than `graceful_timeout` a main arbiter waits for its dirty
/// arbiter, which ends by itself before that.
const ARBITER_OVERHEAD: Duration = DRAIN_OVERHEAD.saturating_add(NOTICING);

/// How much longer than `graceful_timeout` the old main arbiter of an upgrade
/// waits for a successor that it refused, which may wait for a dirty arbiter of
/// its own.
const SUCCESSOR_OVERHEAD: Duration = ARBITER_OVERHEAD.saturating_add(NOTICING);

/// How long a worker may take to say what it does now: whoever asked sits at a terminal.
pub const WORKERS_ANSWER: Duration = Duration::from_secs(2);

/// How long the file system may take to give the configuration.
pub const CONFIG_READ: Duration = Duration::from_secs(5);

/// How long a process may take to end that was told not to drain.
pub const AT_ONCE: Duration = Duration::from_secs(2);

/// How long a killed process may take to be gone: its memory has to be freed,
/// and it may sleep in the kernel.
pub const KILLED: Duration = Duration::from_secs(10);

/// How long it takes to kill a hook that has passed its timeout.
const HOOK_KILLED: Duration = Duration::from_secs(1);

/// How often a main arbiter asks its dirty arbiter for a sign of life, at most.
pub const PING: Duration = Duration::from_secs(5);

/// The number of pings without an answer that mean that a dirty arbiter is stuck
/// or stopped: it never blocks.
const UNANSWERED_PINGS: u32 = 6;

/// How long a dirty arbiter may leave pings unanswered.
pub const SILENCE: Duration = PING.saturating_mul(UNANSWERED_PINGS);

/// What a new binary needs beside the boots of its workers.
const UPGRADE_OVERHEAD: Duration = Duration::from_secs(10);

/// How long the new main arbiter of an upgrade may take to have the name once
/// the old one is gone. It needs only to notice, so one that takes longer is
/// stuck.
pub const NAME_TAKEN: Duration = NOTICING.saturating_mul(3);

/// How long a dirty arbiter may take to end once it drains; then it stops
/// waiting for what is left.
pub const fn dirty_arbiter_drains(graceful_timeout: Duration) -> Duration {
    graceful_timeout.saturating_add(DRAIN_OVERHEAD)
}

/// How long a draining dirty arbiter is waited for before it is killed: by its
/// main arbiter, by a fresh start that finds it orphaned, and, stuck and
/// orphaned, by itself.
pub const fn dirty_arbiter_is_killed(graceful_timeout: Duration) -> Duration {
    graceful_timeout.saturating_add(ARBITER_OVERHEAD)
}

/// How long a refused successor is waited for before it is killed.
pub const fn successor_is_killed(graceful_timeout: Duration) -> Duration {
    graceful_timeout.saturating_add(SUCCESSOR_OVERHEAD)
}

/// How long to wait for the hooks of what has happened, where one is killed after
/// `timeout`: that takes a moment, too.
pub const fn hooks_end(timeout: Duration) -> Duration {
    timeout.saturating_add(HOOK_KILLED)
}

/// How long the new binary of an upgrade may take to become ready, where
/// `boot_timeout` is the longest of its pools: the first worker finds out what
/// the others load, so there are two boots.
pub const fn upgrade_takes(boot_timeout: Duration) -> Duration {
    boot_timeout.saturating_mul(2).saturating_add(UPGRADE_OVERHEAD)
}

/// How often to ask for a sign of life where systemd wants one within
/// `watchdog`: one that is lost or late does no harm.
pub fn ping_interval(watchdog: Option<Duration>) -> Duration {
    watchdog.map_or(PING, |limit| PING.min(limit / 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(30);

    #[test]
    fn whoever_waits_has_longer_than_whom_he_waits_for() {
        for grace in [Duration::ZERO, GRACE, Duration::MAX / 2] {
            let steps = [
                grace + CONNECTIONS_CLOSE + WORKERS_CLOSE,
                dirty_arbiter_drains(grace),
                dirty_arbiter_is_killed(grace),
                successor_is_killed(grace),
            ];
            for pair in steps.windows(2) {
                assert!(pair[1] >= pair[0] + NOTICING, "{steps:?}");
            }
        }
        assert!(AT_ONCE < DRAIN_OVERHEAD, "to end at once is faster than any drain");
        assert!(KILLED > AT_ONCE, "who waits for a killed process waits longer than to kill it");
    }

    #[test]
    fn the_service_file_waits_longer_than_a_stop_and_a_silence_take() {
        let unit = include_str!("../docs/dirtyd.service");
        let seconds = |key: &str| {
            let line = unit.lines().find_map(|line| line.strip_prefix(key)).expect("the key");
            let text = line.trim_start_matches('=').trim_end_matches('s');
            Duration::from_secs(text.parse().expect("seconds"))
        };
        assert!(seconds("TimeoutStopSec") > successor_is_killed(GRACE));
        assert!(seconds("WatchdogSec") > SILENCE + ping_interval(None) + KILLED);
    }

    #[test]
    fn a_lost_sign_of_life_alarms_nobody() {
        for watchdog in [1, 6, 60, 600].map(Duration::from_secs) {
            assert!(ping_interval(Some(watchdog)) * 3 <= watchdog);
        }
        assert_eq!(ping_interval(None), PING);
        assert!(SILENCE >= 3 * PING);
        assert!(upgrade_takes(GRACE) > 2 * GRACE);
    }
}
