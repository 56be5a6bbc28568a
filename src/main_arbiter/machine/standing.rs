//! Where this main arbiter stands in an upgrade that it came from.
//!
//! ```text
//!   waiting --Admitted--> beside --PredecessorLeaves--> after --PredecessorGone--> alone
//!      \---------------------- PredecessorGone ---------------------------------^
//! ```

/// What this one is to the main arbiter that started it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There is no older one: this one has the names.
    Alone,
    /// The older one serves, and this one takes no connection yet.
    Waiting,
    /// Both serve; the older one has the names.
    Beside,
    /// The older one still has the names, and finishes its calls.
    After,
}

impl Standing {
    /// Whether there is an older one.
    pub(super) fn has_predecessor(self) -> bool {
        self != Self::Alone
    }

    /// Whether callers may come.
    pub(super) fn is_admitted(self) -> bool {
        self != Self::Waiting
    }
}
