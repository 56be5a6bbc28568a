//! How calls ended, counted: pure. Every name that a caller can choose is bounded, so that
//! no caller makes the tables grow.

use std::{sync::Arc, time::Duration};

use super::family::Exemplar;
use crate::{
    call::Protocol,
    histogram::{BOUNDS, Histogram, bucket},
};

/// What stands for names beyond a limit, as in OpenTelemetry's conventions.
pub const OTHER: &str = "_OTHER";

/// The apps that are counted by their names, those of earlier configurations included.
const MOST_APPS: usize = 512;
/// The actions of an app that are.
const MOST_ACTIONS: usize = 64;
/// The outcomes of an app that are told apart: pairs of an action and a reason.
const MOST_OUTCOMES: usize = 256;
/// The combinations of protocol, method and code that are.
const MOST_METHODS: usize = 32;

/// How one call ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    /// The app.
    pub app: &'a str,
    /// The action.
    pub action: &'a str,
    /// How it came.
    pub protocol: Protocol,
    /// Whether it is an ExecuteStream.
    pub stream: bool,
    /// The name of gRPC's code.
    pub code: &'static str,
    /// The reason of ErrorInfo, or `OK`.
    pub reason: &'static str,
    /// How long its caller waited in all.
    pub duration: Duration,
    /// How long it waited for a worker.
    pub queue_wait: Duration,
    /// How long it ran, if it did.
    pub run_time: Option<Duration>,
    /// How long its caller waited for the first chunk.
    pub first_chunk: Option<Duration>,
    /// The chunks that were sent.
    pub chunks: u64,
    /// The bytes of its request.
    pub bytes_in: u64,
    /// The bytes of its result or of its chunks.
    pub bytes_out: u64,
    /// Its trace, for an exemplar.
    pub exemplar: Option<[u8; 16]>,
}

/// Times, and for each classic bucket the last of a call that is traced.
#[derive(Debug, Clone, Default)]
pub struct Times {
    /// The times.
    pub histogram: Histogram,
    /// One for each classic bucket, once there is one at all.
    pub exemplars: Vec<Option<Exemplar>>,
}

impl Times {
    fn observe(&mut self, time: Duration, exemplar: Option<Exemplar>) {
        self.histogram.observe(time);
        if let Some(exemplar) = exemplar {
            self.exemplars.resize(BOUNDS.len() + 1, None);
            let value = time.as_secs_f64();
            self.exemplars[bucket(time)] = Some(Exemplar { value, ..exemplar });
        }
    }
}

/// Rows by name: few, and looked through for each call.
#[derive(Debug)]
pub struct Named<T>(Vec<(Arc<str>, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Default> Named<T> {
    fn position(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|(known, _)| **known == *name)
    }

    /// The place of a row, which is made if there is none.
    fn place(&mut self, name: &str) -> usize {
        self.position(name).unwrap_or_else(|| {
            self.0.push((name.into(), T::default()));
            self.0.len() - 1
        })
    }

    /// The row of a name.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.position(name).map(|at| &self.0[at].1)
    }

    /// All rows.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(name, row)| (&**name, row))
    }
}

