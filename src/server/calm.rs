//! Frames of HTTP/2 that carry nothing: SETTINGS, PING, PRIORITY, WINDOW_UPDATE,
//! RST_STREAM, empty DATA. A client needs some of them for its calls; a flood of them
//! costs everybody's time.
//!
//! What a connection earns by requests and by what it is sent is free. The rest is
//! charged to it and to its user, by the second; a connection above its limit, or above
//! its share while its user is above his, is closed with ENHANCE_YOUR_CALM. Further
//! connections of that user wait until the second is over.
//!
//! So is a connection with a header block that has no end, or for which there is no room:
//! what is kept of it counts as held for the user.

use std::{
    collections::HashMap,
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, Weak},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    authority::{AuthorityRepair, Excess, Walked},
    guarded::SMALL,
    held::{Held, Reservation},
    locked::locked,
    seldom::Seldom,
};
use crate::call::{Peer, Principal};

/// The time over which frames are counted.
const INTERVAL: Duration = Duration::from_secs(1);
/// The most that is charged to a connection in an interval.
const OF_CONNECTION: u32 = 2000;
/// The most that is charged to a user in an interval, as long as each of the
/// connections stays within [`SHARE`].
const OF_USER: u32 = 10_000;
/// What a connection may be charged with whatever its user's other ones do.
const SHARE: u32 = 200;
/// What a connection earns by a request: to reset it, to give it a priority, and to
/// widen its window.
const BY_REQUEST: u32 = 4;
/// What it earns by a write: to widen the windows of the connection and the stream.
const BY_WRITE: u32 = 4;
/// The most that it can have earned.
const MOST_EARNED: u32 = 10_000;
/// The time between two connections of a user who floods.
const PACE: Duration = Duration::from_millis(2);
/// A request that takes no call costs as much as so many of these frames.
const OF_REQUEST: u32 = 20;
/// How many of them a connection has in a second, whatever its user's other ones do.
const SHARE_OF_REQUESTS: u32 = 2;
/// So many are charged at once, and end the turn of a connection.
const GRAIN: u32 = 64;

/// GOAWAY, of no stream in particular, with ENHANCE_YOUR_CALM (RFC 9113, 6.8 and 7).
const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0xb];

/// What an interval has cost so far.
#[derive(Debug)]
struct Account {
    begun: Instant,
    charged: u32,
    /// How many connections have begun to wait in it.
    waiting: u32,
}

impl Account {
    fn new(now: Instant) -> Self {
        Self { begun: now, charged: 0, waiting: 0 }
    }

    /// Returns what was charged in this interval, with this.
    fn charge(&mut self, frames: u32, now: Instant) -> u32 {
        if now.saturating_duration_since(self.begun) >= INTERVAL {
            *self = Self::new(now);
        }
        self.charged = self.charged.saturating_add(frames);
        self.charged
    }

    /// How long it still counts against who used it up.
    fn left(&self, now: Instant, limit: u32) -> Duration {
        match self.charged > limit {
            true => INTERVAL.saturating_sub(now.saturating_duration_since(self.begun)),
            false => Duration::ZERO,
        }
    }
}

/// The accounts of the users that have connections.
#[derive(Debug)]
pub struct Accounts {
    of_users: Mutex<HashMap<Principal, Weak<Mutex<Account>>>>,
    closed: Seldom,
    held: Held,
}

impl Accounts {
    /// None yet; header blocks are kept in `held`.
    pub fn new(held: Held) -> Self {
        let closed = Seldom::new("connections were closed because of what they sent");
        Self { of_users: Mutex::default(), closed, held }
    }

    /// A tally for a connection of a peer.
    pub fn tally(&self, peer: &Peer) -> Tally {
        let now = Instant::now();
        let mut users = locked(&self.of_users);
        users.retain(|_, account| account.strong_count() > 0);
        let of = users.entry(peer.principal()).or_default();
        let of_user = of.upgrade().unwrap_or_else(|| Arc::new(Mutex::new(Account::new(now))));
        *of = Arc::downgrade(&of_user);
        Tally {
            peer: peer.clone(),
            of_user,
            own: Account::new(now),
            earned: 0,
            uncharged: 0,
            kept: self.held.nothing(peer.principal()),
            closed: self.closed.clone(),
        }
    }
}

