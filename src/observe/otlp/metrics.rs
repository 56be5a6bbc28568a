//! Families as metrics of OTLP: cumulative since the start of the process.
//!
//! A metric of OTLP has one kind of data, so a histogram cannot have its classic and its
//! native buckets. The classic ones are sent: every backend takes them, they are the same
//! numbers as at `/metrics`, and an exemplar has its place in them. Exponential histograms
//! would be finer, and dropped by backends that do not know them.

use std::time::SystemTime;

use opentelemetry_proto::tonic::{
    common::v1::KeyValue,
    metrics::v1::{
        AggregationTemporality, Exemplar as ExemplarMessage, Gauge, Histogram, HistogramDataPoint,
        Metric, NumberDataPoint, Sum, exemplar, metric::Data, number_data_point,
    },
};

use super::{attribute::text, traced::nanos};
use crate::observe::family::{Buckets, Exemplar, Family, Kind, Series, Value};

/// The names of the conventions that have points where Prometheus has underscores.
const POINTS: [(&str, &str); 5] = [
    ("rpc_server_call_duration", "rpc.server.call.duration"),
    ("rpc_system_name", "rpc.system.name"),
    ("rpc_method", "rpc.method"),
    ("rpc_status_code", "rpc.status_code"),
    ("error_type", "error.type"),
];

/// From when on, and until when, the values count.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// When the process started to count.
    pub start: SystemTime,
    /// When the values were read.
    pub end: SystemTime,
}

/// The metrics that families are.
pub fn metrics(families: Vec<Family>, span: Span) -> Vec<Metric> {
    families.into_iter().map(|family| metric(family, span)).collect()
}

