//! The calls in the slots of a worker: each has one end, whatever comes.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{
    Action, overdue,
    slot::{Remains, Slot},
    stage::Burial,
    turn::Turn,
};
use dirtyd_client::proto::worker::{CancelReason, Credit, Request, arbiter_frame::Kind};

use crate::{
    call::{self, Call, CallError, CallId, CallView, Sink, WorkerRef},
    clock::Deadline,
    config::Window,
    worker::{End, Report},
};

/// A frame that fits no call that somebody waits for.
#[derive(Debug, PartialEq, Eq)]
pub enum Misfit {
    /// The caller of its call has had its answer. It crossed that.
    Late,
    /// It has no sense: its call is not here, or has no use for it.
    Senseless,
    /// It breaks the protocol, and how.
    Breach(String),
}

/// The calls in a worker's slots.
#[derive(Debug)]
pub struct Calls {
    /// In no order. They are few, at most the threads of the worker.
    slots: Vec<Slot>,
    worker: WorkerRef,
    window: Window,
    kill_grace: Duration,
    /// When streams are to end, because the worker is to leave.
    streams_end: Deadline,
    /// The number of requests that were sent, counted since the worker's start.
    sent: u64,
    /// The number of those that the socket took in full.
    written: u64,
}

impl Calls {
    /// No calls, in a worker whose streams start with the credit `window`.
    pub fn new(worker: WorkerRef, window: Window, kill_grace: Duration) -> Self {
        let streams_end = Deadline::Never;
        Self { slots: Vec::new(), worker, window, kill_grace, streams_end, sent: 0, written: 0 }
    }

    /// Whether no call is here.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Starts a call. If the worker reads nothing any more, the call waits in its
    /// slot for the burial, which gives it back.
    pub fn start(&mut self, call: Call, turn: &mut Turn<'_>) {
        let id = call.id;
        let number = turn.is_open().then_some(self.sent + 1);
        if let Some(story) = &call.request.story {
            story.started(self.worker, turn.now);
        }
        let mut slot = Slot::new(call, number, self.window, self.kill_grace, turn.now);
        slot.ends_as_stream(self.streams_end);
        self.slots.push(slot);
        turn.arm(self.slots.last().map_or(Deadline::Never, Slot::due));
        if let Some(number) = number {
            self.sent = number;
            turn.act(Action::SendRequest(id));
        }
    }

    /// Answers a call whose payload the worker cannot read.
    pub fn refuse(&mut self, call: Call, turn: &mut Turn<'_>) {
        let message = format!(
            "the workers of app `{}` do not read JSON; call it by gRPC, or update their runtime",
            call.request.app
        );
        let mut slot = Slot::new(call, None, self.window, self.kill_grace, turn.now);
        let (reply, end) = slot.end(false, turn.now);
        turn.report(Report::Finished(end));
        if let Some(reply) = reply {
            turn.act(Action::Answer(reply, Err(CallError::InvalidRequest { message })));
        }
    }

    /// Streams end at the instant, those included that are still to start.
    pub fn end_streams(&mut self, at: Instant, turn: &mut Turn<'_>) {
        self.streams_end = self.streams_end.min(at.into());
        for slot in &mut self.slots {
            slot.ends_as_stream(self.streams_end);
            turn.arm(slot.due());
        }
    }

    /// Shows the Request of a call; see [`Slot::with_request`].
    pub fn with_request<T>(
        &mut self,
        call: CallId,
        named: bool,
        write: impl FnOnce(&Request, &Bytes) -> T,
    ) -> Option<T> {
        Some(self.find(call)?.with_request(named, write))
    }

    /// The way to the caller of a stream.
    pub fn sink(&self, call: CallId) -> Option<&Sink> {
        self.slots.iter().find(|slot| slot.id == call)?.sink()
    }

