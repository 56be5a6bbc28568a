//! Metrics as they are shown, whatever the format: `/metrics` and OTLP are written from the
//! same families.

use std::{borrow::Cow, time::SystemTime};

/// A metric with all its series.
#[derive(Debug, Clone)]
pub struct Family {
    /// Its name, without the suffix of its unit or of a counter.
    pub name: Cow<'static, str>,
    /// What it tells, as one sentence without a period.
    pub help: Cow<'static, str>,
    /// Its unit, such as `seconds` or `bytes`; empty if it has none.
    pub unit: Cow<'static, str>,
    /// Its series. All are of one kind.
    pub series: Vec<Series>,
    /// What its series are.
    pub kind: Kind,
}

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How often values fell into ranges.
    Histogram,
    /// Facts as labels; the value is 1.
    Info,
}

/// A label: its name and its value.
pub type Label = (Cow<'static, str>, String);

/// One combination of labels.
#[derive(Debug, Clone)]
pub struct Series {
    /// The labels.
    pub labels: Vec<Label>,
    /// Its value.
    pub value: Value,
}

/// The value of a series.
#[derive(Debug, Clone)]
pub enum Value {
    /// Of a counter or a gauge that counts things.
    Whole(u64),
    /// Of a counter or a gauge.
    Number(f64),
    /// Of a histogram.
    Buckets(Buckets),
}

/// The value of a histogram.
#[derive(Debug, Clone)]
pub struct Buckets {
    /// The upper bounds of the classic buckets, without the infinite one.
    pub bounds: Cow<'static, [f64]>,
    /// The number of values in each, the infinite one last; each counts only what is above
    /// the bound before it.
    pub counts: Vec<u64>,
    /// The native buckets, if it has some: see
    /// [`Histogram::native`](crate::histogram::Histogram::native).
    pub native: Vec<(i32, u64)>,
    /// The sum of all values.
    pub sum: f64,
    /// The last value of a call that is traced, for each classic bucket that has one.
    pub exemplars: Vec<Option<Exemplar>>,
}

/// A value of a call that is traced.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exemplar {
    /// The trace, as in `traceparent`.
    pub trace_id: [u8; 16],
    /// The value.
    pub value: f64,
    /// When it was seen.
    pub at: SystemTime,
}
