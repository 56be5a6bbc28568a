//! The spans of a call:
//!
//! ```text
//!   ml:Model/embed  (SERVER)     arrival ──────────────── answer
//!     ├─ queue      (INTERNAL)   arrival ── start
//!     └─ run        (INTERNAL)              start ──────────────── end of the work
//!          └─ those of the action, made in the worker
//! ```
//!
//! Names and attributes follow the semantic conventions of OpenTelemetry for RPC, version
//! 1.45.0, the first that calls them stable: `rpc.status_code` was `rpc.response.status_code`
//! before. `rpc.method` is that of the contract, as in the metrics; the name of the span is
//! `app/action`, because that is what a caller calls here, if there is such an action. All
//! protocols have the codes of gRPC, so that metrics, access log and spans tell the same;
//! `error.type` is the code, as the conventions say, and `dirtyd.reason` says which of several
//! things it was.

use opentelemetry_proto::tonic::{
    common::v1::KeyValue,
    trace::v1::{
        Span, Status,
        span::{Event, SpanKind},
        status::StatusCode,
    },
};

use super::{
    attribute::{number, text, truth},
    traced::TracedCall,
};
use crate::call::Peer;

/// The flags of a span beside those of `traceparent`: it is known whether its parent is
/// remote; and it is.
const PARENT_IS_KNOWN: u32 = 0x100;
const PARENT_IS_REMOTE: u32 = 0x200;
/// The flag of a trace that is recorded.
const SAMPLED: u32 = 1;
/// The codes that are a server's errors by the conventions.
const ERRORS: [&str; 6] =
    ["UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"];
/// Codes that are none by the conventions, because callers are mostly to blame. Here they
/// mean that the queue was full, or that a worker died or left, unless an app chose them.
const ERRORS_OF_OURS: [&str; 2] = ["RESOURCE_EXHAUSTED", "ABORTED"];
/// The reason of what an app raised.
const APP_ERROR: &str = "APP_ERROR";
/// The methods of the contract that make calls.
const EXECUTE: &str = "dirty.v1.Arbiter/Execute";
const EXECUTE_STREAM: &str = "dirty.v1.Arbiter/ExecuteStream";
/// The reasons of calls whose action is not there.
const NOT_THERE: [&str; 2] = ["APP_NOT_FOUND", "ACTION_NOT_FOUND"];

/// The spans of a call.
pub fn spans(call: &TracedCall) -> Vec<Span> {
    let start = call.started.unwrap_or(call.ended);
    let mut queue = part(call, "queue", call.span.queue_id());
    queue.end_time_unix_nano = call.nanos(start);
    let mut spans = vec![server(call), queue];
    let end = outcome_event(call);
    match call.started {
        Some(started) => {
            let mut run = part(call, "run", call.span.run_id());
            run.start_time_unix_nano = call.nanos(started);
            run.end_time_unix_nano = call.nanos(call.run_ended.unwrap_or(call.ended).max(started));
            run.attributes = worker(call);
            let first = call.first_chunk.filter(|_| call.stream);
            let first = first.map(|at| event(call, "first chunk", at));
            let steps = call.steps.iter().map(|(name, at)| event(call, name, *at));
            run.events = first.into_iter().chain(end).chain(steps).collect();
            run.events.sort_by_key(|event| event.time_unix_nano);
            run.dropped_events_count = call.more_steps;
            run.status = status(call);
            spans.push(run);
        }
        None => {
            spans[1].events = end.into_iter().collect();
            spans[1].status = status(call);
        }
    }
    spans
}

/// The span of the call itself.
fn server(call: &TracedCall) -> Span {
    let method = if call.stream { EXECUTE_STREAM } else { EXECUTE };
    let is_there = !call.action.is_empty() && !NOT_THERE.contains(&call.reason.as_str());
    let name = match is_there {
        true => format!("{}/{}", call.app, call.action),
        false => method.to_owned(),
    };
    let mut attributes = vec![
        text("rpc.system.name", call.protocol.name()),
        text("rpc.method", method),
        text("rpc.status_code", call.code),
        text("network.transport", "unix"),
        text("dirtyd.app", &call.app),
        text("dirtyd.action", &call.action),
        text("dirtyd.reason", &call.reason),
        text("dirtyd.request.id", &call.request_id),
        truth("dirtyd.stream", call.stream),
        number("dirtyd.request.bytes", call.bytes_in),
        number("dirtyd.response.bytes", call.bytes_out),
    ];
    if is_error(call) {
        attributes.push(text("error.type", call.code));
    }
    if call.stream {
        attributes.push(number("dirtyd.chunks", call.chunks));
    }
    attributes.extend(call.id.map(|id| number("dirtyd.call.id", id)));
    if let Peer::Process { uid, pid, .. } = call.peer {
        attributes.push(number("dirtyd.peer.uid", uid));
        attributes.extend(pid.map(|pid| number("dirtyd.peer.pid", pid)));
    }
    attributes.extend(worker(call));
    let remote = if call.span.parent.is_some() { PARENT_IS_REMOTE } else { 0 };
    Span {
        trace_id: call.span.trace_id.to_vec(),
        span_id: call.span.span_id.to_vec(),
        parent_span_id: call.span.parent.map_or(Vec::new(), |id| id.to_vec()),
        flags: SAMPLED | PARENT_IS_KNOWN | remote,
        name,
        kind: SpanKind::Server.into(),
        start_time_unix_nano: call.nanos(call.arrived),
        end_time_unix_nano: call.nanos(call.ended),
        attributes,
        status: status(call),
        ..Span::default()
    }
}

