//! Whoever watches a call from its arrival to what its caller gets, and sees to it that it
//! is told once, and only once.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::watch;

use super::{
    outlets::{Made, Outlets, on_the_wall},
    recent::RecentCalls,
    record::{CallRecord, Outcome},
    tally::{Ended, Tally},
    trace::Span,
};
use crate::{
    call::{Peer, Protocol, Story},
    pool::Health,
};

/// What is known of all calls.
#[derive(Debug)]
pub struct Observer {
    tally: Mutex<Tally>,
    recent: Mutex<RecentCalls>,
    /// How long a call takes that is slow.
    slow: Duration,
    /// The apps that there are.
    apps: watch::Receiver<Health>,
    outlets: Outlets,
}

/// How a call failed.
#[derive(Debug, Clone, Copy)]
pub struct Failed<'a> {
    /// The name of gRPC's code.
    pub code: &'static str,
    /// The reason of ErrorInfo.
    pub reason: &'static str,
    /// What the caller is told. It may hold text of the app.
    pub message: &'a str,
}

impl Observer {
    /// One that has seen no call. `apps` are those that there are; what becomes of each call
    /// goes into the `outlets`, too. A call is slow that takes as long as `slow`.
    pub fn new(apps: watch::Receiver<Health>, outlets: Outlets, slow: Duration) -> Arc<Self> {
        let recent = Mutex::new(RecentCalls::new(slow));
        Arc::new(Self { tally: Mutex::default(), recent, slow, apps, outlets })
    }

    /// The span of a call that comes with this `traceparent`, if it belongs to a trace.
    pub fn span(&self, traceparent: Option<&[u8]>) -> Option<Span> {
        self.outlets.begin(traceparent)
    }

    /// How calls ended so far.
    pub fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The calls that were slow or failed.
    pub fn recent(&self) -> MutexGuard<'_, RecentCalls> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What could not be kept, by what it is of.
    pub fn dropped(&self) -> Vec<(&'static str, u64)> {
        self.outlets.dropped()
    }

    /// Where else it goes what becomes of calls.
    pub fn outlets(&self) -> &Outlets {
        &self.outlets
    }

    /// Watches a call.
    pub fn watch(self: &Arc<Self>, story: Arc<Story>) -> Watch {
        Watch { observer: Arc::clone(self), story, over: false }
    }

    /// A request of this peer was refused before there was a call to watch. `names` are its
    /// app, its action and its request id, as far as they are known.
    pub fn refused(
        &self,
        peer: &Peer,
        (protocol, stream): (Protocol, bool),
        [app, action, request_id]: [&str; 3],
        failed: Failed<'_>,
    ) {
        self.count(&Ended {
            app,
            action,
            protocol,
            stream,
            code: failed.code,
            reason: failed.reason,
            duration: Duration::ZERO,
            queue_wait: Duration::ZERO,
            run_time: None,
            first_chunk: None,
            chunks: 0,
            bytes_in: 0,
            bytes_out: 0,
            exemplar: None,
        });
        let now = Instant::now();
        let record = CallRecord {
            id: None,
            app,
            action,
            request_id,
            peer,
            protocol,
            stream,
            arrived: now,
            arrived_at: SystemTime::now(),
            started: None,
            first_chunk: None,
            ended: now,
            worker: None,
            outcome: failed.outcome(),
            chunks: 0,
            bytes_in: 0,
            bytes_out: 0,
            span: None,
        };
        self.recent().ended(&record);
        let made = self.outlets.made_of(None, false, Duration::ZERO);
        if made.anything() {
            self.outlets.tell(&record, None, made);
        }
    }

    fn count(&self, ended: &Ended<'_>) {
        let is_app = |name: &str| self.apps.borrow().iter().any(|(app, _)| app == name);
        self.tally().count(ended, is_app, SystemTime::now);
    }
}

impl<'a> Failed<'a> {
    fn outcome(self) -> Outcome<'a> {
        let Self { code, reason, message } = self;
        Outcome { code, reason, message }
    }
}

/// One call that is watched. Dropping it before it is over says that its caller has left. It
/// is small, because the future of every call holds it.
#[derive(Debug)]
pub struct Watch {
    observer: Arc<Observer>,
    story: Arc<Story>,
    over: bool,
}

impl Watch {
    /// The call.
    pub fn story(&self) -> &Story {
        &self.story
    }

    /// Its caller is sent a chunk of so many bytes.
    pub fn chunk(&self, bytes: usize) {
        self.story.sent(1, bytes);
    }

    /// Its caller has a result of so many bytes, or the end of its stream.
    pub fn served(&mut self, bytes: usize) {
        self.story.sent(0, bytes);
        self.end(Failed { code: "OK", reason: "OK", message: "" });
    }

    /// Its caller has an error.
    pub fn failed(&mut self, failed: Failed<'_>) {
        self.end(failed);
    }

