//! A worker's task and its process, as the pool sees them: what they are told,
//! what they report, and when.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;
use fastrand::Rng;

use super::plan::{APPS, CallEnd, CallPlan, Load, Release};
use crate::{
    call::{AppFailure, Call, CallError, CallId, EndedBy, MOST_DEATHS, Reply, WorkerRef},
    clock::Deadline,
    config::PoolConfig,
    worker::{Control, Death, End, Report},
};

/// How long a worker may take to close and exit.
const CLOSE: Duration = Duration::from_millis(300);

/// What a worker does at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// It has imported or loaded the first app of its list.
    Loads,
    /// It has read the request of a call: that has started.
    Reads(CallId),
    /// A call ends by itself.
    Ends(CallId),
    /// The deadline of a call passes.
    Answers(CallId),
    /// A call is abandoned for good: the last rung of the ladder.
    Kills(CallId),
    /// A stream has had its time, because the worker is to leave.
    CutsOff(CallId),
    /// It exits, or dies.
    Dies,
}

/// What a worker is asked to load.
#[derive(Debug, Clone)]
enum Ask {
    Import(String),
    Load(String),
}

struct Slot {
    call: Option<Call>,
    reply_is_owed: bool,
    plan: CallPlan,
    started: Instant,
    is_read: bool,
}

/// A worker.
pub struct Worker {
    pub process: WorkerRef,
    pub threads: usize,
    boot_timeout: Duration,
    grace: Duration,
    asks: VecDeque<Ask>,
    first_list: Option<usize>,
    booted: bool,
    /// The pool has heard that it has booted.
    pub is_known_to_have_booted: bool,
    slots: BTreeMap<CallId, Slot>,
    pub told_to_drain: bool,
    /// When its streams are to end.
    pub streams_end: Deadline,
    ended: Option<EndedBy>,
    /// It has half loaded an app.
    is_spoiled: bool,
    random: Rng,
}

/// What a worker wants to happen: at a later time, or as a report now.
pub struct Wishes<'a> {
    pub now: Instant,
    pub deeds: &'a mut Vec<(Duration, Deed)>,
    pub reports: &'a mut Vec<Report>,
}

impl Wishes<'_> {
    fn later(&mut self, pause: Duration, deed: Deed) {
        self.deeds.push((pause, deed));
    }
}

