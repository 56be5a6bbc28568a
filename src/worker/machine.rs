//! What is decided about one worker. Pure: events and the time go in, actions
//! come out. It starts nothing, reads nothing and waits for nothing; the task
//! around it does ([`super::task`]).
//!
//! ```text
//!   Booting --first list of apps loaded--> Serving --Drain--> Draining
//!      |                                      |                  |
//!      |  its socket ends                     |                  |
//!      +--------------------> Leaving <-------+------------------+
//!      |                        |             |                  |
//!      |  a fault, a timeout,   v             |                  |
//!      |  the pool's Kill    Killed <---------+------------------+
//!      |                        |             |                  |
//!      |  the process exits     v             |                  |
//!      +--------------------> Burying <-------+------------------+
//!                               |
//!                               v
//!                             Buried
//! ```
//!
//! A worker may also be drained while it boots. Each part is a file: [`stage`]
//! has the stages, [`hello`] what both sides agree on, [`loading`] the apps,
//! [`calls`] the calls in their [`slot`]s with [`flow`] and [`ladder`],
//! [`pulse`] the heartbeat, [`exit`] the ways to an end. A part tells its
//! decisions to the [`turn`] and knows none of the others above it.

mod allowance;
mod calls;
mod exit;
mod failure;
mod flow;
mod hello;
mod interface;
mod ladder;
mod loading;
mod overdue;
mod pulse;
#[cfg(any(test, feature = "internals"))]
pub(crate) mod simulation;
mod slot;
mod stacks;
mod stage;
#[cfg(test)]
mod tests;
mod turn;

use std::time::Instant;

use bytes::Bytes;

use self::{
    allowance::Allowance,
    calls::{Calls, Misfit},
    hello::Terms,
    loading::{Asked, Loading, Overdue},
    pulse::{Beat, Pulse},
    stage::{Boot, Stage},
    turn::Turn,
};
pub use self::{
    interface::{Action, Event, Level},
    stacks::NoStacks,
};
use super::{Control, Report, StacksReply, WorkerSpec};
use dirtyd_client::proto::worker::{
    Hello, Metrics, Ping, Request, Stacks, arbiter_frame, worker_frame::Kind,
};

use crate::{
    call::{AppFailure, Call, CallError, CallId, CallView, Sink, WorkerRef},
    clock::Deadline,
};

/// The state of one worker.
#[derive(Debug)]
pub struct Machine {
    spec: WorkerSpec,
    worker: WorkerRef,
    stage: Stage,
    /// What was agreed on at Hello; `None` before it.
    terms: Option<Terms>,
    loading: Loading,
    calls: Calls,
    pulse: Pulse,
    senseless: Allowance,
    stacks: stacks::Asked,
    /// Never later than what is due first. It may be earlier: that costs a look,
    /// while keeping it exact would cost every call.
    due: Deadline,
}

impl Machine {
    /// A worker that was started at `now`.
    pub fn new(spec: WorkerSpec, worker: WorkerRef, now: Instant) -> Self {
        let pool = &spec.pool;
        let until = Deadline::after(now, pool.boot_timeout);
        Self {
            stage: Stage::Booting(Boot { until, left: None }),
            terms: None,
            loading: Loading::new(pool),
            calls: Calls::new(worker, spec.window, pool.kill_grace),
            pulse: Pulse::new(pool.heartbeat, pool.kill_grace, now),
            senseless: Allowance::new(now),
            stacks: stacks::Asked::default(),
            due: until,
            spec,
            worker,
        }
    }

    /// The worker.
    pub fn worker(&self) -> WorkerRef {
        self.worker
    }

    /// What it was started with.
    pub fn spec(&self) -> &WorkerSpec {
        &self.spec
    }

    /// Decides what follows from an event at `now`, and adds it to `actions`.
    pub fn on(&mut self, event: Event, now: Instant, actions: &mut Vec<Action>) {
        if let Event::Written(requests) = event {
            return self.calls.written(requests); // nothing else can follow from it
        }
        let stack_dump = self.terms.as_ref().map(|terms| terms.stack_dump).unwrap_or_default();
        let mut turn = Turn::new(now, self.stage.reach(), stack_dump, actions);
        match event {
            Event::Told(control) => self.on_control(control, &mut turn),
            Event::Frame(kind) => self.on_frame(kind, &mut turn),
            Event::Written(_) => {}
            Event::Closed { within_frame } => self.on_closed(within_frame, &mut turn),
            Event::Fault(why) => self.on_fault(why, &mut turn),
            Event::Exited { ended, begun, written } => {
                self.calls.written(written);
                self.on_exited(ended, begun, &mut turn);
            }
            Event::Alarm => self.on_alarm(&mut turn),
        }
        self.go_on(&mut turn);
        self.due = self.due.min(turn.due());
    }

    /// When the next [`Event::Alarm`] is due. It may come too early.
    pub fn due(&self) -> Deadline {
        self.due
    }

    /// Whether frames of the worker are read.
    pub fn reads(&self) -> bool {
        self.stage.reads()
    }

