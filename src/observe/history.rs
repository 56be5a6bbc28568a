//! The last 15 minutes in steps of 5 seconds, for the page, and the last minute of each app,
//! for `status`. It keeps [`MOST_APPS`] apps apart and adds up the others, so that it takes
//! less than 1 MiB whatever is configured. Pure: whoever has it steps it.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::minute::{Bucket, Counts, LastMinute, PART};
pub use super::tally::OTHER;
use crate::histogram::Histogram;

/// The time from one step to the next.
pub const STEP: Duration = Duration::from_secs(5);
/// How far back it goes.
pub const SPAN: Duration = Duration::from_secs(15 * 60);
/// The number of apps that are kept apart, in the order of the figures.
pub const MOST_APPS: usize = 64;

/// The number of steps.
const STEPS: usize = (SPAN.as_secs() / STEP.as_secs()) as usize;
/// The bytes of the longest name that is kept. An app with a longer one is among the others.
const LONGEST_NAME: usize = 256;
/// How much of a step may be missing when it is made: timers are a little early or late.
const EARLY: Duration = Duration::from_millis(500);
/// The time that `status` calls the last minute.
const MINUTE: Duration = Duration::from_secs(60);

/// What it takes at most, in bytes.
const MOST_BYTES: usize = (MOST_APPS + 2) * (Track::BYTES + LONGEST_NAME)
    + STEPS * size_of::<Step>()
    + size_of::<History>();
const _: () = assert!(MOST_BYTES <= 1 << 20);

/// What is known of one app at one moment.
#[derive(Debug, Clone, Copy)]
pub struct AppFigures<'a> {
    /// Its path.
    pub app: &'a str,
    /// The number of its calls that have ended since the start.
    pub ended: u64,
    /// The number of those that ended with an error.
    pub failed: u64,
    /// The number of its calls that wait now.
    pub queued: u64,
    /// The number of its calls that run now.
    pub running: u64,
    /// The times that calls waited, since the start.
    pub queue_wait: &'a Histogram,
    /// The times that calls ran, since the start.
    pub run_time: &'a Histogram,
}

/// One step of one app, or of all.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Point {
    /// The calls that ended, per second.
    pub calls: f64,
    /// Those that ended with an error, per second.
    pub failed: f64,
    /// The calls that waited at its end.
    pub queued: u32,
    /// The calls that ran at its end.
    pub running: u32,
    /// How long the calls waited that ended within it.
    pub queue_wait: Option<Quantiles>,
    /// How long they ran.
    pub run_time: Option<Quantiles>,
}

/// The times within which a part of many calls came to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantiles {
    /// Half of them.
    pub p50: Duration,
    /// 99 of 100.
    pub p99: Duration,
}

/// One app over the last minute.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Minute {
    /// The calls that ended, per second.
    pub calls_per_second: f64,
    /// How long they waited.
    pub queue_wait: Option<Quantiles>,
    /// How long those ran that got to a worker.
    pub run_time: Option<Quantiles>,
}

/// The history of all apps.
#[derive(Debug)]
pub struct History {
    /// When the last step was made.
    stepped: Instant,
    /// When the part of the minute that passes now began.
    part_begun: Instant,
    steps: VecDeque<Step>,
    all: Track,
    apps: Vec<(Box<str>, Track)>,
    other: Option<Track>,
}

/// When a step ended, and how long it took.
#[derive(Debug, Clone, Copy)]
struct Step {
    at: Instant,
    took: Duration,
}

/// One app, or all of them. Its points end with the last step, and may begin later than
/// the steps do.
#[derive(Debug, Default)]
struct Track {
    points: VecDeque<Packed>,
    before: Total,
    queue_wait: LastMinute,
    run_time: LastMinute,
}

/// A point in little room.
#[derive(Debug, Clone, Copy)]
struct Packed {
    ended: u32,
    failed: u32,
    queued: u32,
    running: u32,
    queue_wait: [Bucket; 2],
    run_time: [Bucket; 2],
}

