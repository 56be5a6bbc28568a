//! Families in the formats that Prometheus reads: its old text, OpenMetrics, and protobuf,
//! which alone has native histograms. `prometheus-client` writes them; it has no way to
//! name an exemplar, so those are put into what it has written.

use std::{collections::HashMap, fmt, sync::Arc, time::UNIX_EPOCH};

use bytes::Bytes;
use prometheus_client::{
    collector::Collector,
    encoding::{
        DescriptorEncoder, EncodeMetric as _, MetricEncoder, NativeHistogram,
        NativeHistogramBuckets,
        prometheus_protobuf::{self, prometheus_data_model as model},
        prometheus_text, text,
    },
    metrics::{MetricType, exemplar::Exemplar as NoExemplar, info::Info},
    registry::{Registry, Unit},
};
use prost::Message as _;

use super::family::{Buckets, Exemplar, Family, Kind, Label, Value};
use crate::histogram::SCHEMA;

/// How metrics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text, version 0.0.4.
    Text,
    /// OpenMetrics' text, version 1.0.0.
    OpenMetrics,
    /// Prometheus' protobuf, each family behind its length.
    Protobuf,
}

impl Format {
    /// What whoever asks prefers, by the header Accept: what is named there with the highest
    /// weight, and text if nothing fits.
    pub fn preferred(accept: Option<&str>) -> Self {
        let entries = accept.unwrap_or_default().split(',').filter_map(|entry| {
            let mut parts = entry.split(';').map(str::trim);
            let format = match parts.next()?.to_ascii_lowercase().as_str() {
                "application/openmetrics-text" => Self::OpenMetrics,
                "application/vnd.google.protobuf" => Self::Protobuf,
                "text/plain" => Self::Text,
                _ => return None,
            };
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f64>().ok());
            Some((format, weight.unwrap_or(1.0)))
        });
        // Of equal ones the first counts.
        let best = entries.reduce(|best, entry| if entry.1 > best.1 { entry } else { best });
        best.filter(|(_, weight)| *weight > 0.0).map_or(Self::Text, |(format, _)| format)
    }

    /// Its content-type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }
}

/// Writes families in a format.
pub fn written(families: Vec<Family>, format: Format) -> Bytes {
    let families: Arc<[Family]> = families.into();
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Collected(Arc::clone(&families))));
    let mut text = String::new();
    // Writing into memory cannot fail.
    match format {
        Format::Text => {
            let _ = prometheus_text::encode(&mut text, &registry);
        }
        Format::OpenMetrics => {
            let _ = text::encode(&mut text, &registry);
            text = with_exemplars(&text, &families);
        }
        Format::Protobuf => {
            let written = prometheus_protobuf::encode(&registry).unwrap_or_default();
            return with_exemplars_in(written, &families);
        }
    }
    text.into()
}

#[derive(Debug)]
struct Collected(Arc<[Family]>);

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|family| encode(family, &mut encoder))
    }
}

fn encode(family: &Family, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let unit = match &*family.unit {
        "" => None,
        "seconds" => Some(Unit::Seconds),
        "bytes" => Some(Unit::Bytes),
        other => Some(Unit::Other(other.to_owned())),
    };
    let kind = match family.kind {
        Kind::Counter => MetricType::Counter,
        Kind::Gauge => MetricType::Gauge,
        Kind::Histogram => MetricType::Histogram,
        Kind::Info => MetricType::Info,
    };
    let help = format!("{}.", family.help);
    let mut encoder = encoder.encode_descriptor(&family.name, &help, unit.as_ref(), kind)?;
    for series in &family.series {
        let labels = labels(&series.labels);
        if family.kind == Kind::Info {
            Info::new(labels).encode(encoder.encode_family::<NoLabels>(&Vec::new())?)?;
            continue;
        }
        encode_value(&series.value, family.kind, encoder.encode_family(&labels)?)?;
    }
    Ok(())
}

type NoLabels = Vec<(&'static str, &'static str)>;

fn labels(labels: &[Label]) -> Vec<(&str, &str)> {
    labels.iter().map(|(name, value)| (&**name, value.as_str())).collect()
}

fn encode_value(value: &Value, kind: Kind, mut encoder: MetricEncoder<'_>) -> fmt::Result {
    let none: Option<&NoExemplar<NoLabels, f64>> = None;
    match (value, kind) {
        (Value::Whole(value), Kind::Counter) => encoder.encode_counter(value, none),
        (Value::Number(value), Kind::Counter) => encoder.encode_counter(value, none),
        (Value::Whole(value), _) => encoder.encode_gauge(value),
        (Value::Number(value), _) => encoder.encode_gauge(value),
        (Value::Buckets(buckets), _) => encode_buckets(buckets, encoder),
    }
}

