//! Waiting with open eyes: a thread that had to wait only for a moment last time
//! looks again and again for a while before it goes to sleep. To be woken from
//! sleep takes longer than most of what an arbiter does with a message, on both
//! sides: the sender pays, too. After Erlang's schedulers (`+sbwt`).
//!
//! ```text
//!   work ──nothing left──> looks ──a message within the window──> work
//!                            └──────── none ────────> sleeps, and the next
//!                                                     wait is slept through
//! ```
//!
//! It stops itself: waits that are longer than the window are slept through, so
//! an idle process does not look at all. Between two looks the core is offered to
//! others; when one takes it, the rest of the wait is slept through. (That alone
//! is no sign of a crowded machine: the kernel likes to wake a process on the core
//! of the one that wakes it.) When one keeps it for long, it computes: who sleeps
//! would be let in before it, who offers his core is not. So nobody looks then for
//! a moment, and for longer if it happens again.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::{
    runtime::{Builder, Runtime},
    sync::Notify,
};

use crate::system::received;

/// To offer the core to others takes so long at most if nobody takes it.
const NOBODY: Duration = Duration::from_micros(5);
/// Who keeps the core for so long computes.
const LONG: Duration = Duration::from_micros(500);
/// How long not to look after that, at first and at most.
const PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How long the thread of a [`runtime`] looks.
#[derive(Debug, Clone)]
pub struct BusyWait(Arc<Mutex<Waits>>);

/// The runtime of one thread that `builder` describes, which sleeps at once until
/// it is told to look. What it looks for are messages on
/// [`crate::system::Socket`]s.
///
/// # Errors
/// The system gives no reactor.
pub fn runtime(builder: &mut Builder) -> io::Result<(Runtime, BusyWait)> {
    let busy_wait = BusyWait(Arc::new(Mutex::new(Waits::new(Instant::now()))));
    // A task that is due keeps the runtime from going to sleep: it polls its
    // sockets and its clock instead, and comes back here.
    let look = Arc::new(Notify::new());
    let (waits, looked, looking) = (busy_wait.clone(), busy_wait.clone(), Arc::clone(&look));
    let runtime = builder
        .on_thread_park(move || {
            if waits.looks_on() {
                looking.notify_one();
            }
        })
        .on_thread_unpark(move || looked.waits().looked(Instant::now()))
        .build()?;
    runtime.spawn(async move {
        loop {
            look.notified().await;
        }
    });
    Ok((runtime, busy_wait))
}

impl BusyWait {
    /// Looks for so long from now on, before it sleeps; zero for not at all.
    pub fn look_for(&self, window: Duration) {
        self.waits().window = window;
    }

    fn looks_on(&self) -> bool {
        let now = Instant::now();
        if !self.waits().looks_on(now, received()) {
            return false;
        }
        thread::yield_now();
        let taken = now.elapsed();
        if taken > NOBODY {
            self.waits().give_way(now + taken, taken);
            return false;
        }
        true
    }

    fn waits(&self) -> MutexGuard<'_, Waits> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a thread's waits last. Pure.
#[derive(Debug)]
struct Waits {
    window: Duration,
    /// When the running wait began, and how many messages had come by then.
    began: Instant,
    received: u64,
    /// The last look.
    looked: Instant,
    /// The last wait was shorter than the window, and this one still is.
    short: bool,
    /// Others compute: not to look before this, and how long that was.
    crowded_until: Instant,
    pause: Duration,
}

impl Waits {
    fn new(now: Instant) -> Self {
        Self {
            window: Duration::ZERO,
            began: now,
            received: 0,
            looked: now,
            short: false,
            crowded_until: now,
            pause: Duration::ZERO,
        }
    }

    /// Nothing is left to do. Whether to look again instead of going to sleep.
    fn looks_on(&mut self, now: Instant, received: u64) -> bool {
        if received != self.received {
            // A message came with the last look, and its work is done.
            let waited = self.looked.saturating_duration_since(self.began);
            self.short = waited < self.window && now >= self.crowded_until;
            (self.began, self.received) = (now, received);
        }
        self.short &= now.saturating_duration_since(self.began) < self.window;
        self.short
    }

    /// A look, or a sleep, is over.
    fn looked(&mut self, now: Instant) {
        self.looked = now;
    }

