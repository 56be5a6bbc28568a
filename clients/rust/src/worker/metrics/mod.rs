//! Metrics of apps: counters, gauges and histograms, which dirtyd adds up over all workers.
//!
//! ```
//! use dirtyd_client::worker::metrics::{Counter, Gauge, Histogram, Merge};
//!
//! static TOKENS: Counter = Counter::new("tokens", "Tokens generated");
//! static LOADED: Gauge = Gauge::new("loaded_models", "Models in memory").merge(Merge::Max);
//! static LATENCY: Histogram =
//!     Histogram::new("step", "How long one step takes", &[0.001, 0.01, 0.1, 1.0]).unit("seconds");
//!
//! // In an action, on any thread:
//! TOKENS.add(5.0, &[("model", "small")]);
//! LOADED.set(2.0, &[]);
//! LATENCY.observe(0.02, &[]);
//!
//! // What counts often looks its labels up once.
//! let small = TOKENS.with(&[("model", "small")]);
//! small.inc();
//! assert_eq!(TOKENS.value(&[("model", "small")]), 6.0);
//! ```
//!
//! A worker sends what they have gained at most once a second, and before it exits.
//! Outside of a worker, in a test, they count in the process and send nothing.
//!
//! A process has at most 1000 combinations of labels, of all metrics together. What
//! is more is dropped and counted ([`dropped`]), and told once on stderr. Of the value
//! of a label 256 characters are kept.
//!
//! # Panics
//!
//! A metric that breaks a rule panics where it is used first, as a mistake of the
//! program: a name that is not letters, digits and underscores, that begins as the
//! arbiter's own do (`dirtyd_`, `rpc_`, `process_`, `_`), or that ends with what formats
//! put behind names (`_total`, `_sum`, `_count` ...); a name with two definitions;
//! more than 16 labels, 64 bounds, or bounds that do not ascend. So does a value that
//! is not finite, and one by which a counter would fall. In an action a panic fails the
//! call. Two declarations with one name and the same definition are the same metric.

mod definition;
mod registry;

use std::sync::{Mutex, MutexGuard, PoisonError};

use definition::Definition;
pub use definition::Merge;
pub(super) use registry::MAX_SERIES;
use registry::{Place, Registry};
use tokio::sync::Notify;

use crate::proto::worker::{MetricKind, Metrics};

/// The labels of a series: names and values, in any order.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

static REGISTRY: Mutex<Registry> = Mutex::new(Registry::new());
/// Has a permit once something has changed.
static CHANGED: Notify = Notify::const_new();

/// A number that only grows: of all workers since the arbiter's start.
#[derive(Debug, Clone, Copy)]
pub struct Counter(Definition);

impl Counter {
    /// A counter. Its name has no suffix such as `_total`.
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        Self(Definition::new(MetricKind::Counter, name, help))
    }

    /// The same, with a unit such as `seconds`.
    #[must_use]
    pub const fn unit(self, unit: &'static str) -> Self {
        Self(self.0.unit(unit))
    }

    /// Adds 1.
    #[track_caller]
    pub fn inc(&self, labels: Labels<'_>) {
        self.add(1.0, labels);
    }

    /// Adds an amount.
    #[track_caller]
    pub fn add(&self, amount: f64, labels: Labels<'_>) {
        self.with(labels).add(amount);
    }

    /// The series with these labels.
    #[track_caller]
    pub fn with(&self, labels: Labels<'_>) -> CounterSeries {
        CounterSeries(place(&self.0, labels))
    }

    /// What this process has counted with these labels: for tests.
    #[track_caller]
    pub fn value(&self, labels: Labels<'_>) -> f64 {
        value(&self.0, labels)
    }
}

/// A counter with its labels looked up.
#[derive(Debug, Clone, Copy)]
pub struct CounterSeries(Place);

impl CounterSeries {
    /// Adds 1.
    #[track_caller]
    pub fn inc(&self) {
        self.add(1.0);
    }

    /// Adds an amount.
    #[track_caller]
    pub fn add(&self, amount: f64) {
        change(|registry| registry.add(self.0, amount));
    }
}

/// A number that goes up and down: of the workers that live.
#[derive(Debug, Clone, Copy)]
pub struct Gauge(Definition);

