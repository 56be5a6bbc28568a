//! The pool's task: it feeds the machine with what happens, and carries out what
//! the machine decides. It decides nothing itself.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Instant,
};

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::{
    Ask, Health, ReloadError, RestartError, ScaleError, Snapshot,
    app_metrics::AppMetrics,
    journal::{self, Journal},
    machine::{Action, Event, Machine, Shared, ids::WorkerId},
};
use crate::{
    call::{CallError, CallId, Cancelled, FromCaller, WorkerRef},
    clock::Alarm,
    config::{Config, PoolConfig},
    process::{cpu::cpu_time, memory::resident_bytes},
    worker::{Control, Report, WorkerHandle, WorkerSpec},
};

/// Reports of workers that wait for the task; a worker's task waits when it is
/// full.
const REPORTS: usize = 1024;

/// The hands of the pool.
pub struct Task {
    machine: Machine,
    workers: BTreeMap<WorkerId, WorkerHandle>,
    journal: Journal,
    health: watch::Sender<Health>,
    asks: mpsc::Receiver<Ask>,
    callers: mpsc::Receiver<(CallId, FromCaller)>,
    reports: mpsc::Receiver<(WorkerId, Report)>,
    reporter: mpsc::Sender<(WorkerId, Report)>,
    /// Whoever asked for another size, or for a reload, and has no answer yet.
    scaling: Option<oneshot::Sender<Result<(u32, u32), ScaleError>>>,
    reloading: Option<oneshot::Sender<Result<u32, ReloadError>>>,
    /// Whoever cancels a call, or has a worker replaced, until this turn is over.
    cancelling: Option<oneshot::Sender<Option<Cancelled>>>,
    restarting: Option<oneshot::Sender<Result<(WorkerRef, String), RestartError>>>,
    /// What actions brought about, to be looked at before anything else.
    feedback: VecDeque<Event>,
    /// Processes to be started, oldest first. Each takes a millisecond: a call that
    /// comes meanwhile waits for one at most.
    starts: BTreeMap<WorkerId, Start>,
    actions: Vec<Action>,
    app_metrics: AppMetrics,
}

/// A process to be started.
struct Start {
    pool: Arc<PoolConfig>,
    shared: Shared,
    /// What its worker is told then.
    told: Vec<Control>,
}

/// What woke the task.
enum Wake {
    Event(Event),
    Ask(Ask),
    Nobody,
}

impl Task {
    /// The task of a pool that has no worker yet.
    pub fn new(
        config: &Config,
        asks: mpsc::Receiver<Ask>,
        callers: mpsc::Receiver<(CallId, FromCaller)>,
        health: watch::Sender<Health>,
    ) -> Self {
        let (reporter, reports) = mpsc::channel(REPORTS);
        Self {
            machine: Machine::new(config, fastrand::u64(..), Instant::now()),
            workers: BTreeMap::new(),
            journal: Journal::new(),
            health,
            asks,
            callers,
            reports,
            reporter,
            scaling: None,
            reloading: None,
            cancelling: None,
            restarting: None,
            feedback: VecDeque::new(),
            starts: BTreeMap::new(),
            actions: Vec::new(),
            app_metrics: AppMetrics::default(),
        }
    }

    /// What watchers of events subscribe to.
    pub fn watchers(&self) -> broadcast::Sender<journal::Entry> {
        self.journal.watchers()
    }

    /// Serves until a drain has ended.
    pub async fn run(mut self) {
        let mut alarm = Alarm::new();
        // Before anybody can ask, so that nobody takes a pool without workers for
        // one whose workers have all booted.
        self.on(Event::Alarm);
        while !self.machine.is_drained() {
            alarm.set(self.machine.due());
            // Callers first: what nobody waits for should not be started. Then
            // workers, because they free slots, and what they report is bounded
            // by those; then time; new calls last, so that a flood of them
            // starves nothing.
            let wake = tokio::select! { biased;
                Some((id, said)) = self.callers.recv() => Wake::Event(Event::Caller(id, said)),
                Some((id, report)) = self.reports.recv() => Wake::Event(Event::Worker(id, report)),
                () = alarm.rings() => Wake::Event(Event::Alarm),
                ask = self.asks.recv() => match ask {
                    Some(ask) => Wake::Ask(ask),
                    None => return, // no handle is left: nobody can ask for anything
                },
                () = tokio::task::yield_now(), if !self.starts.is_empty() => Wake::Nobody,
            };
            match wake {
                Wake::Event(Event::Worker(id, report @ Report::Died(_))) => {
                    self.on(Event::Worker(id, report));
                    self.workers.remove(&id);
                    self.app_metrics.forget(id);
                }
                Wake::Event(Event::Worker(id, Report::Metrics(metrics))) => {
                    if let Some(dropped) = self.app_metrics.add(id, *metrics) {
                        tracing::warn!(worker = id, "{dropped}");
                    }
                }
                Wake::Event(event) => self.on(event),
                Wake::Ask(ask) => self.answer(ask),
                Wake::Nobody => {}
            }
            self.start_next();
        }
        // What came too late to be looked at. Whoever asked for anything else
        // learns the same from the end of this task.
        while let Ok(ask) = self.asks.try_recv() {
            if let Ask::Submit(_, _, reply) = ask {
                reply.fail(CallError::Draining, None);
            }
        }
    }

