//! What callers, operators and fate are going to do, from a seed.

use std::{
    num::NonZeroU32,
    sync::{Arc, OnceLock},
    time::Duration,
};

use fastrand::Rng;

use crate::call::Quota;
use crate::config::{
    AppConfig, Config, Intensity, PoolConfig, QueueLimits, Raw, Recycle, ReloadMode,
};

/// How long the plan's steps may take; what they started may go on longer.
const LENGTH: Duration = Duration::from_secs(20);

/// One thing that somebody does.
#[derive(Debug, Clone)]
pub enum Step {
    /// A caller calls.
    Call(CallPlan),
    /// An operator gives a pool another size.
    Scale { pool: usize, workers: u32 },
    /// An operator reloads, with another release.
    Reload { release: Arc<Release>, pool: Option<usize> },
    /// An operator ends the arbiter.
    Drain { patience: Duration },
    /// Another arbiter serves: this one ends when its calls have.
    GiveWay,
    /// A worker process dies: the nth of those that live.
    Crash { nth: usize },
    /// An operator cancels a call: the nth of those that callers wait for.
    CancelCall { nth: usize },
    /// An operator has a worker replaced: the nth of those that live, or one that is not there.
    Restart { nth: usize },
    /// The kernel has no process left for the next worker.
    NoProcess,
    /// The whole machine stands still.
    Freeze { pause: Duration },
}

/// A call, with its fate.
#[derive(Debug, Clone)]
pub struct CallPlan {
    /// The app: an index into [`APPS`]; one more for an app that does not exist.
    pub app: usize,
    /// The user that calls.
    pub uid: u32,
    /// The bytes of the request.
    pub bytes: usize,
    /// The time that its caller gives it.
    pub deadline: Option<Duration>,
    /// When its caller leaves; before the call is seen, if it is zero.
    pub leaves_after: Option<Duration>,
    /// How long it runs.
    pub runs: Duration,
    /// How it ends.
    pub end: CallEnd,
}

/// How a call ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallEnd {
    /// With a result.
    Returns,
    /// With an exception.
    Raises,
    /// Not before the worker is killed for it.
    Hangs,
    /// With its worker.
    Crashes,
    /// It streams for ever: until its caller leaves, or its worker is to.
    Streams,
}

/// What an app does when it is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// It loads.
    Works,
    /// It raises so often, then it loads.
    FailsFor(u32),
    /// It raises in the first process that tries it, and loads in the next one.
    Spoils,
    /// It raises, always.
    Fails,
    /// It takes its worker down.
    Crashes,
    /// It does not end within the boot timeout.
    Hangs,
}

/// A configuration, and what its code does.
#[derive(Debug, Clone)]
pub struct Release {
    /// The configuration.
    pub config: Config,
    /// What each of [`APPS`] does when it is loaded, and its class attribute
    /// `workers`.
    pub apps: [(Load, Option<u32>); APPS.len()],
}

/// The names of the apps.
pub const APPS: [&str; 4] = ["ml:Model", "img:Thumbs", "txt:Tokens", "pdf:Pages"];
/// The names of the pools; the first is the default one.
pub const POOLS: [&str; 2] = ["default", "gpu"];

/// All that happens in a story, in the order of time.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The seed that drew it, and all that is decided on the way.
    pub seed: u64,
    /// The release that it starts with.
    pub release: Arc<Release>,
    /// The steps, with the time since the start.
    pub steps: Vec<(Duration, Step)>,
}

impl Plan {
    /// The plan of a seed.
    pub fn draw(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let release = Arc::new(Release::draw(&mut random));
        let count = random.usize(3..40);
        // Some stories are busy, some are about operators.
        let calls = random.u32(40..97);
        let mut steps: Vec<(Duration, Step)> = (0..count)
            .map(|_| {
                let at = LENGTH.mul_f64(random.f64() * random.f64());
                (at, Step::draw(&mut random, calls))
            })
            .collect();
        steps.sort_by_key(|(at, _)| *at);
        Self { seed, release, steps }
    }
}

impl Step {
    fn draw(random: &mut Rng, calls: u32) -> Self {
        if random.u32(0..100) < calls {
            return Self::Call(CallPlan::draw(random));
        }
        match random.u32(0..24) {
            0..5 => Self::Crash { nth: random.usize(0..8) },
            5..10 => Self::Reload {
                release: Arc::new(Release::draw(random)),
                pool: random.bool().then(|| random.usize(0..POOLS.len())),
            },
            10..15 => {
                Self::Scale { pool: random.usize(0..POOLS.len() + 1), workers: random.u32(0..5) }
            }
            15 if random.bool() => Self::GiveWay,
            15 => Self::Drain { patience: millis(random, 0..8000) },
            16..18 => Self::NoProcess,
            18..21 => Self::CancelCall { nth: random.usize(0..8) },
            21..23 => Self::Restart { nth: random.usize(0..8) },
            _ => Self::Freeze { pause: millis(random, 1..40_000) },
        }
    }
}