    /// Whether the worker is dead and the pool knows it: no event has a meaning
    /// any more.
    pub fn is_buried(&self) -> bool {
        matches!(self.stage, Stage::Buried)
    }

    /// Shows the Request of an [`Action::SendRequest`], without its payload, and
    /// the payload. `None` if the call is not here.
    pub fn with_request<T>(
        &mut self,
        call: CallId,
        write: impl FnOnce(&Request, &Bytes) -> T,
    ) -> Option<T> {
        let named = self.terms.as_ref().is_some_and(Terms::names_in_request);
        self.calls.with_request(call, named, write)
    }

    /// The way to the caller of a stream, for an [`Action::Chunk`]. `None` if the
    /// call is not here, is no stream, or has no caller any more.
    pub fn sink(&self, call: CallId) -> Option<&Sink> {
        self.calls.sink(call)
    }

    fn on_control(&mut self, control: Control, turn: &mut Turn<'_>) {
        match control {
            Control::Import(apps) => self.loading.import(apps),
            Control::Load(apps) => {
                if let Stage::Booting(boot) = &mut self.stage {
                    boot.left.get_or_insert(apps.len());
                }
                self.loading.init(apps);
            }
            Control::Start(call) if self.is_buried() => {
                turn.act(Action::Answer(call.reply, Err(CallError::Lost)));
            }
            Control::Start(call) if !self.reads_payload(&call) => self.calls.refuse(call, turn),
            Control::Start(call) => self.calls.start(call, turn),
            Control::Cancel(id) => self.calls.cancel(id, turn),
            Control::CancelByOperator(id) => self.calls.cancel_for_operator(id, turn),
            // Its task answers that, as long as the worker is there.
            Control::ListCalls(_) => {}
            Control::GetStacks(reply) => self.ask_for_stacks(reply, turn),
            Control::Credit(id, credit) => self.calls.credit(id, credit, turn),
            Control::Drain => self.on_drain(turn),
            Control::EndStreams(at) => self.calls.end_streams(at, turn),
            Control::Kill(why) => self.kill(why, turn),
        }
    }

    /// What operators see of the calls in its slots.
    pub fn calls(&self) -> Vec<CallView> {
        self.calls.views()
    }

    fn ask_for_stacks(&mut self, reply: StacksReply, turn: &mut Turn<'_>) {
        if !self.can(hello::STACKS) {
            return turn.act(Action::Stacks(reply, Err(NoStacks::Unable)));
        }
        match self.stacks.ask(reply) {
            Ok(frame) => turn.send(arbiter_frame::Kind::GetStacks(frame)),
            Err(reply) => turn.act(Action::Stacks(reply, Err(NoStacks::Busy))),
        }
    }

    fn on_stacks(&mut self, stacks: Stacks, turn: &mut Turn<'_>) -> Result<(), Misfit> {
        if !self.stacks.was_asked(stacks.nonce) {
            return Err(Misfit::Senseless);
        }
        if let Some(reply) = self.stacks.answered(stacks.nonce) {
            turn.act(Action::Stacks(reply, Ok(stacks.stacks)));
        }
        Ok(())
    }

    fn on_metrics(&mut self, metrics: Metrics, turn: &mut Turn<'_>) -> Result<(), Misfit> {
        if !self.can(hello::METRICS) {
            return Err(Misfit::Breach("it sent Metrics without the capability".to_owned()));
        }
        self.senseless.take(turn.now).map_err(Misfit::Breach)?;
        turn.report(Report::Metrics(Box::new(metrics)));
        Ok(())
    }

    fn can(&self, capability: &str) -> bool {
        self.terms.as_ref().is_some_and(|terms| terms.can(capability))
    }

    fn reads_payload(&self, call: &Call) -> bool {
        let kind = call.request.payload_kind;
        self.terms.as_ref().is_none_or(|terms| terms.reads(kind))
    }

    fn on_frame(&mut self, kind: Option<Kind>, turn: &mut Turn<'_>) {
        if !self.stage.reads() {
            return;
        }
        if !self.may_read() {
            return self.bury(turn);
        }
        self.pulse.heard(turn.now);
        let calls = &mut self.calls;
        let read = match kind {
            Some(Kind::Response(response)) => {
                calls.finish(CallId(response.call_id), Ok(Some(response.payload)), turn)
            }
            Some(Kind::Chunk(chunk)) => calls.chunk(CallId(chunk.call_id), chunk.payload, turn),
            Some(Kind::End(end)) => calls.finish(CallId(end.call_id), Ok(None), turn),
            Some(Kind::Error(error)) => {
                let call = CallId(error.call_id);
                calls.finish(call, Err(failure::of_call(error)), turn)
            }
            Some(Kind::Pong(_)) if self.pulse.answered() => Ok(()),
            Some(Kind::Pong(_)) => self.senseless.take(turn.now).map_err(Misfit::Breach),
            Some(Kind::Hello(hello)) => self.on_hello(hello, turn),
            Some(Kind::AppImported(app)) => self.on_app(app.app, Ok(app.workers), turn),
            Some(Kind::AppReady(app)) => self.on_app(app.app, Ok(None), turn),
            Some(Kind::AppFailed(app)) => {
                if app.needs_new_process {
                    turn.report(Report::Spoiled);
                }
                let failure = Box::new(failure::of_app(app.failure.unwrap_or_default()));
                self.on_app(app.app, Err(failure), turn)
            }
            Some(Kind::Metrics(metrics)) => self.on_metrics(metrics, turn),
            Some(Kind::Stacks(stacks)) => self.on_stacks(stacks, turn),
            None => Err(Misfit::Breach("it sent a frame of an unknown kind".to_owned())),
        };
        if let Err(misfit) = read {
            self.on_misfit(misfit, turn);
        }
        self.await_exit(turn);
    }

