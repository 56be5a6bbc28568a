//! The order in which a worker gets its apps, and the time that this may take.

use std::{
    collections::VecDeque,
    fmt,
    time::{Duration, Instant},
};

use dirtyd_client::proto::worker::{ImportApp, InitApp, arbiter_frame::Kind};

use crate::{clock::Deadline, config::PoolConfig};

/// One thing to ask the worker for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ask {
    Import(String),
    Init(String),
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Import(app) => write!(f, "importing app `{app}`"),
            Self::Init(app) => write!(f, "init() of app `{app}`"),
        }
    }
}

/// What the worker was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// To import an app.
    Import,
    /// To load it.
    Init,
}

/// What is due when a load takes too long; each with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Overdue {
    /// Log the worker's stacks, which need a moment to reach the log.
    DumpStacks(String),
    /// Kill it.
    Kill(String),
}

/// What is asked of the worker, one at a time, so that a hang has a name.
///
/// The whole boot, from the start to the end of the first list of apps, is
/// bounded by `boot_timeout`, and after it every single load.
#[derive(Debug)]
pub struct Loading {
    waiting: VecDeque<Ask>,
    current: Option<(Ask, Instant)>,
    boot_timeout: Duration,
    /// The time between the stacks and the end.
    dump_time: Duration,
    /// When the worker is killed, once its stacks are dumped.
    ends: Option<Deadline>,
    /// The hook that the worker runs before all else; `None` once an answer
    /// shows that it has ended.
    hook: Option<String>,
}

impl Loading {
    /// A worker of this pool, of which nothing is asked yet.
    pub fn new(pool: &PoolConfig) -> Self {
        Self {
            waiting: VecDeque::new(),
            current: None,
            boot_timeout: pool.boot_timeout,
            dump_time: pool.kill_grace / 2,
            ends: None,
            hook: pool.worker_init.clone(),
        }
    }

    /// Asks for imports.
    pub fn import(&mut self, apps: Vec<String>) {
        self.waiting.extend(apps.into_iter().map(Ask::Import));
    }

    /// Asks for loads.
    pub fn init(&mut self, apps: Vec<String>) {
        self.waiting.extend(apps.into_iter().map(Ask::Init));
    }

    /// The next frame to send, if the worker is ready for one. To be called once
    /// it has said hello.
    pub fn next(&mut self, now: Instant) -> Option<Kind> {
        if self.current.is_some() {
            return None;
        }
        let ask = self.waiting.pop_front()?;
        let kind = match ask.clone() {
            Ask::Import(app) => Kind::ImportApp(ImportApp { app }),
            Ask::Init(app) => Kind::InitApp(InitApp { app }),
        };
        self.current = Some((ask, now));
        Some(kind)
    }

    /// The worker answered for an app. Returns what it was asked for; `None` if
    /// nothing of the kind was asked.
    pub fn answered(&mut self, app: &str) -> Option<Asked> {
        let asked = match &self.current.as_ref()?.0 {
            Ask::Import(asked) if asked == app => Asked::Import,
            Ask::Init(asked) if asked == app => Asked::Init,
            _ => return None,
        };
        (self.current, self.hook) = (None, None);
        Some(asked)
    }

    /// What was overdue has come after all.
    pub fn in_time(&mut self) {
        self.ends = None;
    }

    /// The app that is being loaded or imported.
    pub fn current_app(&self) -> Option<&str> {
        match &self.current.as_ref()?.0 {
            Ask::Import(app) | Ask::Init(app) => Some(app),
        }
    }

    /// When [`step`](Self::step) has something to do. `boot` is when the boot
    /// should have ended; `None` after it.
    pub fn due(&self, boot: Option<Deadline>) -> Deadline {
        let load = || match &self.current {
            Some((_, since)) => Deadline::after(*since, self.boot_timeout),
            None => Deadline::Never,
        };
        self.ends.or(boot).unwrap_or_else(load)
    }

    /// Returns what is due now. `greeted` is whether the worker has said hello.
    pub fn step(&mut self, boot: Option<Deadline>, greeted: bool, now: Instant) -> Option<Overdue> {
        if !self.due(boot).is_over(now) {
            return None;
        }
        let why = self.overdue(greeted);
        Some(match self.ends {
            Some(_) => {
                self.ends = Some(Deadline::Never);
                Overdue::Kill(why)
            }
            None => {
                self.ends = Some(Deadline::after(now, self.dump_time));
                Overdue::DumpStacks(why)
            }
        })
    }