/// The frames of a connection that carry nothing, and what it has earned.
#[derive(Debug)]
pub struct Tally {
    peer: Peer,
    of_user: Arc<Mutex<Account>>,
    own: Account,
    earned: u32,
    uncharged: u32,
    /// A header block without its end.
    kept: Reservation,
    closed: Seldom,
}

/// Why a connection is closed.
#[derive(Debug)]
enum Excessive {
    Flood,
    Block(Excess),
    NoRoom,
}

impl Tally {
    /// Whether the connection's user floods on others.
    pub fn floods(&self) -> bool {
        locked(&self.of_user).left(Instant::now(), OF_USER) > Duration::ZERO
    }

    /// How long the connection has to wait for that: one after the other has its turn.
    pub fn turn(&self) -> Duration {
        let mut account = locked(&self.of_user);
        account.waiting += 1;
        account.left(Instant::now(), OF_USER) + account.waiting * PACE
    }

    /// Counts a request that took no call. Returns how long its connection has to wait
    /// before the next one: nothing, unless its user asks too much.
    pub fn asked(&mut self) -> Duration {
        let now = Instant::now();
        let own = self.own.charge(OF_REQUEST, now);
        let of_user = locked(&self.of_user).charge(OF_REQUEST, now);
        match of_user > OF_USER && own > SHARE_OF_REQUESTS * OF_REQUEST {
            true => self.turn(),
            false => Duration::ZERO,
        }
    }

    fn earn(&mut self, frames: u32) {
        self.earned = self.earned.saturating_add(frames).min(MOST_EARNED);
    }

    /// Counts what was read. Returns whether the turn of the connection is over.
    fn count(&mut self, walked: Walked, now: impl FnOnce() -> Instant) -> Result<bool, Excessive> {
        if walked.requests > 0 {
            self.earn(walked.requests.saturating_mul(BY_REQUEST));
        }
        if walked.empty == 0 {
            return Ok(walked.large);
        }
        let free = walked.empty.min(self.earned);
        self.earned -= free;
        self.uncharged += walked.empty - free;
        if self.uncharged < GRAIN {
            return Ok(walked.large);
        }
        let (frames, now) = (std::mem::take(&mut self.uncharged), now());
        let own = self.own.charge(frames, now);
        let of_user = locked(&self.of_user).charge(frames, now);
        match own > OF_CONNECTION || own > SHARE && of_user > OF_USER {
            true => Err(Excessive::Flood),
            false => Ok(true),
        }
    }

    /// Counts the memory that a header block without its end takes; a small one costs nothing.
    fn keep(&mut self, bytes: usize) -> Result<(), Excessive> {
        match bytes > SMALL {
            true => self.kept.grow_to(bytes).map_err(|_| Excessive::NoRoom),
            false => {
                self.kept.release();
                Ok(())
            }
        }
    }
}

/// A connection whose frames are counted.
#[derive(Debug)]
pub struct Calm<IO> {
    io: AuthorityRepair<IO>,
    tally: Tally,
    /// Others have their turn before the next read.
    yields: bool,
    /// All that was to be written was: the next byte begins a frame.
    between_frames: bool,
}

impl<IO> Calm<IO> {
    /// Counts the frames of `io`.
    pub fn new(io: AuthorityRepair<IO>, tally: Tally) -> Self {
        Self { io, tally, yields: false, between_frames: true }
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for Calm<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { io, tally, yields, between_frames } = &mut *self;
        if std::mem::take(yields) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let polled = Pin::new(&mut *io).poll_read(cx, buf);
        let excess = |error: &io::Error| error.get_ref()?.downcast_ref().copied();
        let counted = match &polled {
            Poll::Ready(Err(error)) => match excess(error) {
                Some(excess) => Err(Excessive::Block(excess)),
                None => return polled,
            },
            // Frames of an unfinished block count while they are kept back.
            _ => tally.keep(io.kept()).and_then(|()| tally.count(io.walked(), Instant::now)),
        };
        match counted {
            Ok(over) => *yields = over,
            Err(why) => {
                if *between_frames {
                    // It is told why, if there is room.
                    let _ = Pin::new(io).poll_write(cx, &GOAWAY);
                }
                let peer = &tally.peer;
                tally.closed.warn(format_args!("a connection of {peer} is closed: {why}"));
                return Poll::Ready(Err(io::Error::other(why.to_string())));
            }
        }
        polled
    }
}

