//! What a metric is, and the rules for it.

use std::fmt;

use crate::proto::worker::{GaugeMerge, Metric, MetricKind};

const MAX_NAME: usize = 100;
const MAX_HELP: usize = 500;
const MAX_BOUNDS: usize = 64;
const MAX_LABELS: usize = 16;
/// What is longer of the value of a label, in characters, is cut off.
const MAX_VALUE: usize = 256;
/// Names that start with these are the arbiter's.
const OF_THE_ARBITER: [&str; 4] = ["dirtyd_", "rpc_", "process_", "_"];
/// What the formats of metrics put behind names.
const SUFFIXES: [&str; 6] = ["_total", "_sum", "_count", "_bucket", "_info", "_created"];

/// How the values of a gauge in several workers become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    /// Their sum.
    Sum,
    /// The largest.
    Max,
    /// The smallest.
    Min,
}

/// What makes a metric that metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Definition {
    pub kind: MetricKind,
    pub name: &'static str,
    pub help: &'static str,
    unit: &'static str,
    pub bounds: &'static [f64],
    merge: Merge,
}

/// The labels of a series, in the order of their names.
pub type SortedLabels = Vec<(String, String)>;

impl Definition {
    pub const fn new(kind: MetricKind, name: &'static str, help: &'static str) -> Self {
        Self { kind, name, help, unit: "", bounds: &[], merge: Merge::Sum }
    }

    pub const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    pub const fn bounds(mut self, bounds: &'static [f64]) -> Self {
        self.bounds = bounds;
        self
    }

    pub const fn merge(mut self, merge: Merge) -> Self {
        self.merge = merge;
        self
    }

    /// How it is called in messages.
    pub fn title(&self) -> String {
        format!("{} `{}`", self.kind_name(), self.name)
    }

    fn kind_name(&self) -> &'static str {
        match self.kind {
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
            MetricKind::Counter | MetricKind::Unspecified => "counter",
        }
    }

    /// The rule that it breaks, if any.
    pub fn check(&self) -> Result<(), String> {
        check_name(self.name, &format!("the name of a {}", self.kind_name()))?;
        if let Some(suffix) = SUFFIXES.iter().find(|suffix| self.name.ends_with(**suffix)) {
            let title = self.title();
            return Err(format!("the {title} ends with {suffix}, which dirtyd adds; leave it out"));
        }
        let length = self.help.chars().count();
        if length > MAX_HELP || self.help.contains(['\n', '\r']) {
            let title = self.title();
            return Err(format!(
                "the help of the {title} has {length} characters; expected one line of at most \
                 {MAX_HELP}"
            ));
        }
        if !self.unit.is_empty() && !is_name(self.unit) {
            let (title, unit) = (self.title(), self.unit);
            return Err(format!(
                "the unit of the {title} is {unit:?}; expected letters, such as `seconds`"
            ));
        }
        let ascends = self.bounds.windows(2).all(|pair| pair[0] < pair[1]);
        let finite = self.bounds.iter().all(|bound| bound.is_finite());
        if !ascends || !finite || self.bounds.len() > MAX_BOUNDS {
            let (title, bounds) = (self.title(), self.bounds);
            return Err(format!(
                "the bounds of the {title} are {bounds:?}; expected at most {MAX_BOUNDS} finite \
                 numbers, each greater than the one before"
            ));
        }
        Ok(())
    }

    /// The labels as they are sent.
    ///
    /// # Errors
    /// One of them breaks a rule.
    pub fn labels(&self, labels: &[(&str, &str)]) -> Result<SortedLabels, String> {
        let (title, count) = (self.title(), labels.len());
        if count > MAX_LABELS {
            return Err(format!(
                "the {title} got {count} labels; at most {MAX_LABELS} are allowed"
            ));
        }
        for (name, _) in labels {
            check_name(name, &format!("a label of the {title}"))?;
            if *name == "le" {
                return Err(format!(
                    "a label of the {title} is `le`, which names buckets; rename it"
                ));
            }
        }
        let cut = |value: &str| value.chars().take(MAX_VALUE).collect();
        let mut sorted: SortedLabels =
            labels.iter().map(|(name, value)| ((*name).to_owned(), cut(value))).collect();
        sorted.sort();
        match sorted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => Err(format!("the {title} got the label `{}` twice", pair[0].0)),
            None => Ok(sorted),
        }
    }

    /// The metric without series.
    pub fn message(&self) -> Metric {
        let merge = match self.merge {
            _ if self.kind != MetricKind::Gauge => GaugeMerge::Unspecified,
            Merge::Sum => GaugeMerge::Sum,
            Merge::Max => GaugeMerge::Max,
            Merge::Min => GaugeMerge::Min,
        };
        Metric {
            name: self.name.to_owned(),
            kind: self.kind.into(),
            help: self.help.to_owned(),
            unit: self.unit.to_owned(),
            bounds: self.bounds.to_vec(),
            merge: merge.into(),
            series: Vec::new(),
        }
    }
}

/// How it is declared.
impl fmt::Display for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} with the help {:?}", self.title(), self.help)?;
        if !self.unit.is_empty() {
            write!(f, ", the unit {:?}", self.unit)?;
        }
        match self.kind {
            MetricKind::Gauge => write!(f, ", merged as {:?}", self.merge),
            MetricKind::Histogram => write!(f, ", the bounds {:?}", self.bounds),
            MetricKind::Counter | MetricKind::Unspecified => Ok(()),
        }
    }
}

fn is_name(name: &str) -> bool {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    name.chars().all(is_word) && name.starts_with(|first: char| !first.is_ascii_digit())
}

fn check_name(name: &str, what: &str) -> Result<(), String> {
    if !is_name(name) || name.len() > MAX_NAME {
        return Err(format!(
            "{what} is {name:?}; expected up to {MAX_NAME} letters, digits and underscores, and no \
             digit first"
        ));
    }
    if OF_THE_ARBITER.iter().any(|prefix| name.starts_with(prefix)) {
        let own = OF_THE_ARBITER.join(", ");
        return Err(format!("{what} is {name:?}; names that start with {own} are dirtyd's own"));
    }
    Ok(())
}
