//! What is shown of calls, queues, workers and the arbiter itself, as families: pure.
//! `docs/metrics.md` describes each; a test compares the two.

use std::{borrow::Cow, time::Duration};

use super::{
    family::{Buckets, Family, Kind, Label, Series, Value},
    tally::{AppTally, Tally, Times},
};
use crate::{
    histogram::{BOUNDS, Histogram},
    pool::{
        AppMetric, AppMetricKind, AppMetrics, AppSnapshot, AppValue, Cause, Snapshot,
        WorkerSnapshot, WorkerState,
    },
};

/// What the edge and the kernel know of the arbiter.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// The version of the binary.
    pub version: &'static str,
    /// When the arbiter started, in seconds since 1970.
    pub started: f64,
    /// Open connections, and their limit.
    pub connections: (u64, u64),
    /// Bytes that are held for callers, and their limit.
    pub held: (u64, u64),
    /// Resident bytes of the arbiter.
    pub memory: u64,
    /// The processor time of the arbiter.
    pub cpu_time: Duration,
    /// Its open descriptors, and their limit.
    pub descriptors: (u64, u64),
    /// How late the event loop was at the most within the last seconds.
    pub lag: Duration,
    /// What observation itself could not keep, by what it is of.
    pub dropped: Vec<(&'static str, u64)>,
    /// The processor time of all workers that had a seat, by pool and seat.
    pub cpu_by_seat: Vec<(String, usize, Duration)>,
}

/// All families of dirtyd's own.
pub fn families(snapshot: &Snapshot, tally: &Tally, figures: &Figures) -> Vec<Family> {
    let mut all = of_calls(tally);
    all.extend(of_apps(&snapshot.apps));
    all.extend(of_pools(snapshot, figures));
    all.extend(of_arbiter(snapshot, figures));
    all
}

fn of_calls(tally: &Tally) -> Vec<Family> {
    let methods = tally.methods.iter().map(|((protocol, stream, code), times)| {
        let method = if *stream { "ExecuteStream" } else { "Execute" };
        let mut labels = vec![
            label("rpc_system_name", protocol.name()),
            label("rpc_method", format!("dirty.v1.Arbiter/{method}")),
            label("rpc_status_code", *code),
        ];
        if *code != "OK" {
            labels.push(label("error_type", *code));
        }
        series(labels, times_of(times))
    });
    let outcomes = tally.apps.iter().flat_map(|(app, row)| {
        row.outcomes.iter().flat_map(move |(action, reasons)| {
            reasons.iter().map(move |(reason, calls)| {
                let labels = [label("app", app), label("action", action), label("reason", *reason)];
                series(labels, Value::Whole(*calls))
            })
        })
    });
    let times = |name, help, times: fn(&AppTally) -> &Times| {
        let rows = tally.apps.iter();
        let rows = rows.map(|(app, row)| series([label("app", app)], times_of(times(row))));
        family(Kind::Histogram, name, "seconds", help, rows)
    };
    let counted = |name, unit, help, count: fn(&AppTally) -> u64| {
        let rows = tally.apps.iter();
        let rows = rows.map(|(app, row)| series([label("app", app)], Value::Whole(count(row))));
        family(Kind::Counter, name, unit, help, rows)
    };
    vec![
        family(
            Kind::Histogram,
            "rpc_server_call_duration",
            "seconds",
            "How long callers waited in all, from the arrival of the request to what they got",
            methods,
        ),
        family(
            Kind::Counter,
            "dirtyd_calls",
            "",
            "Calls that ended, by what callers got",
            outcomes,
        ),
        times("dirtyd_queue_wait", "How long calls waited for a worker", |app| &app.queue_wait),
        times("dirtyd_run", "How long calls ran until their callers had an answer", |app| {
            &app.run_time
        }),
        times(
            "dirtyd_first_chunk",
            "How long callers of streams waited for the first chunk",
            |app| &app.first_chunk,
        ),
        counted("dirtyd_chunks", "", "Chunks that were sent to callers of streams", |app| {
            app.chunks
        }),
        counted("dirtyd_request", "bytes", "The size of all requests", |app| app.bytes_in),
        counted("dirtyd_response", "bytes", "The size of all results and chunks", |app| {
            app.bytes_out
        }),
    ]
}