    fn on_misfit(&mut self, misfit: Misfit, turn: &mut Turn<'_>) {
        if let Misfit::Breach(why) = misfit {
            return self.on_fault(why, turn);
        }
        turn.report(Report::LateFrame);
        if misfit == Misfit::Senseless
            && let Err(why) = self.senseless.take(turn.now)
        {
            self.on_fault(why, turn);
        }
    }

    fn on_hello(&mut self, hello: Hello, turn: &mut Turn<'_>) -> Result<(), Misfit> {
        if self.terms.is_some() {
            return Err(Misfit::Breach("it said hello a second time".to_owned()));
        }
        let runtime = failure::name(hello.runtime.clone());
        let terms = Terms::agree(hello).map_err(Misfit::Breach)?;
        turn.act(Action::Log(Level::Debug, format!("runs {runtime}")));
        let welcome = terms.welcome(&self.spec, self.worker);
        turn.send(arbiter_frame::Kind::Welcome(welcome));
        self.terms = Some(terms);
        Ok(())
    }

    /// An answer to ImportApp or InitApp.
    fn on_app(
        &mut self,
        app: String,
        result: Result<Option<u32>, Box<AppFailure>>,
        turn: &mut Turn<'_>,
    ) -> Result<(), Misfit> {
        let Some(asked) = self.loading.answered(&app) else {
            let app = failure::name(app);
            let why = format!("it answered for app `{app}`, which it was not asked for");
            return Err(Misfit::Breach(why));
        };
        match (&mut self.stage, asked) {
            (Stage::Booting(boot), Asked::Init) => {
                boot.left = boot.left.map(|left| left.saturating_sub(1));
            }
            (Stage::Booting(_), Asked::Import) => {}
            _ => self.loading.in_time(),
        }
        turn.report(match asked {
            Asked::Import => Report::Imported(app, result),
            Asked::Init => Report::Loaded(app, result.map(drop)),
        });
        Ok(())
    }

    /// Asks for the next app, and ends the boot. After every event, because the
    /// list of apps may be empty or come late.
    fn go_on(&mut self, turn: &mut Turn<'_>) {
        if self.terms.is_none() || !matches!(self.stage, Stage::Booting(_) | Stage::Serving) {
            return;
        }
        if let Some(ask) = self.loading.next(turn.now) {
            turn.send(ask);
            turn.arm(self.loading.due(self.stage.boot_due()));
        }
        if matches!(self.stage, Stage::Booting(Boot { left: Some(0), .. })) {
            self.stage = Stage::Serving;
            self.loading.in_time();
            turn.arm(self.pulse.due());
            turn.report(Report::Booted);
        }
    }

    fn on_alarm(&mut self, turn: &mut Turn<'_>) {
        self.due = Deadline::Never;
        if self.stage.has_ended() {
            return;
        }
        if let Some(why) = self.calls.step(turn) {
            self.kill(why, turn);
        }
        self.check_pulse(turn);
        self.check_load(turn);
        self.check_exit(turn);
        turn.arm(self.calls.due());
        turn.arm(self.stage.exit_due());
        if matches!(self.stage, Stage::Serving) {
            turn.arm(self.pulse.due());
        }
        if turn.is_open() {
            turn.arm(self.loading.due(self.stage.boot_due()));
        }
    }

    /// The heartbeat counts while the worker serves; other stages have limits of
    /// their own.
    fn check_pulse(&mut self, turn: &mut Turn<'_>) {
        while matches!(self.stage, Stage::Serving) {
            let busy = !self.calls.is_empty() || self.loading.current_app().is_some();
            match self.pulse.step(busy, turn.now) {
                Some(Beat::Ping) => turn.send(arbiter_frame::Kind::Ping(Ping { nonce: 1 })),
                Some(Beat::DumpStacks) => {
                    turn.dump_stacks("it does not answer, although it is idle".to_owned());
                }
                Some(Beat::Kill) => self.kill("it did not answer the heartbeat".to_owned(), turn),
                None => return,
            }
        }
    }

    fn check_load(&mut self, turn: &mut Turn<'_>) {
        while turn.is_open() {
            let greeted = self.terms.is_some();
            match self.loading.step(self.stage.boot_due(), greeted, turn.now) {
                Some(Overdue::DumpStacks(why)) => turn.dump_stacks(why),
                Some(Overdue::Kill(why)) => self.kill(why, turn),
                None => return,
            }
        }
    }
}