fn encode_buckets(buckets: &Buckets, mut encoder: MetricEncoder<'_>) -> fmt::Result {
    let bounds = buckets.bounds.iter().copied().chain([f64::INFINITY]);
    let classic: Vec<(f64, u64)> = bounds.zip(buckets.counts.iter().copied()).collect();
    let count = buckets.counts.iter().sum();
    let none: Option<&HashMap<usize, NoExemplar<NoLabels, f64>>> = None;
    if buckets.native.is_empty() {
        return encoder.encode_histogram(buckets.sum, count, &classic, none);
    }
    let (spans, deltas) = sparse(&buckets.native);
    let native = NativeHistogram {
        schema: SCHEMA,
        zero_threshold: f64::MIN_POSITIVE,
        zero_count: 0,
        negative: NativeHistogramBuckets { spans: &[], deltas: &[] },
        positive: NativeHistogramBuckets { spans: &spans, deltas: &deltas },
        created: None,
    };
    encoder.encode_histogram_with_native(buckets.sum, count, &classic, none, native)
}

/// Native buckets as spans of neighbours, each by its distance from the one before, and
/// counts by their difference from the one before.
fn sparse(buckets: &[(i32, u64)]) -> (Vec<(i32, u32)>, Vec<i64>) {
    let (mut spans, mut deltas) = (Vec::<(i32, u32)>::new(), Vec::new());
    let (mut next, mut before) = (0, 0);
    for (index, count) in buckets {
        match spans.last_mut() {
            Some((_, length)) if *index == next => *length += 1,
            _ => spans.push((index - next, 1)),
        }
        next = index + 1;
        deltas.push(*count as i64 - before);
        before = *count as i64;
    }
    (spans, deltas)
}

/// The histograms that have an exemplar, by name and number of the series.
fn examples(families: &[Family]) -> impl Iterator<Item = (String, usize, &Buckets)> {
    families.iter().flat_map(|family| {
        let name = match &*family.unit {
            "" => family.name.to_string(),
            unit => format!("{}_{unit}", family.name),
        };
        family.series.iter().enumerate().filter_map(move |(at, series)| match &series.value {
            Value::Buckets(buckets) if buckets.exemplars.iter().any(Option::is_some) => {
                Some((name.clone(), at, buckets))
            }
            _ => None,
        })
    })
}

/// The text of OpenMetrics with an exemplar behind each bucket that has one.
fn with_exemplars(text: &str, families: &[Family]) -> String {
    let examples: HashMap<_, _> =
        examples(families).map(|(name, at, buckets)| ((name, at), buckets)).collect();
    if examples.is_empty() {
        return text.to_owned();
    }
    let (mut whole, mut name, mut lines) = (String::with_capacity(text.len() * 2), "", 0);
    for line in text.lines() {
        whole += line;
        if let Some((of, _)) = line.split_once("_bucket{").filter(|_| !line.starts_with('#')) {
            lines = if of == name { lines + 1 } else { 0 };
            name = of;
            // The buckets of a series follow each other, and so do its series.
            let buckets = examples.iter().find(|((known, _), _)| known == name);
            let length = buckets.map_or(1, |(_, buckets)| buckets.counts.len());
            let buckets = examples.get(&(name.to_owned(), lines / length));
            let example =
                buckets.and_then(|buckets| buckets.exemplars.get(lines % length)?.as_ref());
            if let Some(Exemplar { trace_id, value, at }) = example {
                let at = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
                whole += &format!(" # {{trace_id=\"{}\"}} {value} {at:.3}", hex(trace_id));
            }
        }
        whole.push('\n');
    }
    whole
}

