//! The life of a worker: one task that owns the socket and the table of calls.
//!
//! ```text
//!   serving --Shutdown, SIGTERM--> stopping --last call ended--> closed --> exit 0
//!      \________ end of file: calls are cancelled, close() has LINGER ____/
//!       \_______ malformed frame: the same, and exit 1
//! ```
//!
//! Calls and inits run on threads of their own; all that they do comes back as
//! [`Said`] through one channel.

use std::{
    collections::HashMap,
    io,
    os::unix::net::UnixStream,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{
    runtime::Handle,
    signal::unix::{SignalKind, signal},
    sync::{mpsc, watch},
    task::spawn_blocking,
    time::timeout,
};

use super::{
    AppError, Apps, CancelReason, Worker,
    action::Run,
    credit::Credit,
    metrics, panics,
    protocol::{Agreement, hello},
    report::Reporter,
    said::{Outcome, Said},
    stacks,
};
use crate::{
    busy_wait::BusyWait,
    frames::{FrameError, FrameReader, FrameWriter},
    proto::worker::{
        AppFailed, AppImported, AppReady, ArbiterFrame, Chunk, End, Error, Pong, Request, Response,
        Welcome, WorkerFrame, arbiter_frame::Kind, worker_frame,
    },
    system::Socket,
};

/// The fields of `WorkerFrame` that carry payloads.
const RESPONSE: u32 = 5;
const CHUNK: u32 = 6;
/// The limit on messages until Welcome names the real one.
const FIRST_LIMIT: usize = 64 * 1024;
/// How long a worker without an arbiter may take to clean up.
const LINGER: Duration = Duration::from_secs(2);
/// Words on their way to the socket; a call waits when it is full.
const BACKLOG: usize = 64;

/// Serves the apps over the socket.
///
/// # Errors
/// The arbiter broke the protocol, or the socket cannot be used.
pub async fn run(apps: Apps, socket: UnixStream, busy_wait: BusyWait) -> io::Result<()> {
    let mut task = Task::new(apps, Socket::new(socket)?, busy_wait);
    match task.serve().await {
        Ok(()) => {
            task.close().await;
            // An arbiter that is gone by now misses nothing.
            drop(task.flush().await);
            Ok(())
        }
        Err(fault) => {
            // A hang in an action or in close() cannot keep the process.
            let _ = timeout(LINGER, task.abandon()).await;
            match fault {
                Fault::ArbiterGone => Ok(()),
                Fault::Broken(why) => Err(io::Error::other(format!("the arbiter's fault: {why}"))),
            }
        }
    }
}

/// Why the socket is of no more use.
enum Fault {
    ArbiterGone,
    Broken(String),
}

impl From<io::Error> for Fault {
    fn from(_: io::Error) -> Self {
        Self::ArbiterGone
    }
}

impl From<FrameError> for Fault {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Io(_) => Self::ArbiterGone,
            error => Self::Broken(error.to_string()),
        }
    }
}

/// A call that runs.
struct Running {
    since: Instant,
    cancel: watch::Sender<Option<CancelReason>>,
    credit: Option<Arc<Credit>>,
}

struct Task {
    apps: Arc<Apps>,
    reader: FrameReader<ArbiterFrame>,
    writer: FrameWriter,
    busy_wait: BusyWait,
    agreed: Arc<Agreement>,
    calls: HashMap<u64, Running>,
    reporter: Reporter,
    max_message_size: usize,
    stopping: bool,
    said: mpsc::Receiver<Said>,
    sender: mpsc::Sender<Said>,
}

impl Task {
    fn new(apps: Apps, socket: Socket, busy_wait: BusyWait) -> Self {
        let (read, write) = socket.into_split();
        let (sender, said) = mpsc::channel(BACKLOG);
        Self {
            apps: Arc::new(apps),
            reader: FrameReader::new(read, FIRST_LIMIT),
            writer: FrameWriter::new(write),
            busy_wait,
            agreed: Arc::new(Agreement::lowest()),
            calls: HashMap::new(),
            reporter: Reporter::default(),
            max_message_size: FIRST_LIMIT,
            stopping: false,
            said,
            sender,
        }
    }