impl<IO: AsyncWrite + Unpin> Calm<IO> {
    fn written(&mut self, wanted: usize, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(written)) = written {
            self.tally.earn(BY_WRITE);
            self.between_frames = *written == wanted;
        }
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Calm<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.written(buf.len(), &written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.written(bufs.iter().map(|buf| buf.len()).sum(), &written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl fmt::Display for Excessive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flood => write!(
                f,
                "it sent more frames that carry nothing (SETTINGS, PING, PRIORITY, WINDOW_UPDATE, RST_STREAM) than its calls need: over {OF_CONNECTION} in {INTERVAL:?}, or over {OF_USER} of all connections of its user"
            ),
            Self::Block(excess) => write!(f, "it sent {excess}"),
            Self::NoRoom => {
                write!(f, "there is no room in max_held_bytes for its unfinished header block")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts() -> Accounts {
        Accounts::new(Held::new(1 << 20))
    }

    fn empty(frames: u32) -> Walked {
        Walked { empty: frames, ..Walked::default() }
    }

    fn peer(uid: u32) -> Peer {
        Peer::Process { uid, gid: uid, pid: None }
    }

    #[test]
    fn requests_for_nothing_wait_for_the_next_second_if_they_are_too_many() {
        let accounts = accounts();
        let mut tally = accounts.tally(&peer(1));
        let most = OF_USER / OF_REQUEST;
        assert!((0..most).all(|_| tally.asked().is_zero()));
        let wait = tally.asked();
        assert!(wait > Duration::ZERO);
        let mut other = accounts.tally(&peer(1));
        let waits: Vec<_> = (0..SHARE_OF_REQUESTS + 1).map(|_| other.asked()).collect();
        assert!(waits[..2].iter().all(Duration::is_zero), "its share");
        assert!(waits[2] > Duration::ZERO);
        assert!(accounts.tally(&peer(2)).asked().is_zero(), "another user's");
    }

    #[test]
    fn a_connection_may_send_so_many_frames_in_a_second() {
        let mut tally = accounts().tally(&peer(1));
        let now = tally.own.begun;
        for second in 0..3 {
            let at = now + second * INTERVAL;
            for _ in 0..OF_CONNECTION / 100 {
                tally.count(empty(100), || at).expect("allowed");
            }
        }
        tally.count(empty(100), || now + 2 * INTERVAL).expect_err("too many");
    }

    #[test]
    fn what_calls_need_is_free() {
        let mut tally = accounts().tally(&peer(1));
        let now = tally.own.begun;
        for _ in 0..100_000 {
            tally
                .count(Walked { requests: 1, empty: 1, large: false }, || now)
                .expect("a request of its own");
            tally.earn(BY_WRITE);
            tally.count(empty(3), || now).expect("it was sent something");
        }
        tally.earned = 0;
        assert!(!tally.count(empty(GRAIN - 1), || now).expect("few"));
        assert!(tally.count(empty(1), || now).expect("some"), "others have their turn");
    }

    #[test]
    fn many_connections_of_a_user_share_a_limit_and_hurt_no_quiet_one() {
        let accounts = accounts();
        let mut loud: Vec<_> = (0..100).map(|_| accounts.tally(&peer(1))).collect();
        let now = loud[0].own.begun;
        let mut closed = 0;
        for _ in 0..10 {
            for tally in &mut loud {
                closed += u32::from(tally.count(empty(GRAIN), || now).is_err());
            }
        }
        assert!(closed > 0, "each is within its own limit, all are not");
        let waiting = [0; 2].map(|_| accounts.tally(&peer(1)));
        assert!(waiting[0].floods() && waiting[0].turn() + PACE / 2 < waiting[1].turn());
        assert!(!accounts.tally(&peer(2)).floods());
        let mut quiet = accounts.tally(&peer(1));
        quiet.count(empty(GRAIN), || now).expect("it does no harm");
        accounts.tally(&peer(2)).count(empty(GRAIN), || now).expect("nor does another user");
    }

    #[test]
    fn what_is_kept_of_a_header_block_is_held_for_the_user() {
        let held = Held::new(1 << 20);
        let accounts = Accounts::new(held.clone());
        let mut tally = accounts.tally(&peer(1));
        for bytes in [SMALL, 100_000, 50_000, 200_000] {
            tally.keep(bytes).expect("room");
        }
        assert_eq!(held.bytes(), 200_000);
        accounts.tally(&peer(1)).keep(600_000).expect_err("a quarter is for others");
        tally.keep(0).expect("it had its end");
        assert_eq!(held.bytes(), 0);
    }
}