impl CallPlan {
    /// What the user that calls may take of the pool.
    pub fn quota(&self) -> Quota {
        match self.uid {
            0 => Quota::default(),
            1 => Quota { weight: 2, ..Quota::default() },
            _ => Quota { weight: 1, max_running: Some(1), max_queue: Some(2) },
        }
    }

    fn draw(random: &mut Rng) -> Self {
        let maybe = |random: &mut Rng, percent, most| {
            (random.u32(0..100) < percent).then(|| millis(random, 0..most))
        };
        let unknown = usize::from(random.u8(0..20) == 0);
        Self {
            app: random.usize(0..APPS.len() + unknown),
            uid: random.u32(0..3),
            bytes: random.usize(0..9),
            deadline: maybe(random, 30, 5000),
            leaves_after: match random.u8(0..20) {
                0 => Some(Duration::ZERO),
                _ => maybe(random, 20, 3000),
            },
            runs: millis(random, 0..2000),
            end: match random.u32(0..20) {
                0 => CallEnd::Crashes,
                1 => CallEnd::Hangs,
                2 => CallEnd::Raises,
                3 | 4 => CallEnd::Streams,
                _ => CallEnd::Returns,
            },
        }
    }
}

impl Release {
    /// A release whose faults are mended: everything loads.
    pub fn mended(&self) -> Self {
        let apps = self.apps.map(|(_, workers)| (Load::Works, workers));
        Self { config: self.config.clone(), apps }
    }

    fn draw(random: &mut Rng) -> Self {
        let mut config = base().clone();
        let modes = [ReloadMode::Surge, ReloadMode::Surge, ReloadMode::Swap];
        config.reload = modes[random.usize(0..modes.len())];
        config.drain_timeout = millis(random, 500..6000);
        let pools = random.usize(1..=POOLS.len());
        config.pools = POOLS[..pools].iter().map(|name| pool(random, name)).collect();
        for app in APPS {
            // Now and then an app moves to another pool, or leaves.
            match random.usize(0..8) {
                0 => {}
                n => {
                    let pool = &mut config.pools[n % pools];
                    pool.apps.push(self::app(random, app, pool.workers));
                }
            }
        }
        config.pools.retain(|pool| !pool.apps.is_empty());
        if config.pools.is_empty() {
            let mut pool = pool(random, POOLS[0]);
            pool.apps.push(app(random, APPS[0], pool.workers));
            config.pools.push(pool);
        }
        let load = |random: &mut Rng| match random.u32(0..24) {
            0 => Load::Fails,
            1 if random.bool() => Load::Spoils,
            1 => Load::FailsFor(random.u32(1..4)),
            2 => Load::Crashes,
            3 => Load::Hangs,
            _ => Load::Works,
        };
        let apps = APPS.map(|_| (load(random), random.bool().then(|| random.u32(0..4))));
        Self { config, apps }
    }
}

fn pool(random: &mut Rng, name: &str) -> PoolConfig {
    let seconds = Duration::from_secs;
    PoolConfig {
        name: name.to_owned(),
        workers: random.u32(0..5),
        threads: NonZeroU32::new(random.u32(1..4)).unwrap_or(NonZeroU32::MIN),
        boot_timeout: seconds(5),
        kill_grace: seconds(1),
        recycle: Recycle {
            max_requests: (random.u32(0..6) == 0).then(|| random.u64(1..5)),
            max_lifetime: (random.u32(0..12) == 0).then(|| seconds(random.u64(2..9))),
            max_memory: (random.u32(0..12) == 0).then_some(100),
            ..Recycle::default()
        },
        intensity: Intensity { max_restarts: random.u32(0..4), window: seconds(10) },
        apps: Vec::new(),
        ..base().pools[0].clone()
    }
}

fn app(random: &mut Rng, path: &str, pool_workers: u32) -> AppConfig {
    AppConfig {
        path: path.to_owned(),
        workers: random.bool().then(|| random.u32(1..=pool_workers.max(1))),
        timeout: millis(random, 500..6000),
        queue: QueueLimits {
            calls: random.usize(0..5),
            bytes: random.bool().then(|| random.u64(1..20)),
        },
        recycle: Recycle::default(),
    }
}

fn millis(random: &mut Rng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(random.u64(range))
}

/// A configuration with all the defaults.
fn base() -> &'static Config {
    static BASE: OnceLock<Config> = OnceLock::new();
    BASE.get_or_init(|| {
        let apps = vec!["base:Base".parse().expect("a path")];
        Config::from_raw(Raw::of_apps(apps)).expect("valid")
    })
}
