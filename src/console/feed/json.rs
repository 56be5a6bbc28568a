//! What a page is sent, as server-sent events with one JSON object each:
//!
//! | event | when | object |
//! |---|---|---|
//! | `hello` | the page has opened, or is connected again | [`Hello`] |
//! | `picture` | each second | [`Picture`](super::picture::Picture) |
//! | `steps` | a step of the history is made | [`Steps`] |
//! | `event` | something happens in the life cycle | [`Event`] |
//! | `ended` | calls have ended that were slow or failed, each second | [`EndedCalls`] |
//!
//! Moments are milliseconds since 1970, and durations milliseconds. A duration that is not
//! there is null. In text of others, what misleads a reader is escaped; but for messages and
//! errors it is in one line.

use std::{
    borrow::Cow,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use dirtyd_client::proto::v1;
use serde::Serialize;

use crate::{
    observe::{
        history::{History, Point, SPAN, STEP},
        recent::{EndedCall, RecentCalls, Ring},
    },
    printable,
};

/// The longest text of an event, in characters.
const LONGEST_MESSAGE: usize = 500;
/// The most bytes of a history. If it has more, the last apps are left out.
const MOST_BYTES: usize = 700 << 10;

/// The present, by both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// The clock that only goes forward.
    pub instant: Instant,
    /// The clock on the wall.
    pub wall: SystemTime,
}

/// What a page is sent first. It takes the place of all that it was sent before.
#[derive(Debug, Serialize)]
pub struct Hello<'a> {
    /// The present.
    now: f64,
    /// Whether the page may operate.
    operate: bool,
    /// The time from one step of the history to the next.
    step: f64,
    /// How far the history goes back.
    span: f64,
    /// The history.
    history: Steps,
    /// The last events of the life cycle, oldest first.
    events: Vec<&'a Event>,
    /// The last slow and failed calls.
    #[serde(flatten)]
    ended: EndedCalls,
}

/// Steps of the history, as columns.
#[derive(Debug, Serialize)]
pub struct Steps {
    /// When they ended, oldest first.
    moments: Vec<f64>,
    /// All apps together.
    all: Columns,
    /// The apps that are kept apart, and the others as `_OTHER`.
    apps: Vec<AppColumns>,
}

/// Steps of one app.
#[derive(Debug, Serialize)]
pub struct AppColumns {
    /// Its path.
    app: String,
    /// Its steps. One that came later has fewer than there are moments; they end together.
    #[serde(flatten)]
    columns: Columns,
}

/// Steps, a column for each figure.
#[derive(Debug, Default, Serialize)]
pub struct Columns {
    /// The calls that ended, per second.
    calls: Vec<f64>,
    /// Those that ended with an error, per second.
    failed: Vec<f64>,
    /// The calls that waited at the end of the step.
    queued: Vec<u32>,
    /// The calls that ran at the end of the step.
    running: Vec<u32>,
    /// How long half of the calls waited.
    queue_p50: Vec<Option<f64>>,
    /// How long 99 of 100 waited.
    queue_p99: Vec<Option<f64>>,
    /// How long half of them ran.
    run_p50: Vec<Option<f64>>,
    /// How long 99 of 100 ran.
    run_p99: Vec<Option<f64>>,
}

/// An event of the life cycle.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// When.
    at: f64,
    /// What, such as `WORKER_DIED`.
    kind: String,
    /// The arbiter's number for the worker concerned; 0 if there is none.
    worker: u64,
    /// Its process id; 0 if there is none.
    pid: i32,
    /// The app concerned; empty if there is none.
    app: String,
    /// The pool concerned; empty if there is none.
    pool: String,
    /// What happened, why, and what happens next.
    message: String,
}

/// Calls that have ended, oldest first.
#[derive(Debug, Serialize)]
pub struct EndedCalls {
    /// Those that were slow.
    slow: Vec<Ended>,
    /// Those that failed.
    failed: Vec<Ended>,
}

/// A call that has ended.
#[derive(Debug, Serialize)]
pub struct Ended {
    /// When.
    at: f64,
    /// The arbiter's number for it; 0 if it was refused before it had one.
    id: u64,
    /// Its app.
    app: String,
    /// Its action.
    action: String,
    /// The reason of its error, or `OK`.
    reason: String,
    /// How long its caller waited in all.
    duration: f64,
    /// How long it waited for a worker.
    queue_wait: f64,
    /// The arbiter's number for the worker that had it; 0 if none had.
    worker: u64,
    /// Its process id; 0 if there is none.
    pid: i32,
    /// Who called.
    peer: String,
    /// Its request id.
    request_id: String,
}

/// A server-sent event.
pub fn frame(event: &str, object: &impl Serialize) -> Bytes {
    let mut frame = format!("event: {event}\ndata: ").into_bytes();
    // What is sent has no keys that are not text, and no type that can fail.
    serde_json::to_writer(&mut frame, object).expect("JSON");
    frame.extend_from_slice(b"\n\n");
    frame.into()
}

