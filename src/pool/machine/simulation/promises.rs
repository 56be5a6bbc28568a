//! What must hold, whatever happens.

use tokio::sync::oneshot::error::TryRecvError;

use super::{
    super::{
        Machine,
        fleet::{Holder, Loaded},
        ids::{AppId, WorkerId},
    },
    world::World,
};
use crate::{
    call::{Call, CallError, Principal},
    clock::Deadline,
    worker::Control,
};

/// A promise that was not kept.
#[derive(Debug, Clone)]
pub struct Broken {
    /// The promise.
    pub promise: &'static str,
    /// How it was broken.
    pub how: String,
}

impl Broken {
    pub fn of(promise: &'static str, how: impl Into<String>) -> Self {
        Self { promise, how: how.into() }
    }
}

type Kept = Result<(), Broken>;

fn check(holds: bool, promise: &'static str, how: impl FnOnce() -> String) -> Kept {
    if holds { Ok(()) } else { Err(Broken::of(promise, how())) }
}

/// After every step.
pub fn always(world: &World<'_>) -> Kept {
    let machine = &world.machine;
    nobody_waits_beside_an_idle_slot(world)?;
    quotas_are_kept(world)?;
    seats_are_filled_or_explained(machine)?;
    one_worker_of_a_seat_takes_its_time(world)?;
    for (id, worker) in &world.workers {
        let leaves = worker.told_to_drain && !worker.is_dead() && worker.calls() > 0;
        check(!leaves || worker.streams_end != Deadline::Never, "a drain ends", || {
            format!("the streams of worker {id} may go on for ever")
        })?;
        check(worker.calls() <= worker.threads, "slots are bounded", || {
            format!("worker {id} has {} calls in {} slots", worker.calls(), worker.threads)
        })?;
    }
    Ok(())
}

/// No call waits while a worker that has its app has a free slot.
fn nobody_waits_beside_an_idle_slot(world: &World<'_>) -> Kept {
    let machine = &world.machine;
    for (app, row) in machine.fleet.apps() {
        let waiting = machine.dispatch.queue(app).map(super::super::dispatch::AppQueue::principals);
        let waiting = waiting.unwrap_or_default();
        if waiting.is_empty() {
            continue;
        }
        let serves = |worker: &&super::super::fleet::Worker| {
            let is_alive = world.workers.get(&worker.id()).is_some_and(|w| !w.is_dead());
            let has_room = machine.dispatch.load(worker.id()) < worker.threads;
            let has_app = matches!(worker.apps.get(&app), Some(Loaded::Ready));
            worker.is_serving() && is_alive && has_room && has_app
        };
        let may_run = waiting.iter().any(|user| has_one_more(world, *user));
        if let Some(worker) = machine.fleet.workers().find(serves).filter(|_| may_run) {
            let how = format!("app {} waits, {} has a free slot", row.path(), worker.process);
            return Err(Broken::of("no call waits beside an idle slot", how));
        }
        check(machine.has_hope(app), "nobody waits for what cannot come", || {
            format!("app {} waits, and no worker is going to serve it", row.path())
        })?;
    }
    Ok(())
}

/// Of the workers that have left a seat, one at most may let its streams go on.
fn one_worker_of_a_seat_takes_its_time(world: &World<'_>) -> Kept {
    let machine = &world.machine;
    for pool in machine.fleet.pool_ids() {
        for (seat, _) in machine.fleet.seats(pool) {
            let at_leisure = |id: &WorkerId| {
                let worker = world.workers.get(id).filter(|worker| !worker.is_dead());
                worker.is_some_and(|worker| !worker.streams_end.is_over(world.now))
            };
            let leaving = machine.fleet.leaves(seat).map(super::super::fleet::Worker::id);
            let leaving: Vec<WorkerId> = leaving.filter(at_leisure).collect();
            check(leaving.len() <= 1, "one generation drains at a time", || {
                format!("{leaving:?} have left {seat}, and their streams go on")
            })?;
        }
    }
    Ok(())
}

/// Whether one more call of a user may run.
fn has_one_more(world: &World<'_>, user: Principal) -> bool {
    let plans = world.running.iter().filter_map(|id| world.callers.get(id)).map(|c| &c.plan);
    let runs: Vec<_> = plans.filter(|plan| Principal::Uid(plan.uid) == user).collect();
    let most = runs.first().and_then(|plan| plan.quota().max_running);
    most.is_none_or(|most| runs.len() < most as usize)
}

