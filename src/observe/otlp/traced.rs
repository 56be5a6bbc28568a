//! A call that is traced, from its end for its caller until its work has ended, too: then
//! its spans are sent.
//!
//! Whoever answers the caller makes it, and so calls that are not traced never have one. What
//! happens to the work after that, when its time is over and it goes on, is added.

use std::time::{Instant, SystemTime};

use crate::{
    call::{Peer, Protocol, WorkerRef},
    observe::{record::CallRecord, trace::Span},
};

/// The steps that a span holds; further ones are only counted.
const MOST_STEPS: usize = 16;

/// A copy of what spans are made of.
#[derive(Debug, Clone)]
pub struct TracedCall {
    pub(super) span: Span,
    pub(super) id: Option<u64>,
    pub(super) app: String,
    pub(super) action: String,
    pub(super) request_id: String,
    pub(super) peer: Peer,
    pub(super) protocol: Protocol,
    pub(super) stream: bool,
    pub(super) arrived: Instant,
    pub(super) arrived_at: SystemTime,
    pub(super) started: Option<Instant>,
    pub(super) first_chunk: Option<Instant>,
    pub(super) ended: Instant,
    pub(super) worker: Option<WorkerRef>,
    pub(super) code: &'static str,
    pub(super) reason: String,
    pub(super) chunks: u64,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    pub(super) steps: Vec<(&'static str, Instant)>,
    pub(super) more_steps: u32,
    pub(super) run_ended: Option<Instant>,
}

impl TracedCall {
    /// What is kept of a call that is exported; `None` if it is not.
    pub fn of(record: &CallRecord<'_>) -> Option<Self> {
        let span = *record.span.filter(|span| span.sampled)?;
        Some(Self {
            span,
            id: record.id.map(|id| id.0),
            app: record.app.to_owned(),
            action: record.action.to_owned(),
            request_id: record.request_id.to_owned(),
            peer: record.peer.clone(),
            protocol: record.protocol,
            stream: record.stream,
            arrived: record.arrived,
            arrived_at: record.arrived_at,
            started: record.started,
            first_chunk: record.first_chunk,
            ended: record.ended,
            worker: record.worker,
            code: record.outcome.code,
            reason: record.outcome.reason.to_owned(),
            chunks: record.chunks,
            bytes_in: record.bytes_in,
            bytes_out: record.bytes_out,
            steps: Vec::new(),
            more_steps: 0,
            run_ended: None,
        })
    }

    /// Something was done to its work, such as a step of the ladder. The cancel, the timeout
    /// and the first chunk are known from the record.
    pub fn step(&mut self, name: &'static str, at: Instant) {
        match self.steps.len() < MOST_STEPS {
            true => self.steps.push((name, at)),
            false => self.more_steps += 1,
        }
    }

    /// Its work ended, and its slot is free. Without this it ended with the answer.
    pub fn run_ended(&mut self, at: Instant) {
        self.run_ended = Some(at);
    }

    /// The number of its spans.
    pub(super) fn spans(&self) -> u64 {
        2 + u64::from(self.started.is_some())
    }

    /// The bytes that it takes while it waits to be sent.
    pub(super) fn size(&self) -> usize {
        let names = [&self.app, &self.action, &self.request_id, &self.reason];
        let names: usize = names.into_iter().map(String::capacity).sum();
        size_of::<Self>() + names + self.steps.capacity() * size_of::<(&str, Instant)>()
    }

    /// A moment by the clock on the wall, in nanoseconds.
    pub(super) fn nanos(&self, moment: Instant) -> u64 {
        nanos(self.arrived_at + moment.saturating_duration_since(self.arrived))
    }
}

/// Nanoseconds since 1970, as OTLP tells time.
pub(super) fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_nanos().try_into().unwrap_or(u64::MAX)
}