impl Worker {
    pub fn new(process: WorkerRef, pool: &PoolConfig, seed: u64) -> Self {
        Self {
            process,
            threads: pool.threads.get() as usize,
            boot_timeout: pool.boot_timeout,
            grace: pool.kill_grace,
            asks: VecDeque::new(),
            first_list: None,
            booted: false,
            is_known_to_have_booted: false,
            slots: BTreeMap::new(),
            told_to_drain: false,
            streams_end: Deadline::Never,
            ended: None,
            is_spoiled: false,
            random: Rng::with_seed(seed ^ process.id.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
        }
    }

    /// The number of calls that it has.
    pub fn calls(&self) -> usize {
        self.slots.len()
    }

    /// Whether its process has ended, which the pool may not know yet.
    pub fn is_dead(&self) -> bool {
        self.ended.is_some()
    }

    /// The pool tells it something; a call comes back if it is gone.
    pub fn tell(
        &mut self,
        control: Control,
        plan: impl Fn(CallId) -> CallPlan,
        wishes: &mut Wishes<'_>,
    ) -> Option<Call> {
        if self.is_dead() {
            match control {
                Control::Start(call) => return Some(call),
                Control::Kill(why) => self.die(EndedBy::Killed(why), wishes),
                _ => {}
            }
            return None;
        }
        match control {
            Control::Import(apps) => self.ask(apps.into_iter().map(Ask::Import).collect(), wishes),
            Control::Load(apps) => {
                self.first_list.get_or_insert(apps.len());
                self.ask(apps.into_iter().map(Ask::Load).collect(), wishes);
                self.boot_if_done(wishes);
            }
            Control::Start(call) => self.start(call, plan, wishes),
            Control::Cancel(id) => self.cancel(id, wishes),
            Control::CancelByOperator(id) => self.cancel_by_operator(id, wishes),
            Control::Credit(..) | Control::ListCalls(_) | Control::GetStacks(_) => {}
            Control::Drain => {
                self.told_to_drain = true;
                self.leave_if_idle(wishes);
            }
            Control::EndStreams(at) => {
                self.streams_end = self.streams_end.min(at.into());
                for id in self.slots.keys() {
                    wishes.later(self.streams_end.left(wishes.now), Deed::CutsOff(*id));
                }
            }
            Control::Kill(why) => self.die(EndedBy::Killed(why), wishes),
        }
        None
    }

    /// Something happens that it had wished for.
    pub fn does(
        &mut self,
        deed: Deed,
        release: &Release,
        failures: &mut [u32; APPS.len()],
        wishes: &mut Wishes<'_>,
    ) {
        if self.is_dead() && deed != Deed::Dies {
            return;
        }
        match deed {
            Deed::Loads => self.load(release, failures, wishes),
            Deed::Reads(id) => {
                if let Some(slot) = self.slots.get_mut(&id) {
                    slot.is_read = true;
                }
            }
            Deed::Ends(id) => self.end(id, wishes),
            Deed::Answers(id) => self.answer_late(id, wishes),
            Deed::Kills(id) if self.slots.contains_key(&id) => {
                self.die(EndedBy::Killed("its call did not end".to_owned()), wishes);
            }
            Deed::Kills(_) => {}
            Deed::CutsOff(id) => self.cut_off(id, wishes),
            Deed::Dies => self.bury(wishes),
        }
    }

    /// Its process dies, for no reason of the pool's.
    pub fn crash(&mut self, wishes: &mut Wishes<'_>) {
        self.die(EndedBy::Signal(9), wishes);
    }

    fn pause(&mut self, most: u64) -> Duration {
        Duration::from_millis(self.random.u64(0..=most))
    }

    fn ask(&mut self, asks: VecDeque<Ask>, wishes: &mut Wishes<'_>) {
        let was_idle = self.asks.is_empty();
        self.asks.extend(asks);
        if was_idle && !self.asks.is_empty() {
            let pause = self.pause(400);
            wishes.later(pause, Deed::Loads);
        }
    }

    fn load(
        &mut self,
        release: &Release,
        failures: &mut [u32; APPS.len()],
        wishes: &mut Wishes<'_>,
    ) {
        let Some(ask) = self.asks.front().cloned() else { return };
        let (Ask::Import(path) | Ask::Load(path)) = &ask;
        let app = APPS.iter().position(|app| app == path).unwrap_or_default();
        let (load, workers) = release.apps[app];
        let failure = AppFailure { message: "it will not".to_owned(), ..AppFailure::default() };
        let failure = Box::new(failure);
        let result = match load {
            Load::Works => Ok(()),
            Load::FailsFor(n) if failures[app] >= n => Ok(()),
            Load::Spoils if failures[app] > 0 && !self.is_spoiled => Ok(()),
            Load::Spoils => {
                failures[app] += 1;
                self.is_spoiled = true;
                wishes.reports.push(Report::Spoiled);
                Err(failure)
            }
            Load::Fails | Load::FailsFor(_) => {
                failures[app] += 1;
                Err(failure)
            }
            Load::Crashes => return self.die(EndedBy::Exit(1), wishes),
            Load::Hangs => {
                let why = "it did not end within boot_timeout".to_owned();
                self.ended = Some(EndedBy::Killed(why));
                return wishes.later(self.boot_timeout, Deed::Dies);
            }
        };
        self.asks.pop_front();
        match ask {
            Ask::Import(path) => {
                wishes.reports.push(Report::Imported(path, result.map(|()| workers)));
            }
            Ask::Load(path) => {
                if let Some(left) = &mut self.first_list {
                    *left = left.saturating_sub(1);
                }
                wishes.reports.push(Report::Loaded(path, result));
            }
        }
        self.boot_if_done(wishes);
        if !self.asks.is_empty() {
            let pause = self.pause(400);
            wishes.later(pause, Deed::Loads);
        }
    }

    fn boot_if_done(&mut self, wishes: &mut Wishes<'_>) {
        if !self.booted && self.first_list == Some(0) {
            self.booted = true;
            wishes.reports.push(Report::Booted);
        }
    }

    fn start(&mut self, call: Call, plan: impl Fn(CallId) -> CallPlan, wishes: &mut Wishes<'_>) {
        let plan = plan(call.id);
        let (id, timeout) = (call.id, call.timeout);
        wishes.later(self.pause(3), Deed::Reads(id));
        let pause = Duration::from_millis(4) + plan.runs;
        match plan.end {
            CallEnd::Returns | CallEnd::Raises => wishes.later(pause, Deed::Ends(id)),
            CallEnd::Crashes => wishes.later(pause, Deed::Ends(id)),
            CallEnd::Hangs | CallEnd::Streams => {}
        }
        if plan.end == CallEnd::Streams {
            if let Deadline::At(end) = self.streams_end {
                let left = end.saturating_duration_since(wishes.now);
                wishes.later(left, Deed::CutsOff(id));
            }
        } else {
            let left = call.answer_deadline().left(wishes.now).min(timeout);
            wishes.later(left, Deed::Answers(id));
            wishes.later(timeout + self.grace, Deed::Kills(id));
        }
        let (started, is_read) = (wishes.now, false);
        self.slots
            .insert(id, Slot { call: Some(call), reply_is_owed: true, plan, started, is_read });
    }

    fn cancel(&mut self, id: CallId, wishes: &mut Wishes<'_>) {
        let pause = self.pause(200);
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.reply_is_owed = false;
            if slot.plan.end != CallEnd::Hangs {
                wishes.later(pause, Deed::Ends(id));
            }
        }
    }

