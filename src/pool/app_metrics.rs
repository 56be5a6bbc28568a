//! The metrics of apps, added up over all workers, those that are gone included: pure.
//! Workers send what has been gained since, so that no count is lost with a process.
//!
//! A worker is not trusted with the arbiter's memory: metrics, series and texts are
//! bounded, and what is more is dropped and counted.

use std::collections::BTreeMap;

use dirtyd_client::proto::worker::{
    GaugeMerge, Metric as Sent, MetricKind as SentKind, MetricSeries, Metrics,
};

use super::machine::ids::WorkerId;

/// The most metrics.
const MOST_METRICS: usize = 200;
/// The most lines that all series take in `/metrics`: a counter takes one, a histogram one
/// for each bucket and three more.
const MOST_LINES: usize = 1000;
/// The most labels of a series, and buckets of a histogram.
const MOST_LABELS: usize = 16;
const MOST_BOUNDS: usize = 64;
/// The longest name and value of a label, and text, in bytes.
const LONGEST_NAME: usize = 128;
const LONGEST_VALUE: usize = 256;
const LONGEST_HELP: usize = 512;
/// What names of the arbiter's own metrics begin with.
const RESERVED: [&str; 4] = ["dirtyd_", "rpc_", "process_", "_"];
/// What the formats put behind names.
const SUFFIXES: [&str; 6] = ["_total", "_sum", "_count", "_bucket", "_info", "_created"];

/// Labels, by name.
pub type Labels = Vec<(String, String)>;

/// What a metric of an app is.
#[derive(Debug, Clone, PartialEq)]
pub enum AppMetricKind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge(GaugeMerge),
    /// How often values fell into ranges, with the upper bounds of those.
    Histogram(Vec<f64>),
}

/// A metric of an app.
#[derive(Debug, Clone)]
pub struct AppMetric {
    /// What it is.
    pub kind: AppMetricKind,
    /// What it tells.
    pub help: String,
    /// Its unit, or nothing.
    pub unit: String,
    /// Its series.
    series: BTreeMap<Labels, Cell>,
}

/// The value of a series.
#[derive(Debug, Clone)]
enum Cell {
    Counter(f64),
    /// By worker: one that is gone counts no more.
    Gauge(BTreeMap<WorkerId, f64>),
    Histogram {
        counts: Vec<u64>,
        sum: f64,
    },
}

/// The value of a series of all workers.
#[derive(Debug, Clone, PartialEq)]
pub enum AppValue {
    /// Of a counter or a gauge.
    Number(f64),
    /// Of a histogram: how many values each bucket has, the infinite one last, and their
    /// sum.
    Buckets(Vec<u64>, f64),
}

/// The metrics of all apps.
#[derive(Debug, Clone, Default)]
pub struct AppMetrics {
    metrics: BTreeMap<String, AppMetric>,
    lines: usize,
    dropped: u64,
}

impl AppMetrics {
    /// Adds what a worker has sent. Returns why some of it was dropped, if it is the first
    /// that ever was.
    pub fn add(&mut self, worker: WorkerId, sent: Metrics) -> Option<String> {
        let had_dropped = self.dropped > 0;
        let mut first = None;
        for metric in sent.metrics {
            let series = metric.series.len().max(1) as u64;
            let name = metric.name.clone();
            if let Err((why, dropped)) = self.add_metric(worker, metric) {
                self.dropped += dropped.min(series);
                first.get_or_insert_with(|| {
                    let name: String = name.chars().take(LONGEST_NAME).collect();
                    format!(
                        "metric `{name}` of an app: {why}; what does not fit is dropped and counted"
                    )
                });
            }
        }
        first.filter(|_| !had_dropped)
    }