fn of_apps(apps: &[AppSnapshot]) -> Vec<Family> {
    let gauge = |name, unit, help, value: fn(&AppSnapshot) -> Option<Value>| {
        let rows = apps.iter().filter_map(|app| {
            let labels = [label("app", &app.app), label("pool", &app.pool)];
            Some(series(labels, value(app)?))
        });
        family(Kind::Gauge, name, unit, help, rows)
    };
    vec![
        gauge("dirtyd_queue_calls", "", "Calls that wait for a worker", |app| whole(app.queued)),
        gauge("dirtyd_queue_calls_limit", "", "Calls that may wait (max_queue)", |app| {
            whole(app.limits.calls)
        }),
        gauge("dirtyd_queue_size", "bytes", "The size of the requests that wait", |app| {
            Some(Value::Whole(app.queued_bytes))
        }),
        gauge(
            "dirtyd_queue_size_limit",
            "bytes",
            "The size that may wait (max_queue_bytes)",
            |app| app.limits.bytes.map(Value::Whole),
        ),
        gauge(
            "dirtyd_queue_oldest",
            "seconds",
            "How long the oldest queued call has waited",
            |app| Some(seconds(app.oldest_wait.unwrap_or_default())),
        ),
        gauge("dirtyd_running_calls", "", "Calls that occupy a slot", |app| {
            Some(Value::Whole(app.running.into()))
        }),
        gauge("dirtyd_app_workers", "", "Workers that can serve the app now", |app| {
            Some(Value::Whole(app.ready_workers.into()))
        }),
        gauge("dirtyd_app_workers_wanted", "", "Workers that should load the app", |app| {
            whole(app.allocated_workers)
        }),
        gauge("dirtyd_app_failed", "", "1 if the app cannot be loaded or served", |app| {
            Some(Value::Whole(app.last_error.is_some().into()))
        }),
    ]
}

fn of_pools(snapshot: &Snapshot, figures: &Figures) -> Vec<Family> {
    let of_pool = |pool: &str, value: &dyn Fn(&WorkerSnapshot) -> u64| -> u64 {
        snapshot.workers.iter().filter(|worker| worker.pool == pool).map(value).sum()
    };
    let slots = |name, help, value: &dyn Fn(&WorkerSnapshot) -> u64| {
        let rows = snapshot
            .pools
            .iter()
            .map(|(pool, _)| series([label("pool", pool)], Value::Whole(of_pool(pool, value))));
        family(Kind::Gauge, name, "", help, rows)
    };
    let ready = |worker: &WorkerSnapshot| worker.state == WorkerState::Ready;
    let states = [
        (WorkerState::Booting, "booting"),
        (WorkerState::Ready, "ready"),
        (WorkerState::Draining, "draining"),
    ];
    let workers = snapshot.pools.iter().flat_map(|(pool, _)| {
        states.map(|(state, name)| {
            let count = of_pool(pool, &|worker| u64::from(worker.state == state));
            series([label("pool", pool), label("state", name)], Value::Whole(count))
        })
    });
    let wanted = snapshot.pools.iter();
    let wanted =
        wanted.map(|(pool, seats)| series([label("pool", pool)], Value::Whole(*seats as u64)));
    let measures = || snapshot.measures.iter();
    let starts =
        measures().map(|(pool, of)| series([label("pool", pool)], Value::Whole(of.starts)));
    let deaths = measures().flat_map(|(pool, of)| {
        Cause::ALL.map(|cause| {
            let count = of.deaths.get(&cause).copied().unwrap_or(0);
            series([label("pool", pool), label("cause", cause.name())], Value::Whole(count))
        })
    });
    let boots = measures().map(|(pool, of)| {
        series([label("pool", pool)], Value::Buckets(buckets(&of.boots, Vec::new())))
    });
    let seat = |pool: &str, seat: usize| [label("pool", pool), label("seat", seat.to_string())];
    // While one worker of a seat drains, another one may have it.
    let mut memory = std::collections::BTreeMap::<(&str, usize), u64>::new();
    for worker in &snapshot.workers {
        *memory.entry((&worker.pool, worker.seat)).or_default() += worker.memory;
    }
    let memory =
        memory.into_iter().map(|((pool, at), bytes)| series(seat(pool, at), Value::Whole(bytes)));
    let cpu = figures.cpu_by_seat.iter();
    let cpu = cpu.map(|(pool, at, time)| series(seat(pool, *at), seconds(*time)));
    vec![
        slots("dirtyd_slots", "Calls that the ready workers can run at once", &|worker| {
            if ready(worker) { worker.threads.into() } else { 0 }
        }),
        slots("dirtyd_slots_busy", "Slots that are taken", &|worker| worker.in_flight.into()),
        slots("dirtyd_slots_abandoned", "Slots whose calls nobody waits for any more", &|worker| {
            worker.abandoned.into()
        }),
        family(Kind::Gauge, "dirtyd_workers", "", "Worker processes, by state", workers),
        family(Kind::Gauge, "dirtyd_workers_wanted", "", "Workers that should run", wanted),
        family(
            Kind::Counter,
            "dirtyd_worker_starts",
            "",
            "Worker processes that were started",
            starts,
        ),
        family(
            Kind::Counter,
            "dirtyd_worker_deaths",
            "",
            "Worker processes that ended, by cause",
            deaths,
        ),
        family(
            Kind::Histogram,
            "dirtyd_worker_boot",
            "seconds",
            "How long workers took from their start until they were ready",
            boots,
        ),
        family(
            Kind::Gauge,
            "dirtyd_worker_resident_memory",
            "bytes",
            "The resident memory of the workers of a seat",
            memory,
        ),
        family(
            Kind::Counter,
            "dirtyd_worker_cpu",
            "seconds",
            "The processor time of all workers that had a seat, as last seen",
            cpu,
        ),
    ]
}

