//! Virtual time, and who acts next.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use fastrand::Rng;
use tokio::sync::oneshot::{Receiver, error::TryRecvError};

use super::{
    plan::{APPS, CallEnd, CallPlan, Plan, Release},
    promises::{self, Broken},
    story::{Stats, Teller},
    worker::{Deed, Wishes, Worker},
};
use crate::{
    call::{
        CallError, CallId, CallRequest, FromCaller, PayloadKind, Peer, Principal, WorkerRef,
        reply_channel,
    },
    clock::Deadline,
    config::PoolConfig,
    pool::machine::{
        Action, Event, Machine,
        ids::{AppId, WorkerId},
    },
    worker::{Control, Report},
};

/// How long the world goes on after the plan, with its faults; and then without.
const AFTER: Duration = Duration::from_secs(10);
const MENDED: Duration = Duration::from_secs(80);
/// A drain must have ended so long after its deadline.
const STRAGGLERS: Duration = Duration::from_secs(20);
/// How long an arbiter may take that gives way: a call waits and runs for as long as
/// its timeout, and a stream may start when the others have ended.
const GIVES_WAY: Duration = Duration::from_secs(30);
/// More alarms than that at one moment, with nothing else between them, are a loop.
const MOST_ALARMS: u32 = 8;

/// Something that is going to happen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Step(usize),
    Leave(CallId),
    Deed(WorkerId, usize),
    Start(WorkerId),
    Mend,
    Drain,
    Edge,
}

/// A process that is about to be started.
struct Start {
    /// Its pool; `None` if no process will be left for it.
    pool: Option<Arc<PoolConfig>>,
    /// What it is told then.
    told: Vec<Control>,
}

/// A caller that waits, or has waited.
pub struct Caller {
    pub answer: Receiver<Result<Bytes, (CallError, Option<WorkerRef>)>>,
    pub plan: CallPlan,
    pub has_left: bool,
    pub has_answer: bool,
    pub starts: u32,
}

/// The users that wait for an app, and how often each other one had its turn since
/// they had theirs.
pub type PassedOver = BTreeMap<(AppId, Principal), BTreeMap<Principal, u32>>;

/// The world of one story.
pub struct World<'a> {
    plan: &'a Plan,
    pub machine: Machine,
    pub now: Instant,
    start: Instant,
    happenings: BinaryHeap<Reverse<(Instant, u64, Happening)>>,
    order: u64,
    deeds: HashMap<usize, Deed>,
    pub workers: BTreeMap<WorkerId, Worker>,
    starting: BTreeMap<WorkerId, Start>,
    /// The release whose code new workers load.
    pub(super) release: Arc<Release>,
    /// Failed loads so far, for apps that fail a number of times.
    pub(super) failures: [u32; APPS.len()],
    pub callers: BTreeMap<CallId, Caller>,
    pub passed_over: PassedOver,
    /// The calls that are in slots, by what the pool was told.
    pub running: BTreeSet<CallId>,
    /// The calls that an operator cancelled in their slots.
    pub cancelled: BTreeSet<CallId>,
    next_call: u64,
    pub(super) no_process: u32,
    mended: bool,
    /// Calls that were not started where they were to be.
    came_back: usize,
    pub(super) random: Rng,
    pub drained_by: Option<Instant>,
    /// It drains because another one serves, without a limit.
    gives_way: bool,
    alarms: u32,
    pub(super) stats: Stats,
    pub teller: Option<Teller>,
}

impl<'a> World<'a> {
    pub fn new(plan: &'a Plan) -> Self {
        let now = Instant::now();
        let mut world = Self {
            plan,
            machine: Machine::new(&plan.release.config, plan.seed, now),
            now,
            start: now,
            happenings: BinaryHeap::new(),
            order: 0,
            deeds: HashMap::new(),
            workers: BTreeMap::new(),
            starting: BTreeMap::new(),
            release: Arc::clone(&plan.release),
            failures: [0; APPS.len()],
            callers: BTreeMap::new(),
            passed_over: PassedOver::new(),
            running: BTreeSet::new(),
            cancelled: BTreeSet::new(),
            next_call: 1,
            no_process: 0,
            mended: false,
            came_back: 0,
            random: Rng::with_seed(!plan.seed),
            drained_by: None,
            gives_way: false,
            alarms: 0,
            stats: Stats::default(),
            teller: None,
        };
        for (index, (at, _)) in plan.steps.iter().enumerate() {
            world.later(*at, Happening::Step(index));
        }
        if plan.steps.is_empty() {
            world.later(AFTER, Happening::Mend);
        }
        world
    }