    fn overdue(&self, greeted: bool) -> String {
        let what = match (&self.current, &self.hook) {
            (Some((ask, _)), None) => format!("{ask} did not finish"),
            (Some((ask, _)), Some(hook)) => {
                format!("the hook dirty_worker_init (`{hook}`), or {ask} after it, did not finish")
            }
            (None, _) if !greeted => "it did not say hello".to_owned(),
            (None, _) => "it was not ready".to_owned(),
        };
        format!("{what} within boot_timeout ({:?})", self.boot_timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);
    const DUMP_TIME: Duration = Duration::from_secs(1);

    fn loading(hook: Option<&str>) -> Loading {
        Loading {
            waiting: VecDeque::new(),
            current: None,
            boot_timeout: LIMIT,
            dump_time: DUMP_TIME,
            ends: None,
            hook: hook.map(str::to_owned),
        }
    }

    fn app(name: &str) -> Vec<String> {
        vec![name.to_owned()]
    }

    /// Why the boot is overdue at its end.
    fn overdue(loading: &mut Loading, greeted: bool, end: Instant) -> String {
        match loading.step(Some(Deadline::At(end)), greeted, end) {
            Some(Overdue::DumpStacks(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_thing_is_asked_at_a_time_and_only_it_can_be_answered() {
        let now = Instant::now();
        let mut loading = loading(None);
        assert_eq!(loading.next(now), None, "nothing to ask for");
        loading.import(app("a"));
        loading.init(app("b"));
        assert!(matches!(loading.next(now), Some(Kind::ImportApp(_))));
        assert_eq!(loading.next(now), None, "one at a time");
        assert_eq!(loading.answered("b"), None, "nobody asked for b yet");
        assert_eq!(loading.answered("a"), Some(Asked::Import));
        assert!(matches!(loading.next(now), Some(Kind::InitApp(_))));
        assert_eq!(loading.current_app(), Some("b"));
        assert_eq!(loading.answered("b"), Some(Asked::Init));
        assert_eq!(loading.answered("b"), None, "it has been answered");
    }

    #[test]
    fn the_whole_boot_is_bounded_and_later_each_load() {
        let now = Instant::now();
        let boot = Some(Deadline::At(now + LIMIT));
        let mut loading = loading(None);
        assert_eq!(loading.due(boot), Deadline::At(now + LIMIT));
        assert_eq!(loading.due(None), Deadline::Never, "after the boot nothing is due");
        loading.init(app("a"));
        loading.next(now + LIMIT / 2);
        assert_eq!(loading.due(boot), Deadline::At(now + LIMIT));
        assert_eq!(loading.due(None), Deadline::At(now + LIMIT / 2 + LIMIT));
        assert_eq!(loading.step(boot, true, now), None);
    }

    #[test]
    fn stacks_are_dumped_before_the_end_unless_it_comes_in_time_after_all() {
        let end = Instant::now() + LIMIT;
        let boot = Some(Deadline::At(end));
        let mut loading = loading(None);
        let why = overdue(&mut loading, false, end);
        assert!(why.contains("it did not say hello within boot_timeout (5s)"), "{why}");
        assert_eq!(loading.due(boot), Deadline::At(end + DUMP_TIME));
        assert_eq!(loading.step(boot, false, end), None);
        let killed = loading.step(boot, true, end + DUMP_TIME);
        let why = "it was not ready within boot_timeout (5s)".to_owned();
        assert_eq!(killed, Some(Overdue::Kill(why)));
        assert_eq!(loading.due(boot), Deadline::Never, "once");
        loading.in_time();
        assert_eq!(loading.due(None), Deadline::Never);
    }

    #[test]
    fn a_hook_that_may_still_run_is_named() {
        let now = Instant::now();
        let mut loading = loading(Some("hooks:init"));
        loading.init([app("a"), app("b")].concat());
        loading.next(now);
        let why = overdue(&mut loading, true, now + LIMIT);
        assert!(why.contains("(`hooks:init`), or init() of app `a` after it"), "{why}");
        loading.answered("a");
        loading.in_time();
        loading.next(now);
        let why = overdue(&mut loading, true, now + LIMIT);
        assert!(why.starts_with("init() of app `b` did not finish"), "{why}");
    }
}