    fn find(&mut self, call: CallId) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| slot.id == call)
    }

    /// The socket took this many requests in full.
    pub fn written(&mut self, requests: u64) {
        if requests > self.written {
            self.written = requests;
            for slot in &mut self.slots {
                slot.written(requests);
            }
        }
    }

    /// The caller left: nobody is to be answered, the work is asked to end.
    pub fn cancel(&mut self, id: CallId, turn: &mut Turn<'_>) {
        let Some(slot) = self.find(id) else { return };
        drop(slot.take_reply(turn.now));
        turn.arm(slot.due());
        turn.send_cancel(id, CancelReason::CallerGone);
    }

    /// An operator ended the call: its caller is answered, and the work is asked to end.
    pub fn cancel_for_operator(&mut self, id: CallId, turn: &mut Turn<'_>) {
        let Some(slot) = self.find(id) else { return };
        slot.end_for_operator(turn.now);
        if let Some(reply) = slot.take_reply(turn.now) {
            turn.act(Action::Answer(reply, Err(CallError::CancelledByOperator)));
        }
        turn.arm(slot.due());
        turn.send_cancel(id, CancelReason::CallerGone);
    }

    /// What operators see of them.
    pub fn views(&self) -> Vec<CallView> {
        self.slots.iter().map(|slot| slot.view(self.worker)).collect()
    }

    /// The reader of a stream returned credit.
    pub fn credit(&mut self, id: CallId, credit: call::Credit, turn: &mut Turn<'_>) {
        let Some(slot) = self.find(id).filter(|slot| slot.is_awaited()) else { return };
        slot.on_credit(credit, turn.now);
        turn.arm(slot.due());
        let call::Credit { chunks, bytes } = credit;
        turn.send(Kind::Credit(Credit { call_id: id.0, chunks, bytes }));
    }

    /// A chunk came.
    ///
    /// # Errors
    /// Nobody waits for it.
    pub fn chunk(&mut self, id: CallId, chunk: Bytes, turn: &mut Turn<'_>) -> Result<(), Misfit> {
        let slot = self.find(id).ok_or(Misfit::Senseless)?;
        let first = slot.is_unbegun();
        let within_credit = slot.on_chunk(chunk.len(), turn.now);
        match (slot.sink().is_some(), within_credit) {
            (true, true) => {}
            (true, false) => {
                return Err(Misfit::Breach(format!("it overran the credit of call {id}")));
            }
            (false, true) => return Err(Misfit::Late),
            (false, false) => return Err(Misfit::Senseless),
        }
        turn.arm(slot.due());
        turn.act(Action::Chunk { call: id, payload: chunk, first });
        Ok(())
    }

    /// The last frame of a call came; `Ok(None)` is the end of a stream.
    ///
    /// # Errors
    /// Nobody waits for it. The call has left its slot all the same, unless the
    /// frame is a breach: then its caller is answered when the worker has died.
    pub fn finish(
        &mut self,
        id: CallId,
        outcome: Result<Option<Bytes>, CallError>,
        turn: &mut Turn<'_>,
    ) -> Result<(), Misfit> {
        let at = self.slots.iter().position(|slot| slot.id == id).ok_or(Misfit::Senseless)?;
        let slot = &mut self.slots[at];
        if let Ok(payload) = &outcome
            && !slot.takes_end(payload.as_ref())
        {
            let why = format!("it ended call {id} with End, which asks for a result");
            return Err(Misfit::Breach(why));
        }
        let (reply, end) = slot.end(outcome.is_ok(), turn.now);
        self.slots.swap_remove(at);
        // The pool first: what waits for this worker is on its way to it before
        // the answer takes its longer way to the caller.
        turn.report(Report::Finished(end));
        turn.act(Action::Answer(reply.ok_or(Misfit::Late)?, outcome));
        Ok(())
    }

    /// Does what is due. Returns why the worker is to be killed, if it is.
    pub fn step(&mut self, turn: &mut Turn<'_>) -> Option<String> {
        let mut kill = None;
        for slot in &mut self.slots {
            while let Some(step) = slot.step(turn.now) {
                let why = overdue::carry_out(slot, step, self.worker, self.kill_grace, turn);
                kill = kill.or(why);
            }
        }
        kill
    }

    /// When the first of them has something due.
    pub fn due(&self) -> Deadline {
        self.slots.iter().map(Slot::due).min().unwrap_or(Deadline::Never)
    }

    /// The number of frames that a worker which keeps to the protocol may have
    /// left in its socket for these calls.
    pub fn frames_left(&self) -> u64 {
        self.slots.iter().map(Slot::frames_left).fold(0, u64::saturating_add)
    }

    /// Ends all calls with their worker. Returns those that others may start, and
    /// the ends of the rest, whose callers are answered.
    pub fn bury(&mut self, burial: &Burial, turn: &mut Turn<'_>) -> (Vec<Call>, Vec<End>) {
        let (mut unstarted, mut lost) = (Vec::new(), Vec::new());
        for slot in std::mem::take(&mut self.slots) {
            let (id, request) = (slot.id, &slot.request);
            let called =
                format!("{}.{} (request {})", request.app, request.action, request.request_id);
            let (reply, end) = match slot.bury(burial.begun, self.written, turn.now) {
                Remains::Unstarted(call) => {
                    unstarted.push(call);
                    continue;
                }
                Remains::Lost(reply, end) => (reply, end),
                Remains::Deadly { reply, end, app, deaths } => {
                    let worker = self.worker;
                    turn.warn(format!(
                        "{deaths} workers died while call {id} to app `{app}` was being sent to them, the last was {worker}; it is sent to no other"
                    ));
                    (Some(reply), end)
                }
            };
            lost.push(end);
            let ended = burial.ended.clone();
            let crashed = CallError::WorkerCrashed { worker: self.worker, ended };
            if let Some(reply) = reply {
                turn.warn(format!("{} died while running {called}", self.worker));
                turn.act(Action::Answer(reply, Err(crashed)));
            }
        }
        (unstarted, lost)
    }
}