/// No user has more calls running than its quota allows.
fn quotas_are_kept(world: &World<'_>) -> Kept {
    let mut runs = std::collections::BTreeMap::new();
    for id in &world.running {
        let Some(caller) = world.callers.get(id) else { continue };
        let count = runs.entry(caller.plan.uid).or_insert(0);
        *count += 1;
        let (most, count) = (caller.plan.quota().max_running, *count);
        check(most.is_none_or(|most| count <= most), "a quota is kept", || {
            format!("{count} calls of uid {} run, it may have {most:?}", caller.plan.uid)
        })?;
    }
    Ok(())
}

/// An empty seat has a worker due, or waits for the scout.
fn seats_are_filled_or_explained(machine: &Machine) -> Kept {
    if machine.phase.is_opening() || machine.phase.drain().is_some() {
        return Ok(());
    }
    for pool in machine.fleet.pool_ids() {
        let scouting = machine.fleet.pool(pool).scouting;
        for (id, seat) in machine.fleet.seats(pool) {
            let explained = match seat.holder {
                Holder::Worker(worker) => machine.fleet.worker(worker).is_some(),
                Holder::Pausing { until, .. } => machine.due() <= until.into(),
                Holder::Nobody => scouting && id.index > 0,
            };
            let name = &machine.fleet.pool(pool).config.name;
            check(explained, "every seat is filled or explained", || {
                format!("{id} of pool {name} is {:?}", seat.holder)
            })?;
            let successor = seat.successor.is_none_or(|id| machine.fleet.worker(id).is_some());
            check(successor, "every seat is filled or explained", || {
                format!("the successor of {id} of pool {name} is gone")
            })?;
        }
    }
    Ok(())
}

/// What a worker may be told now.
pub fn may_be_told(world: &World<'_>, id: WorkerId, control: &Control) -> Kept {
    let worker = world.workers.get(&id);
    match control {
        Control::Start(call) => {
            let Some(caller) = world.callers.get(&call.id) else { return Ok(()) };
            check(!caller.has_left, "what nobody waits for is not started", || {
                format!("call {} goes to worker {id}", call.id)
            })?;
            let cancelled = world.cancelled.contains(&call.id);
            check(!cancelled, "what an operator cancelled is not started again", || {
                format!("call {} goes to worker {id}", call.id)
            })?;
            check(!call.queue_deadline().is_over(world.now), "late calls are not started", || {
                format!("call {} goes to worker {id}", call.id)
            })?;
            let drains = worker.is_some_and(|worker| worker.told_to_drain);
            check(!drains, "a draining worker gets no call", || {
                format!("call {} goes to worker {id}", call.id)
            })
        }
        Control::Kill(why) => {
            let closes = worker.is_none_or(|worker| {
                !worker.is_known_to_have_booted
                    || worker.told_to_drain
                    || worker.is_dead()
                    || worker.calls() > 0
            });
            check(closes, "close() comes before a kill", || {
                format!("worker {id} is idle and was not asked to leave: {why}")
            })
        }
        _ => Ok(()),
    }
}

/// How often others may have their turn before one that waits has its own: one
/// each, and another for calls that came back or left.
const MOST_PASSED: u32 = 3;

/// A call goes to a worker: nobody who waits for the same app is passed over again
/// and again by the same user.
pub fn nobody_is_passed_over(world: &mut World<'_>, call: &Call) -> Kept {
    let Some(app) = world.machine.fleet.named(&call.request.app) else { return Ok(()) };
    let waiting =
        world.machine.dispatch.queue(app).map(super::super::dispatch::AppQueue::principals);
    let (waiting, who) = (waiting.unwrap_or_default(), call.request.peer.principal());
    world
        .passed_over
        .retain(|(of, user), _| *of != app || (*user != who && waiting.contains(user)));
    for user in waiting.into_iter().filter(|user| *user != who) {
        if !has_one_more(world, user) {
            continue; // its own calls are in its way
        }
        let passed = world.passed_over.entry((app, user)).or_default().entry(who).or_default();
        *passed += 1;
        let passed = *passed;
        check(passed <= MOST_PASSED * call.request.quota.weight, "users have their turns", || {
            format!("{user:?} waits for {}, and {who:?} had {passed} turns", call.request.app)
        })?;
    }
    Ok(())
}

