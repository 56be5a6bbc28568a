//! The simulated kernel: one clock, one queue of what is to happen, and the
//! processes.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

use super::{
    Stats,
    dirty_process::{DirtyProcess, Does},
    draw::Draw,
    main_process::MainProcess,
    plan::{Move, Plan, Process, Whom},
    systemd::Systemd,
};
use crate::{main_arbiter::machine::Standing, process::children::Exit};

/// The number of a main arbiter: the first is 0, its successors follow.
pub(super) type MainId = usize;
/// The number of a dirty arbiter.
pub(super) type DirtyId = usize;
/// Whether a promise is kept; the one that is broken otherwise.
pub(super) type Kept = Result<(), &'static str>;

/// More steps than that are a machine that wakes itself up for nothing.
const MOST_STEPS: u64 = 100_000;

/// What is to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Happening {
    /// A main arbiter gets a core, if it was to get it now.
    Wake(MainId),
    /// The binary of a successor has started.
    Begin(MainId),
    /// A stopped main arbiter goes on.
    Thaw(MainId),
    /// A killed main arbiter is gone.
    Gone(MainId, Exit),
    /// It is looked at whether a main arbiter is late.
    Late(MainId),
    /// A dirty arbiter does something.
    Dirty(DirtyId, Does),
    /// A move of the plan.
    Move(usize),
    /// `dirtyd upgrade` asks again, lest its word was lost.
    Finish(MainId),
    /// The moves are over.
    Calm,
}

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    at: Duration,
    number: u64,
    what: Happening,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The world of a story.
pub(super) struct World {
    pub(super) draw: Draw,
    pub(super) plan: Plan,
    pub(super) now: Duration,
    pub(super) mains: Vec<MainProcess>,
    pub(super) dirties: Vec<DirtyProcess>,
    pub(super) systemd: Systemd,
    /// Nothing fails any more.
    pub(super) calm: bool,
    pub(super) stats: Stats,
    start: Instant,
    queue: BinaryHeap<Reverse<Entry>>,
    entries: u64,
    /// The moves that are made, as a set of bits.
    moves: u64,
    trace: Option<Vec<String>>,
}

impl World {
    /// The world of a seed, in which only some moves are made.
    pub(super) fn new(seed: u64, moves: u64, traced: bool) -> Self {
        let mut draw = Draw::of(seed);
        let plan = Plan::draw(&mut draw);
        let mut world = Self {
            draw,
            systemd: Systemd::new(plan.timeouts.watchdog),
            plan,
            now: Duration::ZERO,
            mains: Vec::new(),
            dirties: Vec::new(),
            calm: false,
            stats: Stats::default(),
            start: Instant::now(),
            queue: BinaryHeap::new(),
            entries: 0,
            moves,
            trace: traced.then(Vec::new),
        };
        world.mains.push(MainProcess::first());
        world.begin(0, Standing::Alone);
        for number in 0..world.plan.moves.len() {
            let (at, _) = world.plan.moves[number];
            world.later(at, Happening::Move(number));
        }
        world.later(world.plan.calm_at, Happening::Calm);
        world
    }

    /// Tells the story to its end. Fails with the promise that was broken, and
    /// the trace.
    pub(super) fn run(mut self) -> Result<Stats, (&'static str, Vec<String>)> {
        match self.run_to_end() {
            Ok(()) => Ok(self.stats),
            Err(property) => Err((property, self.trace.unwrap_or_default())),
        }
    }

    fn run_to_end(&mut self) -> Kept {
        while let Some(Reverse(entry)) = self.queue.pop() {
            if entry.at > self.plan.end_at {
                break;
            }
            self.now = entry.at;
            self.stats.steps += 1;
            if self.stats.steps > MOST_STEPS {
                return Err("no machine wakes itself up for nothing");
            }
            self.step(entry.what)?;
        }
        self.at_rest()
    }

