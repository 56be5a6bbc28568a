use super::*;
use crate::{proto::worker::GaugeMerge, worker::metrics::Merge};

const EVERYTHING: usize = usize::MAX;
const COUNTER: Definition = Definition::new(MetricKind::Counter, "things", "Things");
const GAUGE: Definition = Definition::new(MetricKind::Gauge, "level", "Level").merge(Merge::Max);
const HISTOGRAM: Definition =
    Definition::new(MetricKind::Histogram, "step", "Step").bounds(&[1.0, 2.0]);

fn add(registry: &mut Registry, definition: &Definition, amount: f64, labels: &[(&str, &str)]) {
    let place = registry.place(definition, labels).expect("it keeps the rules");
    registry.add(place, amount).expect("a value");
}

/// Labels, value and counts of each series that has changed.
fn take(registry: &mut Registry) -> Vec<(SortedLabels, f64, Vec<u64>)> {
    let metrics = registry.take(EVERYTHING).unwrap_or_default().metrics;
    let series = metrics.into_iter().flat_map(|metric| metric.series);
    series.map(|each| (each.labels.into_iter().collect(), each.value, each.counts)).collect()
}

fn refused(definition: Definition, labels: &[(&str, &str)]) -> String {
    Registry::new().place(&definition, labels).expect_err("it breaks a rule")
}

#[test]
fn a_counter_tells_what_it_has_gained_since_the_last_time() {
    let mut registry = Registry::new();
    let red = vec![("color".to_owned(), "red".to_owned())];
    add(&mut registry, &COUNTER, 1.0, &[]);
    add(&mut registry, &COUNTER, 2.5, &[("color", "red")]);
    add(&mut registry, &COUNTER, 1.0, &[("color", "red")]);
    assert_eq!(take(&mut registry), [(vec![], 1.0, vec![]), (red.clone(), 3.5, vec![])]);
    assert_eq!(registry.take(EVERYTHING), None);
    add(&mut registry, &COUNTER, 4.0, &[("color", "red")]);
    assert_eq!(take(&mut registry), [(red, 4.0, vec![])]);
    assert_eq!(registry.value(&COUNTER, &[("color", "red")]), Ok(7.5));
}

#[test]
fn a_gauge_tells_its_value_and_how_it_is_merged() {
    let mut registry = Registry::new();
    let place = registry.place(&GAUGE, &[]).expect("it keeps the rules");
    registry.set(place, 7.0).expect("a value");
    registry.add(place, -2.0).expect("a value");
    let metrics = registry.take(EVERYTHING).expect("a change").metrics;
    assert_eq!((metrics[0].merge(), metrics[0].series[0].value), (GaugeMerge::Max, 5.0));
    registry.set(place, 5.0).expect("a value");
    assert_eq!(take(&mut registry), [(vec![], 5.0, vec![])]);
}

#[test]
fn a_histogram_counts_a_bound_in_its_own_bucket() {
    let mut registry = Registry::new();
    for value in [0.5, 1.0, 1.5, 2.0, 2.5] {
        add(&mut registry, &HISTOGRAM, value, &[]);
    }
    assert_eq!(take(&mut registry), [(vec![], 7.5, vec![2, 2, 1])]);
    add(&mut registry, &HISTOGRAM, 1.0, &[]);
    assert_eq!(take(&mut registry), [(vec![], 1.0, vec![1, 0, 0])]);
}

#[test]
fn labels_are_the_same_in_any_order_and_only_once_there() {
    let mut registry = Registry::new();
    let place = registry.place(&COUNTER, &[("a", "1"), ("b", "2")]);
    assert_eq!(place, registry.place(&COUNTER, &[("b", "2"), ("a", "1")]));
    assert!(refused(COUNTER, &[("a", "1"), ("a", "2")]).contains("`a` twice"));
}

#[test]
fn one_name_has_one_definition() {
    let mut registry = Registry::new();
    registry.place(&COUNTER, &[]).expect("it keeps the rules");
    registry.place(&COUNTER, &[]).expect("the same again");
    for other in [
        Definition::new(MetricKind::Gauge, "things", "Things"),
        Definition::new(MetricKind::Counter, "things", "Other things"),
        COUNTER.unit("seconds"),
    ] {
        let why = registry.place(&other, &[]).expect_err("another definition");
        assert!(why.contains(&other.to_string()) && why.contains(&COUNTER.to_string()), "{why}");
    }
}

#[test]
fn bad_names_are_refused_with_the_remedy() {
    for (name, remedy) in [
        ("", "letters"),
        ("1st", "no digit first"),
        ("tokens-out", "letters"),
        ("dirtyd_tokens", "dirtyd's own"),
        ("rpc_tokens", "dirtyd's own"),
        ("process_tokens", "dirtyd's own"),
        ("_tokens", "dirtyd's own"),
        ("tokens_total", "leave it out"),
        ("tokens_count", "leave it out"),
    ] {
        let why = refused(Definition::new(MetricKind::Counter, name, ""), &[]);
        assert!(why.contains(remedy), "{why}");
        if remedy != "leave it out" {
            let why = refused(COUNTER, &[(name, "x")]);
            assert!(why.contains("a label of the counter `things`"), "{why}");
        }
    }
    assert!(refused(COUNTER, &[("le", "1")]).contains("rename it"));
    assert!(refused(COUNTER, &[("x", ""); 17]).contains("at most 16"));
    assert!(refused(COUNTER.unit("per cent"), &[]).contains("`seconds`"));
}

#[test]
fn bounds_are_finite_and_ascend() {
    for bounds in [&[1.0, 1.0][..], &[2.0, 1.0], &[1.0, f64::INFINITY], &[f64::NAN], &[0.0; 65]] {
        assert!(refused(HISTOGRAM.bounds(bounds), &[]).contains("bounds of the histogram `step`"));
    }
}

#[test]
fn a_counter_does_not_fall_and_values_are_finite() {
    let mut registry = Registry::new();
    let counter = registry.place(&COUNTER, &[]).expect("it keeps the rules");
    let gauge = registry.place(&GAUGE, &[]).expect("it keeps the rules");
    assert!(registry.add(counter, -1.0).expect_err("it would fall").contains("use a gauge"));
    for value in [f64::NAN, f64::INFINITY] {
        assert!(registry.add(counter, value).expect_err("not finite").contains("finite"));
        assert!(registry.set(gauge, value).expect_err("not finite").contains("finite"));
    }
    assert_eq!(registry.take(EVERYTHING), None);
}

#[test]
fn more_series_than_allowed_are_dropped_and_counted() {
    let mut registry = Registry::new();
    for number in 0..MAX_SERIES + 5 {
        add(&mut registry, &COUNTER, 1.0, &[("number", &number.to_string())]);
    }
    assert_eq!((take(&mut registry).len(), registry.dropped()), (MAX_SERIES, 5));
}

#[test]
fn what_does_not_fit_comes_the_next_time() {
    let mut registry = Registry::new();
    for number in 0..100 {
        add(&mut registry, &COUNTER, 1.0, &[("number", &number.to_string())]);
    }
    let mut seen = Vec::new();
    while let Some(part) = registry.take(1000) {
        assert!(part.encoded_len() <= 1000);
        let series = part.metrics.into_iter().flat_map(|metric| metric.series);
        seen.push(series.map(|each| each.labels["number"].clone()).collect::<Vec<_>>());
    }
    assert!(seen.len() > 1);
    let numbers: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    assert_eq!(seen.concat(), numbers);
}
