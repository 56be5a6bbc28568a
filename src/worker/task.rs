//! The task around the machine: it waits for whatever comes next, asks the
//! [`Machine`], and carries out what that decides.

use std::time::Instant;

use tokio::sync::mpsc;

use super::{
    Control, Report,
    machine::{Action, Event, Level, Machine},
    outbox::Outbox,
    output::LastWords,
};
use crate::{
    call::{EndedBy, WorkerRef},
    clock::Alarm,
    frames::{FrameError, FrameReader, FrameWriter},
    process::{Socket, WorkerProcess},
    proto::worker::WorkerFrame,
};

/// The number of frames after which a worker lets the other tasks run: what lies
/// in the read buffer comes without a wait.
const FRAMES_PER_TURN: u32 = 64;

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
    machine: Machine,
    reader: FrameReader<WorkerFrame>,
    outbox: Outbox,
    control: mpsc::Receiver<Control>,
    reports: mpsc::Sender<(u64, Report)>,
    alarm: Alarm,
    /// Empty between events; kept for its memory.
    actions: Vec<Action>,
    /// The number of frames that came.
    frames: u32,
    last_words: LastWords,
}

impl Task {
    /// A task that has done nothing yet.
    pub(super) fn new(
        machine: Machine,
        socket: Socket,
        control: mpsc::Receiver<Control>,
        reports: mpsc::Sender<(u64, Report)>,
        last_words: LastWords,
    ) -> Self {
        let (read, write) = socket.into_split();
        let reader = FrameReader::new(read, machine.spec().max_message_size);
        let outbox = Outbox::new(FrameWriter::new(write));
        let (alarm, actions) = (Alarm::new(), Vec::new());
        Self { machine, reader, outbox, control, reports, alarm, actions, frames: 0, last_words }
    }

    /// Serves until the process has ended, then buries it.
    pub(super) async fn run(mut self, process: WorkerProcess) {
        loop {
            self.write_now(&process).await;
            self.alarm.set(self.machine.due());
            let open = self.machine.reads();
            // The exit ranks first, because everything else is pointless after
            // it; then what is asked of the worker, so that a cancel overtakes
            // a flood of chunks; then time, so that no flood stops the clock.
            let wake = tokio::select! { biased;
                () = process.exited() => Wake::Exited,
                control = self.control.recv() => Wake::Control(control),
                () = self.alarm.rings() => Wake::Alarm,
                done = self.outbox.flush(), if open && self.outbox.is_pending() =>
                    Wake::Written(done),
                frame = self.reader.next(), if open => Wake::Frame(frame),
            };
            let event = match wake {
                Wake::Control(Some(control)) => Event::Told(control),
                // The pool is gone: the arbiter itself ends without a drain.
                Wake::Control(None) => return,
                Wake::Frame(frame) => {
                    self.frames = self.frames.wrapping_add(1);
                    if self.frames.is_multiple_of(FRAMES_PER_TURN) {
                        tokio::task::yield_now().await;
                    }
                    on_read(frame)
                }
                Wake::Written(Ok(())) => continue,
                Wake::Written(Err(_)) => Event::Closed { within_frame: false },
                Wake::Alarm => Event::Alarm,
                Wake::Exited => break,
            };
            self.on(event, Some(&process)).await;
        }
        let ended = match process.reap() {
            Ok(code) => EndedBy::Exit(code),
            Err(signal) => EndedBy::Signal(signal),
        };
        self.bury(ended).await;
    }

    /// Writes what the socket takes now.
    async fn write_now(&mut self, process: &WorkerProcess) {
        if !self.machine.reads() {
            return;
        }
        let event = match self.outbox.write_now() {
            Ok(None) => return,
            Ok(Some(requests)) => Event::Written(requests),
            Err(_) => Event::Closed { within_frame: false },
        };
        self.on(event, Some(process)).await;
    }

    /// The process has ended: hands the machine what is left in the socket and in
    /// the channel. Nothing here waits for the worker.
    async fn bury(mut self, ended: EndedBy) {
        let (begun, written) = (self.outbox.begun(), self.outbox.written());
        self.on(Event::Exited { ended, begun, written }, None).await;
        self.control.close();
        while let Ok(control) = self.control.try_recv() {
            self.on(Event::Told(control), None).await;
        }
        while !self.machine.is_buried() {
            let event = match now_or_never(self.reader.next()).await {
                Some(frame) => on_read(frame),
                None => Event::Closed { within_frame: self.reader.is_within_frame() },
            };
            self.on(event, None).await;
        }
    }

    /// Lets the machine decide on an event, and carries that out. The process is
    /// there until it has ended.
    async fn on(&mut self, event: Event, process: Option<&WorkerProcess>) {
        self.machine.on(event, Instant::now(), &mut self.actions);
        let mut actions = std::mem::take(&mut self.actions);
        for action in actions.drain(..) {
            match action {
                Action::Send(kind) => self.outbox.push(kind),
                Action::SendRequest(call) => {
                    let outbox = &mut self.outbox;
                    self.machine.with_request(call, |head, payload| {
                        outbox.push_request(head, payload);
                    });
                }
                Action::Chunk { call, payload, first } => {
                    if let Some(sink) = self.machine.sink(call) {
                        sink.send(payload);
                    }
                    if first {
                        tokio::task::yield_now().await;
                    }
                }
                Action::Answer(reply, outcome) => reply.end(outcome, self.machine.worker()),
                Action::Report(report) => self.report(report).await,
                Action::DumpStacks { signal, why } => {
                    let worker = self.machine.worker();
                    self.log(Level::Warn, &format!("{why}; the stacks of {worker} follow"));
                    process.inspect(|process| process.signal(signal));
                }
                Action::Kill => drop(process.inspect(|process| process.kill_group())),
                Action::Log(level, text) => self.log(level, &text),
            }
        }
        self.actions = actions;
    }

    async fn report(&mut self, mut report: Report) {
        if let Report::Died(death) = &mut report {
            death.last_words = self.last_words.hear().await;
        }
        // The pool ends last; if it is gone, so is the arbiter.
        let _ = self.reports.send((self.machine.worker().id, report)).await;
    }

    fn log(&self, level: Level, text: &str) {
        let WorkerRef { id: worker, pid } = self.machine.worker();
        let pool = &self.machine.spec().pool.name;
        match level {
            Level::Debug => tracing::debug!(worker, pid, pool, "{text}"),
            Level::Warn => tracing::warn!(worker, pid, pool, "{text}"),
        }
    }
}

/// What came out of the socket, for the machine.
fn on_read(frame: Result<Option<WorkerFrame>, FrameError>) -> Event {
    match frame {
        Ok(Some(frame)) => Event::Frame(frame.kind),
        Ok(None) | Err(FrameError::Io(_)) => Event::Closed { within_frame: false },
        Err(FrameError::Truncated) => Event::Closed { within_frame: true },
        Err(fault @ (FrameError::Malformed(_) | FrameError::TooLarge { .. })) => {
            Event::Fault(fault.to_string())
        }
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
