//! Where it goes what became of a call, beside the tally: the access log, and a trace.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use super::{
    access_log::AccessLog,
    family::Family,
    otlp::{Exporter, Reason, Resource, TracedCall},
    record::CallRecord,
    trace::{Sampler, Span},
};
use crate::{
    call::Story,
    config::{Config, OtlpConfig},
};

/// The outlets that the configuration asks for. Clones are the same ones.
#[derive(Debug, Clone, Default)]
pub struct Outlets(Arc<Open>);

#[derive(Debug, Default)]
struct Open {
    access_log: Option<AccessLog>,
    traces: Option<(Sampler, Exporter)>,
}

/// What is made of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    line: bool,
    spans: bool,
}

impl Made {
    /// Whether anything is.
    pub fn anything(self) -> bool {
        self.line || self.spans
    }
}

impl Outlets {
    /// Opens them. One that cannot be opened is left out, and the log says so: no service
    /// fails for it once it has begun.
    pub fn open(config: &Config) -> Self {
        let observe = &config.observe;
        let opened =
            |error: io::Error| tracing::error!("{error}; it is left out until the next start");
        let access_log = AccessLog::start(&observe.access_log).map_err(opened).ok().flatten();
        let start = |otlp: &OtlpConfig| {
            let resource = Resource::of_process(&config.proc_name);
            let exporter = Exporter::start(otlp, resource).map_err(opened).ok()?;
            Some((Sampler::new(otlp), exporter))
        };
        Self(Arc::new(Open { access_log, traces: observe.otlp.as_ref().and_then(start) }))
    }

    /// Tries whether they can be opened, where an operator still looks.
    ///
    /// # Errors
    /// One cannot; the text names its key.
    pub fn check(config: &Config) -> io::Result<()> {
        AccessLog::check(&config.observe.access_log)?;
        config.observe.otlp.as_ref().map_or(Ok(()), Exporter::check)
    }

    /// The span of a call that comes with this `traceparent`, if it belongs to a trace.
    pub fn begin(&self, traceparent: Option<&[u8]>) -> Option<Span> {
        match &self.0.traces {
            Some((sampler, _)) => sampler.begin(traceparent, || fastrand::u64(..)),
            None => traceparent.and_then(Span::of_caller),
        }
    }

    /// What is made of a call of this span that ended so, after this time. It is asked of
    /// every call, before there is a record of it.
    pub fn made_of(&self, span: Option<&Span>, is_ok: bool, took: Duration) -> Made {
        let line = self.0.access_log.as_ref().is_some_and(|log| log.wants(is_ok, took));
        Made { line, spans: span.is_some_and(|span| span.sampled) }
    }

    /// Writes what became of a call. Its spans are sent once nobody has its story any more:
    /// then its work has ended, too.
    pub fn tell(&self, record: &CallRecord<'_>, story: Option<&Story>, made: Made) {
        if let Some(log) = self.0.access_log.as_ref().filter(|_| made.line) {
            log.write(record);
        }
        let (Some((_, exporter)), Some(mut call)) = (&self.0.traces, TracedCall::of(record)) else {
            return;
        };
        let exporter = exporter.clone();
        let Some(story) = story else { return exporter.send(call) };
        story.when_over(move |steps, work_ended| {
            steps.into_iter().for_each(|(name, at)| call.step(name, at));
            work_ended.into_iter().for_each(|at| call.run_ended(at));
            exporter.send(call);
        });
    }

    /// Sends metrics to the collector, if there is one.
    pub fn send_metrics(&self, families: Vec<Family>) {
        if let Some((_, exporter)) = &self.0.traces {
            exporter.metrics(families);
        }
    }

    /// What was dropped, by what it was.
    pub fn dropped(&self) -> Vec<(&'static str, u64)> {
        let lines = self.0.access_log.as_ref().map(|log| ("access_log", log.dropped()));
        let exporter = self.0.traces.as_ref().map(|(_, exporter)| exporter);
        let spans = exporter.into_iter().flat_map(|exporter| {
            let of = |reason: Reason| (reason.name(), exporter.dropped(reason));
            Reason::ALL.map(of)
        });
        lines.into_iter().chain(spans).collect()
    }

    /// Opens the file of the access log anew, after it was rotated.
    pub fn reopen(&self) {
        self.0.access_log.iter().for_each(AccessLog::reopen);
    }

    /// Sends what waits, within the time that a collector has at the end.
    pub async fn finish(&self) {
        if let Some((_, exporter)) = &self.0.traces {
            exporter.finish().await;
        }
    }
}

/// When something happened by the clock on the wall, of which only the time is known that has
/// passed since.
pub fn on_the_wall(moment: Instant, now: Instant) -> SystemTime {
    SystemTime::now() - now.saturating_duration_since(moment)
}