/// A part of the call. It begins with the arrival.
fn part(call: &TracedCall, name: &str, id: [u8; 8]) -> Span {
    Span {
        trace_id: call.span.trace_id.to_vec(),
        span_id: id.to_vec(),
        parent_span_id: call.span.span_id.to_vec(),
        flags: SAMPLED | PARENT_IS_KNOWN,
        name: name.to_owned(),
        kind: SpanKind::Internal.into(),
        start_time_unix_nano: call.nanos(call.arrived),
        ..Span::default()
    }
}

fn worker(call: &TracedCall) -> Vec<KeyValue> {
    let ids = |worker: crate::call::WorkerRef| {
        [number("dirtyd.worker.id", worker.id), number("dirtyd.worker.pid", worker.pid)]
    };
    call.worker.map(ids).into_iter().flatten().collect()
}

/// The event that an end is which came from outside: the caller left, or the time was over.
fn outcome_event(call: &TracedCall) -> Option<Event> {
    match call.reason.as_str() {
        "CANCELLED" => Some(event(call, "cancel", call.ended)),
        "QUEUE_TIMEOUT" | "EXECUTION_TIMEOUT" => Some(event(call, "timeout", call.ended)),
        _ => None,
    }
}

fn event(call: &TracedCall, name: &str, at: std::time::Instant) -> Event {
    let (time_unix_nano, name) = (call.nanos(at), name.to_owned());
    Event { time_unix_nano, name, ..Event::default() }
}

/// Unset unless it is an error, as the conventions ask.
fn status(call: &TracedCall) -> Option<Status> {
    let (message, code) = (call.reason.clone(), StatusCode::Error.into());
    is_error(call).then_some(Status { message, code })
}