    fn add_metric(&mut self, worker: WorkerId, sent: Sent) -> Result<(), (String, u64)> {
        let whole = |why: String| (why, u64::MAX);
        let (kind, unit) = (kind_of(&sent).map_err(whole)?, unit_of(&sent).map_err(whole)?);
        let name = name_of(&sent.name, &unit).map_err(whole)?;
        let has_room = self.metrics.len() < MOST_METRICS;
        let metric = match self.metrics.entry(name) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(_) if !has_room => {
                return Err(whole(format!("there are {MOST_METRICS} already")));
            }
            std::collections::btree_map::Entry::Vacant(new) => {
                let help = head(&sent.help, LONGEST_HELP).trim_end_matches('.').to_owned();
                new.insert(AppMetric {
                    kind: kind.clone(),
                    help,
                    unit: unit.clone(),
                    series: BTreeMap::new(),
                })
            }
        };
        if metric.kind != kind || metric.unit != unit {
            let why = format!("it was {:?} with unit `{}` before", metric.kind, metric.unit);
            return Err(whole(why));
        }
        let lines = metric.kind.lines();
        let (mut refused, mut why) = (0, String::new());
        for series in sent.series {
            let added = metric.add(worker, series, &mut self.lines, lines);
            if let Err(error) = added {
                (refused, why) = (refused + 1, error);
            }
        }
        if refused == 0 { Ok(()) } else { Err((why, refused)) }
    }

    /// A worker is gone: its gauges count no more.
    pub fn forget(&mut self, worker: WorkerId) {
        for metric in self.metrics.values_mut() {
            if !matches!(metric.kind, AppMetricKind::Gauge(_)) {
                continue;
            }
            let before = metric.series.len();
            metric.series.retain(|_, cell| match cell {
                Cell::Gauge(of) => {
                    of.remove(&worker);
                    !of.is_empty()
                }
                Cell::Counter(_) | Cell::Histogram { .. } => true,
            });
            self.lines -= before - metric.series.len();
        }
    }

    /// The metrics, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &AppMetric)> {
        self.metrics.iter().map(|(name, metric)| (name.as_str(), metric))
    }

    /// How many series were dropped, counted each time.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl AppMetric {
    fn add(
        &mut self,
        worker: WorkerId,
        sent: MetricSeries,
        lines: &mut usize,
        more: usize,
    ) -> Result<(), String> {
        let labels = labels_of(sent.labels)?;
        let (value, counts) = (sent.value, sent.counts);
        match &self.kind {
            AppMetricKind::Counter if !(value.is_finite() && value >= 0.0) => {
                return Err(format!("a counter cannot gain {value}"));
            }
            AppMetricKind::Histogram(bounds) if counts.len() != bounds.len() + 1 => {
                return Err(format!("it has {} bounds and {} counts", bounds.len(), counts.len()));
            }
            AppMetricKind::Histogram(_) if value.is_nan() => {
                return Err("the sum is not a number".to_owned());
            }
            _ => {}
        }
        if !self.series.contains_key(&labels) {
            if *lines + more > MOST_LINES {
                return Err(format!("all series take {MOST_LINES} lines already"));
            }
            *lines += more;
        }
        let new = || match &self.kind {
            AppMetricKind::Counter => Cell::Counter(0.0),
            AppMetricKind::Gauge(_) => Cell::Gauge(BTreeMap::new()),
            AppMetricKind::Histogram(bounds) => {
                Cell::Histogram { counts: vec![0; bounds.len() + 1], sum: 0.0 }
            }
        };
        match self.series.entry(labels).or_insert_with(new) {
            Cell::Counter(total) => *total += value,
            Cell::Gauge(of) => drop(of.insert(worker, value)),
            Cell::Histogram { counts: total, sum } => {
                let pairs = total.iter_mut().zip(counts);
                pairs.for_each(|(total, gained)| *total = total.saturating_add(gained));
                *sum += value;
            }
        }
        Ok(())
    }

    /// Its series, each with the value of all workers.
    pub fn series(&self) -> impl Iterator<Item = (&Labels, AppValue)> {
        self.series.iter().map(|(labels, cell)| (labels, self.value(cell)))
    }

    fn value(&self, cell: &Cell) -> AppValue {
        match cell {
            Cell::Counter(total) => AppValue::Number(*total),
            Cell::Histogram { counts, sum } => AppValue::Buckets(counts.clone(), *sum),
            Cell::Gauge(of) => {
                let values = of.values().copied();
                AppValue::Number(match self.kind {
                    AppMetricKind::Gauge(GaugeMerge::Max) => {
                        values.fold(f64::NEG_INFINITY, f64::max)
                    }
                    AppMetricKind::Gauge(GaugeMerge::Min) => values.fold(f64::INFINITY, f64::min),
                    _ => values.sum(),
                })
            }
        }
    }
}