    /// Somebody else wanted the core, and had it for so long.
    fn give_way(&mut self, now: Instant, taken: Duration) {
        self.short = false;
        if taken >= LONG {
            let again = now < self.crowded_until + self.pause;
            self.pause = if again { (2 * self.pause).min(LONGEST_PAUSE) } else { PAUSE };
            self.crowded_until = now + self.pause;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_micros(100);

    /// Waits, of so many microseconds each, with a look every 10; which of them
    /// were looked through to the end.
    fn looked_through(waits: &[u64]) -> Vec<bool> {
        let mut now = Instant::now();
        let mut eyes = Waits { window: WINDOW, ..Waits::new(now) };
        let mut through = Vec::new();
        for (received, wait) in (0..).zip(waits) {
            let end = now + Duration::from_micros(*wait);
            let mut looks = eyes.looks_on(now, received);
            while looks && now + Duration::from_micros(10) < end {
                now += Duration::from_micros(10);
                eyes.looked(now);
                looks = eyes.looks_on(now, received);
            }
            through.push(looks);
            now = end;
            eyes.looked(now);
        }
        through
    }

    #[test]
    fn after_a_short_wait_the_next_is_looked_through() {
        assert_eq!(looked_through(&[50, 50, 90, 20]), [false, true, true, true]);
    }

    #[test]
    fn a_long_wait_ends_the_looking_until_waits_are_short_again() {
        assert_eq!(
            looked_through(&[50, 50, 200, 200, 50, 50]),
            [false, true, false, false, false, true]
        );
    }

    #[test]
    fn who_gave_way_sleeps_for_the_rest_of_the_wait_only() {
        let now = Instant::now();
        let mut eyes = Waits { window: WINDOW, ..Waits::new(now) };
        eyes.looked(now + WINDOW / 2);
        assert!(eyes.looks_on(now + WINDOW / 2, 1));
        eyes.give_way(now + WINDOW / 2, WINDOW);
        assert!(!eyes.looks_on(now + WINDOW / 2, 1));
        eyes.looked(now + WINDOW);
        assert!(eyes.looks_on(now + WINDOW, 2), "that wait was short, too");
    }

    #[test]
    fn beside_processes_that_compute_nobody_looks() {
        let start = Instant::now();
        let mut eyes = Waits { window: WINDOW, ..Waits::new(start) };
        let mut received = 0;
        let mut looks = |eyes: &mut Waits, now: Instant| {
            received += 1;
            eyes.looks_on(now, received); // a wait begins
            eyes.looked(now); // and is over at once
            received += 1;
            eyes.looks_on(now, received)
        };
        assert!(looks(&mut eyes, start));
        eyes.give_way(start, LONG);
        assert!(!looks(&mut eyes, start + PAUSE / 2));
        assert!(looks(&mut eyes, start + PAUSE));
        eyes.give_way(start + PAUSE, LONG);
        assert!(!looks(&mut eyes, start + 2 * PAUSE), "it happened again: twice as long");
        assert!(looks(&mut eyes, start + 3 * PAUSE));
        let later = start + 60 * PAUSE;
        eyes.give_way(later, LONG);
        assert!(looks(&mut eyes, later + PAUSE), "the first time for long");
    }

    #[test]
    fn an_idle_runtime_sleeps_and_a_busy_one_wakes_for_timers_and_messages() {
        let (runtime, busy_wait) =
            runtime(Builder::new_current_thread().enable_all()).expect("runtime");
        busy_wait.look_for(Duration::from_millis(1));
        runtime.block_on(async {
            let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("socketpair");
            let (mut read, _write) = crate::system::Socket::new(ours).expect("socket").into_split();
            let mut theirs = tokio::net::UnixStream::from_std({
                theirs.set_nonblocking(true).expect("nonblocking");
                theirs
            })
            .expect("socket");
            for _ in 0..100 {
                tokio::io::AsyncWriteExt::write_all(&mut theirs, b"x").await.expect("write");
                let mut byte = [0];
                tokio::io::AsyncReadExt::read_exact(&mut read, &mut byte).await.expect("read");
                tokio::time::sleep(Duration::from_micros(100)).await;
            }
        });
    }
}
