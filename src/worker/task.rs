//! The task that owns one worker process; see the module above.

mod clock;

use std::{
    collections::BTreeMap,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use dirtyd_client::{
    frames::{FrameError, FrameReader, FrameWriter},
    proto::worker::{
        ArbiterFrame, Cancel, CancelReason, Credit, Error, ErrorKind, Failure, Request, Shutdown,
        Welcome, WorkerFrame, arbiter_frame, worker_frame::Kind,
    },
    system::Socket,
};
use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    Control, Death, Event, WorkerSpec, loading::Loading, output::LastLine, pulse::Pulse,
    running::Running,
};
use crate::{
    call::{
        self, AppFailure, Call, CallError, CallId, EndedBy, MOST_DEATHS, Reply, StreamItem,
        WorkerRef,
    },
    clock::{Alarm, Deadline},
    process::WorkerProcess,
};

/// The version of the worker protocol that this arbiter speaks.
const PROTOCOL: u32 = 1;
/// The field of `ArbiterFrame` that is a Request.
const REQUEST: u32 = 4;
/// How long a worker that closed its socket may take to exit on its own, so
/// that its exit code can be told.
const EXIT_AFTER_EOF: Duration = Duration::from_millis(100);
/// How long to read on what an ended worker wrote to stderr.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// What woke the task.
enum Wake {
    Control(Option<Control>),
    Frame(Result<Option<WorkerFrame>, FrameError>),
    Alarm,
    Written(std::io::Result<()>),
    Exited,
}

/// The owner of one worker process.
pub(super) struct Task {
    spec: WorkerSpec,
    worker: WorkerRef,
    process: WorkerProcess,
    reader: FrameReader<WorkerFrame>,
    writer: FrameWriter,
    control: mpsc::Receiver<Control>,
    events: mpsc::Sender<(u64, Event)>,
    calls: BTreeMap<CallId, Running>,
    loading: Loading,
    pulse: Pulse,
    alarm: Alarm,
    /// Never later than what is due first. It may be earlier: that costs a look,
    /// while keeping it exact would cost every call.
    due: Deadline,
    stack_dump_signal: i32,
    /// Calls whose request is not yet written in full.
    unsent: usize,
    draining: bool,
    /// When a worker that shall exit is killed.
    exit_by: Option<Instant>,
    /// When a worker is killed whose load takes too long.
    overdue_ends: Option<Instant>,
    /// Its socket has ended.
    closed: bool,
    /// Why the arbiter killed it.
    killed: Option<String>,
    /// What reads its stderr, and the last line that came.
    stderr: Option<JoinHandle<()>>,
    last_words: LastLine,
}

impl Task {
    pub(super) fn new(
        spec: WorkerSpec,
        worker: WorkerRef,
        process: WorkerProcess,
        socket: Socket,
        control: mpsc::Receiver<Control>,
        events: mpsc::Sender<(u64, Event)>,
    ) -> Self {
        let now = Instant::now();
        let (read, write) = socket.into_split();
        let due = Deadline::after(now, spec.pool.boot_timeout.min(spec.pool.heartbeat));
        Self {
            reader: FrameReader::new(read, spec.max_message_size),
            writer: FrameWriter::new(write),
            loading: Loading::new(spec.pool.boot_timeout, now)
                .after_hook(spec.pool.worker_init.clone()),
            pulse: Pulse::new(spec.pool.heartbeat, spec.pool.kill_grace, now),
            alarm: Alarm::new(),
            due,
            calls: BTreeMap::new(),
            stack_dump_signal: 0,
            unsent: 0,
            draining: false,
            exit_by: None,
            overdue_ends: None,
            closed: false,
            killed: None,
            stderr: None,
            last_words: LastLine::default(),
            spec,
            worker,
            process,
            control,
            events,
        }
    }

    /// Also tells the worker's last words when it dies.
    pub(super) fn with_stderr(mut self, task: Option<JoinHandle<()>>, last: LastLine) -> Self {
        (self.stderr, self.last_words) = (task, last);
        self
    }

