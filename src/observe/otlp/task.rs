//! The thread's tasks: one sends traces, one metrics, so that neither waits for the other.

use std::{
    future::Future,
    sync::{Arc, PoisonError, atomic::Ordering},
    time::{Duration, Instant, SystemTime},
};

use opentelemetry_proto::tonic::{
    collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    metrics::v1::{ResourceMetrics, ScopeMetrics},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans},
};
use tokio::sync::{mpsc, watch};

use super::{
    Shared,
    contact::Contact,
    drops::Reason,
    endpoint::Endpoint,
    failure::{Again, Tries},
    metrics, resource,
    spans::spans,
    traced::TracedCall,
    transport::{Export, Taken, Transport},
};
use crate::{config::OtlpProtocol, patience::COLLECTOR_TAKES, printable::count};

/// The spans of one request, at most.
const BATCH: u64 = 512;
/// The spans of one call, at most.
const OF_A_CALL: u64 = 3;
/// The calls that make a batch.
pub const FULL: usize = (BATCH / OF_A_CALL) as usize;
/// How long the first span of a batch waits for others.
const GATHER: Duration = Duration::from_secs(1);
/// How long the thread goes on once it is to end: less than it is waited for.
const LAST: Duration = COLLECTOR_TAKES.saturating_sub(Duration::from_millis(200));

/// What becomes of what the collector may take later.
const WAITS: &str = "they wait for it, and what has no room meanwhile is dropped";

/// What the thread works with.
pub struct Task {
    /// The collector, as the log names it.
    pub url: String,
    /// Where it is.
    pub endpoint: Endpoint,
    /// How it is spoken to.
    pub protocol: OtlpProtocol,
    /// Who sends.
    pub resource: Resource,
    /// When the metrics began to count.
    pub start: SystemTime,
    /// What those share who send.
    pub shared: Arc<Shared>,
    /// Turns true, or loses its sender, when the end has come.
    pub end: watch::Receiver<bool>,
}

/// What became of a request.
enum Sent {
    /// It was taken, but for this number of spans or points.
    Taken(u64),
    /// It was given up.
    Lost(Reason),
}

impl Task {
    /// Sends until the end, and for a moment longer what waits then.
    pub async fn run(self, mut calls: mpsc::Receiver<TracedCall>) {
        let transport = Transport::new(self.endpoint.clone(), self.protocol);
        let both = async {
            tokio::join!(self.traces(&transport, &mut calls), self.metrics(&transport));
        };
        let limit = async {
            self.ending().await;
            tokio::time::sleep(LAST).await;
        };
        tokio::select! {
            () = both => {}
            () = limit => {}
        }
        calls.close();
        while let Ok(call) = calls.try_recv() {
            self.shared.drops.count(Reason::Ended, call.spans());
        }
        match self.shared.drops.of(Reason::Ended) {
            0 => {}
            lost => tracing::warn!(
                "the end came before the OTLP collector at {} had taken all; dropped: {}",
                self.url,
                count(lost, "span")
            ),
        }
    }

    /// Resolves when the end has come.
    fn ending(&self) -> impl Future<Output = ()> {
        let mut end = self.end.clone();
        async move {
            // Without a sender nobody can send any more.
            let _ = end.wait_for(|end| *end).await;
        }
    }

    async fn traces(&self, transport: &Transport, calls: &mut mpsc::Receiver<TracedCall>) {
        let mut contact = Contact::default();
        while let Some(batch) = self.gather(calls).await {
            let mut unsent =
                Unsent { shared: &self.shared, spans: batch.iter().map(TracedCall::spans).sum() };
            let spans = batch.iter().flat_map(spans).collect();
            drop(batch);
            let spans = ScopeSpans {
                scope: Some(resource::scope()),
                spans,
                schema_url: resource::SCHEMA.to_owned(),
            };
            let spans = ResourceSpans {
                resource: Some(self.resource.clone()),
                scope_spans: vec![spans],
                schema_url: resource::SCHEMA.to_owned(),
            };
            let request = ExportTraceServiceRequest { resource_spans: vec![spans] };
            match self.deliver(transport, &Export::Traces(request), "traces", &mut contact).await {
                Sent::Taken(rejected) => unsent.taken(rejected),
                Sent::Lost(reason) => unsent.lost(reason),
            }
        }
    }

