//! Which calls have a line in the access log.

use std::time::Duration;

use crate::{
    config::{AccessLog, AccessLogConfig},
    observe::trace::unit,
};

/// The choice that the configuration describes.
#[derive(Debug, Clone, Copy)]
pub struct Choice {
    calls: AccessLog,
    slow: Option<Duration>,
    sample: f64,
}

impl Choice {
    /// The choice; `None` if no call can have a line.
    pub fn new(config: &AccessLogConfig) -> Option<Self> {
        let AccessLogConfig { calls, slow, sample, .. } = *config;
        (calls != AccessLog::Off || slow.is_some()).then_some(Self { calls, slow, sample })
    }

    /// Whether a call has a line that ended like this. A call that failed and one that was
    /// slow is never left to chance.
    pub fn takes(&self, is_ok: bool, took: Duration, random: impl FnOnce() -> u64) -> bool {
        if self.slow.is_some_and(|slow| took >= slow) {
            return true;
        }
        match self.calls {
            AccessLog::Off => false,
            AccessLog::Errors => !is_ok,
            AccessLog::All => !is_ok || self.sample >= 1.0 || unit(random()) < self.sample,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LogFormat;

    const SLOW: Duration = Duration::from_secs(1);
    const FAST: Duration = Duration::from_millis(999);

    fn choice(calls: AccessLog, slow: Option<Duration>, sample: f64) -> Option<Choice> {
        let format = LogFormat::Text;
        Choice::new(&AccessLogConfig { calls, file: None, format, slow, sample })
    }

    #[test]
    fn failures_and_slow_calls_are_never_left_to_chance() {
        for (calls, is_ok, took, taken) in [
            (AccessLog::Off, true, FAST, false),
            (AccessLog::Off, false, FAST, false),
            (AccessLog::Off, true, SLOW, true),
            (AccessLog::Errors, true, FAST, false),
            (AccessLog::Errors, true, SLOW, true),
            (AccessLog::Errors, false, FAST, true),
            (AccessLog::All, true, FAST, false),
            (AccessLog::All, true, SLOW, true),
            (AccessLog::All, false, FAST, true),
        ] {
            let choice = choice(calls, Some(SLOW), 0.0).expect("some have a line");
            assert_eq!(choice.takes(is_ok, took, || 0), taken, "{calls:?} {is_ok} {took:?}");
        }
    }

    #[test]
    fn a_part_of_the_calls_with_a_result_has_a_line() {
        let half = choice(AccessLog::All, None, 0.5).expect("some have a line");
        assert!(half.takes(true, SLOW, || u64::MAX / 2 - 1024));
        assert!(!half.takes(true, SLOW, || u64::MAX / 2 + 1));
        let all = choice(AccessLog::All, None, 1.0).expect("all have a line");
        assert!(all.takes(true, FAST, || unreachable!("chance has no say")));
    }

    #[test]
    fn without_a_choice_there_is_no_log() {
        assert!(choice(AccessLog::Off, None, 1.0).is_none());
        assert!(choice(AccessLog::Off, Some(SLOW), 1.0).is_some());
        assert!(choice(AccessLog::Errors, None, 0.0).is_some());
    }
}