fn of_arbiter(snapshot: &Snapshot, figures: &Figures) -> Vec<Family> {
    let one = |kind, name, unit, help, value| {
        family(kind, name, unit, help, std::iter::once(series([], value)))
    };
    let (gauge, counter) = (Kind::Gauge, Kind::Counter);
    let dropped = figures.dropped.iter();
    let dropped = dropped.map(|(of, count)| series([label("of", *of)], Value::Whole(*count)));
    let build = series([label("version", figures.version)], Value::Whole(1));
    let (connections, held) = (figures.connections, figures.held);
    vec![
        one(
            counter,
            "dirtyd_reloads",
            "",
            "Reloads since the start",
            Value::Whole(snapshot.reloads),
        ),
        one(
            counter,
            "dirtyd_late_frames",
            "",
            "Frames of workers for calls that had ended",
            Value::Whole(snapshot.late_frames),
        ),
        one(
            gauge,
            "dirtyd_draining",
            "",
            "1 once the arbiter finishes its calls and exits",
            Value::Whole(snapshot.draining.into()),
        ),
        one(gauge, "dirtyd_connections", "", "Open connections", Value::Whole(connections.0)),
        one(
            gauge,
            "dirtyd_connections_limit",
            "",
            "Connections that may be open (max_connections)",
            Value::Whole(connections.1),
        ),
        one(gauge, "dirtyd_held", "bytes", "Bytes that are held for callers", Value::Whole(held.0)),
        one(
            gauge,
            "dirtyd_held_limit",
            "bytes",
            "Bytes that may be held (max_held_bytes)",
            Value::Whole(held.1),
        ),
        one(
            gauge,
            "dirtyd_event_loop_lag",
            "seconds",
            "How late the event loop was at the most within the last 5 seconds",
            seconds(figures.lag),
        ),
        family(
            counter,
            "dirtyd_observation_dropped",
            "",
            "What observation itself could not keep: lines, spans, series of apps",
            dropped,
        ),
        family(Kind::Info, "dirtyd_build", "", "The version of the binary", std::iter::once(build)),
        one(
            counter,
            "process_cpu",
            "seconds",
            "The processor time of the arbiter",
            seconds(figures.cpu_time),
        ),
        one(
            gauge,
            "process_resident_memory",
            "bytes",
            "The resident memory of the arbiter",
            Value::Whole(figures.memory),
        ),
        one(
            gauge,
            "process_start_time",
            "seconds",
            "When the arbiter started, in seconds since 1970",
            Value::Number(figures.started),
        ),
        one(gauge, "process_open_fds", "", "Open descriptors", Value::Whole(figures.descriptors.0)),
        one(
            gauge,
            "process_max_fds",
            "",
            "Descriptors that may be open",
            Value::Whole(figures.descriptors.1),
        ),
    ]
}

/// The families of apps.
pub fn of_app_metrics(metrics: &AppMetrics) -> Vec<Family> {
    let family = |(name, metric): (&str, &AppMetric)| {
        let rows = metric.series().map(|(labels, value)| {
            let labels = labels.iter().map(|(name, value)| (name.clone().into(), value.clone()));
            let value = match value {
                AppValue::Number(value) => Value::Number(value),
                AppValue::Buckets(counts, sum) => Value::Buckets(Buckets {
                    bounds: match &metric.kind {
                        AppMetricKind::Histogram(bounds) => bounds.clone().into(),
                        _ => Cow::Borrowed(&[]),
                    },
                    counts,
                    native: Vec::new(),
                    sum,
                    exemplars: Vec::new(),
                }),
            };
            Series { labels: labels.collect(), value }
        });
        Family {
            name: name.to_owned().into(),
            help: metric.help.clone().into(),
            unit: metric.unit.clone().into(),
            series: rows.collect(),
            kind: match metric.kind {
                AppMetricKind::Counter => Kind::Counter,
                AppMetricKind::Gauge(_) => Kind::Gauge,
                AppMetricKind::Histogram(_) => Kind::Histogram,
            },
        }
    };
    metrics.iter().map(family).collect()
}

// ---- building blocks

fn family(
    kind: Kind,
    name: &'static str,
    unit: &'static str,
    help: &'static str,
    series: impl Iterator<Item = Series>,
) -> Family {
    Family {
        name: name.into(),
        help: help.into(),
        unit: unit.into(),
        series: series.collect(),
        kind,
    }
}

fn series(labels: impl Into<Vec<Label>>, value: Value) -> Series {
    Series { labels: labels.into(), value }
}

fn label(name: &'static str, value: impl Into<String>) -> Label {
    (name.into(), value.into())
}

fn whole(count: usize) -> Option<Value> {
    Some(Value::Whole(count as u64))
}

fn seconds(time: Duration) -> Value {
    Value::Number(time.as_secs_f64())
}

fn times_of(times: &Times) -> Value {
    Value::Buckets(buckets(&times.histogram, times.exemplars.clone()))
}

fn buckets(histogram: &Histogram, exemplars: Vec<Option<super::family::Exemplar>>) -> Buckets {
    Buckets {
        bounds: Cow::Borrowed(&BOUNDS),
        counts: histogram.classic().to_vec(),
        native: histogram.native().collect(),
        sum: histogram.sum().as_secs_f64(),
        exemplars,
    }
}
