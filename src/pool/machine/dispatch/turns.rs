//! Whose turn it is in the queue of one app: weighted fair queueing between the
//! principals that wait in it. Pure.
//!
//! Each principal has a clock. A call that leaves the queue for a worker moves its
//! principal's clock on, by less where the weight is more, and the principal whose clock
//! shows the least is next; among equals, the oldest call. A principal that comes anew
//! starts at the present of those that are there: it cannot save turns up while
//! it is away, and it owes none.

use std::collections::{BTreeMap, BTreeSet};

use super::running::Running;
use crate::call::{CallId, Principal, Quota};

/// What a turn costs a principal of weight 1.
const TURN: u64 = 1 << 20;

/// The principals of a queue.
#[derive(Debug, Default)]
pub struct Turns {
    principals: BTreeMap<Principal, Waiters>,
    /// The clock of the principal whose turn was last.
    present: u64,
    /// The number of calls that wait.
    waiting: usize,
}

#[derive(Debug, Default)]
struct Waiters {
    calls: BTreeSet<CallId>,
    bytes: u64,
    quota: Quota,
    clock: u64,
}

impl Waiters {
    fn weight(&self) -> u64 {
        self.quota.weight.max(1).into()
    }

    fn turn(&self) -> u64 {
        TURN / self.weight()
    }
}

/// Of what a queue has a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Calls.
    Calls,
    /// Their bytes.
    Bytes,
}

impl Turns {
    /// A call waits.
    pub fn put(&mut self, principal: Principal, quota: Quota, id: CallId, bytes: u64) {
        let present = self.present;
        let waiters = self.principals.entry(principal).or_default();
        if waiters.calls.is_empty() {
            waiters.clock = waiters.clock.max(present);
        }
        waiters.quota = quota;
        self.waiting += usize::from(waiters.calls.insert(id));
        waiters.bytes += bytes;
    }

    /// A call that had its turn waits again: the turn does not count.
    pub fn give_back(&mut self, principal: Principal) {
        if let Some(waiters) = self.principals.get_mut(&principal) {
            waiters.clock = waiters.clock.saturating_sub(waiters.turn());
        }
    }

    /// A call waits no more; `served` if it had its turn.
    pub fn take(&mut self, principal: Principal, id: CallId, bytes: u64, served: bool) {
        let Some(waiters) = self.principals.get_mut(&principal) else { return };
        self.waiting -= usize::from(waiters.calls.remove(&id));
        waiters.bytes = waiters.bytes.saturating_sub(bytes);
        if served {
            self.present = self.present.max(waiters.clock);
            waiters.clock += waiters.turn();
        }
        if self.waiting == 0 {
            // Nobody competes: what was is forgotten.
            *self = Self::default();
        } else {
            let present = self.present;
            self.principals
                .retain(|_, waiters| !waiters.calls.is_empty() || waiters.clock > present);
        }
    }

    /// The call whose turn it is, of those whose principals may have one more running.
    pub fn next(&self, running: &Running) -> Option<CallId> {
        let may =
            |(name, waiters): &(&Principal, &Waiters)| running.may_begin(**name, waiters.quota);
        let heads = self.principals.iter().filter(may);
        let heads = heads.filter_map(|(_, waiters)| Some((waiters.clock, *waiters.calls.first()?)));
        heads.min().map(|(_, id)| id)
    }

    /// The number of calls of a principal that wait.
    pub fn waiting_of(&self, principal: Principal) -> usize {
        self.principals.get(&principal).map_or(0, |waiters| waiters.calls.len())
    }

    /// Whether a principal, with `own` more calls or bytes, has at most its share of a
    /// limit: what its weight is among those of all that wait.
    pub fn is_within_share(
        &self,
        principal: Principal,
        weight: u32,
        own: u64,
        measure: Measure,
        limit: u64,
    ) -> bool {
        let others = self
            .principals
            .iter()
            .filter(|(name, waiters)| **name != principal && !waiters.calls.is_empty());
        let weights = others.map(|(_, waiters)| u128::from(waiters.weight())).sum::<u128>()
            + u128::from(weight);
        let has = self.principals.get(&principal).map_or(0, |waiters| waiters.has(measure));
        u128::from(has.saturating_add(own)) * weights <= u128::from(limit) * u128::from(weight)
    }

