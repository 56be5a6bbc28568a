//! What became of a call so far, as its edge and its worker's task know it.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use super::{CallId, Peer, WorkerRef};

/// How a call came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// gRPC over HTTP/2, or its framing over HTTP/1.1.
    Grpc,
    /// gRPC-Web.
    GrpcWeb,
    /// Connect.
    Connect,
    /// Plain HTTP with JSON.
    Http,
}

impl Protocol {
    /// Its name in labels and lines: that of OpenTelemetry's `rpc.system.name` where it has
    /// one.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::GrpcWeb => "grpc_web",
            Self::Connect => "connectrpc",
            Self::Http => "http",
        }
    }
}

/// The names of a call.
#[derive(Debug, Clone, Default)]
pub struct CallFacts {
    /// The app.
    pub app: String,
    /// The action.
    pub action: String,
    /// The caller's request id; empty if it gave none.
    pub request_id: String,
    /// The number of the call, which stands for a request id.
    pub call: Option<CallId>,
}

/// One call: who asked for what, and how far it has come. Its edge tells the end of it; its
/// worker's task, on the way, what the edge cannot see.
#[derive(Debug)]
pub struct Story {
    app: Arc<str>,
    action: Arc<str>,
    request_id: String,
    /// Who calls.
    pub peer: Peer,
    /// How it came.
    pub protocol: Protocol,
    /// Whether it is an ExecuteStream.
    pub stream: bool,
    /// When it arrived.
    pub arrived: Instant,
    /// The bytes of its request.
    pub bytes_in: u64,
    /// Its number; 0 before it has one.
    id: AtomicU64,
    /// Nanoseconds from its arrival, and 1; 0 for not yet.
    started: AtomicU64,
    first_chunk: AtomicU64,
    worker_id: AtomicU64,
    worker_pid: AtomicI32,
    /// There for a call that is traced.
    trail: Option<Box<Mutex<Trail>>>,
}

/// A step that was done to the work of a call, and when.
pub type WorkStep = (&'static str, Instant);

/// What a trace tells of a call beside its outcome: what was done to its work, also after
/// its caller had an answer.
#[derive(Default)]
struct Trail {
    steps: Vec<WorkStep>,
    work_ended: Option<Instant>,
    then: Option<Then>,
}

type Then = Box<dyn FnOnce(Vec<WorkStep>, Option<Instant>) + Send>;

impl fmt::Debug for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { steps, work_ended, .. } = self;
        f.debug_struct("Trail").field("steps", steps).field("work_ended", work_ended).finish()
    }
}

impl Story {
    /// A call that has just arrived.
    pub fn new(
        [app, action]: [Arc<str>; 2],
        request_id: String,
        peer: Peer,
        (protocol, stream): (Protocol, bool),
        arrived: Instant,
        bytes_in: u64,
    ) -> Self {
        Self {
            app,
            action,
            request_id,
            peer,
            protocol,
            stream,
            arrived,
            bytes_in,
            id: AtomicU64::new(0),
            started: AtomicU64::new(0),
            first_chunk: AtomicU64::new(0),
            worker_id: AtomicU64::new(0),
            worker_pid: AtomicI32::new(0),
            trail: None,
        }
    }

    /// The same call, of which a trace will tell.
    #[must_use]
    pub fn traced(mut self) -> Self {
        self.trail = Some(Box::default());
        self
    }

    /// Something was done to its work.
    pub fn step(&self, name: &'static str, now: Instant) {
        self.with_trail(|trail| trail.steps.push((name, now)));
    }

    /// Its work has ended.
    pub fn work_ended(&self, now: Instant) {
        self.with_trail(|trail| trail.work_ended = Some(now));
    }

    /// Does something once nobody has the story any more, with the steps and the end of the
    /// work. Only for a call that is traced.
    pub fn when_over(&self, then: impl FnOnce(Vec<WorkStep>, Option<Instant>) + Send + 'static) {
        self.with_trail(|trail| trail.then = Some(Box::new(then)));
    }