    /// Plays to the end.
    pub fn play(mut self) -> Result<Stats, Box<(Broken, Self)>> {
        match self.run() {
            Ok(()) => Ok(self.stats),
            Err(broken) => Err(Box::new((broken, self))),
        }
    }

    fn run(&mut self) -> Result<(), Broken> {
        while !self.machine.is_drained() {
            let next = self.happenings.peek().map(|Reverse((at, _, _))| *at);
            let due = self.machine.due().instant();
            match (next, due) {
                (None, None) => return Err(Broken::of("a drain ends", "nobody acts any more")),
                (Some(at), due) if due.is_none_or(|due| at < due) => self.happen()?,
                (_, _) => {
                    self.pass(due.unwrap_or(self.now))?;
                    self.on(Event::Alarm)?;
                }
            }
        }
        promises::at_the_end(self)
    }

    fn pass(&mut self, to: Instant) -> Result<(), Broken> {
        if to > self.now {
            self.now = to;
            self.alarms = 0;
        }
        self.alarms += 1;
        if self.alarms > MOST_ALARMS {
            return Err(Broken::of("an alarm is for later", "the same one rings again and again"));
        }
        match self.drained_by {
            Some(by) if self.now > by + STRAGGLERS => {
                Err(Broken::of("a drain ends", "its deadline is long over"))
            }
            _ => Ok(()),
        }
    }

    fn happen(&mut self) -> Result<(), Broken> {
        let Some(Reverse((at, _, happening))) = self.happenings.pop() else { return Ok(()) };
        self.now = self.now.max(at);
        self.alarms = 0;
        match happening {
            Happening::Step(index) => {
                let plan = self.plan;
                self.step(&plan.steps[index].1)?;
                if index + 1 == plan.steps.len() {
                    self.later(AFTER, Happening::Mend);
                }
                Ok(())
            }
            Happening::Leave(id) => self.leave(id),
            Happening::Deed(worker, deed) => self.deed(worker, deed),
            Happening::Start(worker) => self.started(worker),
            Happening::Mend => self.mend(),
            Happening::Drain => self.drain(Duration::from_secs(10)),
            Happening::Edge => self.on(Event::EdgeClosed),
        }
    }

    fn later(&mut self, pause: Duration, happening: Happening) {
        self.order += 1;
        self.happenings.push(Reverse((self.now + pause, self.order, happening)));
    }

    pub(super) fn call(&mut self, plan: &CallPlan) -> Result<(), Broken> {
        let id = CallId(self.next_call);
        self.next_call += 1;
        self.stats.calls += 1;
        let deadline =
            plan.deadline.map_or(Deadline::Never, |left| Deadline::after(self.now, left));
        let request = Box::new(CallRequest {
            app: APPS.get(plan.app).copied().unwrap_or("no:App").to_owned(),
            action: "act".to_owned(),
            payload: Bytes::from(vec![0; plan.bytes]),
            payload_kind: PayloadKind::ExecuteRequest,
            arrived: self.now,
            peer: Peer::Process { uid: plan.uid, gid: plan.uid, pid: None },
            quota: plan.quota(),
            caller_deadline: deadline,
            request_id: String::new(),
            metadata: Vec::new(),
            story: None,
        });
        let (reply, answer) = reply_channel();
        let leaves_first = plan.leaves_after == Some(Duration::ZERO);
        let (has_left, has_answer, starts) = (false, false, 0);
        let plan = plan.clone();
        let leaves_after = plan.leaves_after;
        self.callers.insert(id, Caller { answer, plan, has_left, has_answer, starts });
        if leaves_first {
            self.leave(id)?;
        } else if let Some(pause) = leaves_after {
            self.later(pause, Happening::Leave(id));
        }
        let app = request.app.clone();
        // One that comes back keeps its place, whatever the limit.
        let before = promises::waiting(&self.machine, &app);
        self.came_back = 0;
        self.on(Event::Submit(id, request, reply))?;
        promises::queue_is_bounded(&self.machine, &app, before + self.came_back)
    }