/// The figures of one app, or the sum of several.
#[derive(Debug, Clone, Default)]
struct Total {
    ended: u64,
    failed: u64,
    queued: u64,
    running: u64,
    queue_wait: Box<Counts>,
    run_time: Box<Counts>,
}

impl History {
    /// One that begins now, as the counts of all figures do.
    pub fn new(now: Instant) -> Self {
        Self {
            stepped: now,
            part_begun: now,
            steps: VecDeque::with_capacity(STEPS),
            all: Track::default(),
            apps: Vec::new(),
            other: None,
        }
    }

    /// Makes a step if it is time for one, and returns whether it did. Called at least once
    /// per [`STEP`] with the figures of all apps; an app that is missing is forgotten.
    pub fn step(&mut self, now: Instant, figures: &[AppFigures<'_>]) -> bool {
        let took = now.saturating_duration_since(self.stepped);
        if took + EARLY < STEP {
            return false;
        }
        let is_first = self.steps.is_empty();
        let parts = self.parts_passed(now);
        self.apps.retain(|(name, _)| figures.iter().any(|of| of.app == &**name));

        let (mut all, mut others) = (Total::default(), None);
        for of in figures {
            let total = Total::of(of);
            let Some(track) = self.track(of.app, is_first, &total) else {
                others.get_or_insert_with(Total::default).add(&total);
                continue;
            };
            let new = track.step(total, parts);
            all.add(&new);
        }
        match others {
            Some(others) => {
                let other = self.other.get_or_insert_with(|| Track::since(is_first, &others));
                let new = other.step(others, parts);
                all.add(&new);
            }
            None => self.other = None,
        }
        self.all.record(&all, parts);

        self.stepped = now;
        if self.steps.len() == STEPS {
            self.steps.pop_front();
        }
        self.steps.push_back(Step { at: now, took });
        true
    }

    /// The moments at which the steps ended, oldest first.
    pub fn moments(&self) -> impl ExactSizeIterator<Item = Instant> + DoubleEndedIterator {
        self.steps.iter().map(|step| step.at)
    }

    /// The points of all apps together, one for each moment.
    pub fn all(&self) -> impl ExactSizeIterator<Item = Point> {
        self.points(&self.all)
    }

    /// The apps that are kept apart and, if there are more, [`OTHER`]; each with its points,
    /// which end with the last moment. One that came later has fewer.
    pub fn apps(&self) -> impl Iterator<Item = (&str, impl ExactSizeIterator<Item = Point>)> {
        let apps = self.apps.iter().map(|(name, track)| (&**name, track));
        let other = self.other.iter().map(|track| (OTHER, track));
        apps.chain(other).map(|(name, track)| (name, self.points(track)))
    }

    /// An app over the last minute: `None` if it is not kept apart, or no step has been made.
    pub fn minute(&self, app: &str) -> Option<Minute> {
        let (_, track) = self.apps.iter().find(|(name, _)| **name == *app)?;
        let last = self.steps.back()?.at;
        let newest_first = self.steps.iter().rev().zip(track.points.iter().rev());
        let within =
            newest_first.take_while(|(step, _)| last - step.at + step.took <= MINUTE + EARLY);
        let (ended, took) = within.fold((0, Duration::ZERO), |(ended, took), (step, point)| {
            (ended + u64::from(point.ended), took + step.took)
        });
        Some(Minute {
            calls_per_second: rate(ended, took),
            queue_wait: quantiles(&track.queue_wait.counts()),
            run_time: quantiles(&track.run_time.counts()),
        })
    }

    fn points<'a>(&'a self, track: &'a Track) -> impl ExactSizeIterator<Item = Point> + use<'a> {
        let earlier = self.steps.len() - track.points.len();
        let steps = self.steps.iter().skip(earlier);
        steps.zip(&track.points).map(|(step, point)| point.unpack(step.took))
    }

    /// The track of an app, if it is kept apart.
    fn track(&mut self, app: &str, is_first: bool, total: &Total) -> Option<&mut Track> {
        match self.apps.iter().position(|(name, _)| **name == *app) {
            Some(at) => Some(&mut self.apps[at].1),
            None if self.apps.len() < MOST_APPS && app.len() <= LONGEST_NAME && app != OTHER => {
                self.apps.push((app.into(), Track::since(is_first, total)));
                self.apps.last_mut().map(|(_, track)| track)
            }
            None => None,
        }
    }

    fn parts_passed(&mut self, now: Instant) -> usize {
        let passed = now.saturating_duration_since(self.part_begun) + EARLY;
        let parts = (passed.as_millis() / PART.as_millis()) as u32;
        if parts > 0 {
            self.part_begun = now;
        }
        parts as usize
    }
}

impl Track {
    /// What one takes at most.
    const BYTES: usize = size_of::<Self>()
        + size_of::<Box<str>>()
        + STEPS * size_of::<Packed>()
        + 2 * size_of::<Counts>()
        + 2 * LastMinute::BYTES;