    /// Serves until the process has ended, then tells the pool.
    pub(super) async fn run(mut self) {
        loop {
            self.send_now();
            // Here, because the list of its apps may be empty or come late.
            if self.loading.boots_now() {
                self.report(Event::Booted).await;
            }
            self.alarm.set(self.due);
            // The exit ranks first, because everything else is pointless after
            // it; then what is asked of the worker, so that a cancel overtakes
            // a flood of chunks; then time, so that no flood stops the clock.
            let wake = tokio::select! { biased;
                () = self.process.exited() => Wake::Exited,
                control = self.control.recv() => Wake::Control(control),
                () = self.alarm.rings() => Wake::Alarm,
                done = self.writer.flush(), if self.writer.is_pending() && !self.closed =>
                    Wake::Written(done),
                frame = self.reader.next(), if !self.closed => Wake::Frame(frame),
            };
            match wake {
                Wake::Control(Some(control)) => self.on_control(control),
                // The pool is gone: the arbiter itself ends without a drain.
                Wake::Control(None) => return,
                Wake::Frame(Ok(Some(frame))) => self.on_frame(frame).await,
                Wake::Frame(Ok(None)) => self.on_closed(),
                Wake::Frame(Err(FrameError::Io(_))) => self.on_closed(),
                Wake::Frame(Err(fault)) => self.kill(fault.to_string()),
                Wake::Written(Ok(())) => {}
                Wake::Written(Err(_)) => self.on_closed(),
                Wake::Alarm => self.on_alarm().await,
                Wake::Exited => return self.bury().await,
            }
        }
    }

    fn on_control(&mut self, control: Control) {
        match control {
            Control::Import(apps) => self.loading.import(apps),
            Control::Load(apps) => self.loading.init(apps),
            Control::Start(call) => self.start(call),
            Control::Cancel(id) => self.cancel(id),
            Control::Credit(id, credit) => self.on_credit(id, credit),
            Control::Drain => self.drain(),
            Control::Kill(why) => self.kill(why),
        }
    }

    fn start(&mut self, call: Call) {
        let now = Instant::now();
        let (answer_by, pool) = (call.answer_deadline(), &self.spec.pool);
        let Call { id, mut request, timeout, reply, deaths } = call;
        let is_stream = matches!(reply, Reply::Stream(_));
        let left = match answer_by {
            Deadline::Never => timeout,
            by => by.left(now),
        };
        let window = self.spec.window;
        let credit =
            is_stream.then_some(Credit { call_id: 0, chunks: window.chunks, bytes: window.bytes });
        let head = Request {
            call_id: id.0,
            stream: is_stream,
            timeout_micros: left.as_micros() as u64,
            credit,
            request_id: std::mem::take(&mut request.request_id),
            metadata: std::mem::take(&mut request.metadata),
            ..Request::default()
        };
        let sent_from = self.writer.queued();
        let sent_at = self.writer.push_payload(REQUEST, &head, request.payload.clone());
        (request.request_id, request.metadata) = (head.request_id, head.metadata);
        let mut call = Running::new(
            request,
            timeout,
            reply,
            answer_by.instant(),
            window,
            pool.kill_grace,
            now,
        );
        (call.sent_from, call.sent_at, call.deaths) = (sent_from, sent_at, deaths);
        self.arm(call.due());
        self.calls.insert(id, call);
        self.unsent += 1;
    }

    /// The caller left: nobody is to be answered, the work is asked to end.
    fn cancel(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        drop(call.take_reply(Instant::now()));
        let due = call.due();
        self.arm(due);
        self.push_cancel(id, CancelReason::CallerGone);
    }

    fn drain(&mut self) {
        if !std::mem::replace(&mut self.draining, true) {
            self.push(arbiter_frame::Kind::Shutdown(Shutdown {}));
            self.expect_exit();
        }
    }