    fn answer(&mut self, ask: Ask) {
        match ask {
            Ask::Submit(id, request, reply) => self.on(Event::Submit(id, request, reply)),
            Ask::AppMetrics(reply) => drop(reply.send(self.app_metrics.clone())),
            Ask::Status(reply) => drop(reply.send(self.snapshot())),
            Ask::Scale { pool, change, reply } => {
                self.scaling = Some(reply);
                self.on(Event::Scale { pool, change });
            }
            Ask::Reload { config, pool, reply } => {
                // One that is under way keeps the place of its own asker.
                let under_way = self.reloading.replace(reply);
                self.on(Event::Reload { config, pool });
                if under_way.is_some() {
                    self.reloading = under_way;
                }
            }
            Ask::ListCalls(reply) => {
                let (to, running) = mpsc::unbounded_channel();
                for worker in self.workers.values() {
                    worker.tell(Control::ListCalls(to.clone()));
                }
                let waiting = self.machine.waiting_calls();
                drop(reply.send((waiting, running)));
            }
            Ask::CancelCall(id, reply) => {
                self.cancelling = Some(reply);
                self.on(Event::CancelCall(id));
            }
            Ask::GetStacks(id, reply) => {
                let asked = self.workers.get(&id).map(|handle| {
                    let (to, stacks) = oneshot::channel();
                    handle.tell(Control::GetStacks(to));
                    (handle.worker, stacks)
                });
                drop(reply.send(asked));
            }
            Ask::Restart(id, reply) => {
                self.restarting = Some(reply);
                self.on(Event::Restart(id));
            }
            Ask::Drain(deadline) => self.on(Event::Drain(deadline)),
            Ask::GiveWay => self.on(Event::GiveWay),
            Ask::EdgeClosed => self.on(Event::EdgeClosed),
        }
    }

    /// Lets the machine decide, and does what it says, until nothing follows.
    fn on(&mut self, event: Event) {
        let mut next = Some(event);
        while let Some(event) = next {
            let mut actions = std::mem::take(&mut self.actions);
            self.machine.on(event, Instant::now(), &mut actions);
            for action in actions.drain(..) {
                self.perform(action);
            }
            self.actions = actions;
            next = self.feedback.pop_front();
        }
    }

    /// Starts one process, if one is to be started.
    fn start_next(&mut self) {
        let Some((id, Start { pool, shared, told })) = self.starts.pop_first() else { return };
        let event = self.spawn(id, pool, &shared);
        self.on(event);
        if let Some(worker) = self.workers.get(&id) {
            told.into_iter().for_each(|control| worker.tell(control));
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Tell(id, Control::Start(call)) => {
                let call = match self.workers.get(&id) {
                    Some(worker) => worker.start_call(call),
                    None => Some(call),
                };
                if let Some(call) = call {
                    self.feedback.push_back(Event::NotStarted(id, Box::new(call)));
                }
            }
            Action::Tell(id, control) => match (self.workers.get(&id), control) {
                (Some(worker), control) => worker.tell(control),
                (None, Control::Kill(why)) => {
                    // What is not wanted any more is not started.
                    if self.starts.remove(&id).is_some() {
                        self.feedback.push_back(Event::NotSpawned(id, why));
                    }
                }
                (None, control) => {
                    self.starts.entry(id).and_modify(|start| start.told.push(control));
                }
            },
            Action::Refuse(reply, error) => reply.fail(error, None),
            Action::Spawn(id, pool, shared) => {
                self.starts.insert(id, Start { pool, shared, told: Vec::new() });
            }
            Action::Measure(id) => {
                let memory = self.workers.get(&id).map(|handle| resident_bytes(handle.worker.pid));
                let measured = memory.flatten().map(|bytes| Event::Measured(id, bytes));
                self.feedback.extend(measured);
            }
            Action::Note(note) => self.journal.write(note),
            Action::Publish(health) => drop(self.health.send_replace(health)),
            Action::Scaled(result) => {
                if let Some(reply) = self.scaling.take() {
                    let _ = reply.send(result);
                }
            }
            Action::Cancelled(was) => {
                if let Some(reply) = self.cancelling.take() {
                    let _ = reply.send(was);
                }
            }
            Action::Restarting(result) => {
                if let Some(reply) = self.restarting.take() {
                    let _ = reply.send(result);
                }
            }
            Action::Reloaded(result) => {
                if let Some(reply) = self.reloading.take() {
                    let _ = reply.send(result);
                }
            }
        }
    }

    fn spawn(&mut self, id: WorkerId, pool: Arc<PoolConfig>, shared: &Shared) -> Event {
        let spec = WorkerSpec {
            id,
            pool,
            window: shared.window,
            max_message_size: shared.max_message_size,
            busy_wait: shared.busy_wait,
            graceful_timeout: shared.graceful_timeout,
        };
        match WorkerHandle::start(spec, self.reporter.clone()) {
            Ok(handle) => {
                let pid = handle.worker.pid;
                self.workers.insert(id, handle);
                Event::Spawned(id, pid)
            }
            Err(error) => Event::NotSpawned(id, error.to_string()),
        }
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = self.machine.snapshot(Instant::now());
        for worker in &mut snapshot.workers {
            worker.memory = resident_bytes(worker.worker.pid).unwrap_or(0);
            worker.cpu_time = cpu_time(worker.worker.pid).unwrap_or_default();
        }
        snapshot
    }
}