    /// One that counts what comes from now on; with the first step, from the start.
    fn since(is_first: bool, total: &Total) -> Self {
        let before = if is_first { Total::default() } else { total.clone() };
        Self { points: VecDeque::with_capacity(STEPS), before, ..Self::default() }
    }

    /// Takes the new total, and returns what is new in it.
    fn step(&mut self, total: Total, parts: usize) -> Total {
        let new = total.since(&self.before);
        self.before = total;
        self.record(&new, parts);
        new
    }

    /// Takes what is new.
    fn record(&mut self, new: &Total, parts: usize) {
        self.queue_wait.pass(parts);
        self.run_time.pass(parts);
        self.queue_wait.add(&new.queue_wait);
        self.run_time.add(&new.run_time);
        if self.points.len() == STEPS {
            self.points.pop_front();
        }
        self.points.reserve_exact(STEPS - self.points.len());
        self.points.push_back(Packed::of(new));
    }
}

impl Packed {
    fn of(new: &Total) -> Self {
        let small = |number| u32::try_from(number).unwrap_or(u32::MAX);
        let quantiles = |counts: &Counts| [counts.quantile(0.5), counts.quantile(0.99)];
        Self {
            ended: small(new.ended),
            failed: small(new.failed),
            queued: small(new.queued),
            running: small(new.running),
            queue_wait: quantiles(&new.queue_wait),
            run_time: quantiles(&new.run_time),
        }
    }

    fn unpack(&self, took: Duration) -> Point {
        Point {
            calls: rate(self.ended.into(), took),
            failed: rate(self.failed.into(), took),
            queued: self.queued,
            running: self.running,
            queue_wait: of_buckets(self.queue_wait),
            run_time: of_buckets(self.run_time),
        }
    }
}

impl Total {
    fn of(figures: &AppFigures<'_>) -> Self {
        Self {
            ended: figures.ended,
            failed: figures.failed,
            queued: figures.queued,
            running: figures.running,
            queue_wait: Box::new(Counts::of(figures.queue_wait)),
            run_time: Box::new(Counts::of(figures.run_time)),
        }
    }

    fn add(&mut self, other: &Self) {
        self.ended += other.ended;
        self.failed += other.failed;
        self.queued += other.queued;
        self.running += other.running;
        self.queue_wait.add(&other.queue_wait);
        self.run_time.add(&other.run_time);
    }