    /// The newest call of the principal that has the most for its weight, apart from
    /// one principal.
    pub fn newest_of_the_largest(&self, apart_from: Principal, measure: Measure) -> Option<CallId> {
        let others = self.principals.iter().filter(|(name, _)| **name != apart_from);
        let per_weight = |waiters: &Waiters| {
            u128::from(waiters.has(measure)) * u128::from(TURN) / u128::from(waiters.weight())
        };
        let largest =
            others.map(|(_, waiters)| waiters).filter(|waiters| !waiters.calls.is_empty());
        largest.max_by_key(|waiters| per_weight(waiters))?.calls.last().copied()
    }
}

impl Waiters {
    fn has(&self, measure: Measure) -> u64 {
        match measure {
            Measure::Calls => self.calls.len() as u64,
            Measure::Bytes => self.bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Principal = Principal::Uid(1);
    const B: Principal = Principal::Uid(2);

    /// Lets the next one have its turn, and says whose it was.
    fn serve(turns: &mut Turns) -> Option<Principal> {
        let id = turns.next(&Running::default())?;
        let (principal, _) =
            turns.principals.iter().find(|(_, waiters)| waiters.calls.contains(&id))?;
        let principal = *principal;
        turns.take(principal, id, 0, true);
        Some(principal)
    }

    fn fill(turns: &mut Turns, principal: Principal, weight: u32, ids: std::ops::Range<u64>) {
        for id in ids {
            turns.put(principal, Quota { weight, ..Quota::default() }, CallId(id), 0);
        }
    }

    #[test]
    fn a_peer_with_one_call_does_not_wait_behind_a_thousand_of_another() {
        let mut turns = Turns::default();
        fill(&mut turns, A, 1, 0..1000);
        for _ in 0..10 {
            assert_eq!(serve(&mut turns), Some(A));
        }
        fill(&mut turns, B, 1, 1000..1001);
        let first = [serve(&mut turns), serve(&mut turns)];
        assert!(first.contains(&Some(B)), "{first:?}");
    }

    #[test]
    fn a_weight_of_three_is_three_turns_of_four() {
        let mut turns = Turns::default();
        fill(&mut turns, A, 3, 0..1000);
        fill(&mut turns, B, 1, 1000..2000);
        let served: Vec<_> = (0..400).filter_map(|_| serve(&mut turns)).collect();
        let of_a = served.iter().filter(|principal| **principal == A).count();
        assert!((299..=301).contains(&of_a), "{of_a}");
    }

    #[test]
    fn one_that_comes_and_goes_gets_no_more_than_one_that_stays() {
        let mut turns = Turns::default();
        fill(&mut turns, A, 1, 0..1000);
        let mut of_b = 0;
        for id in 1000..1100 {
            turns.put(B, Quota::default(), CallId(id), 0);
            let mut others = 0;
            while serve(&mut turns) != Some(B) {
                others += 1;
                assert!(others < 3, "it does not wait long");
            }
            of_b += 1;
        }
        let of_a = 1000 - turns.principals[&A].calls.len();
        assert!(of_b <= of_a + 1, "{of_b} and {of_a}");
    }

    #[test]
    fn nothing_is_remembered_of_peers_that_wait_no_more() {
        let mut turns = Turns::default();
        fill(&mut turns, A, 1, 0..2);
        for uid in 10..1000 {
            let waiters = Principal::Uid(uid);
            turns.put(waiters, Quota::default(), CallId(uid.into()), 7);
            turns.take(waiters, CallId(uid.into()), 7, uid % 2 == 0);
            serve(&mut turns);
            fill(&mut turns, A, 1, u64::from(uid) + 2000..u64::from(uid) + 2001);
        }
        assert!(turns.principals.len() < 5, "{}", turns.principals.len());
        while serve(&mut turns).is_some() {}
        assert!(turns.principals.is_empty());
    }

    #[test]
    fn a_share_is_the_weight_among_those_that_wait() {
        let mut turns = Turns::default();
        fill(&mut turns, A, 1, 0..100);
        let within = |turns: &Turns, own| turns.is_within_share(B, 3, own, Measure::Calls, 100);
        assert!(within(&turns, 75) && !within(&turns, 76));
        assert!(turns.is_within_share(A, 1, 0, Measure::Calls, 100), "alone it has all");
        fill(&mut turns, B, 3, 100..110);
        assert!(within(&turns, 65) && !within(&turns, 66));
        assert_eq!(turns.newest_of_the_largest(B, Measure::Calls), Some(CallId(99)));
        assert_eq!(turns.newest_of_the_largest(A, Measure::Calls), Some(CallId(109)));
    }
}