    fn with_trail(&self, change: impl FnOnce(&mut Trail)) {
        if let Some(trail) = &self.trail {
            change(&mut trail.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// It has a number now.
    pub fn numbered(&self, id: CallId) {
        self.id.store(id.0, Relaxed);
    }

    /// It got to a worker.
    pub fn started(&self, worker: WorkerRef, now: Instant) {
        self.worker_id.store(worker.id, Relaxed);
        self.worker_pid.store(worker.pid, Relaxed);
        self.started.store(self.since_arrival(now), Relaxed);
    }

    /// It did not start there, and waits again.
    pub fn waits_again(&self) {
        self.started.store(0, Relaxed);
        self.with_trail(|trail| trail.work_ended = None);
    }

    /// Its first chunk came.
    pub fn begun(&self, now: Instant) {
        self.first_chunk.store(self.since_arrival(now), Relaxed);
    }

    fn since_arrival(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.arrived).as_nanos() as u64 + 1
    }

    fn after(noted: &AtomicU64) -> Option<Duration> {
        noted.load(Relaxed).checked_sub(1).map(Duration::from_nanos)
    }

    /// The app, as the caller named it.
    pub fn app(&self) -> &str {
        &self.app
    }

    /// The action, as the caller named it.
    pub fn action(&self) -> &str {
        &self.action
    }

    /// The caller's own request id; empty if it gave none.
    pub fn own_request_id(&self) -> &str {
        &self.request_id
    }

    /// Its number, once it has one.
    pub fn id(&self) -> Option<CallId> {
        Some(self.id.load(Relaxed)).filter(|id| *id > 0).map(CallId)
    }

    /// When it got to its worker, if it did.
    pub fn started_at(&self) -> Option<Instant> {
        self.started_after().map(|after| self.arrived + after)
    }

    /// How long it waited for that.
    pub fn started_after(&self) -> Option<Duration> {
        Self::after(&self.started)
    }

    /// When its first chunk came, if one did.
    pub fn begun_at(&self) -> Option<Instant> {
        self.begun_after().map(|after| self.arrived + after)
    }

    /// How long its caller waited for that.
    pub fn begun_after(&self) -> Option<Duration> {
        Self::after(&self.first_chunk)
    }

    /// The worker that has it, or had it last.
    pub fn worker(&self) -> Option<WorkerRef> {
        self.started_at()?;
        Some(WorkerRef { id: self.worker_id.load(Relaxed), pid: self.worker_pid.load(Relaxed) })
    }

    /// Its names, for an error.
    pub fn facts(&self) -> CallFacts {
        CallFacts {
            app: self.app.to_string(),
            action: self.action.to_string(),
            request_id: self.request_id.clone(),
            call: self.id(),
        }
    }
}

/// The last one who had the story is done with it.
impl Drop for Story {
    fn drop(&mut self) {
        let Some(trail) = self.trail.take() else { return };
        let trail = trail.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(then) = trail.then {
            then(trail.steps, trail.work_ended);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(arrived: Instant, stream: bool) -> Story {
        let kind = (Protocol::Grpc, stream);
        Story::new(["a:A".into(), "act".into()], String::new(), Peer::Unknown, kind, arrived, 7)
    }

    #[test]
    fn a_call_that_waits_again_has_no_worker() {
        let arrived = Instant::now();
        let story = new(arrived, true);
        assert_eq!((story.id(), story.worker(), story.started_at()), (None, None, None));
        let (worker, later) = (WorkerRef { id: 3, pid: 4 }, arrived + Duration::from_millis(2));
        story.numbered(CallId(9));
        story.started(worker, later);
        assert_eq!((story.id(), story.worker()), (Some(CallId(9)), Some(worker)));
        assert_eq!(story.started_at(), Some(later));
        story.waits_again();
        assert_eq!((story.worker(), story.started_at()), (None, None));
        story.started(worker, arrived);
        story.begun(arrived);
        assert_eq!((story.started_at(), story.begun_at()), (Some(arrived), Some(arrived)));
    }

    #[test]
    fn what_is_done_to_the_work_is_told_once_nobody_has_the_call() {
        use std::sync::mpsc;
        let arrived = Instant::now();
        let (tell, told) = mpsc::channel();
        let story = Arc::new(new(arrived, false).traced());
        let of_worker = Arc::clone(&story);
        of_worker.step("raise", arrived);
        story.when_over(move |steps, ended| drop(tell.send((steps, ended))));
        drop(story);
        assert!(told.try_recv().is_err(), "its work goes on");
        let later = arrived + Duration::from_secs(1);
        of_worker.step("kill", later);
        of_worker.work_ended(later);
        drop(of_worker);
        assert_eq!(told.try_recv(), Ok((vec![("raise", arrived), ("kill", later)], Some(later))));
        let untraced = new(arrived, false);
        untraced.when_over(|_, _| panic!("nobody traces it"));
    }
}