    fn step(&mut self, what: Happening) -> Kept {
        match what {
            Happening::Wake(main) => self.wake(main)?,
            Happening::Begin(main) => self.begin(main, Standing::Waiting),
            Happening::Thaw(main) => self.thaw_main(main),
            Happening::Gone(main, exit) => self.main_dies(main, exit),
            Happening::Late(main) => self.look_for_late(main)?,
            Happening::Dirty(dirty, does) => self.dirty_does(dirty, does),
            Happening::Move(number) if self.moves & (1 << number) != 0 => self.make_move(number),
            Happening::Move(_) => {}
            Happening::Finish(main) => {
                self.tell(|| format!("dirtyd upgrade: once more to main {main}"));
                self.ask_for_upgrade(main);
            }
            Happening::Calm => self.calm_down(),
        }
        self.watch_watchdog()
    }

    /// The time, as the machines have it.
    pub(super) fn instant(&self) -> Instant {
        self.start + self.now
    }

    /// Something is to happen after a while.
    pub(super) fn later(&mut self, after: Duration, what: Happening) {
        self.entries += 1;
        self.queue.push(Reverse(Entry { at: self.now + after, number: self.entries, what }));
    }

    /// How long somebody waits for a core.
    pub(super) fn lag(&mut self) -> Duration {
        self.draw.up_to(self.plan.lag) + Duration::from_micros(1)
    }

    /// Whether something that may fail does.
    pub(super) fn fails(&mut self) -> bool {
        !self.calm && self.draw.one_in(self.plan.fails)
    }

    /// Adds a line to the trace, if there is one.
    pub(super) fn tell(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>12.6}s  {}", self.now.as_secs_f64(), line()));
        }
    }

    fn make_move(&mut self, number: usize) {
        let (_, what) = self.plan.moves[number];
        match what {
            Move::Signal(whom, signal) => {
                let Some(main) = self.main(whom) else { return };
                self.tell(|| format!("{signal} to main {main}"));
                self.signal_main(main, signal);
            }
            Move::Upgrade => {
                let Some(main) = self.main(Whom::Named) else { return };
                self.tell(|| format!("dirtyd upgrade: USR2 to main {main}"));
                self.mains[main].is_upgraded_by_command = true;
                self.ask_for_upgrade(main);
            }
            Move::Kill(Process::Main(whom)) => {
                let Some(main) = self.main(whom) else { return };
                self.tell(|| format!("SIGKILL to main {main}"));
                self.later(Duration::ZERO, Happening::Gone(main, Exit::Signal(9)));
            }
            Move::Freeze(Process::Main(whom), time) => {
                let Some(main) = self.main(whom) else { return };
                self.tell(|| format!("main {main} is stopped for {time:?}"));
                self.freeze_main(main, time);
            }
            Move::Kill(Process::Dirty(whom))
            | Move::Freeze(Process::Dirty(whom), _)
            | Move::Hang(whom, _)
            | Move::Crash(whom)
            | Move::WorkerDies(whom)
            | Move::HealthChanges(whom, _) => {
                let dirty = self.main(whom).and_then(|main| self.mains[main].dirty);
                let Some(dirty) = dirty else { return };
                self.tell(|| format!("dirty {dirty}: {what:?}"));
                self.move_dirty(dirty, what);
            }
        }
    }

    fn main(&self, whom: Whom) -> Option<MainId> {
        let mut alive = (0..self.mains.len()).filter(|main| self.mains[*main].is_alive);
        match whom {
            Whom::Named => alive.find(|main| self.mains[*main].is_named),
            Whom::Newest => alive.next_back(),
        }
    }

    /// Stops every torment: who is stopped goes on, and what starts is sound.
    fn calm_down(&mut self) {
        self.tell(|| "nothing fails from here on".to_owned());
        self.calm = true;
        for main in 0..self.mains.len() {
            self.thaw_main(main);
        }
        for dirty in 0..self.dirties.len() {
            self.thaw_dirty(dirty);
        }
    }
}
