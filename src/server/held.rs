//! What is held for callers: the bytes of large requests from their arrival until
//! a worker has them, and of large results and chunks until they are read. There
//! is one limit for all, and a part of it that one user may take: whatever one
//! does, others find room.
//!
//! Small messages are not counted one by one: the limits of connections, streams
//! and queues bound their number.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;
use tokio::sync::Notify;

use super::{
    guarded::{SMALL, guarded},
    locked::locked,
};
use crate::call::Principal;

/// All that is held.
#[derive(Debug, Clone)]
pub struct Held(Arc<Account>);

#[derive(Debug)]
struct Account {
    limit: u64,
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    total: u64,
    of_users: HashMap<Principal, OfUser>,
    /// What was given back since the allocator last was asked to do so.
    freed: u64,
}

/// What is held for a user.
#[derive(Debug, Default, Clone, Copy)]
struct OfUser {
    bytes: u64,
    /// A result of its found no room: until it gives something back, further ones
    /// would not either.
    is_full: bool,
}

/// There is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    /// All that may be held is held; the limit.
    ForAnybody(u64),
    /// The user has as much as one may; that limit.
    ForUser(u64),
}

/// Bytes that are held for a user; given back when this is dropped.
#[derive(Debug)]
pub struct Reservation {
    held: Held,
    of: Principal,
    bytes: u64,
}

impl Held {
    /// Nothing yet, of at most `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self(Arc::new(Account { limit, state: Mutex::default(), freed: Notify::new() }))
    }

    /// The number of bytes that are held.
    pub fn bytes(&self) -> u64 {
        self.state().total
    }

    /// The bytes that are held for each user.
    pub fn of_users(&self) -> Vec<(Principal, u64)> {
        let state = self.state();
        let held = state.of_users.iter().map(|(user, own)| (*user, own.bytes));
        held.filter(|(_, bytes)| *bytes > 0).collect()
    }

    /// The most that may be held.
    pub fn limit(&self) -> u64 {
        self.0.limit
    }

    /// Whether a user's calls can have results: one of them found no room, and nothing
    /// has been given back since.
    ///
    /// # Errors
    /// There is no room.
    pub fn has_room(&self, of: Principal) -> Result<(), NoRoom> {
        match self.state().of_users.get(&of) {
            Some(user) if user.is_full => Err(NoRoom::ForUser(share(self.0.limit))),
            _ => Ok(()),
        }
    }

    /// Resolves when what was given back, and may be kept by the allocator, is as much
    /// as there is room beside what is held.
    pub async fn much_was_freed(&self) {
        self.0.freed.notified().await;
    }

    /// Nothing yet, for a user.
    pub fn nothing(&self, of: Principal) -> Reservation {
        Reservation { held: self.clone(), of, bytes: 0 }
    }

    /// Holds a message for a user, until its last byte is dropped. A small one
    /// comes back as it is.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn hold(&self, of: Principal, message: Bytes) -> Result<Bytes, NoRoom> {
        if message.len() <= SMALL {
            return Ok(message);
        }
        let mut reservation = self.nothing(of);
        if let Err(no_room) = reservation.grow_to(message.len()) {
            if let Some(user) = self.state().of_users.get_mut(&of) {
                user.is_full = true;
            }
            return Err(no_room);
        }
        Ok(reservation.around(message))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.0.state)
    }
}

/// What one user may have of `limit`.
fn share(limit: u64) -> u64 {
    limit - limit / 4
}

impl Reservation {
    /// Reserves `bytes` in all; less than before changes nothing.
    ///
    /// # Errors
    /// There is no room for them. What was reserved stays so.
    pub fn grow_to(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let more = (bytes as u64).saturating_sub(self.bytes);
        let limit = self.held.0.limit;
        let mut state = self.held.state();
        let mut own = state.of_users.get(&self.of).copied().unwrap_or_default();
        if own.bytes + more > share(limit) {
            return Err(NoRoom::ForUser(share(limit)));
        }
        if state.total + more > limit {
            return Err(NoRoom::ForAnybody(limit));
        }
        if more > 0 {
            state.total += more;
            own.bytes += more;
            state.of_users.insert(self.of, own);
            drop(state);
            self.bytes += more;
        }
        Ok(())
    }

    /// Gives all of it back.
    pub fn release(&mut self) {
        if self.bytes > 0 {
            *self = self.held.nothing(self.of);
        }
    }

    /// Keeps the reservation as long as the message.
    pub fn around(self, message: Bytes) -> Bytes {
        match self.bytes {
            0 => message,
            _ => guarded(message, self),
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.bytes == 0 {
            return;
        }
        let mut state = self.held.state();
        state.total -= self.bytes;
        let own = state.of_users.get(&self.of).copied().unwrap_or_default();
        match own.bytes.saturating_sub(self.bytes) {
            0 => drop(state.of_users.remove(&self.of)),
            bytes => drop(state.of_users.insert(self.of, OfUser { bytes, is_full: false })),
        }
        state.freed += self.bytes;
        if state.total + state.freed > self.held.0.limit {
            state.freed = 0;
            self.held.0.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Principal = Principal::Uid(1);
    const B: Principal = Principal::Uid(2);
    const MIB: usize = 1 << 20;

    fn message(size: usize) -> Bytes {
        Bytes::from(vec![0; size])
    }

    #[test]
    fn one_user_leaves_room_for_another_and_gets_back_what_it_gave() {
        let held = Held::new(8 * MIB as u64);
        let mut of_a: Vec<_> = (0..6).map(|_| held.hold(A, message(MIB)).expect("room")).collect();
        let share = 6 * MIB as u64;
        assert_eq!(held.hold(A, message(MIB)), Err(NoRoom::ForUser(share)));
        let of_b = [0; 2].map(|_| held.hold(B, message(MIB)).expect("room"));
        assert_eq!(held.hold(B, message(MIB)), Err(NoRoom::ForAnybody(8 * MIB as u64)));
        let part = of_a.pop().expect("six").slice(5..10);
        assert!(held.hold(A, message(MIB)).is_err(), "a slice keeps all of it");
        drop(part);
        drop(held.hold(A, message(MIB)).expect("room again"));
        drop((of_a, of_b));
        assert_eq!(held.bytes(), 0);
        assert!(held.state().of_users.is_empty());
    }

    #[test]
    fn a_user_whose_result_found_no_room_has_none_until_it_gives_something_back() {
        let held = Held::new(8 * MIB as u64);
        let kept = [0; 2].map(|_| held.hold(A, message(2 * MIB)).expect("room"));
        held.hold(A, message(3 * MIB)).expect_err("no room for that");
        held.has_room(A).expect_err("nor for another");
        held.has_room(B).expect("that is A's matter");
        drop(kept);
        held.has_room(A).expect("some was given back");
    }

    #[test]
    fn small_messages_and_those_of_which_nothing_came_cost_nothing() {
        let held = Held::new(0);
        let small = message(SMALL);
        let address = small.as_ptr();
        assert_eq!(held.hold(A, small).expect("small").as_ptr(), address);
        assert_eq!(held.nothing(A).around(message(9)).len(), 9);
        let mut reservation = Held::new(10).nothing(A);
        assert_eq!(reservation.grow_to(5), Ok(()));
        assert_eq!(reservation.grow_to(4), Ok(()), "it has them already");
        assert!(reservation.grow_to(9).is_err(), "three quarters are 8");
    }
}