fn is_error(call: &TracedCall) -> bool {
    let of_ours = call.reason != APP_ERROR && ERRORS_OF_OURS.contains(&call.code);
    ERRORS.contains(&call.code) || of_ours
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use opentelemetry_proto::tonic::common::v1::any_value::Value;

    use super::*;
    use crate::observe::{
        record::{CallRecord, Outcome},
        sample::record,
        trace,
    };

    const PEER: Peer = Peer::Process { uid: 1000, gid: 1000, pid: Some(4711) };

    fn traced(change: impl FnOnce(&mut CallRecord<'_>)) -> TracedCall {
        let mut record = record(&PEER);
        change(&mut record);
        TracedCall::of(&record).expect("it is sampled")
    }

    fn failed(code: &'static str, reason: &'static str) -> TracedCall {
        traced(|record| record.outcome = Outcome { code, reason, message: "secret" })
    }

    fn value(span: &Span, key: &str) -> Option<String> {
        let found = span.attributes.iter().find(|attribute| attribute.key == key)?;
        match found.value.clone()?.value? {
            Value::StringValue(text) => Some(text),
            Value::IntValue(number) => Some(number.to_string()),
            Value::BoolValue(truth) => Some(truth.to_string()),
            other => panic!("{key}: {other:?}"),
        }
    }

    fn names(events: &[Event]) -> Vec<&str> {
        events.iter().map(|event| event.name.as_str()).collect()
    }

    fn took(span: &Span) -> Duration {
        Duration::from_nanos(span.end_time_unix_nano - span.start_time_unix_nano)
    }

    #[test]
    fn a_call_is_a_span_of_its_caller_with_its_queue_and_its_run() {
        let call = traced(|_| {});
        let [server, queue, run] = &spans(&call)[..] else { panic!("three spans") };
        assert_eq!(server.parent_span_id, [2; 8]);
        assert_eq!((server.name.as_str(), server.kind()), ("ml:Model/embed", SpanKind::Server));
        assert_eq!(server.flags, 0x301, "sampled, and its parent is remote");
        for (part, name) in [(queue, "queue"), (run, "run")] {
            assert_eq!((part.name.as_str(), part.kind()), (name, SpanKind::Internal));
            assert_eq!((&part.trace_id, &part.parent_span_id), (&server.trace_id, &server.span_id));
        }
        let told = call.span.traceparent();
        let told = trace::Span::of_caller(told.as_bytes()).expect("well formed");
        assert_eq!(run.span_id, told.span_id, "an action is below the run");
        assert_eq!(took(server), Duration::from_millis(1500));
        assert_eq!(took(queue), Duration::from_micros(250_125));
        assert_eq!(took(run), Duration::from_micros(1_249_875));
        assert_eq!(names(&run.events), ["first chunk"]);
        assert_eq!(run.events[0].time_unix_nano, server.start_time_unix_nano + 300_000_000);
        for (key, expected) in [
            ("rpc.system.name", "grpc"),
            ("rpc.method", "dirty.v1.Arbiter/ExecuteStream"),
            ("rpc.status_code", "OK"),
            ("dirtyd.app", "ml:Model"),
            ("dirtyd.action", "embed"),
            ("dirtyd.call.id", "42"),
            ("dirtyd.request.id", "r-1"),
            ("dirtyd.worker.id", "7"),
            ("dirtyd.worker.pid", "815"),
            ("dirtyd.peer.uid", "1000"),
            ("dirtyd.chunks", "3"),
            ("dirtyd.stream", "true"),
        ] {
            assert_eq!(value(server, key).as_deref(), Some(expected), "{key}");
        }
        assert_eq!((value(server, "error.type"), &server.status), (None, &None));
    }

    #[test]
    fn a_failure_is_an_error_with_its_code_and_its_reason() {
        for (code, reason, is_error) in [
            ("DEADLINE_EXCEEDED", "EXECUTION_TIMEOUT", true),
            ("ABORTED", "WORKER_CRASHED", true),
            ("RESOURCE_EXHAUSTED", "QUEUE_FULL", true),
            ("UNAVAILABLE", "DRAINING", true),
            ("UNKNOWN", "APP_ERROR", true),
            ("RESOURCE_EXHAUSTED", "APP_ERROR", false),
            ("NOT_FOUND", "APP_ERROR", false),
            ("CANCELLED", "CANCELLED", false),
            ("INVALID_ARGUMENT", "INVALID_REQUEST", false),
        ] {
            let spans = spans(&failed(code, reason));
            let told = spans[0].status.as_ref().map(|status| status.message.as_str());
            assert_eq!(told, is_error.then_some(reason), "{code} {reason}");
            assert_eq!(value(&spans[0], "error.type").as_deref(), is_error.then_some(code));
            assert_eq!(value(&spans[0], "dirtyd.reason").as_deref(), Some(reason));
            assert_eq!(spans[2].status, spans[0].status, "the run failed");
            assert!(!format!("{spans:?}").contains("secret"), "what the app said stays here");
        }
    }

    #[test]
    fn what_came_from_outside_is_an_event_where_it_hit_the_call() {
        let run = &spans(&failed("CANCELLED", "CANCELLED"))[2];
        assert_eq!(names(&run.events), ["first chunk", "cancel"]);
        let queued = traced(|record| {
            (record.started, record.worker, record.first_chunk) = (None, None, None);
            let (code, reason) = ("DEADLINE_EXCEEDED", "QUEUE_TIMEOUT");
            record.outcome = Outcome { code, reason, message: "" };
        });
        let [server, queue] = &spans(&queued)[..] else { panic!("it never ran") };
        assert_eq!(queued.spans(), 2);
        assert_eq!(names(&queue.events), ["timeout"]);
        assert_eq!((took(queue), &queue.status), (took(server), &server.status));
    }

    #[test]
    fn work_that_goes_on_after_the_answer_has_its_steps_and_its_end() {
        let mut call = failed("DEADLINE_EXCEEDED", "EXECUTION_TIMEOUT");
        let later = |ms| call.ended + Duration::from_millis(ms);
        let (raised, dumped, ended) = (later(1), later(2), later(3));
        call.step("stacks dumped", dumped);
        call.step("raised", raised);
        call.run_ended(ended);
        let [server, _, run] = &spans(&call)[..] else { panic!("three spans") };
        assert_eq!(names(&run.events), ["first chunk", "timeout", "raised", "stacks dumped"]);
        assert_eq!(run.end_time_unix_nano, server.end_time_unix_nano + 3_000_000);
        (0..20).for_each(|_| call.step("raised", raised));
        let run = &spans(&call)[2];
        assert_eq!((run.events.len(), run.dropped_events_count), (18, 6));
    }

    #[test]
    fn an_action_that_is_not_there_names_no_span() {
        for (app, action) in [("no:App", "x"), ("", "")] {
            let call = traced(|record| {
                (record.app, record.action) = (app, action);
                let (code, reason) = ("NOT_FOUND", "APP_NOT_FOUND");
                record.outcome = Outcome { code, reason, message: "" };
            });
            let server = &spans(&call)[0];
            assert_eq!(server.name, EXECUTE_STREAM, "what callers make up names no span");
            assert_eq!(value(server, "dirtyd.app").as_deref(), Some(app));
        }
    }

    #[test]
    fn a_call_that_is_not_sampled_has_no_spans() {
        let mut record = record(&PEER);
        let caller = trace::Span { sampled: false, ..crate::observe::sample::SPAN };
        record.span = Some(&caller);
        assert!(TracedCall::of(&record).is_none());
        record.span = None;
        assert!(TracedCall::of(&record).is_none());
    }

    #[test]
    fn a_clock_before_1970_is_no_obstacle() {
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        let call = traced(|record| record.arrived_at = before);
        assert_eq!(spans(&call)[0].start_time_unix_nano, 0);
    }
}
