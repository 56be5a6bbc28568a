//! A call for tests.

use std::time::{Duration, Instant, SystemTime};

use crate::{
    call::{CallId, Peer, Protocol, WorkerRef},
    observe::{
        record::{CallRecord, Outcome},
        trace::Span,
    },
};

/// The span of the call.
pub const SPAN: Span =
    Span { trace_id: [1; 16], parent: Some([2; 8]), span_id: [3; 8], sampled: true };

/// A stream of three chunks that took 1.5 s.
pub fn record(peer: &Peer) -> CallRecord<'_> {
    let arrived = Instant::now();
    CallRecord {
        id: Some(CallId(42)),
        app: "ml:Model",
        action: "embed",
        request_id: "r-1",
        peer,
        protocol: Protocol::Grpc,
        stream: true,
        arrived,
        arrived_at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_796_057_299_123),
        started: Some(arrived + Duration::from_micros(250_125)),
        first_chunk: Some(arrived + Duration::from_millis(300)),
        ended: arrived + Duration::from_millis(1500),
        worker: Some(WorkerRef { id: 7, pid: 815 }),
        outcome: Outcome { code: "OK", reason: Outcome::OK, message: "" },
        chunks: 3,
        bytes_in: 10,
        bytes_out: 2000,
        span: Some(&SPAN),
    }
}