    fn cancel_by_operator(&mut self, id: CallId, wishes: &mut Wishes<'_>) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        if slot.reply_is_owed
            && let Some(Call { reply, .. }) = slot.call.take()
        {
            reply.fail(CallError::CancelledByOperator, None);
        }
        wishes.later(self.grace, Deed::Kills(id));
        self.cancel(id, wishes);
    }

    fn answer_late(&mut self, id: CallId, wishes: &mut Wishes<'_>) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        let message = "it did not end in time".to_owned();
        if let Some(Call { reply, request, timeout, .. }) = slot.call.take() {
            if slot.reply_is_owed {
                reply.fail(CallError::ExecutionTimeout { message: message.clone() }, None);
            }
            drop((request, timeout));
            wishes.reports.push(Report::TimedOut(id, message));
        }
        slot.reply_is_owed = false;
    }

    fn end(&mut self, id: CallId, wishes: &mut Wishes<'_>) {
        let Some(slot) = self.slots.get(&id) else { return };
        if slot.plan.end == CallEnd::Crashes {
            return self.die(EndedBy::Signal(11), wishes);
        }
        let Some(slot) = self.slots.remove(&id) else { return };
        let served = slot.reply_is_owed && slot.plan.end == CallEnd::Returns;
        let (started, ended) = (slot.started, wishes.now);
        wishes.reports.push(Report::Finished(End {
            call: id,
            served,
            started,
            first_chunk: None,
            ended,
        }));
        if let Some(call) = slot.call.filter(|_| slot.reply_is_owed) {
            answer(call.reply, served);
        }
        self.leave_if_idle(wishes);
    }

    fn cut_off(&mut self, id: CallId, wishes: &mut Wishes<'_>) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        if slot.plan.end != CallEnd::Streams || !self.streams_end.is_over(wishes.now) {
            return;
        }
        if let Some(Call { reply, .. }) = slot.call.take()
            && std::mem::take(&mut slot.reply_is_owed)
        {
            let message = "its worker is to leave".to_owned();
            wishes.reports.push(Report::CutOff(id, message.clone()));
            reply.fail(CallError::CutOff { message }, None);
        }
        self.end(id, wishes);
    }

    fn leave_if_idle(&mut self, wishes: &mut Wishes<'_>) {
        if self.told_to_drain && self.slots.is_empty() && self.ended.is_none() {
            self.ended = Some(EndedBy::Exit(0));
            let pause = self.random.u64(0..CLOSE.as_millis() as u64);
            wishes.later(Duration::from_millis(pause), Deed::Dies);
        }
    }

    fn die(&mut self, ended: EndedBy, wishes: &mut Wishes<'_>) {
        // One that hangs, or takes its time to close, ends all the same.
        self.ended = Some(ended);
        let pause = self.pause(5);
        wishes.later(pause, Deed::Dies);
    }

    /// The process is reaped: what it had started is lost, the rest is given back.
    fn bury(&mut self, wishes: &mut Wishes<'_>) {
        let Some(ended) = self.ended.clone() else { return };
        let (mut lost, mut unstarted) = (Vec::new(), Vec::new());
        for (call, slot) in std::mem::take(&mut self.slots) {
            let (started, now) = (slot.started, wishes.now);
            let end = End { call, served: false, started, first_chunk: None, ended: now };
            let (worker, ended) = (self.process, ended.clone());
            match slot.call {
                Some(mut call)
                    if !slot.is_read && slot.reply_is_owed && call.deaths < MOST_DEATHS =>
                {
                    call.deaths += 1;
                    unstarted.push(call);
                }
                Some(call) => {
                    if slot.reply_is_owed {
                        call.reply.fail(CallError::WorkerCrashed { worker, ended }, Some(worker));
                    }
                    lost.push(end);
                }
                None => lost.push(end),
            }
        }
        let loading = self.asks.front().map(|(Ask::Import(app) | Ask::Load(app))| app.clone());
        let last_words = String::new();
        wishes.reports.push(Report::Died(Box::new(Death {
            ended,
            loading,
            last_words,
            unstarted,
            lost,
        })));
    }
}

fn answer(reply: Reply, served: bool) {
    match reply {
        Reply::Unary(sender) if served => drop(sender.send(Ok(Bytes::new()))),
        reply => reply.fail(CallError::App(Box::default()), None),
    }
}
