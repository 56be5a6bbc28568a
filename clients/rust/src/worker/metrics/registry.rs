//! All metrics of a process, and what they have gained since somebody took it.

use std::collections::{BTreeMap, HashMap};

use prost::Message as _;

use super::definition::{Definition, SortedLabels};
use crate::proto::worker::{Metric, MetricKind, MetricSeries, Metrics};

/// The series that a process may have. What is more is dropped and counted.
pub const MAX_SERIES: usize = 1000;

/// Where a series is; none if there was no room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(Option<usize>);

/// The metrics and their series.
#[derive(Debug)]
pub struct Registry {
    metrics: BTreeMap<&'static str, Definition>,
    places: BTreeMap<(&'static str, SortedLabels), usize>,
    series: Vec<Series>,
    /// The series that have changed, in the order in which they did.
    changed: Vec<usize>,
    dropped: u64,
}

#[derive(Debug)]
struct Series {
    definition: Definition,
    labels: SortedLabels,
    total: f64,
    sent: f64,
    counts: Vec<u64>,
    counts_sent: Vec<u64>,
    is_changed: bool,
}

impl Registry {
    pub const fn new() -> Self {
        Self {
            metrics: BTreeMap::new(),
            places: BTreeMap::new(),
            series: Vec::new(),
            changed: Vec::new(),
            dropped: 0,
        }
    }

    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Finds a series, or makes it.
    ///
    /// # Errors
    /// The definition or a label breaks a rule; the text says which, to a person.
    pub fn place(
        &mut self,
        definition: &Definition,
        labels: &[(&str, &str)],
    ) -> Result<Place, String> {
        self.declare(definition)?;
        let key = (definition.name, definition.labels(labels)?);
        if let Some(place) = self.places.get(&key) {
            return Ok(Place(Some(*place)));
        }
        let place = self.series.len();
        if place >= MAX_SERIES {
            return Ok(Place(None));
        }
        let buckets = match definition.kind {
            MetricKind::Histogram => definition.bounds.len() + 1,
            _ => 0,
        };
        self.series.push(Series {
            definition: *definition,
            labels: key.1.clone(),
            total: 0.0,
            sent: 0.0,
            counts: vec![0; buckets],
            counts_sent: vec![0; buckets],
            is_changed: false,
        });
        self.places.insert(key, place);
        Ok(Place(Some(place)))
    }

    /// What was counted so far.
    ///
    /// # Errors
    /// The same as of `place`.
    pub fn value(
        &mut self,
        definition: &Definition,
        labels: &[(&str, &str)],
    ) -> Result<f64, String> {
        self.declare(definition)?;
        let key = (definition.name, definition.labels(labels)?);
        Ok(self.places.get(&key).map_or(0.0, |place| self.series[*place].total))
    }

    /// Adds to a counter or a gauge, or gives a value to a histogram.
    ///
    /// # Errors
    /// A counter would fall, or the value is not finite.
    pub fn add(&mut self, place: Place, amount: f64) -> Result<(), String> {
        let Some(series) = self.series_at(place) else { return Ok(()) };
        let definition = series.definition;
        if definition.kind == MetricKind::Counter && amount < 0.0 {
            let title = definition.title();
            return Err(format!("the {title} got {amount}, but only grows; use a gauge"));
        }
        series.take_total(series.total + amount, amount)?;
        if definition.kind == MetricKind::Histogram {
            // A bucket counts what is at its bound, and above the one before.
            series.counts[definition.bounds.partition_point(|bound| *bound < amount)] += 1;
        }
        self.mark(place);
        Ok(())
    }

    /// Sets a gauge to a value.
    ///
    /// # Errors
    /// The value is not finite.
    pub fn set(&mut self, place: Place, value: f64) -> Result<(), String> {
        let Some(series) = self.series_at(place) else { return Ok(()) };
        series.take_total(value, value)?;
        self.mark(place);
        Ok(())
    }

    /// What has changed, as far as it takes no more than `room` bytes; none if nothing has.
    pub fn take(&mut self, room: usize) -> Option<Metrics> {
        let mut metrics = Vec::<Metric>::new();
        let mut at = HashMap::new();
        let (mut taken, mut size) = (0, 0);
        for place in &self.changed {
            let series = &mut self.series[*place];
            let message = series.message();
            let known = at.get(series.definition.name).copied();
            let definition = known.is_none().then(|| series.definition.message());
            // A tag and a length around each.
            size += message.encoded_len() + 12;
            size += definition.as_ref().map_or(0, |definition| definition.encoded_len() + 12);
            if taken > 0 && size > room {
                break;
            }
            metrics.extend(definition);
            let metric = known.unwrap_or(metrics.len() - 1);
            at.insert(series.definition.name, metric);
            metrics[metric].series.push(message);
            series.sent_all();
            taken += 1;
        }
        self.changed.drain(..taken);
        (taken > 0).then_some(Metrics { metrics })
    }

    fn declare(&mut self, definition: &Definition) -> Result<(), String> {
        match self.metrics.get(definition.name) {
            Some(found) if found == definition => Ok(()),
            Some(found) => Err(format!(
                "{definition} cannot be declared: there is {found}; rename one of them"
            )),
            None => {
                definition.check()?;
                self.metrics.insert(definition.name, *definition);
                Ok(())
            }
        }
    }

    fn series_at(&mut self, place: Place) -> Option<&mut Series> {
        let Some(place) = place.0 else {
            if self.dropped == 0 {
                eprintln!(
                    "dirtyd worker: the metrics of this process have {MAX_SERIES} combinations of \
                     labels; what else they count is dropped. Use labels that have few values"
                );
            }
            self.dropped += 1;
            return None;
        };
        Some(&mut self.series[place])
    }

    fn mark(&mut self, place: Place) {
        let Some(place) = place.0 else { return };
        if !self.series[place].is_changed {
            self.series[place].is_changed = true;
            self.changed.push(place);
        }
    }
}

impl Series {
    /// Takes a new total, which `given` has led to.
    fn take_total(&mut self, total: f64, given: f64) -> Result<(), String> {
        if !total.is_finite() {
            let title = self.definition.title();
            return Err(format!("the {title} got {given}; expected finite values"));
        }
        self.total = total;
        Ok(())
    }

    fn message(&self) -> MetricSeries {
        let is_gauge = self.definition.kind == MetricKind::Gauge;
        let gained = self.counts.iter().zip(&self.counts_sent).map(|(now, sent)| now - sent);
        MetricSeries {
            labels: self.labels.iter().cloned().collect(),
            value: if is_gauge { self.total } else { self.total - self.sent },
            counts: gained.collect(),
        }
    }

    fn sent_all(&mut self) {
        self.sent = self.total;
        self.counts_sent.clone_from(&self.counts);
        self.is_changed = false;
    }
}

#[cfg(test)]
mod tests;
