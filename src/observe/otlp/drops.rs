//! Spans that reach no collector, by reason.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why spans were dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Too many were waiting: the collector is slow, or gone.
    QueueFull,
    /// The collector took nothing for too long.
    Unreachable,
    /// The collector does not want them.
    Rejected,
    /// The process ended before the collector had them.
    Ended,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::QueueFull, Self::Unreachable, Self::Rejected, Self::Ended];

    /// Its name among what else is dropped.
    pub fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "spans_queue_full",
            Self::Unreachable => "spans_unreachable",
            Self::Rejected => "spans_rejected",
            Self::Ended => "spans_ended",
        }
    }
}

/// The number of spans that were dropped.
#[derive(Debug, Default)]
pub struct Drops([AtomicU64; Reason::ALL.len()]);

impl Drops {
    /// Counts some.
    pub fn count(&self, reason: Reason, spans: u64) {
        self.0[reason as usize].fetch_add(spans, Ordering::Relaxed);
    }

    /// The number for a reason.
    pub fn of(&self, reason: Reason) -> u64 {
        self.0[reason as usize].load(Ordering::Relaxed)
    }

    /// The number for all reasons.
    pub fn total(&self) -> u64 {
        Reason::ALL.into_iter().map(|reason| self.of(reason)).sum()
    }
}