/// The frame of a [`Hello`].
pub fn hello(
    at: Now,
    operate: bool,
    history: &History,
    events: &Ring<Event>,
    recent: &RecentCalls,
) -> Bytes {
    let mut hello = Hello {
        now: moment(at.wall),
        operate,
        step: millis(STEP),
        span: millis(SPAN),
        history: Steps::of(at, history, None),
        events: events.after(0).collect(),
        ended: EndedCalls::of(recent.slow().after(0), recent.failed().after(0)),
    };
    loop {
        let frame = frame("hello", &hello);
        let apps = &mut hello.history.apps;
        if frame.len() <= MOST_BYTES || apps.is_empty() {
            return frame;
        }
        apps.truncate(apps.len() / 2);
    }
}

/// The frame of the [`Steps`] after this one.
pub fn steps(at: Now, history: &History, after: Option<Instant>) -> Bytes {
    frame("steps", &Steps::of(at, history, after))
}

/// The frame of [`EndedCalls`].
pub fn ended<'a>(
    slow: impl Iterator<Item = &'a EndedCall>,
    failed: impl Iterator<Item = &'a EndedCall>,
) -> Bytes {
    frame("ended", &EndedCalls::of(slow, failed))
}

impl Steps {
    fn of(at: Now, history: &History, after: Option<Instant>) -> Self {
        let is_new = |end: &Instant| after.is_none_or(|after| *end > after);
        let wall = |end: Instant| moment(at.wall - at.instant.saturating_duration_since(end));
        let moments: Vec<f64> = history.moments().filter(is_new).map(wall).collect();
        let most = moments.len();
        let apps = history.apps().map(|(app, points)| AppColumns {
            app: printable::one_line(app).into_owned(),
            columns: Columns::last(most, points),
        });
        let apps = apps.collect();
        Self { moments, all: Columns::last(most, history.all()), apps }
    }
}

impl Columns {
    /// Of the last points.
    fn last(most: usize, points: impl ExactSizeIterator<Item = Point>) -> Self {
        let earlier = points.len().saturating_sub(most);
        let mut columns = Self::default();
        for point in points.skip(earlier) {
            columns.calls.push(short(point.calls));
            columns.failed.push(short(point.failed));
            columns.queued.push(point.queued);
            columns.running.push(point.running);
            columns.queue_p50.push(point.queue_wait.map(|times| millis(times.p50)));
            columns.queue_p99.push(point.queue_wait.map(|times| millis(times.p99)));
            columns.run_p50.push(point.run_time.map(|times| millis(times.p50)));
            columns.run_p99.push(point.run_time.map(|times| millis(times.p99)));
        }
        columns
    }
}

impl EndedCalls {
    fn of<'a>(
        slow: impl Iterator<Item = &'a EndedCall>,
        failed: impl Iterator<Item = &'a EndedCall>,
    ) -> Self {
        Self { slow: slow.map(Ended::of).collect(), failed: failed.map(Ended::of).collect() }
    }
}

impl Ended {
    fn of(call: &EndedCall) -> Self {
        Self {
            at: moment(call.at),
            id: call.id,
            app: call.app.clone(),
            action: call.action.clone(),
            reason: call.reason.clone(),
            duration: millis(call.duration),
            queue_wait: millis(call.queue_wait),
            worker: call.worker.map_or(0, |worker| worker.id),
            pid: call.worker.map_or(0, |worker| worker.pid),
            peer: call.peer.clone(),
            request_id: call.request_id.clone(),
        }
    }
}

impl From<v1::WatchEventsResponse> for Event {
    fn from(event: v1::WatchEventsResponse) -> Self {
        Self {
            at: event.time.map_or(0.0, timestamp),
            kind: name(event.kind().as_str_name(), "EVENT_KIND_"),
            worker: event.worker_id,
            pid: event.worker_pid,
            app: line(&event.app, LONGEST_MESSAGE),
            pool: line(&event.pool, LONGEST_MESSAGE),
            message: cut(&event.message, LONGEST_MESSAGE, printable::lines),
        }
    }
}

/// The name of a value of an enum, without what all of them begin with.
pub fn name(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_owned()
}

/// Text of others in one line, and so many characters of it.
pub fn line(text: &str, most: usize) -> String {
    cut(text, most, printable::one_line)
}

fn cut(text: &str, most: usize, escaped: fn(&str) -> Cow<'_, str>) -> String {
    let end = text.char_indices().nth(most).map_or(text.len(), |(end, _)| end);
    let more = if end < text.len() { "…" } else { "" };
    format!("{}{more}", escaped(&text[..end]))
}

/// A moment in milliseconds since 1970.
pub fn moment(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_millis() as f64)
}

/// A moment of the contract.
pub fn timestamp(at: prost_types::Timestamp) -> f64 {
    SystemTime::try_from(at).map_or(0.0, moment)
}

/// A duration in milliseconds.
pub fn millis(duration: Duration) -> f64 {
    short(duration.as_secs_f64() * 1000.0)
}

/// A number without the digits that nobody reads: thousandths.
fn short(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}