    /// A draining worker without calls has a bounded time to close and exit.
    fn expect_exit(&mut self) {
        if self.draining && self.calls.is_empty() && self.exit_by.is_none() {
            self.exit_by = Some(Instant::now() + self.spec.graceful_timeout);
            self.arm(self.exit_by);
        }
    }

    fn kill(&mut self, why: String) {
        if self.killed.is_none() {
            tracing::warn!(
                worker = self.worker.id,
                pid = self.worker.pid,
                pool = self.spec.pool.name,
                "killing {}: {why}",
                self.worker
            );
            self.killed = Some(why);
        }
        // Nothing is sent to it any more, so that calls which still come start
        // elsewhere; nor read before its end, because a frame that is a fault
        // would be found again and again, without a wait.
        self.closed = true;
        self.process.kill_group();
    }

    fn on_closed(&mut self) {
        self.closed = true;
        let patience = if self.draining { self.spec.graceful_timeout } else { EXIT_AFTER_EOF };
        let by = Instant::now() + patience;
        self.exit_by = Some(self.exit_by.map_or(by, |exit| exit.min(by)));
        self.arm(self.exit_by);
    }

    fn on_credit(&mut self, id: CallId, credit: call::Credit) {
        let call::Credit { chunks, bytes } = credit;
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.is_awaited()) else { return };
        call.on_credit(chunks, bytes, Instant::now());
        let due = call.due();
        self.arm(due);
        self.push(arbiter_frame::Kind::Credit(Credit { call_id: id.0, chunks, bytes }));
    }

    // ---- frames of the worker

    async fn on_frame(&mut self, frame: WorkerFrame) {
        let now = Instant::now();
        self.pulse.heard(now);
        match frame.kind {
            Some(Kind::Response(response)) => {
                self.finish(CallId(response.call_id), Ok(Some(response.payload))).await;
            }
            Some(Kind::Chunk(chunk)) => {
                if self.on_chunk(CallId(chunk.call_id), chunk.payload, now) {
                    // A burst may follow at once: the first chunk goes ahead of it.
                    tokio::task::yield_now().await;
                }
            }
            Some(Kind::End(end)) => self.finish(CallId(end.call_id), Ok(None)).await,
            Some(Kind::Error(error)) => {
                let id = CallId(error.call_id);
                self.finish(id, Err(call_error(error))).await;
            }
            Some(Kind::Pong(_)) => {}
            Some(Kind::Hello(hello)) => self.on_hello(&hello),
            Some(Kind::AppImported(app)) => {
                self.on_app(&app.app, Ok(app.workers)).await;
            }
            Some(Kind::AppReady(app)) => self.on_app(&app.app, Ok(None)).await,
            Some(Kind::AppFailed(app)) => {
                let failure = app_failure(app.failure.unwrap_or_default());
                self.on_app(&app.app, Err(failure)).await;
            }
            None => self.kill("it sent a frame of an unknown kind".to_owned()),
        }
    }

    fn on_hello(&mut self, hello: &dirtyd_client::proto::worker::Hello) {
        if self.loading.is_greeted() || hello.protocol_version != PROTOCOL {
            let version = hello.protocol_version;
            return self.kill(format!(
                "it said hello with protocol version {version}, this arbiter speaks {PROTOCOL}"
            ));
        }
        tracing::debug!(worker = self.worker.id, pid = self.worker.pid, "runs {}", hello.runtime);
        self.stack_dump_signal = hello.stack_dump_signal;
        self.loading.greeted();
        let pool = &self.spec.pool;
        self.push(arbiter_frame::Kind::Welcome(Welcome {
            protocol_version: PROTOCOL,
            worker_id: self.worker.id,
            threads: pool.threads.get(),
            max_message_size: self.spec.max_message_size as u64,
            worker_init_hook: pool.worker_init.clone().unwrap_or_default(),
            pool: pool.name.clone(),
            busy_wait_micros: self.spec.busy_wait.as_micros() as u32,
            capabilities: Vec::new(),
        }));
    }

    /// An answer to ImportApp or InitApp.
    async fn on_app(&mut self, app: &str, result: Result<Option<u32>, AppFailure>) {
        let Some(is_import) = self.loading.answered(app) else {
            return self.kill(format!("it answered for app `{app}`, which it was not asked for"));
        };
        let event = match is_import {
            true => Event::Imported(app.to_owned(), result),
            false => Event::Loaded(app.to_owned(), result.map(drop)),
        };
        self.report(event).await;
    }

    /// Passes a chunk on; gives whether it is the first of its stream.
    fn on_chunk(&mut self, id: CallId, payload: bytes::Bytes, now: Instant) -> bool {
        let Some(call) = self.calls.get_mut(&id) else {
            self.count_late();
            return false;
        };
        let first = call.is_unbegun();
        let within_credit = call.on_chunk(payload.len(), now);
        let due = call.due();
        let passed_on = match call.sink() {
            Some(sink) => within_credit && sink.send(StreamItem::Chunk(payload)),
            None => {
                self.count_late();
                return false;
            }
        };
        if passed_on {
            self.arm(due);
        } else {
            self.kill(format!("it overran the credit of call {id}"));
        }
        first
    }

    /// A call's last frame: `Ok(None)` is the end of a stream.
    async fn finish(&mut self, id: CallId, outcome: Result<Option<bytes::Bytes>, CallError>) {
        let Some(mut call) = self.calls.remove(&id) else { return self.count_late() };
        if call.sent_at > self.writer.written() {
            self.unsent = self.unsent.saturating_sub(1);
        }
        self.expect_exit();
        let mut served = false;
        match (call.take_reply(Instant::now()), outcome) {
            (None, _) => self.count_late(),
            (Some(reply), Err(error)) => reply.fail(error, Some(self.worker)),
            (Some(Reply::Unary(sender)), Ok(Some(payload))) => {
                // The pool first: what waits for this worker is on its way to it
                // before the answer takes its longer way to the caller.
                self.report(Event::Finished(id, !sender.is_closed())).await;
                let _ = sender.send(Ok(payload));
                return;
            }
            (Some(Reply::Stream(sink)), Ok(payload)) => {
                served = payload.is_none_or(|chunk| sink.send(StreamItem::Chunk(chunk)));
                if served {
                    sink.last(StreamItem::End);
                } else {
                    let why = format!("it overran the credit of call {id}");
                    self.fault(Reply::Stream(sink), why);
                }
            }
            (Some(reply @ Reply::Unary(_)), Ok(None)) => {
                self.fault(reply, format!("it ended call {id} with End, which asks for a result"));
            }
        }
        self.report(Event::Finished(id, served)).await;
    }

    /// The worker broke the protocol in a call: both end.
    fn fault(&mut self, reply: Reply, why: String) {
        let ended = EndedBy::Killed(why.clone());
        reply.fail(CallError::WorkerCrashed { worker: self.worker, ended }, Some(self.worker));
        self.kill(why);
    }

    fn count_late(&self) {
        self.spec.late_frames.fetch_add(1, Ordering::Relaxed);
    }

    // ---- the way out

    fn push(&mut self, kind: arbiter_frame::Kind) {
        self.writer.push(&ArbiterFrame { kind: Some(kind) });
    }

    fn push_cancel(&mut self, id: CallId, reason: CancelReason) {
        let cancel = Cancel { call_id: id.0, reason: reason.into() };
        self.push(arbiter_frame::Kind::Cancel(cancel));
    }

    /// Sends what is queued as far as the socket takes it.
    fn send_now(&mut self) {
        while let Some(kind) = self.loading.next(Instant::now()) {
            self.push(kind);
            let due = self.loading.due();
            self.arm(due);
        }
        if self.writer.is_pending() && !self.closed && self.writer.write_now().is_err() {
            self.on_closed();
        }
        if self.unsent > 0 && !self.writer.is_pending() {
            self.unsent = 0;
            for call in self.calls.values_mut() {
                call.request.payload = bytes::Bytes::new();
            }
        }
    }

    async fn report(&mut self, event: Event) {
        // The pool ends last; if it is gone, so is the arbiter.
        let _ = self.events.send((self.worker.id, event)).await;
    }

    /// The process has ended: reads what it still said, answers what it had
    /// started, gives back what it had not.
    async fn bury(mut self) {
        while let Some(Ok(Some(frame))) = now_or_never(self.reader.next()).await {
            self.on_frame(frame).await;
        }
        let loading = self.loading.current_app().map(str::to_owned);
        let ended = match (self.process.reap(), self.killed) {
            (_, Some(why)) => EndedBy::Killed(why),
            (Ok(code), None) => EndedBy::Exit(code),
            (Err(signal), None) => EndedBy::Signal(signal),
        };
        let (mut lost, mut unstarted) = (Vec::new(), Vec::new());
        for (id, mut call) in self.calls {
            let Some(reply) = call.take_reply(Instant::now()) else {
                lost.push(id);
                continue;
            };
            let written = self.writer.written();
            let deaths = call.deaths + u32::from(call.sent_from < written);
            if call.sent_at > written && deaths < MOST_DEATHS {
                let (request, timeout) = (call.request, call.timeout);
                unstarted.push(Call { id, request, timeout, reply, deaths });
                continue;
            }
            if call.sent_at > written {
                tracing::warn!(
                    worker = self.worker.id,
                    pid = self.worker.pid,
                    "{deaths} workers died while call {id} to app `{}` was being sent to them, the last was {}; it is sent to no other",
                    call.request.app,
                    self.worker
                );
            }
            let crashed = CallError::WorkerCrashed { worker: self.worker, ended: ended.clone() };
            reply.fail(crashed, Some(self.worker));
            lost.push(id);
        }
        self.control.close();
        while let Ok(control) = self.control.try_recv() {
            if let Control::Start(call) = control {
                unstarted.push(call);
            }
        }
        // What it forked may hold the pipe open: its last words are worth a moment.
        if let Some(stderr) = self.stderr {
            let _ = tokio::time::timeout(LAST_WORDS, stderr).await;
        }
        let last_words = self.last_words.get();
        let death = Death { ended, loading, last_words, unstarted, lost };
        let _ = self.events.send((self.worker.id, Event::Died(death))).await;
    }
}