/// The calls of one app.
#[derive(Debug, Default)]
pub struct AppTally {
    /// How many ended so, by action and reason.
    pub outcomes: Named<Vec<(&'static str, u64)>>,
    /// How many pairs `outcomes` has.
    pairs: usize,
    /// How long calls waited for a worker.
    pub queue_wait: Times,
    /// How long they ran until their caller had its outcome.
    pub run_time: Times,
    /// How long callers of streams waited for the first chunk.
    pub first_chunk: Times,
    /// Chunks that were sent.
    pub chunks: u64,
    /// Bytes of requests.
    pub bytes_in: u64,
    /// Bytes of results and chunks.
    pub bytes_out: u64,
    /// Calls that ended.
    pub ended: u64,
    /// Those of them without a result.
    pub failed: u64,
}

/// A protocol, a method and a code.
pub type Method = (Protocol, bool, &'static str);

/// All calls.
#[derive(Debug, Default)]
pub struct Tally {
    /// By app.
    pub apps: Named<AppTally>,
    /// How long callers waited in all, by protocol, method and code.
    pub methods: Vec<(Method, Times)>,
}

impl Tally {
    /// Counts a call. `is_app` says whether there is an app of this name.
    pub fn count(
        &mut self,
        ended: &Ended<'_>,
        is_app: impl FnOnce(&str) -> bool,
        now: impl FnOnce() -> std::time::SystemTime,
    ) {
        let exemplar = ended.exemplar.map(|trace_id| Exemplar { trace_id, value: 0.0, at: now() });
        self.app(ended.app, is_app).count(ended, exemplar);
        self.method(ended).observe(ended.duration, exemplar);
    }

    /// The names of a call, shared with the rows that it will be counted in.
    pub fn names(&self, app: &str, action: &str) -> [Arc<str>; 2] {
        let Some(at) = self.apps.position(app) else { return [app.into(), action.into()] };
        let (app, row) = &self.apps.0[at];
        let known = row.outcomes.position(action);
        let action = known.map_or_else(|| action.into(), |at| Arc::clone(&row.outcomes.0[at].0));
        [Arc::clone(app), action]
    }

    /// The row of an app. A name that is no app's has none of its own.
    fn app(&mut self, name: &str, is_app: impl FnOnce(&str) -> bool) -> &mut AppTally {
        let at = self.apps.position(name).unwrap_or_else(|| {
            let is_new = self.apps.0.len() < MOST_APPS && is_app(name);
            self.apps.place(if is_new { name } else { OTHER })
        });
        &mut self.apps.0[at].1
    }

    fn method(&mut self, ended: &Ended<'_>) -> &mut Times {
        let method = (ended.protocol, ended.stream, ended.code);
        let at = self.methods.iter().position(|(known, _)| *known == method);
        let at = at.unwrap_or_else(|| {
            let method = match self.methods.len() + 1 < MOST_METHODS {
                true => method,
                false => (Protocol::Grpc, false, OTHER),
            };
            self.methods.iter().position(|(known, _)| *known == method).unwrap_or_else(|| {
                self.methods.push((method, Times::default()));
                self.methods.len() - 1
            })
        });
        &mut self.methods[at].1
    }
}

impl AppTally {
    fn count(&mut self, ended: &Ended<'_>, exemplar: Option<Exemplar>) {
        self.ended += 1;
        self.failed += u64::from(ended.code != "OK");
        self.chunks += ended.chunks;
        self.bytes_in += ended.bytes_in;
        self.bytes_out += ended.bytes_out;
        self.queue_wait.observe(ended.queue_wait, exemplar);
        if let Some(time) = ended.run_time {
            self.run_time.observe(time, exemplar);
        }
        if let Some(time) = ended.first_chunk {
            self.first_chunk.observe(time, exemplar);
        }
        *self.outcome(ended) += 1;
    }

    /// The counter of an action and a reason. An action that the app may not even have
    /// gets no row of its own.
    fn outcome(&mut self, ended: &Ended<'_>) -> &mut u64 {
        let known = self.outcomes.position(ended.action);
        let at = known.unwrap_or_else(|| {
            let may_be_new = ended.started() && self.outcomes.0.len() < MOST_ACTIONS;
            self.outcomes.place(if may_be_new { ended.action } else { OTHER })
        });
        let find = |row: &Vec<(&str, u64)>| row.iter().position(|(r, _)| *r == ended.reason);
        if let Some(reason) = find(&self.outcomes.0[at].1) {
            return &mut self.outcomes.0[at].1[reason].1;
        }
        let at = if self.pairs < MOST_OUTCOMES { at } else { self.outcomes.place(OTHER) };
        let row = &mut self.outcomes.0[at].1;
        let reason = find(row).unwrap_or_else(|| {
            self.pairs += 1;
            row.push((ended.reason, 0));
            row.len() - 1
        });
        &mut row[reason].1
    }
}

impl Ended<'_> {
    /// Whether the app itself has seen the call, and its action is one.
    fn started(&self) -> bool {
        self.run_time.is_some() && self.reason != "ACTION_NOT_FOUND"
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn ended<'a>(app: &'a str, action: &'a str, reason: &'static str) -> Ended<'a> {
        Ended {
            app,
            action,
            protocol: Protocol::Grpc,
            stream: false,
            code: if reason == "OK" { "OK" } else { "UNKNOWN" },
            reason,
            duration: Duration::from_millis(3),
            queue_wait: Duration::from_millis(1),
            run_time: Some(Duration::from_millis(2)),
            first_chunk: None,
            chunks: 0,
            bytes_in: 10,
            bytes_out: 20,
            exemplar: None,
        }
    }