    /// Serves until there is nothing more to do.
    async fn serve(&mut self) -> Result<(), Fault> {
        let mut terminate = signal(SignalKind::terminate())?;
        self.push(worker_frame::Kind::Hello(hello()));
        loop {
            self.writer.write_now()?;
            let idle = self.calls.is_empty() && !self.writer.is_pending();
            if self.stopping && idle {
                return Ok(());
            }
            // What the arbiter asks ranks first, so that a cancel overtakes a
            // flood of chunks.
            tokio::select! { biased;
                frame = self.reader.next() => match frame? {
                    Some(frame) => self.on_frame(frame)?,
                    None => return Err(Fault::ArbiterGone),
                },
                _ = terminate.recv() => self.stopping = true,
                done = self.writer.flush(), if self.writer.is_pending() => done?,
                Some(said) = self.said.recv() => self.on_said(said),
                () = self.reporter.due() => drop(self.report()),
            }
        }
    }

    /// Ends without an arbiter: what runs is cancelled, then closed.
    async fn abandon(&mut self) {
        for call in self.calls.values() {
            call.cancel.send_replace(Some(CancelReason::Timeout));
        }
        while !self.calls.is_empty() {
            if let Some(Said::Ended(id, _)) = self.said.recv().await {
                self.calls.remove(&id);
            }
        }
        self.close().await;
    }

    async fn close(&self) {
        let (apps, handle) = (Arc::clone(&self.apps), Handle::current());
        let closing = spawn_blocking(move || panics::caught(|| handle.block_on(apps.close())));
        // A panic was printed where it happened; the exit goes on.
        drop(closing.await);
    }

    /// Sends what the metrics have gained; returns false if there is nothing.
    fn report(&mut self) -> bool {
        let gained = self.reporter.take();
        let has_gained = gained.is_some();
        if let Some(metrics) = gained {
            self.push(worker_frame::Kind::Metrics(metrics));
        }
        has_gained
    }

    /// Sends all that the metrics have gained, before the exit.
    async fn flush(&mut self) -> io::Result<()> {
        // Each frame has at least one series. What other threads count meanwhile must not keep the
        // worker.
        for _ in 0..metrics::MAX_SERIES {
            if !self.report() {
                break;
            }
            while self.writer.is_pending() {
                self.writer.flush().await?;
            }
        }
        Ok(())
    }

    fn tell_stacks(&mut self, nonce: u64) {
        if self.agreed.has_stacks() {
            let now = Instant::now();
            let calls = self.calls.iter().map(|(id, call)| (*id, now - call.since));
            let answer = stacks::answer(nonce, calls, self.max_message_size);
            self.writer.push(&answer);
        }
    }

    fn on_frame(&mut self, frame: ArbiterFrame) -> Result<(), Fault> {
        match frame.kind {
            Some(Kind::Welcome(welcome)) => return self.on_welcome(welcome),
            Some(Kind::ImportApp(import)) => self.import(import.app),
            Some(Kind::InitApp(init)) => {
                let (apps, app) = (Arc::clone(&self.apps), init.app.clone());
                self.spawn(async move { apps.load(&app).await }, |done| {
                    Said::Loaded(init.app, done.flatten())
                });
            }
            Some(Kind::Request(request)) => self.start(request),
            // A call that is not there has ended; its last frame is under way.
            Some(Kind::Cancel(cancel)) => {
                if let Some(call) = self.calls.get(&cancel.call_id) {
                    call.cancel.send_replace(Some(CancelReason::of(cancel.reason())));
                }
            }
            Some(Kind::Credit(more)) => {
                let call = self.calls.get(&more.call_id);
                if let Some(credit) = call.and_then(|call| call.credit.as_ref()) {
                    credit.add(more);
                }
            }
            Some(Kind::Ping(ping)) => {
                self.push(worker_frame::Kind::Pong(Pong { nonce: ping.nonce }));
            }
            Some(Kind::Shutdown(_)) => self.stopping = true,
            Some(Kind::GetStacks(asked)) => self.tell_stacks(asked.nonce),
            None => return Err(Fault::Broken("it sent a frame of an unknown kind".to_owned())),
        }
        Ok(())
    }