impl Gauge {
    /// A gauge; the values of several workers are added up.
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        Self(Definition::new(MetricKind::Gauge, name, help))
    }

    /// The same, with a unit such as `bytes`.
    #[must_use]
    pub const fn unit(self, unit: &'static str) -> Self {
        Self(self.0.unit(unit))
    }

    /// The same, with another way for the values of several workers to become one.
    #[must_use]
    pub const fn merge(self, merge: Merge) -> Self {
        Self(self.0.merge(merge))
    }

    /// Takes a value.
    #[track_caller]
    pub fn set(&self, value: f64, labels: Labels<'_>) {
        self.with(labels).set(value);
    }

    /// Adds an amount, which may be negative.
    #[track_caller]
    pub fn add(&self, amount: f64, labels: Labels<'_>) {
        self.with(labels).add(amount);
    }

    /// The series with these labels.
    #[track_caller]
    pub fn with(&self, labels: Labels<'_>) -> GaugeSeries {
        GaugeSeries(place(&self.0, labels))
    }

    /// The value in this process with these labels: for tests.
    #[track_caller]
    pub fn value(&self, labels: Labels<'_>) -> f64 {
        value(&self.0, labels)
    }
}

/// A gauge with its labels looked up.
#[derive(Debug, Clone, Copy)]
pub struct GaugeSeries(Place);

impl GaugeSeries {
    /// Takes a value.
    #[track_caller]
    pub fn set(&self, value: f64) {
        change(|registry| registry.set(self.0, value));
    }

    /// Adds an amount, which may be negative.
    #[track_caller]
    pub fn add(&self, amount: f64) {
        change(|registry| registry.add(self.0, amount));
    }
}

/// How often values fell into ranges: of all workers since the arbiter's start.
#[derive(Debug, Clone, Copy)]
pub struct Histogram(Definition);

impl Histogram {
    /// From 5 ms to 5 minutes, if the values are seconds.
    pub const SECONDS: &'static [f64] =
        &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

    /// A histogram with the upper bounds of its ranges, ascending, each included in its own. What
    /// is above the last one is counted, too.
    pub const fn new(name: &'static str, help: &'static str, bounds: &'static [f64]) -> Self {
        Self(Definition::new(MetricKind::Histogram, name, help).bounds(bounds))
    }

    /// The same, with a unit such as `seconds`.
    #[must_use]
    pub const fn unit(self, unit: &'static str) -> Self {
        Self(self.0.unit(unit))
    }

    /// Counts one value.
    #[track_caller]
    pub fn observe(&self, value: f64, labels: Labels<'_>) {
        self.with(labels).observe(value);
    }

    /// The series with these labels.
    #[track_caller]
    pub fn with(&self, labels: Labels<'_>) -> HistogramSeries {
        HistogramSeries(place(&self.0, labels))
    }

    /// The sum of the values in this process with these labels: for tests.
    #[track_caller]
    pub fn value(&self, labels: Labels<'_>) -> f64 {
        value(&self.0, labels)
    }
}

/// A histogram with its labels looked up.
#[derive(Debug, Clone, Copy)]
pub struct HistogramSeries(Place);

impl HistogramSeries {
    /// Counts one value.
    #[track_caller]
    pub fn observe(&self, value: f64) {
        change(|registry| registry.add(self.0, value));
    }
}

/// How many updates of this process were dropped, because it had 1000 combinations of labels.
pub fn dropped() -> u64 {
    registry().dropped()
}

/// Waits until something has changed since the last time.
pub(super) async fn changed() {
    CHANGED.notified().await;
}

/// What has changed, as far as it takes no more than `room` bytes; none if nothing has.
pub(super) fn take(room: usize) -> Option<Metrics> {
    registry().take(room)
}

fn registry() -> MutexGuard<'static, Registry> {
    // Nothing panics while it is held.
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

#[track_caller]
fn place(definition: &Definition, labels: Labels<'_>) -> Place {
    let found = registry().place(definition, labels);
    found.unwrap_or_else(|why| panic!("{why}"))
}

#[track_caller]
fn value(definition: &Definition, labels: Labels<'_>) -> f64 {
    let found = registry().value(definition, labels);
    found.unwrap_or_else(|why| panic!("{why}"))
}

#[track_caller]
fn change(change: impl FnOnce(&mut Registry) -> Result<(), String>) {
    let changed = change(&mut registry());
    if let Err(why) = changed {
        panic!("{why}");
    }
    CHANGED.notify_one();
}