impl AppMetricKind {
    /// The lines that a series takes.
    fn lines(&self) -> usize {
        match self {
            Self::Counter | Self::Gauge(_) => 1,
            Self::Histogram(bounds) => bounds.len() + 3,
        }
    }
}

fn kind_of(sent: &Sent) -> Result<AppMetricKind, String> {
    match sent.kind() {
        SentKind::Counter => Ok(AppMetricKind::Counter),
        SentKind::Gauge => Ok(AppMetricKind::Gauge(match sent.merge() {
            GaugeMerge::Unspecified => GaugeMerge::Sum,
            merge => merge,
        })),
        SentKind::Histogram => {
            let bounds = &sent.bounds;
            let ascend = bounds.windows(2).all(|pair| pair[0] < pair[1]);
            match ascend && bounds.iter().all(|b| b.is_finite()) && bounds.len() <= MOST_BOUNDS {
                true => Ok(AppMetricKind::Histogram(bounds.clone())),
                false => {
                    Err(format!("its bounds must ascend, be finite, and at most {MOST_BOUNDS}"))
                }
            }
        }
        SentKind::Unspecified => Err("its kind is unknown".to_owned()),
    }
}

fn unit_of(sent: &Sent) -> Result<String, String> {
    match sent.unit.is_empty() || is_name(&sent.unit) {
        true => Ok(sent.unit.clone()),
        false => {
            Err("its unit has other characters than letters, digits and underscores".to_owned())
        }
    }
}

/// The name without its unit, which the formats put behind it.
fn name_of(name: &str, unit: &str) -> Result<String, String> {
    if !is_name(name) {
        return Err("its name has other characters than letters, digits and underscores".to_owned());
    }
    if RESERVED.iter().any(|prefix| name.starts_with(prefix)) {
        return Err("names that begin so are the arbiter's".to_owned());
    }
    if SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) {
        return Err("the end of its name is what the formats put behind names".to_owned());
    }
    let bare = name.strip_suffix(unit).filter(|_| !unit.is_empty());
    let bare = bare.and_then(|name| name.strip_suffix('_')).filter(|name| !name.is_empty());
    Ok(bare.unwrap_or(name).to_owned())
}

fn labels_of(sent: std::collections::HashMap<String, String>) -> Result<Labels, String> {
    if sent.len() > MOST_LABELS {
        return Err(format!("it has more than {MOST_LABELS} labels"));
    }
    let mut labels = Labels::new();
    for (name, value) in sent {
        if !is_name(&name) || name.starts_with("__") || name == "le" {
            let name = head(&name, LONGEST_NAME);
            return Err(format!("`{name}` cannot be the name of a label"));
        }
        labels.push((name, head(&value, LONGEST_VALUE).to_owned()));
    }
    labels.sort();
    Ok(labels)
}

fn is_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !text.is_empty()
        && text.len() <= LONGEST_NAME
        && !text.starts_with(|first: char| first.is_ascii_digit())
        && text.bytes().all(is_part)
}

