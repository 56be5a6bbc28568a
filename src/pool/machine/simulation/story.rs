//! A broken promise, told.

use std::{fmt, time::Duration};

use super::{plan::Plan, promises::Broken, world::World};
use crate::{
    pool::machine::{Action, Event},
    worker::{Control, Report},
};

/// What happened in a story.
#[derive(Debug, Default, Clone, Copy)]
pub struct Stats {
    /// Events that the machine took.
    pub events: u64,
    /// Calls that were made.
    pub calls: u64,
    /// Workers that were started.
    pub workers: u64,
    /// Workers that died unasked.
    pub crashes: u64,
    /// Reloads that succeeded.
    pub reloads: u64,
}

/// A seed that broke a promise, with the smallest plan that still does.
#[derive(Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// The promise, and how it was broken.
    pub broken: Broken,
    /// What happened, a line a step.
    pub lines: Vec<String>,
    /// The number of steps of the seed's plan, and of the smallest one.
    pub steps: (usize, usize),
}

impl Failure {
    /// Makes a plan that breaks a promise as small as it can, and tells it.
    pub fn tell(plan: Plan) -> Self {
        let all = plan.steps.len();
        let smallest = smallest(plan);
        let mut world = World::new(&smallest);
        world.teller = Some(Teller::default());
        let (broken, lines) = match world.play() {
            Err(end) => (end.0, end.1.teller.unwrap_or_default().lines),
            Ok(_) => (Broken::of("the same seed makes the same story", "it did not"), Vec::new()),
        };
        Self { seed: smallest.seed, broken, lines, steps: (all, smallest.steps.len()) }
    }
}

/// Takes steps out as long as the same promise is broken.
fn smallest(mut plan: Plan) -> Plan {
    let breaks = |plan: &Plan| World::new(plan).play().err().map(|end| end.0.promise);
    let promise = breaks(&plan);
    let mut size = plan.steps.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        while at < plan.steps.len() {
            let mut smaller = plan.clone();
            smaller.steps.drain(at..(at + size).min(plan.steps.len()));
            match breaks(&smaller) == promise {
                true => plan = smaller,
                false => at += size,
            }
        }
        size /= 2;
    }
    plan
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, broken, lines, steps: (all, few) } = self;
        writeln!(f, "seed {seed}: the pool broke the promise that {}", broken.promise)?;
        writeln!(f, "  {few} of {all} steps are enough for it:")?;
        for line in lines {
            writeln!(f, "  {line}")?;
        }
        write!(f, "  broken: {}", broken.how)
    }
}

/// Writes the story down.
#[derive(Debug, Default)]
pub struct Teller {
    lines: Vec<String>,
}

impl Teller {
    /// Something that is no event of the machine.
    pub fn line(&mut self, at: Duration, line: String) {
        self.lines.push(format!("{:>8.3} s  {line}", at.as_secs_f64()));
    }

    /// What the machine hears.
    pub fn event(&mut self, at: Duration, event: &Event) {
        let line = match event {
            Event::Submit(id, request, _) => {
                format!("call {id} of {} to {} arrives", request.peer, request.app)
            }
            Event::Caller(id, said) => format!("the caller of call {id}: {said:?}"),
            Event::Spawned(id, _) => format!("worker {id} was started"),
            Event::NotSpawned(id, why) => format!("worker {id} cannot be started: {why}"),
            Event::NotStarted(id, call) => {
                format!("worker {id} is gone, call {} comes back", call.id)
            }
            Event::Worker(id, report) => format!("worker {id}: {}", said(report)),
            Event::Measured(id, bytes) => format!("worker {id} uses {bytes} bytes"),
            Event::Scale { pool, change } => format!("an operator scales `{pool}`: {change:?}"),
            Event::Reload { pool, config } => {
                let pools = config.pools.iter().map(|pool| {
                    let apps = pool.apps.iter().map(|app| match app.workers {
                        Some(n) => format!("{}:{n}", app.path),
                        None => app.path.clone(),
                    });
                    let apps: Vec<String> = apps.collect();
                    format!("{} with {} workers for {}", pool.name, pool.workers, apps.join(", "))
                });
                let pools: Vec<String> = pools.collect();
                format!("an operator reloads `{pool}` ({:?}): {}", config.reload, pools.join("; "))
            }
            Event::CancelCall(id) => format!("an operator cancels call {id}"),
            Event::Restart(id) => format!("an operator restarts worker {id}"),
            Event::Drain(_) => "the arbiter is told to drain".to_owned(),
            Event::GiveWay => "another arbiter serves instead".to_owned(),
            Event::EdgeClosed => "the last connection closes".to_owned(),
            Event::Alarm => "the alarm rings".to_owned(),
        };
        self.line(at, line);
    }

    /// What the machine does.
    pub fn action(&mut self, action: &Action) {
        let line = match action {
            Action::Spawn(id, pool, _) => format!("starts worker {id} of pool `{}`", pool.name),
            Action::Tell(id, Control::Start(call)) => {
                format!("gives call {} to worker {id}", call.id)
            }
            Action::Tell(id, control) => format!("tells worker {id}: {control:?}"),
            Action::Refuse(_, error) => format!("ends a call: {error}"),
            Action::Measure(id) => format!("measures worker {id}"),
            Action::Note(note) => format!("notes: {}", note.message.replace('\n', " | ")),
            Action::Publish(health) => format!("publishes {health:?}"),
            Action::Scaled(result) => format!("answers the operator: {result:?}"),
            Action::Reloaded(result) => format!("answers the operator: {result:?}"),
            Action::Cancelled(was) => format!("answers the operator: {was:?}"),
            Action::Restarting(result) => format!("answers the operator: {result:?}"),
        };
        self.lines.push(format!("              -> {line}"));
    }
}

fn said(report: &Report) -> String {
    match report {
        Report::Imported(app, Ok(workers)) => format!("{app} is imported, workers {workers:?}"),
        Report::Imported(app, Err(_)) => format!("{app} cannot be imported"),
        Report::Loaded(app, Ok(())) => format!("{app} is loaded"),
        Report::Loaded(app, Err(_)) => format!("{app} cannot be loaded"),
        Report::Spoiled => "its process is spoiled".to_owned(),
        Report::Booted => "it has booted".to_owned(),
        Report::Finished(end) => format!("call {} leaves its slot", end.call),
        Report::TimedOut(id, _) => format!("call {id} timed out"),
        Report::CutOff(id, _) => format!("call {id} is cut off"),
        Report::Abandoned(id) => format!("call {id} is answered and goes on"),
        Report::Metrics(_) => "metrics".to_owned(),
        Report::LateFrame => "a frame for a call that has ended".to_owned(),
        Report::Died(death) => {
            let back: Vec<u64> = death.unstarted.iter().map(|call| call.id.0).collect();
            let lost: Vec<u64> = death.lost.iter().map(|end| end.call.0).collect();
            format!("it {}; calls {lost:?} are lost, {back:?} come back", death.ended)
        }
    }
}