    /// The calls of the next request. `None` if no more will come. The thread is woken for the
    /// first of them and for a full batch, not for each: it would take the core from the calls
    /// themselves.
    async fn gather(&self, calls: &mut mpsc::Receiver<TracedCall>) -> Option<Vec<TracedCall>> {
        let mut ending = std::pin::pin!(self.ending());
        let first = loop {
            tokio::select! {
                biased;
                call = calls.recv() => break call?,
                () = &mut ending, if !calls.is_closed() => calls.close(), // what waits still comes
            }
        };
        if calls.len() < FULL && !calls.is_closed() {
            tokio::select! {
                () = tokio::time::sleep(GATHER) => {}
                () = self.shared.full.notified() => {}
                () = &mut ending => calls.close(),
            }
        }
        let (mut batch, mut spans, mut next) = (Vec::new(), 0, Some(first));
        while let Some(call) = next {
            self.shared.waiting.fetch_sub(call.size(), Ordering::Relaxed);
            spans += call.spans();
            batch.push(call);
            next = if spans + OF_A_CALL <= BATCH { calls.try_recv().ok() } else { None };
        }
        Some(batch)
    }

    async fn metrics(&self, transport: &Transport) {
        let mut contact = Contact::default();
        let mut ending = std::pin::pin!(self.ending());
        let mut goes_on = true;
        while goes_on {
            tokio::select! {
                () = self.shared.more_metrics.notified() => {}
                () = &mut ending => goes_on = false,
            }
            let next = self.shared.metrics.lock().unwrap_or_else(PoisonError::into_inner).take();
            let Some((families, end)) = next else { continue };
            let span = metrics::Span { start: self.start, end };
            let metrics = ScopeMetrics {
                scope: Some(resource::scope()),
                metrics: metrics::metrics(families, span),
                schema_url: resource::SCHEMA.to_owned(),
            };
            let metrics = ResourceMetrics {
                resource: Some(self.resource.clone()),
                scope_metrics: vec![metrics],
                schema_url: resource::SCHEMA.to_owned(),
            };
            let request = ExportMetricsServiceRequest { resource_metrics: vec![metrics] };
            // What is lost is told by the next, for counters only grow.
            self.deliver(transport, &Export::Metrics(request), "metrics", &mut contact).await;
        }
    }

    /// Sends it until it is taken or given up. At the end there is one more try.
    async fn deliver(
        &self,
        transport: &Transport,
        export: &Export,
        what: &str,
        contact: &mut Contact,
    ) -> Sent {
        let mut tries = Tries::new(Instant::now());
        let mut is_last = *self.end.borrow();
        loop {
            let failure = match transport.send(export).await {
                Ok(taken) => return self.taken(taken, what, contact),
                Err(failure) => failure,
            };
            let next = tries.next(failure.again, Instant::now(), fastrand::f64());
            let Some(pause) = next.filter(|_| !is_last) else {
                self.tell_of_failure(what, contact, &failure.why, "these are dropped");
                return Sent::Lost(match failure.again {
                    Again::Never => Reason::Rejected,
                    Again::Soon | Again::After(_) if is_last => Reason::Ended,
                    Again::Soon | Again::After(_) => Reason::Unreachable,
                });
            };
            self.tell_of_failure(what, contact, &failure.why, WAITS);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.ending() => is_last = true,
            }
        }
    }

    fn taken(&self, taken: Taken, what: &str, contact: &mut Contact) -> Sent {
        match taken.rejected {
            0 => self.tell_of_return(what, contact),
            rejected => {
                let why = format!("it rejected {rejected} of them: {}", taken.message);
                self.tell_of_failure(what, contact, &why, "these are dropped");
            }
        }
        Sent::Taken(taken.rejected)
    }

    fn tell_of_failure(&self, what: &str, contact: &mut Contact, why: &str, then: &str) {
        if contact.failed(Instant::now()) {
            tracing::warn!(
                "the OTLP collector at {} does not take {what}: {why}; {then} (otlp_endpoint, otlp_protocol)",
                self.url
            );
        }
    }

    fn tell_of_return(&self, what: &str, contact: &mut Contact) {
        if let Some(after) = contact.took(Instant::now()) {
            let dropped = count(self.shared.drops.total(), "span");
            tracing::info!(
                "the OTLP collector at {} takes {what} again, after {after:.1?}; dropped since the start: {dropped}",
                self.url
            );
        }
    }
}

/// The spans of a request on its way: dropped unless somebody says what became of them.
struct Unsent<'a> {
    shared: &'a Shared,
    spans: u64,
}

impl Unsent<'_> {
    fn taken(&mut self, rejected: u64) {
        let rejected = rejected.min(std::mem::take(&mut self.spans));
        self.shared.drops.count(Reason::Rejected, rejected);
    }

    fn lost(&mut self, reason: Reason) {
        self.shared.drops.count(reason, std::mem::take(&mut self.spans));
    }
}

impl Drop for Unsent<'_> {
    fn drop(&mut self) {
        self.lost(Reason::Ended);
    }
}