fn with_exemplars_in(mut written: Vec<model::MetricFamily>, families: &[Family]) -> Bytes {
    for (name, at, buckets) in examples(families) {
        let family = written.iter_mut().find(|family| family.name == name);
        let metric = family.and_then(|family| family.metric.get_mut(at));
        let Some(histogram) = metric.and_then(|metric| metric.histogram.as_mut()) else { continue };
        for (bucket, example) in histogram.bucket.iter_mut().zip(&buckets.exemplars) {
            bucket.exemplar = example.map(|Exemplar { trace_id, value, at }| model::Exemplar {
                label: vec![model::LabelPair {
                    name: "trace_id".to_owned(),
                    value: hex(&trace_id),
                }],
                value,
                timestamp: Some(at.into()),
            });
        }
    }
    let mut bytes = Vec::new();
    for family in written {
        // Writing into memory cannot fail.
        let _ = family.encode_length_delimited(&mut bytes);
    }
    bytes.into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::{
        histogram::{BOUNDS, Histogram},
        observe::family::Series,
    };

    fn family(kind: Kind, name: &'static str, unit: &'static str, value: Value) -> Family {
        let labels = vec![("app".into(), "a:\"A\"\n".to_owned())];
        Family {
            name: name.into(),
            help: "It is tested".into(),
            unit: unit.into(),
            series: vec![Series { labels, value }],
            kind,
        }
    }

    fn all() -> Vec<Family> {
        let mut histogram = Histogram::default();
        for millis in [1, 1, 300] {
            histogram.observe(Duration::from_millis(millis));
        }
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(5);
        let mut exemplars = vec![None; BOUNDS.len() + 1];
        exemplars[11] = Some(Exemplar { trace_id: [0xab; 16], value: 0.3, at });
        let buckets = Buckets {
            bounds: std::borrow::Cow::Borrowed(&BOUNDS),
            counts: histogram.classic().to_vec(),
            native: histogram.native().collect(),
            sum: 0.302,
            exemplars,
        };
        vec![
            family(Kind::Counter, "dirtyd_calls", "", Value::Whole(3)),
            family(Kind::Gauge, "dirtyd_lag", "seconds", Value::Number(0.5)),
            family(Kind::Info, "dirtyd_build", "", Value::Whole(1)),
            family(Kind::Histogram, "dirtyd_run", "seconds", Value::Buckets(buckets)),
        ]
    }

    fn text(format: Format) -> String {
        String::from_utf8(written(all(), format).to_vec()).expect("text")
    }

    #[test]
    fn what_is_asked_for_is_negotiated() {
        let prometheus = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.4,application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
        let native = "application/vnd.google.protobuf;q=0.7, text/plain;q=0.3";
        for (accept, format) in [
            (None, Format::Text),
            (Some("*/*"), Format::Text),
            (Some("text/html"), Format::Text),
            (Some("application/openmetrics-text"), Format::OpenMetrics),
            (Some("application/openmetrics-text;q=0"), Format::Text),
            (Some(prometheus), Format::OpenMetrics),
            (Some(native), Format::Protobuf),
        ] {
            assert_eq!(Format::preferred(accept), format, "{accept:?}");
        }
    }

    #[test]
    fn old_text_has_its_names_and_no_exemplars() {
        let text = text(Format::Text);
        for line in [
            "# TYPE dirtyd_calls_total counter",
            "dirtyd_calls_total{app=\"a:\\\"A\\\"\\n\"} 3",
            "dirtyd_lag_seconds{app=\"a:\\\"A\\\"\\n\"} 0.5",
            "# TYPE dirtyd_build_info gauge",
            "dirtyd_run_seconds_count{app=\"a:\\\"A\\\"\\n\"} 3",
        ] {
            assert!(text.lines().any(|own| own == line), "{line} in\n{text}");
        }
        assert!(!text.contains("trace_id") && !text.contains("# EOF"), "{text}");
    }

    #[test]
    fn open_metrics_has_exemplars_where_they_belong() {
        let text = text(Format::OpenMetrics);
        let examples: Vec<&str> = text.lines().filter(|line| line.contains("trace_id")).collect();
        let trace = "ab".repeat(16);
        let example = format!(
            "dirtyd_run_seconds_bucket{{le=\"0.5\",app=\"a:\\\"A\\\"\\n\"}} 3 # {{trace_id=\"{trace}\"}} 0.3 5.000"
        );
        assert_eq!(examples, [example]);
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn protobuf_has_native_buckets_and_exemplars() {
        let bytes = written(all(), Format::Protobuf);
        let mut rest = &bytes[..];
        let mut families = Vec::new();
        while !rest.is_empty() {
            families.push(model::MetricFamily::decode_length_delimited(&mut rest).expect("whole"));
        }
        let names: Vec<&str> = families.iter().map(|family| family.name.as_str()).collect();
        assert!(names.contains(&"dirtyd_run_seconds"), "{names:?}");
        let histogram = families[3].metric[0].histogram.as_ref().expect("a histogram");
        assert_eq!((histogram.schema, histogram.sample_count), (SCHEMA, 3));
        assert_eq!(histogram.positive_delta, [2, -1]);
        assert_eq!(histogram.positive_span.len(), 2);
        let example = histogram.bucket.iter().find_map(|bucket| bucket.exemplar.as_ref());
        assert_eq!(example.expect("one").value, 0.3);
    }

    #[test]
    fn neighbours_are_one_span() {
        assert_eq!(sparse(&[(-3, 5), (-2, 4), (4, 1)]), (vec![(-3, 2), (5, 1)], vec![5, -1, -3]));
        assert_eq!(sparse(&[]), (vec![], vec![]));
    }
}
