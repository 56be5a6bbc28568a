//! How many calls of each principal run, for principals whose number is limited. Pure.

use std::collections::BTreeMap;

use crate::call::{Principal, Quota};

/// The calls that run of principals with a limit. Without one, nothing is counted.
#[derive(Debug, Default)]
pub struct Running(BTreeMap<Principal, u32>);

impl Running {
    /// Whether one more call of a principal may run.
    pub fn may_begin(&self, principal: Principal, quota: Quota) -> bool {
        let runs = || self.0.get(&principal).copied().unwrap_or(0);
        quota.max_running.is_none_or(|most| runs() < most)
    }

    /// A call begins to run. Returns whom to name at its [`end`](Self::end), if it
    /// is counted.
    pub fn begin(&mut self, principal: Principal, quota: Quota) -> Option<Principal> {
        quota.max_running?;
        *self.0.entry(principal).or_default() += 1;
        Some(principal)
    }

    /// A call that was counted runs no more.
    pub fn end(&mut self, principal: Principal) {
        if let Some(runs) = self.0.get_mut(&principal) {
            *runs -= 1;
            if *runs == 0 {
                self.0.remove(&principal);
            }
        }
    }
}
