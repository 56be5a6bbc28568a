//! The task around the machine: it waits for whatever comes next, asks the
//! [`Machine`], and carries out what that decides.

use std::time::Instant;

use tokio::sync::mpsc;

use super::{
    Control, Report,
    inbox::Inbox,
    machine::{Action, Event, Level, Machine},
    outbox::Outbox,
    output::LastWords,
};
use dirtyd_client::{
    frames::{FrameReader, FrameWriter},
    system::Socket,
};

use crate::{
    call::{EndedBy, WorkerRef},
    clock::Alarm,
    process::WorkerProcess,
};

/// The socket has failed: it is as good as closed.
const CLOSED: Event = Event::Closed { within_frame: false };

/// The owner of one worker process.
pub(super) struct Task {
    machine: Machine,
    inbox: Inbox,
    outbox: Outbox,
    control: mpsc::Receiver<Control>,
    reports: mpsc::Sender<(u64, Report)>,
    alarm: Alarm,
    /// Empty between events; kept for its memory.
    actions: Vec<Action>,
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
        let inbox = Inbox::new(FrameReader::new(read, machine.spec().max_message_size));
        let outbox = Outbox::new(FrameWriter::new(write));
        let (alarm, actions) = (Alarm::new(), Vec::new());
        Self { machine, inbox, outbox, control, reports, alarm, actions, last_words }
    }

    /// Serves until the process has ended, then buries it.
    pub(super) async fn run(mut self, process: WorkerProcess) {
        loop {
            if self.write_now().is_err() {
                self.machine.on(CLOSED, Instant::now(), &mut self.actions);
                self.carry_out(Some(&process)).await;
            }
            self.alarm.set(self.machine.due());
            let open = self.machine.reads();
            // The exit ranks first, because everything else is pointless after
            // it; then what is asked of the worker, so that a cancel overtakes
            // a flood of chunks; then time, so that no flood stops the clock.
            let event = tokio::select! { biased;
                () = process.exited() => break,
                control = self.control.recv() => match control {
                    Some(Control::ListCalls(to)) => {
                        // Whoever asked may have given up.
                        let _ = to.send(self.machine.calls());
                        continue;
                    }
                    Some(control) => Event::Told(control),
                    None => return, // the pool is gone: the arbiter ends without a drain
                },
                () = self.alarm.rings() => Event::Alarm,
                done = self.outbox.flush(), if open && self.outbox.is_pending() => match done {
                    Ok(()) => continue,
                    Err(_) => CLOSED,
                },
                event = self.inbox.next(), if open => event,
            };
            self.machine.on(event, Instant::now(), &mut self.actions);
            self.carry_out(Some(&process)).await;
        }
        let (ended, helpers) = process.ended();
        tokio::spawn(helpers.end());
        let ended = match ended {
            Ok(code) => EndedBy::Exit(code),
            Err(signal) => EndedBy::Signal(signal),
        };
        self.bury(ended).await;
    }

    /// Writes what the socket takes now.
    fn write_now(&mut self) -> std::io::Result<()> {
        if self.machine.reads()
            && let Some(requests) = self.outbox.write_now()?
        {
            let written = Event::Written(requests);
            self.machine.on(written, Instant::now(), &mut self.actions);
        }
        Ok(())
    }

    /// The process has ended: hands the machine what is left in the channel and in
    /// the socket. Nothing here waits for the worker.
    async fn bury(mut self, ended: EndedBy) {
        let (begun, written) = (self.outbox.begun(), self.outbox.written());
        let mut event = Event::Exited { ended, begun, written };
        self.control.close();
        loop {
            self.machine.on(event, Instant::now(), &mut self.actions);
            self.carry_out(None).await;
            if self.machine.is_buried() {
                return;
            }
            event = match self.control.try_recv() {
                Ok(control) => Event::Told(control),
                Err(_) => self.inbox.left().await,
            };
        }
    }

    /// Carries out what was decided. The process is there until it has ended.
    async fn carry_out(&mut self, process: Option<&WorkerProcess>) {
        let mut actions = std::mem::take(&mut self.actions);
        for action in actions.drain(..) {
            match action {
                Action::Send(kind) => self.outbox.push(*kind),
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
                Action::Report(Report::Died(mut death)) => {
                    death.last_words = self.last_words.hear().await;
                    self.report_when_possible(Report::Died(death)).await;
                }
                Action::Report(report) => {
                    if let Some(report) = self.report_now(report) {
                        self.report_when_possible(report).await;
                    }
                }
                Action::Stacks(reply, stacks) => drop(reply.send(stacks)),
                Action::DumpStacks { how, why } => {
                    let worker = self.machine.worker();
                    self.log(Level::Warn, &format!("{why}; the stacks of {worker} follow"));
                    process.inspect(|process| process.signal_in_group(how.pid, how.signal));
                }
                Action::Kill => drop(process.inspect(|process| process.kill())),
                Action::Log(level, text) => self.log(level, &text),
            }
        }
        self.actions = actions;
    }

    /// Tells the pool. Returns the report if there is no room for it now.
    fn report_now(&self, report: Report) -> Option<Report> {
        match self.reports.try_send((self.machine.worker().id, report)) {
            Err(mpsc::error::TrySendError::Full((_, report))) => Some(report),
            // The pool ends last; if it is gone, so is the arbiter.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => None,
        }
    }

    async fn report_when_possible(&self, report: Report) {
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