/// The first so many bytes of a text.
fn head(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(name: &str, series: &[(&str, f64)]) -> Metrics {
        let series = series.iter().map(|(model, value)| MetricSeries {
            labels: [("model".to_owned(), (*model).to_owned())].into(),
            value: *value,
            counts: Vec::new(),
        });
        let sent = Sent {
            name: name.to_owned(),
            kind: SentKind::Counter.into(),
            series: series.collect(),
            ..Sent::default()
        };
        Metrics { metrics: vec![sent] }
    }

    fn gauge(merge: GaugeMerge, value: f64) -> Metrics {
        let series = vec![MetricSeries { value, ..MetricSeries::default() }];
        let (name, kind) = ("load".to_owned(), SentKind::Gauge.into());
        let sent = Sent { name, kind, merge: merge.into(), series, ..Sent::default() };
        Metrics { metrics: vec![sent] }
    }

    fn values(metrics: &AppMetrics) -> Vec<(String, String, AppValue)> {
        let rows = metrics.iter().flat_map(|(name, metric)| {
            metric.series().map(move |(labels, value)| {
                (name.to_owned(), labels.iter().map(|(_, value)| value.clone()).collect(), value)
            })
        });
        rows.collect()
    }

    #[test]
    fn counts_add_up_and_survive_their_workers() {
        let mut metrics = AppMetrics::default();
        for worker in 1..=3 {
            assert_eq!(metrics.add(worker, counter("tokens", &[("a", 2.0), ("b", 0.5)])), None);
            metrics.forget(worker);
        }
        let all = values(&metrics);
        assert_eq!(all[0], ("tokens".to_owned(), "a".to_owned(), AppValue::Number(6.0)));
        assert_eq!(all[1], ("tokens".to_owned(), "b".to_owned(), AppValue::Number(1.5)));
    }

    #[test]
    fn a_gauge_is_of_the_workers_that_live() {
        for (merge, of_both) in
            [(GaugeMerge::Sum, 5.0), (GaugeMerge::Max, 3.0), (GaugeMerge::Min, 2.0)]
        {
            let mut metrics = AppMetrics::default();
            metrics.add(1, gauge(merge, 3.0));
            metrics.add(2, gauge(merge, 2.0));
            assert_eq!(values(&metrics)[0].2, AppValue::Number(of_both), "{merge:?}");
            metrics.forget(1);
            assert_eq!(values(&metrics)[0].2, AppValue::Number(2.0));
            metrics.forget(2);
            assert_eq!((values(&metrics), metrics.lines), (vec![], 0), "{merge:?}");
        }
    }

    #[test]
    fn a_histogram_adds_each_bucket() {
        let series = MetricSeries { value: 1.5, counts: vec![1, 0, 2], ..MetricSeries::default() };
        let sent = Sent {
            name: "prompt_bytes".to_owned(),
            unit: "bytes".to_owned(),
            kind: SentKind::Histogram.into(),
            bounds: vec![1.0, 2.0],
            series: vec![series],
            ..Sent::default()
        };
        let mut metrics = AppMetrics::default();
        for worker in 1..=2 {
            assert_eq!(metrics.add(worker, Metrics { metrics: vec![sent.clone()] }), None);
        }
        let expected = AppValue::Buckets(vec![2, 0, 4], 3.0);
        assert_eq!(values(&metrics), [("prompt".to_owned(), String::new(), expected)]);
        let worse = Sent { bounds: vec![2.0, 1.0], ..sent };
        assert!(metrics.add(1, Metrics { metrics: vec![worse] }).is_some());
    }

    #[test]
    fn what_is_too_much_or_malformed_is_dropped_and_counted() {
        let mut metrics = AppMetrics::default();
        for name in ["dirtyd_x", "rpc_x", "_x", "9x", "a b", "", "x_total", "x_bucket"] {
            metrics.add(1, counter(name, &[("a", 1.0)]));
        }
        assert_eq!((values(&metrics).len(), metrics.dropped()), (0, 8));
        metrics.add(1, counter("tokens", &[("a", -1.0), ("b", f64::NAN), ("c", 1.0)]));
        assert_eq!((values(&metrics).len(), metrics.dropped()), (1, 10));
        metrics.add(1, gauge(GaugeMerge::Sum, 1.0));
        let mut other = counter("load", &[("a", 1.0)]);
        assert_eq!(metrics.add(1, other.clone()), None, "only the first is worth a word");
        assert_eq!(metrics.dropped(), 11);
        other.metrics[0].name = "labels".to_owned();
        other.metrics[0].series[0].labels = [("le".to_owned(), String::new())].into();
        metrics.add(1, other);
        assert_eq!(metrics.dropped(), 12);
        for number in 0..3000 {
            metrics.add(1, counter("tokens", &[(&format!("{number}"), 1.0)]));
            metrics.add(1, counter(&format!("m{number}"), &[("a", 1.0)]));
        }
        assert!(metrics.lines <= MOST_LINES && metrics.metrics.len() <= MOST_METRICS);
        assert!(metrics.dropped() > 4000);
    }
}