/// Polls once; `None` if the future is not ready. Unconstrained, because a spent
/// cooperative budget must not look like an empty socket.
async fn now_or_never<F: Future>(future: F) -> Option<F::Output> {
    tokio::select! { biased;
        output = tokio::task::unconstrained(future) => Some(output),
        () = std::future::ready(()) => None,
    }
}

fn app_failure(failure: Failure) -> AppFailure {
    AppFailure {
        exception_type: failure.exception_type,
        message: failure.message,
        traceback: failure.traceback,
        code: failure.code,
        metadata: failure.metadata.into_iter().collect(),
    }
}

fn call_error(error: Error) -> CallError {
    let kind = error.kind();
    let failure = app_failure(error.failure.unwrap_or_default());
    let message = failure.message.clone();
    match kind {
        ErrorKind::ActionNotFound => CallError::ActionNotFound { message },
        ErrorKind::ActionStreams => CallError::ActionStreams,
        ErrorKind::ResultNotSerializable => CallError::NotSerializable { message },
        ErrorKind::InvalidRequest => CallError::InvalidRequest { message },
        ErrorKind::MessageTooLarge => CallError::MessageTooLarge { message },
        ErrorKind::Cancelled => CallError::Cancelled,
        ErrorKind::App | ErrorKind::Unspecified => CallError::App(Box::new(failure)),
    }
}