    /// What has been counted since `before`, and the levels of now.
    fn since(&self, before: &Self) -> Self {
        Self {
            ended: self.ended.saturating_sub(before.ended),
            failed: self.failed.saturating_sub(before.failed),
            queued: self.queued,
            running: self.running,
            queue_wait: Box::new(self.queue_wait.since(&before.queue_wait)),
            run_time: Box::new(self.run_time.since(&before.run_time)),
        }
    }
}

fn quantiles(counts: &Counts) -> Option<Quantiles> {
    of_buckets([counts.quantile(0.5), counts.quantile(0.99)])
}

fn of_buckets([p50, p99]: [Bucket; 2]) -> Option<Quantiles> {
    Some(Quantiles { p50: p50.time()?, p99: p99.time()? })
}

fn rate(number: u64, within: Duration) -> f64 {
    if within.is_zero() { 0.0 } else { number as f64 / within.as_secs_f64() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An app whose calls are counted here.
    #[derive(Default)]
    struct App {
        name: String,
        ended: u64,
        failed: u64,
        queue_wait: Histogram,
        run_time: Histogram,
    }

    impl App {
        fn new(name: impl Into<String>) -> Self {
            Self { name: name.into(), ..Self::default() }
        }

        fn call(&mut self, ran: Duration) {
            self.ended += 1;
            self.queue_wait.observe(Duration::ZERO);
            self.run_time.observe(ran);
        }

        fn figures(&self) -> AppFigures<'_> {
            AppFigures {
                app: &self.name,
                ended: self.ended,
                failed: self.failed,
                queued: 2,
                running: 1,
                queue_wait: &self.queue_wait,
                run_time: &self.run_time,
            }
        }
    }

    fn names(history: &History) -> Vec<String> {
        history.apps().map(|(name, _)| name.to_owned()).collect()
    }

    #[test]
    fn a_step_has_what_came_since_the_one_before() {
        let (start, mut app) = (Instant::now(), App::new("a:A"));
        let mut history = History::new(start);
        (0..10).for_each(|_| app.call(Duration::from_secs(1)));
        assert!(!history.step(start + STEP / 2, &[app.figures()]), "not yet");
        assert!(history.step(start + STEP, &[app.figures()]));
        app.failed = 5;
        (0..20).for_each(|_| app.call(Duration::from_secs(4)));
        assert!(history.step(start + STEP * 2, &[app.figures()]));
        assert!(history.step(start + STEP * 3, &[app.figures()]));

        let points: Vec<_> = history.all().collect();
        let of_app: Vec<Point> = history.apps().next().expect("the app").1.collect();
        assert_eq!(points, of_app);
        assert_eq!(points.iter().map(|p| p.calls).collect::<Vec<_>>(), [2.0, 4.0, 0.0]);
        assert_eq!(points.iter().map(|p| p.failed).collect::<Vec<_>>(), [0.0, 1.0, 0.0]);
        assert_eq!((points[1].queued, points[1].running), (2, 1));
        let four = Duration::from_secs(4);
        assert_eq!(points[1].run_time, Some(Quantiles { p50: four, p99: four }));
        assert_eq!(points[2].run_time, None, "nothing ended");
        assert_eq!(history.moments().len(), 3);
    }

    #[test]
    fn it_forgets_what_is_older_than_15_minutes() {
        let (start, mut app) = (Instant::now(), App::new("a:A"));
        let mut history = History::new(start);
        for step in 1..=STEPS as u32 + 7 {
            app.call(Duration::from_millis(1));
            history.step(start + STEP * step, &[app.figures()]);
        }
        assert_eq!(history.all().len(), STEPS);
        assert_eq!(history.moments().len(), STEPS);
        assert_eq!(history.moments().next(), Some(start + STEP * 8));
        assert!(history.all().all(|point| point.calls == 0.2));
    }

    #[test]
    fn the_last_minute_is_the_last_minute() {
        let (start, mut app) = (Instant::now(), App::new("a:A"));
        let mut history = History::new(start);
        assert_eq!(history.minute("a:A"), None, "no step yet");
        (0..6000).for_each(|_| app.call(Duration::from_secs(1)));
        for step in 1..=12 {
            history.step(start + STEP * step, &[app.figures()]);
        }
        let minute = history.minute("a:A").expect("steps");
        assert_eq!(minute.calls_per_second, 100.0);
        (0..600).for_each(|_| app.call(Duration::from_secs(2)));
        for step in 13..=24 {
            history.step(start + STEP * step, &[app.figures()]);
        }
        let minute = history.minute("a:A").expect("steps");
        assert_eq!(minute.calls_per_second, 10.0);
        assert_eq!(minute.run_time, None, "of the last 45 seconds");
        assert_eq!(history.minute("b:B"), None, "unknown");
    }

    #[test]
    fn a_late_step_is_no_burst() {
        let (start, mut app) = (Instant::now(), App::new("a:A"));
        let mut history = History::new(start);
        (0..100).for_each(|_| app.call(Duration::from_millis(1)));
        history.step(start + STEP * 20, &[app.figures()]);
        assert_eq!(history.all().next().expect("a step").calls, 1.0);
    }

    #[test]
    fn apps_beyond_the_limit_are_added_up_and_the_whole_stays_within_a_mebibyte() {
        let start = Instant::now();
        let mut apps: Vec<_> = (0..1000).map(|at| App::new(format!("app:App{at}"))).collect();
        let mut history = History::new(start);
        for step in 1..=STEPS as u32 + 1 {
            apps.iter_mut().for_each(|app| app.call(Duration::from_micros(u64::from(step) * 97)));
            let figures: Vec<_> = apps.iter().map(App::figures).collect();
            history.step(start + STEP * step, &figures);
        }
        let names = names(&history);
        assert_eq!(names.len(), MOST_APPS + 1);
        assert_eq!(names.last().map(String::as_str), Some(OTHER));
        assert_eq!(history.all().last().expect("a point").calls, 200.0);
        let (_, mut others) = history.apps().last().expect("the others");
        assert_eq!(others.next().expect("a point").calls, (1000 - MOST_APPS) as f64 / 5.0);
        assert!(history.minute("app:App63").is_some() && history.minute("app:App64").is_none());
        // What the constant promises is what was allocated.
        let tracks = history.apps.iter().map(|(_, track)| track).chain(&history.other);
        for track in tracks.chain([&history.all]) {
            assert!(track.points.capacity() <= STEPS, "{}", track.points.capacity());
        }
        assert!(history.steps.capacity() <= STEPS, "{}", history.steps.capacity());
    }

    #[test]
    fn an_app_that_is_gone_is_forgotten_and_one_that_comes_counts_from_then_on() {
        let (start, mut a, mut b) = (Instant::now(), App::new("a:A"), App::new("b:B"));
        let mut history = History::new(start);
        history.step(start + STEP, &[a.figures()]);
        (0..1000).for_each(|_| b.call(Duration::from_secs(1)));
        history.step(start + STEP * 2, &[a.figures(), b.figures()]);
        assert_eq!(history.all().last().expect("a point").calls, 0.0, "it was not seen before");
        a.call(Duration::from_secs(1));
        history.step(start + STEP * 3, &[a.figures(), b.figures()]);
        let lengths: Vec<_> = history.apps().map(|(_, points)| points.len()).collect();
        assert_eq!(lengths, [3, 2]);
        history.step(start + STEP * 4, &[b.figures()]);
        assert_eq!(names(&history), ["b:B"]);
        assert_eq!(history.all().len(), 4);
        let long = App::new("x".repeat(LONGEST_NAME + 1));
        history.step(start + STEP * 5, &[long.figures()]);
        assert_eq!(names(&history), [OTHER]);
        history.step(start + STEP * 6, &[App::new(OTHER).figures()]);
        assert_eq!(names(&history), [OTHER], "there are others before we count");
        history.step(start + STEP * 7, &[]);
        assert_eq!(names(&history), [""; 0]);
    }
}
