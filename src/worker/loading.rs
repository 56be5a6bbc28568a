//! The order in which a worker gets its apps, and the time that takes. Pure.

use std::{
    collections::VecDeque,
    fmt,
    time::{Duration, Instant},
};

use dirtyd_client::proto::worker::{ImportApp, InitApp, arbiter_frame::Kind};

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

/// What is asked of the worker, one at a time, so that a hang has a name.
///
/// The whole boot, from start to the end of the first list of apps, is bounded
/// by `boot_timeout`; later every single load is.
#[derive(Debug)]
pub struct Loading {
    greeted: bool,
    booted: bool,
    waiting: VecDeque<Ask>,
    current: Option<Ask>,
    since: Instant,
    boot_timeout: Duration,
    /// How many inits of the first list are still to come; `None` before it.
    first_list: Option<usize>,
    /// The hook that the worker runs before all else; `None` once an answer
    /// shows that it has ended.
    hook: Option<String>,
}

impl Loading {
    /// A worker that was started at `now`.
    pub fn new(boot_timeout: Duration, now: Instant) -> Self {
        Self {
            greeted: false,
            booted: false,
            waiting: VecDeque::new(),
            current: None,
            since: now,
            boot_timeout,
            first_list: None,
            hook: None,
        }
    }

    /// The worker runs this hook (`dirty_worker_init`) first.
    pub fn after_hook(mut self, hook: Option<String>) -> Self {
        self.hook = hook;
        self
    }

    /// The worker said hello.
    pub fn greeted(&mut self) {
        self.greeted = true;
    }

    /// Whether the worker said hello.
    pub fn is_greeted(&self) -> bool {
        self.greeted
    }

    /// Whether the first list is done.
    pub fn is_booted(&self) -> bool {
        self.booted
    }

    /// Asks for imports.
    pub fn import(&mut self, apps: Vec<String>) {
        self.waiting.extend(apps.into_iter().map(Ask::Import));
    }

    /// Asks for loads.
    pub fn init(&mut self, apps: Vec<String>) {
        self.first_list.get_or_insert(apps.len());
        self.waiting.extend(apps.into_iter().map(Ask::Init));
    }

    /// The next frame to send, if the worker is ready for one.
    pub fn next(&mut self, now: Instant) -> Option<Kind> {
        if !self.greeted || self.current.is_some() {
            return None;
        }
        let ask = self.waiting.pop_front()?;
        if self.booted {
            self.since = now;
        }
        self.current = Some(ask.clone());
        Some(match ask {
            Ask::Import(app) => Kind::ImportApp(ImportApp { app }),
            Ask::Init(app) => Kind::InitApp(InitApp { app }),
        })
    }

    /// The worker answered for an app. Gives whether an import was meant;
    /// `None` if nothing of the kind was asked.
    pub fn answered(&mut self, app: &str) -> Option<bool> {
        let is_import = match self.current.as_ref()? {
            Ask::Import(asked) if asked == app => true,
            Ask::Init(asked) if asked == app => false,
            _ => return None,
        };
        (self.current, self.hook) = (None, None);
        if let Some(left) = self.first_list.as_mut().filter(|_| !is_import) {
            *left = left.saturating_sub(1);
        }
        Some(is_import)
    }

    /// True once, when the first list is done.
    pub fn boots_now(&mut self) -> bool {
        let done = self.greeted && !self.booted && self.first_list == Some(0);
        self.booted |= done;
        done
    }

    /// The app that is being loaded or imported.
    pub fn current_app(&self) -> Option<&str> {
        match self.current.as_ref()? {
            Ask::Import(app) | Ask::Init(app) => Some(app),
        }
    }

    /// When the patience ends.
    pub fn due(&self) -> Option<Instant> {
        (!self.booted || self.current.is_some()).then(|| self.since + self.boot_timeout)
    }

    /// Why the worker is to be killed now, if it is.
    pub fn overdue(&self, now: Instant) -> Option<String> {
        self.due().filter(|due| *due <= now)?;
        let what = match (&self.current, &self.hook) {
            (Some(ask), None) => format!("{ask} did not end"),
            (Some(ask), Some(hook)) => {
                format!("the hook dirty_worker_init (`{hook}`), or {ask} after it, did not end")
            }
            (None, _) if !self.greeted => "it did not say hello".to_owned(),
            (None, _) => "it was not ready".to_owned(),
        };
        Some(format!("{what} within boot_timeout ({:?})", self.boot_timeout))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    fn app(name: &str) -> Vec<String> {
        vec![name.to_owned()]
    }

    #[test]
    fn nothing_is_asked_before_hello_and_one_thing_at_a_time() {
        let now = Instant::now();
        let mut loading = Loading::new(LIMIT, now);
        loading.import(app("a"));
        assert_eq!(loading.next(now), None);
        loading.greeted();
        assert!(matches!(loading.next(now), Some(Kind::ImportApp(_))));
        assert_eq!(loading.next(now), None, "one at a time");
        assert_eq!(loading.answered("b"), None, "nobody asked for b");
        assert_eq!(loading.answered("a"), Some(true));
        assert!(!loading.boots_now(), "an import is no boot");
        loading.init(vec!["a".into(), "b".into()]);
        for name in ["a", "b"] {
            assert!(!loading.boots_now());
            assert!(matches!(loading.next(now), Some(Kind::InitApp(_))));
            assert_eq!(loading.answered(name), Some(false));
        }
        assert!(loading.boots_now() && !loading.boots_now());
    }

    #[test]
    fn the_whole_boot_is_bounded_and_later_each_load() {
        let now = Instant::now();
        let mut loading = Loading::new(LIMIT, now);
        assert!(loading.overdue(now + LIMIT).is_some_and(|why| why.contains("hello")));
        loading.greeted();
        loading.init(app("a"));
        loading.next(now + LIMIT / 2);
        let why = loading.overdue(now + LIMIT).expect("overdue");
        assert!(why.contains("init() of app `a`"), "{why}");
        loading.answered("a");
        assert!(loading.boots_now());
        assert_eq!(loading.due(), None);
        loading.init(app("b"));
        loading.next(now + LIMIT * 9);
        assert_eq!(loading.due(), Some(now + LIMIT * 10));
    }

    #[test]
    fn a_hook_that_may_still_run_is_named() {
        let now = Instant::now();
        let mut loading = Loading::new(LIMIT, now).after_hook(Some("hooks:init".to_owned()));
        loading.greeted();
        loading.init([app("a"), app("b")].concat());
        loading.next(now);
        let why = loading.overdue(now + LIMIT).expect("overdue");
        assert!(why.contains("(`hooks:init`), or init() of app `a` after it"), "{why}");
        loading.answered("a");
        loading.next(now);
        let why = loading.overdue(now + LIMIT).expect("overdue");
        assert!(why.starts_with("init() of app `b` did not end"), "{why}");
    }

    #[test]
    fn an_empty_list_boots_at_once() {
        let mut loading = Loading::new(LIMIT, Instant::now());
        loading.init(Vec::new());
        assert!(!loading.boots_now(), "not before hello");
        loading.greeted();
        assert!(loading.boots_now());
    }
}