    fn count(tally: &mut Tally, call: &Ended<'_>) {
        tally.count(call, |app| app == "a:A", SystemTime::now);
    }

    fn sum(tally: &Tally) -> u64 {
        let rows = tally.apps.iter().flat_map(|(_, app)| app.outcomes.iter());
        let outcomes = rows.flat_map(|(_, row)| row);
        outcomes.map(|(_, calls)| calls).sum()
    }

    #[test]
    fn a_call_is_counted_once_under_its_names() {
        let mut tally = Tally::default();
        for reason in ["OK", "OK", "APP_ERROR"] {
            count(&mut tally, &ended("a:A", "act", reason));
        }
        let app = tally.apps.get("a:A").expect("it is an app");
        assert_eq!(app.outcomes.get("act").expect("counted")[..], [("OK", 2), ("APP_ERROR", 1)]);
        assert_eq!((app.ended, app.failed, app.bytes_in, app.bytes_out), (3, 1, 30, 60));
        assert_eq!(app.run_time.histogram.count(), 3);
        assert_eq!(tally.methods.len(), 2, "by code");
    }

    #[test]
    fn names_that_callers_make_up_have_no_rows() {
        let mut tally = Tally::default();
        for number in 0..10_000 {
            let name = format!("name{number}");
            count(&mut tally, &ended(&name, "act", "APP_NOT_FOUND"));
            count(&mut tally, &ended("a:A", &name, "ACTION_NOT_FOUND"));
            count(&mut tally, &Ended { run_time: None, ..ended("a:A", &name, "QUEUE_FULL") });
            count(&mut tally, &ended("a:A", &name, "OK"));
        }
        let apps: Vec<_> = tally.apps.iter().map(|(name, _)| name).collect();
        assert_eq!(apps, [OTHER, "a:A"]);
        let outcomes = &tally.apps.get("a:A").expect("it is an app").outcomes;
        assert_eq!(outcomes.0.len(), MOST_ACTIONS, "with the one for others");
        assert_eq!(sum(&tally), 40_000, "all are counted");
        let others = outcomes.get(OTHER).expect("others");
        assert!(others.contains(&("ACTION_NOT_FOUND", 10_000)), "{others:?}");
    }

    #[test]
    fn outcomes_and_methods_are_bounded_and_none_is_lost() {
        const CODES: [&str; 40] = [
            "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15",
            "16", "17", "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29",
            "30", "31", "32", "33", "34", "35", "36", "37", "38", "39",
        ];
        let mut tally = Tally::default();
        for code in CODES {
            for action in 0..70 {
                let action = action.to_string();
                count(&mut tally, &Ended { code, ..ended("a:A", &action, code) });
            }
        }
        assert_eq!(tally.methods.len(), MOST_METHODS);
        let app = tally.apps.get("a:A").expect("it is an app");
        let pairs: usize = app.outcomes.iter().map(|(_, row)| row.len()).sum();
        assert!(pairs <= MOST_OUTCOMES + CODES.len(), "{pairs}");
        assert_eq!(sum(&tally), 40 * 70);
        let timed: u64 = tally.methods.iter().map(|(_, times)| times.histogram.count()).sum();
        assert_eq!(timed, 40 * 70);
    }

    #[test]
    fn a_traced_call_is_the_example_of_its_bucket() {
        let mut tally = Tally::default();
        count(&mut tally, &Ended { exemplar: Some([7; 16]), ..ended("a:A", "act", "OK") });
        let times = &tally.apps.get("a:A").expect("it is an app").run_time;
        let example = times.exemplars.iter().flatten().next().expect("one");
        assert_eq!((example.trace_id, example.value), ([7; 16], 0.002));
    }
}