    fn on_welcome(&mut self, welcome: Welcome) -> Result<(), Fault> {
        self.agreed = Arc::new(Agreement::of(&welcome).map_err(Fault::Broken)?);
        self.max_message_size = usize::try_from(welcome.max_message_size).unwrap_or(usize::MAX);
        self.reader.set_limit(self.max_message_size);
        if self.agreed.has_metrics() {
            self.reporter.start();
        }
        self.busy_wait.look_for(Duration::from_micros(welcome.busy_wait_micros.into()));
        if !welcome.worker_init_hook.is_empty() {
            let worker = Worker {
                id: welcome.worker_id,
                pid: std::process::id(),
                pool: welcome.pool,
                threads: welcome.threads,
            };
            // A failure was printed where it happened; the apps load all the same.
            drop(panics::caught(|| self.apps.run_hook(&welcome.worker_init_hook, &worker)));
        }
        Ok(())
    }

    fn import(&mut self, app: String) {
        self.push(match self.apps.workers(&app) {
            Ok(workers) => worker_frame::Kind::AppImported(AppImported { app, workers }),
            Err(error) => app_failed(app, error),
        });
    }

    fn start(&mut self, request: Request) {
        let id = request.call_id;
        let (cancel, cancelled) = watch::channel(None);
        let arrived = Instant::now();
        let credit =
            request.stream.then(|| Arc::new(Credit::new(request.credit.unwrap_or_default())));
        let run = Run {
            request,
            agreed: Arc::clone(&self.agreed),
            arrived,
            apps: Arc::clone(&self.apps),
            cancel: cancelled,
            credit: credit.clone(),
            max_message_size: self.max_message_size,
            said: self.sender.clone(),
        };
        self.calls.insert(id, Running { since: arrived, cancel, credit });
        self.spawn(run.run(), move |ended| Said::Ended(id, ended.flatten()));
    }

    /// Runs a future on a thread where it may block; a panic is an error.
    fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
        say: impl FnOnce(Result<T, AppError>) -> Said + Send + 'static,
    ) {
        let (handle, sender) = (Handle::current(), self.sender.clone());
        spawn_blocking(move || {
            let said = say(panics::caught(|| handle.block_on(future)));
            // This task ends last; without it there is nobody to tell.
            drop(sender.blocking_send(said));
        });
    }

    fn on_said(&mut self, said: Said) {
        let (id, ended) = match said {
            Said::Chunk(call_id, payload) => {
                let head = Chunk { call_id, payload: Bytes::new() };
                self.writer.push_payload(CHUNK, &head, payload);
                return;
            }
            Said::Loaded(app, Ok(())) => {
                return self.push(worker_frame::Kind::AppReady(AppReady { app }));
            }
            Said::Loaded(app, Err(error)) => return self.push(app_failed(app, error)),
            Said::Ended(id, ended) => (id, ended),
        };
        self.calls.remove(&id);
        match ended {
            Ok(Outcome::Response(payload)) => {
                let head = Response { call_id: id, payload: Bytes::new() };
                self.writer.push_payload(RESPONSE, &head, payload);
            }
            Ok(Outcome::End) => self.push(worker_frame::Kind::End(End { call_id: id })),
            Err(AppError { kind, failure }) => self.push(worker_frame::Kind::Error(Error {
                call_id: id,
                kind: kind.into(),
                failure: Some(*failure),
            })),
        }
    }

    fn push(&mut self, kind: worker_frame::Kind) {
        self.writer.push(&WorkerFrame { kind: Some(kind) });
    }
}

fn app_failed(app: String, error: AppError) -> worker_frame::Kind {
    worker_frame::Kind::AppFailed(AppFailed {
        app,
        failure: Some(*error.failure),
        needs_new_process: false,
    })
}