    fn leave(&mut self, id: CallId) -> Result<(), Broken> {
        let Some(caller) = self.callers.get_mut(&id) else { return Ok(()) };
        match caller.answer.try_recv() {
            Err(TryRecvError::Empty) if !caller.has_left => caller.has_left = true,
            Ok(_) => {
                caller.has_answer = true;
                return Ok(()); // its ticket is done
            }
            Err(_) => return Ok(()),
        }
        self.on(Event::Caller(id, FromCaller::Left))
    }

    /// From here on everything loads, and nothing is done to it any more. Who reads a
    /// stream for ever has had enough.
    fn mend(&mut self) -> Result<(), Broken> {
        let reads = |caller: &Caller| caller.plan.end == CallEnd::Streams;
        let readers = self.callers.iter().filter(|(_, caller)| reads(caller));
        for id in readers.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.leave(id)?;
        }
        self.tell_story(|| "every fault is mended".to_owned());
        self.mended = true;
        self.later(MENDED, Happening::Drain);
        self.no_process = 0;
        self.release = Arc::new(self.release.mended());
        Ok(())
    }

    pub(super) fn give_way(&mut self) -> Result<(), Broken> {
        if self.drained_by.is_some() {
            return Ok(());
        }
        self.gives_way = true;
        self.drained_by = Some(self.now + GIVES_WAY);
        let pause = Duration::from_millis(self.random.u64(0..3000));
        self.later(pause, Happening::Edge);
        self.on(Event::GiveWay)
    }

    pub(super) fn drain(&mut self, patience: Duration) -> Result<(), Broken> {
        if self.drained_by.is_some() && !std::mem::take(&mut self.gives_way) {
            return Ok(());
        }
        if self.mended {
            promises::before_the_drain(self)?;
        }
        self.drained_by = Some(self.now + patience);
        let pause = Duration::from_millis(self.random.u64(0..3000));
        self.later(pause, Happening::Edge);
        self.on(Event::Drain(self.now + patience))
    }

    fn deed(&mut self, id: WorkerId, deed: usize) -> Result<(), Broken> {
        let Some(deed) = self.deeds.remove(&deed) else { return Ok(()) };
        let release = Arc::clone(&self.release);
        let mut failures = self.failures;
        let result =
            self.act(id, |worker, wishes| worker.does(deed, &release, &mut failures, wishes));
        self.failures = failures;
        result
    }

    /// A process is started, if there is one left for it, and hears what it was told
    /// meanwhile.
    fn started(&mut self, id: WorkerId) -> Result<(), Broken> {
        let Some(Start { pool, told }) = self.starting.remove(&id) else { return Ok(()) };
        let Some(pool) = pool else {
            return self.on(Event::NotSpawned(id, "no process is left".to_owned()));
        };
        self.stats.workers += 1;
        let pid = id as i32 + 1000;
        self.workers.insert(id, Worker::new(WorkerRef { id, pid }, &pool, self.plan.seed));
        self.on(Event::Spawned(id, pid))?;
        for control in told {
            self.on_told(id, control)?;
        }
        Ok(())
    }

    fn on_told(&mut self, id: WorkerId, control: Control) -> Result<(), Broken> {
        let mut events = VecDeque::new();
        self.tell(id, control, &mut events)?;
        while let Some(event) = events.pop_front() {
            self.on(event)?;
        }
        Ok(())
    }

    /// Lets a worker act, and passes on what it wishes.
    pub(super) fn act(
        &mut self,
        id: WorkerId,
        act: impl FnOnce(&mut Worker, &mut Wishes<'_>),
    ) -> Result<(), Broken> {
        let (mut deeds, mut reports) = (Vec::new(), Vec::new());
        let mut wishes = Wishes { now: self.now, deeds: &mut deeds, reports: &mut reports };
        let Some(worker) = self.workers.get_mut(&id) else { return Ok(()) };
        act(worker, &mut wishes);
        self.plan_deeds(id, deeds);
        for report in reports {
            if let Report::Died(_) = report {
                self.workers.remove(&id);
            }
            self.on(Event::Worker(id, report))?;
        }
        Ok(())
    }

    fn plan_deeds(&mut self, id: WorkerId, deeds: Vec<(Duration, Deed)>) {
        for (pause, deed) in deeds {
            let key = self.order as usize;
            self.deeds.insert(key, deed);
            self.later(pause, Happening::Deed(id, key));
        }
    }

    /// The machine decides, its hands act, and what follows at once is decided.
    pub(super) fn on(&mut self, event: Event) -> Result<(), Broken> {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            self.stats.events += 1;
            if let Event::Worker(id, Report::Booted) = &event
                && let Some(worker) = self.workers.get_mut(id)
            {
                worker.is_known_to_have_booted = true;
            }
            self.came_back += usize::from(matches!(event, Event::NotStarted(..)));
            self.runs_no_more(&event);
            if let Some(teller) = &mut self.teller {
                teller.event(self.now - self.start, &event);
            }
            let mut actions = Vec::new();
            self.machine.on(event, self.now, &mut actions);
            for action in actions {
                if let Some(teller) = &mut self.teller {
                    teller.action(&action);
                }
                self.perform(action, &mut events)?;
            }
        }
        promises::always(self)
    }

    fn runs_no_more(&mut self, event: &Event) {
        match event {
            Event::NotStarted(_, call) => drop(self.running.remove(&call.id)),
            Event::Worker(_, Report::Finished(end)) => drop(self.running.remove(&end.call)),
            Event::Worker(_, Report::Died(death)) => {
                let lost = death.lost.iter().map(|end| end.call);
                for id in lost.chain(death.unstarted.iter().map(|call| call.id)) {
                    self.running.remove(&id);
                }
            }
            _ => {}
        }
    }

    fn perform(&mut self, action: Action, events: &mut VecDeque<Event>) -> Result<(), Broken> {
        match action {
            Action::Spawn(id, pool, _) => {
                let has_process = self.no_process == 0;
                self.no_process = self.no_process.saturating_sub(1);
                let pool = has_process.then_some(pool);
                self.starting.insert(id, Start { pool, told: Vec::new() });
                // One process is started after the other.
                let pause = Duration::from_millis(self.random.u64(0..20));
                self.later(pause, Happening::Start(id));
            }
            Action::Tell(id, control) => match (self.starting.get_mut(&id), control) {
                (Some(_), Control::Kill(why)) => {
                    self.starting.remove(&id);
                    events.push_back(Event::NotSpawned(id, why));
                }
                (Some(start), control) => start.told.push(control),
                (None, control) => self.tell(id, control, events)?,
            },
            Action::Refuse(reply, error) => reply.fail(error, None),
            Action::Measure(id) => {
                events.push_back(Event::Measured(id, self.random.u64(50..103)));
            }
            Action::Reloaded(Ok(_)) => self.stats.reloads += 1,
            Action::Reloaded(Err(_)) | Action::Scaled(_) | Action::Restarting(_) => {}
            Action::Cancelled(_) => {}
            Action::Note(_) | Action::Publish(_) => {}
        }
        Ok(())
    }

    fn tell(
        &mut self,
        id: WorkerId,
        control: Control,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Broken> {
        promises::may_be_told(self, id, &control)?;
        if let Control::Start(call) = &control {
            promises::nobody_is_passed_over(self, call)?;
        }
        if let Control::Start(call) = &control
            && let Some(caller) = self.callers.get_mut(&call.id)
        {
            caller.starts += 1;
            self.running.insert(call.id);
        }
        if let Control::CancelByOperator(call) = &control {
            self.cancelled.insert(*call);
        }
        let Some(worker) = self.workers.get_mut(&id) else {
            if let Control::Start(call) = control {
                events.push_back(Event::NotStarted(id, Box::new(call)));
            }
            return Ok(());
        };
        let (mut deeds, mut reports) = (Vec::new(), Vec::new());
        let mut wishes = Wishes { now: self.now, deeds: &mut deeds, reports: &mut reports };
        let callers = &self.callers;
        let back = worker.tell(control, |id| callers[&id].plan.clone(), &mut wishes);
        events.extend(back.map(|call| Event::NotStarted(id, Box::new(call))));
        events.extend(reports.into_iter().map(|report| Event::Worker(id, report)));
        self.plan_deeds(id, deeds);
        Ok(())
    }

    pub(super) fn tell_story(&mut self, line: impl FnOnce() -> String) {
        let at = self.now - self.start;
        if let Some(teller) = &mut self.teller {
            teller.line(at, line());
        }
    }
}