/// The number of calls that wait for an app.
pub fn waiting(machine: &Machine, path: &str) -> usize {
    let queue = machine.fleet.named(path).and_then(|app| machine.dispatch.queue(app));
    queue.map_or(0, super::super::dispatch::AppQueue::len)
}

/// A call was submitted while `before` calls waited.
pub fn queue_is_bounded(machine: &Machine, path: &str, before: usize) -> Kept {
    let Some(app) = machine.fleet.named(path) else { return Ok(()) };
    let (now, limit) = (waiting(machine, path), machine.fleet.app(app).config.queue.calls);
    check(now <= before || now <= limit, "a queue is bounded", || {
        format!("{now} calls wait for {path}, the limit is {limit}")
    })
}

/// The faults are mended, and there was time.
pub fn before_the_drain(world: &mut World<'_>) -> Kept {
    let machine = &world.machine;
    check(machine.phase.may_reload().is_ok(), "a reload ends", || {
        "it runs still, long after every fault was mended".to_owned()
    })?;
    for pool in machine.fleet.pool_ids() {
        for (id, seat) in machine.fleet.seats(pool) {
            let holder = seat.occupant().and_then(|worker| machine.fleet.worker(worker));
            let serves = holder.is_some_and(super::super::fleet::Worker::is_serving);
            check(serves, "every seat is filled in the end", || {
                format!("{id} is {:?}: {holder:?}", seat.holder)
            })?;
            let loads = |app: &AppId| {
                holder.is_some_and(|worker| matches!(worker.apps.get(app), Some(Loaded::Ready)))
            };
            let missing = seat.apps.iter().find(|app| !loads(app));
            check(missing.is_none(), "every app is loaded in the end", || {
                format!("{id} lacks {missing:?}: {holder:?}")
            })?;
        }
    }
    every_call_has_its_outcome(world)?;
    nothing_is_remembered(world)
}

/// The arbiter has ended.
pub fn at_the_end(world: &mut World<'_>) -> Kept {
    check(world.workers.is_empty(), "no worker outlives the arbiter", || {
        format!("{:?} live", world.workers.keys())
    })?;
    every_call_has_its_outcome(world)
}

/// Each call has one outcome, and the right one.
fn every_call_has_its_outcome(world: &mut World<'_>) -> Kept {
    for (id, caller) in &mut world.callers {
        let outcome = caller.answer.try_recv();
        let how = match outcome {
            Ok(_) if caller.has_answer => "it was answered twice",
            Err(TryRecvError::Closed) if caller.has_answer || caller.has_left => continue,
            Ok(Ok(_)) if caller.starts == 0 => "it has a result, and was never started",
            Ok(Err((CallError::Lost, _))) | Err(TryRecvError::Closed) => "it was dropped",
            Err(TryRecvError::Empty) if caller.has_left => "it is still there",
            Err(TryRecvError::Empty) => "nobody answers it",
            Ok(_) => {
                caller.has_answer = true;
                continue;
            }
        };
        return Err(Broken::of("every call has one outcome", format!("call {id}: {how}")));
    }
    Ok(())
}

/// No row is left of what is gone.
fn nothing_is_remembered(world: &World<'_>) -> Kept {
    let machine = &world.machine;
    // Some seat may just be getting another worker because of its age.
    let pools = machine.fleet.pool_ids();
    let seats = pools.iter().flat_map(|pool| machine.fleet.seats(*pool));
    let workers: usize = seats.map(|(_, seat)| 1 + usize::from(seat.successor.is_some())).sum();
    let leaving = machine.fleet.workers().filter(|worker| worker.is_leaving()).count();
    let rows = machine.rows();
    let apps = machine.fleet.apps().count();
    let expected = super::super::Rows {
        apps,
        queues: rows.queues,
        pools: machine.fleet.pool_ids().len(),
        workers: workers + leaving,
        calls: 0,
        early: rows.early,
    };
    check(rows == expected, "nothing is remembered that is gone", || {
        format!("{rows:?}, not {expected:?}")
    })?;
    check(rows.queues >= apps, "every app has a queue", || format!("{rows:?}"))?;
    check(rows.early == 0, "nothing is remembered that is gone", || {
        format!("{} callers that left", rows.early)
    })
}