fn metric(family: Family, span: Span) -> Metric {
    let Family { name, help, unit, series, kind } = family;
    let cumulative = AggregationTemporality::Cumulative.into();
    let data = match kind {
        Kind::Counter => Data::Sum(Sum {
            data_points: numbers(series, span),
            aggregation_temporality: cumulative,
            is_monotonic: true,
        }),
        Kind::Gauge => Data::Gauge(Gauge { data_points: numbers(series, span) }),
        // So that those who add it up count the processes, as the mapping of OpenMetrics asks.
        Kind::Info => Data::Sum(Sum {
            data_points: numbers(series, span),
            aggregation_temporality: cumulative,
            is_monotonic: false,
        }),
        Kind::Histogram => Data::Histogram(Histogram {
            data_points: series.into_iter().filter_map(|one| histogram(one, span)).collect(),
            aggregation_temporality: cumulative,
        }),
    };
    Metric {
        name: pointed(&name),
        description: help.into_owned(),
        unit: ucum(&unit).to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

/// The points of the series that have numbers; in such a family all do.
fn numbers(series: Vec<Series>, span: Span) -> Vec<NumberDataPoint> {
    let point = |Series { labels, value }| {
        let value = match value {
            Value::Whole(number) => number_data_point::Value::AsInt(whole(number)),
            Value::Number(number) => number_data_point::Value::AsDouble(number),
            Value::Buckets(_) => return None,
        };
        Some(NumberDataPoint {
            attributes: attributes(labels),
            start_time_unix_nano: nanos(span.start),
            time_unix_nano: nanos(span.end),
            value: Some(value),
            ..NumberDataPoint::default()
        })
    };
    series.into_iter().filter_map(point).collect()
}

fn histogram(series: Series, span: Span) -> Option<HistogramDataPoint> {
    let Value::Buckets(Buckets { bounds, counts, sum, exemplars, .. }) = series.value else {
        return None;
    };
    Some(HistogramDataPoint {
        attributes: attributes(series.labels),
        start_time_unix_nano: nanos(span.start),
        time_unix_nano: nanos(span.end),
        count: counts.iter().sum(),
        sum: Some(sum),
        bucket_counts: counts,
        explicit_bounds: bounds.into_owned(),
        exemplars: exemplars.into_iter().flatten().map(exemplar).collect(),
        ..HistogramDataPoint::default()
    })
}

fn exemplar(Exemplar { trace_id, value, at }: Exemplar) -> ExemplarMessage {
    ExemplarMessage {
        time_unix_nano: nanos(at),
        trace_id: trace_id.to_vec(),
        value: Some(exemplar::Value::AsDouble(value)),
        ..ExemplarMessage::default()
    }
}

fn attributes(labels: Vec<crate::observe::family::Label>) -> Vec<KeyValue> {
    labels.into_iter().map(|(name, value)| text(pointed(&name), value)).collect()
}

fn pointed(name: &str) -> String {
    let known = POINTS.iter().find(|(underscored, _)| *underscored == name);
    known.map_or(name, |(_, pointed)| pointed).to_owned()
}

/// A unit as UCUM writes it.
fn ucum(unit: &str) -> &str {
    match unit {
        "seconds" => "s",
        "bytes" => "By",
        "ratio" => "1",
        unit => unit,
    }
}

fn whole(number: u64) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::{borrow::Cow, time::Duration};

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn sent(kind: Kind, unit: &'static str, value: Value) -> Metric {
        let labels = vec![("rpc_method".into(), "ml:Model/embed".to_owned())];
        let series = vec![Series { labels, value }];
        let (name, help) = (Cow::from("dirtyd_things"), Cow::from("Things"));
        let family = Family { name, help, unit: unit.into(), series, kind };
        metrics(vec![family], Span { start: at(1), end: at(2) }).remove(0)
    }

    #[test]
    fn a_counter_is_a_sum_since_the_start() {
        let metric = sent(Kind::Counter, "bytes", Value::Whole(u64::MAX));
        assert_eq!((metric.name.as_str(), metric.unit.as_str()), ("dirtyd_things", "By"));
        let Some(Data::Sum(sum)) = metric.data else { panic!("{metric:?}") };
        assert!(
            sum.is_monotonic && sum.aggregation_temporality() == AggregationTemporality::Cumulative
        );
        let point = &sum.data_points[0];
        assert_eq!(
            (point.start_time_unix_nano, point.time_unix_nano),
            (1_000_000_000, 2_000_000_000)
        );
        assert_eq!(point.value, Some(number_data_point::Value::AsInt(i64::MAX)));
        assert_eq!(point.attributes, [text("rpc.method", "ml:Model/embed")]);
    }

    #[test]
    fn gauges_and_facts_are_not_monotonic() {
        let metric = sent(Kind::Gauge, "", Value::Number(0.5));
        assert!(matches!(metric.data, Some(Data::Gauge(gauge)) if gauge.data_points.len() == 1));
        let metric = sent(Kind::Info, "", Value::Whole(1));
        assert!(matches!(metric.data, Some(Data::Sum(sum)) if !sum.is_monotonic));
    }

    #[test]
    fn a_histogram_has_its_classic_buckets_and_the_traces_in_them() {
        let seen = Exemplar { trace_id: [5; 16], value: 0.7, at: at(3) };
        let metric = sent(
            Kind::Histogram,
            "seconds",
            Value::Buckets(Buckets {
                bounds: Cow::Borrowed(&[0.5, 1.0]),
                counts: vec![1, 2, 3],
                native: vec![(0, 6)],
                sum: 9.5,
                exemplars: vec![None, Some(seen), None],
            }),
        );
        assert_eq!(metric.unit, "s");
        let Some(Data::Histogram(histogram)) = metric.data else { panic!("{metric:?}") };
        let point = &histogram.data_points[0];
        assert_eq!((point.count, point.sum), (6, Some(9.5)));
        assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
        let [exemplar] = &point.exemplars[..] else { panic!("{point:?}") };
        assert_eq!(
            (exemplar.trace_id.as_slice(), exemplar.time_unix_nano),
            (&[5; 16][..], 3_000_000_000)
        );
        assert_eq!(exemplar.value, Some(exemplar::Value::AsDouble(0.7)));
    }

    #[test]
    fn names_of_the_conventions_have_their_points() {
        assert_eq!(pointed("rpc_server_call_duration"), "rpc.server.call.duration");
        assert_eq!(pointed("error_type"), "error.type");
        assert_eq!(pointed("dirtyd_queue_wait"), "dirtyd_queue_wait");
    }
}
