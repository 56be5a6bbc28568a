//! Where it goes what became of a call, beside the tally: the access log, and a trace.

use std::{
    io,
    sync::Arc,
    time::{Instant, SystemTime},
};

use super::{
    access_log::AccessLog,
    family::Family,
    otlp::{Exporter, Reason, Resource, TracedCall},
    record::CallRecord,
    trace::{Sampler, Span},
};
use crate::{call::Story, config::Config};

/// The outlets that the configuration asks for. Clones are the same ones.
#[derive(Debug, Clone, Default)]
pub struct Outlets(Arc<Open>);

#[derive(Debug, Default)]
struct Open {
    access_log: Option<AccessLog>,
    traces: Option<(Sampler, Exporter)>,
}

impl Outlets {
    /// Opens them.
    ///
    /// # Errors
    /// One cannot be opened; the text names its key.
    pub fn open(config: &Config) -> io::Result<Self> {
        let access_log = AccessLog::start(&config.observe.access_log)?;
        let traces = match &config.observe.otlp {
            Some(otlp) => {
                let exporter = Exporter::start(otlp, Resource::of_process(&config.proc_name))?;
                Some((Sampler::new(otlp), exporter))
            }
            None => None,
        };
        Ok(Self(Arc::new(Open { access_log, traces })))
    }

    /// The span of a call that comes with this `traceparent`, if it belongs to a trace.
    pub fn begin(&self, traceparent: Option<&[u8]>) -> Option<Span> {
        match &self.0.traces {
            Some((sampler, _)) => sampler.begin(traceparent, || fastrand::u64(..)),
            None => traceparent.and_then(Span::of_caller),
        }
    }

    /// Whether anything is made of a call of this span.
    pub fn take(&self, span: Option<&Span>) -> bool {
        self.0.access_log.is_some() || span.is_some_and(|span| span.sampled)
    }

    /// Writes what became of a call. Its spans are sent once nobody has its story any more:
    /// then its work has ended, too.
    pub fn tell(&self, record: &CallRecord<'_>, story: Option<&Story>) {
        if let Some(log) = self.0.access_log.as_ref().filter(|log| log.wants(record)) {
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
    pub fn send_metrics(&self, families: impl FnOnce() -> Vec<Family>) {
        if let Some((_, exporter)) = &self.0.traces {
            exporter.metrics(families());
        }
    }

    /// What was dropped, by what it was.
    pub fn dropped(&self) -> Vec<(&'static str, u64)> {
        let lines = self.0.access_log.as_ref().map(|log| ("access_log", log.dropped()));
        let exporter = self.0.traces.as_ref().map(|(_, exporter)| exporter);
        let spans = exporter.into_iter().flat_map(|exporter| {
            let of = |reason: Reason| (reason.of_spans(), exporter.dropped(reason));
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