    fn end(&mut self, how: Failed<'_>) {
        self.over = true;
        let (story, now) = (&self.story, Instant::now());
        let duration = now.saturating_duration_since(story.arrived);
        let waited = story.started_after();
        self.observer.count(&Ended {
            app: story.app(),
            action: story.action(),
            protocol: story.protocol,
            stream: story.stream,
            code: how.code,
            reason: how.reason,
            duration,
            queue_wait: waited.unwrap_or(duration),
            run_time: waited.map(|waited| duration.saturating_sub(waited)),
            first_chunk: story.begun_after(),
            chunks: story.chunks(),
            bytes_in: story.bytes_in,
            bytes_out: story.bytes_out(),
            exemplar: story.span.as_ref().map(|span| span.trace_id),
        });
        let is_ok = how.code == "OK";
        let made = self.observer.outlets.made_of(story.span.as_deref(), is_ok, duration);
        if made.anything() || !is_ok || duration >= self.observer.slow {
            self.tell(how, now, made);
        }
    }

    /// Passes on its full record: to whoever keeps slow and failed calls, and to the outlets.
    fn tell(&self, how: Failed<'_>, now: Instant, made_of_it: Made) {
        let story = &self.story;
        let own = story.own_request_id();
        let made = if own.is_empty() { story.id().map(|id| id.to_string()) } else { None };
        let record = CallRecord {
            id: story.id(),
            app: story.app(),
            action: story.action(),
            request_id: made.as_deref().unwrap_or(own),
            peer: &story.peer,
            protocol: story.protocol,
            stream: story.stream,
            arrived: story.arrived,
            arrived_at: on_the_wall(story.arrived, now),
            started: story.started_at(),
            first_chunk: story.begun_at(),
            ended: now,
            worker: story.worker(),
            outcome: how.outcome(),
            chunks: story.chunks(),
            bytes_in: story.bytes_in,
            bytes_out: story.bytes_out(),
            span: story.span.as_deref(),
        };
        self.observer.recent().ended(&record);
        self.observer.outlets.tell(&record, Some(story), made_of_it);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        // A client ends its call when its deadline passes, as the arbiter does: whoever is
        // first, that is why.
        let is_late = self.story.deadline.is_over(Instant::now());
        let (code, reason) = match (is_late, self.story.started_at()) {
            (false, _) => ("CANCELLED", "CANCELLED"),
            (true, None) => ("DEADLINE_EXCEEDED", "QUEUE_TIMEOUT"),
            (true, Some(_)) => ("DEADLINE_EXCEEDED", "EXECUTION_TIMEOUT"),
        };
        self.end(Failed { code, reason, message: "" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{call::Peer, clock::Deadline};

    fn watched(deadline: Deadline) -> (Arc<Observer>, Watch) {
        let (_, apps) = watch::channel(vec![("a:A".to_owned(), true)]);
        let observer = Observer::new(apps, Outlets::default(), Duration::from_secs(1));
        let (names, kind) = (["a:A".into(), "act".into()], (Protocol::Grpc, false));
        let story = Story::new(names, String::new(), Peer::Unknown, kind, Instant::now(), 5);
        let watch = observer.watch(Arc::new(story.until(deadline)));
        (observer, watch)
    }

    fn reasons(observer: &Observer) -> Vec<(&'static str, u64)> {
        let tally = observer.tally();
        let app = tally.apps.get("a:A").expect("it is an app");
        app.outcomes.iter().flat_map(|(_, row)| row).copied().collect()
    }

    #[test]
    fn a_call_is_told_once_whatever_becomes_of_it() {
        let (observer, mut watch) = watched(Deadline::Never);
        watch.served(7);
        drop(watch);
        assert_eq!(reasons(&observer), [("OK", 1)]);
        let (observer, mut watch) = watched(Deadline::Never);
        watch.failed(Failed { code: "ABORTED", reason: "WORKER_CRASHED", message: "gone" });
        drop(watch);
        assert_eq!(reasons(&observer), [("WORKER_CRASHED", 1)]);
        let recent = observer.recent();
        let failed: Vec<_> = recent.failed().after(0).map(|call| call.reason.clone()).collect();
        assert_eq!(failed, ["WORKER_CRASHED"]);
        assert_eq!(recent.slow().last(), 0);
    }

    #[test]
    fn a_caller_that_leaves_has_cancelled_unless_its_time_was_over() {
        let (observer, watch) = watched(Deadline::Never);
        drop(watch);
        assert_eq!(reasons(&observer), [("CANCELLED", 1)]);
        let over = || Deadline::after(Instant::now(), Duration::ZERO);
        let (observer, watch) = watched(over());
        drop(watch);
        assert_eq!(reasons(&observer), [("QUEUE_TIMEOUT", 1)]);
        let (observer, watch) = watched(over());
        watch.story().started(crate::call::WorkerRef { id: 1, pid: 2 }, Instant::now());
        drop(watch);
        assert_eq!(reasons(&observer), [("EXECUTION_TIMEOUT", 1)]);
    }
}
