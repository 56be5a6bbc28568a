//! Why a collector did not take something, and whether it is worth another try: after the
//! specification of OTLP.

use std::time::Duration;

use http::StatusCode;
use tonic_types::StatusExt as _;

/// The numbers of gRPC's codes after which one tries again: CANCELLED, DEADLINE_EXCEEDED,
/// ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS.
const GRPC_AGAIN: [i32; 6] = [1, 4, 10, 11, 14, 15];
/// RESOURCE_EXHAUSTED: only if the collector says when.
const GRPC_FULL: i32 = 8;
/// The statuses of HTTP after which one tries again.
const HTTP_AGAIN: [u16; 4] = [429, 502, 503, 504];
/// The longest text of a collector in a line of the log, in characters.
const LONGEST: usize = 200;

/// Why a collector did not take something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What is known of the cause.
    pub why: String,
    /// Whether to try again.
    pub again: Again,
}

/// Whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It would fail again.
    Never,
    /// Soon.
    Soon,
    /// The collector said after which time.
    After(Duration),
}

impl Failure {
    /// There was no answer.
    pub fn unanswered(why: impl ToString) -> Self {
        Self { why: why.to_string(), again: Again::Soon }
    }

    /// The answer of a collector that speaks gRPC.
    pub fn of_grpc(status: &tonic::Status) -> Self {
        let code = status.code();
        let asked = status.get_details_retry_info().and_then(|info| info.retry_delay);
        let broken = std::error::Error::source(status).is_some_and(is_of_transport);
        let again = match (asked, i32::from(code)) {
            (Some(after), code) if code == GRPC_FULL || GRPC_AGAIN.contains(&code) => {
                Again::After(after)
            }
            (_, code) if GRPC_AGAIN.contains(&code) || broken => Again::Soon,
            _ => Again::Never,
        };
        let cause = root(status).map(|cause| format!(" ({cause})")).unwrap_or_default();
        Self { why: shortened(&format!("{}{cause}", worded(status))), again }
    }

    /// The answer of a collector that speaks HTTP.
    pub fn of_http(status: StatusCode, retry_after: Option<&str>) -> Self {
        let seconds = retry_after.and_then(|text| text.trim().parse().ok());
        let again = match (HTTP_AGAIN.contains(&status.as_u16()), seconds) {
            (false, _) => Again::Never,
            (true, Some(seconds)) => Again::After(Duration::from_secs(seconds)),
            (true, None) => Again::Soon,
        };
        Self { why: format!("it answered {status}"), again }
    }

    /// The answer of a collector could not be read, although it took the request.
    pub fn garbled(why: impl ToString) -> Self {
        Self { why: shortened(&why.to_string()), again: Again::Never }
    }
}

fn is_of_transport(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<tonic::transport::Error>()
}

/// The innermost cause: that of the system.
fn root<'a>(status: &'a tonic::Status) -> Option<&'a (dyn std::error::Error + 'static)> {
    let first = std::error::Error::source(status);
    std::iter::successors(first, |cause: &&'a (dyn std::error::Error + 'static)| cause.source())
        .last()
}

fn worded(status: &tonic::Status) -> String {
    match status.message() {
        "" => status.code().to_string(),
        message => message.to_owned(),
    }
}

/// A collector's text, for the log.
pub fn shortened(text: &str) -> String {
    let mut head: String = text.chars().take(LONGEST).collect();
    if head.len() < text.len() {
        head.push('…');
    }
    head
}

/// The tries of one request.
#[derive(Debug, Clone, Copy)]
pub struct Tries<T> {
    begun: T,
    pause: Duration,
}

impl Tries<std::time::Instant> {
    /// The first pause; each is twice as long as the one before.
    const FIRST: Duration = Duration::from_millis(500);
    /// The longest pause, unless a collector asks for a longer one.
    const LONGEST: Duration = Duration::from_secs(8);
    /// After this time a request is given up.
    const LIMIT: Duration = Duration::from_secs(30);

    /// None yet.
    pub fn new(now: std::time::Instant) -> Self {
        Self { begun: now, pause: Self::FIRST }
    }

    /// How long to wait before the next try; `None` if there is to be none. `spread`, from 0
    /// to 1, keeps those apart who failed together.
    pub fn next(&mut self, again: Again, now: std::time::Instant, spread: f64) -> Option<Duration> {
        let pause = match again {
            Again::Never => return None,
            Again::Soon => self.pause.mul_f64(0.5 + 0.5 * spread),
            Again::After(asked) => asked.max(self.pause),
        };
        self.pause = (self.pause * 2).min(Self::LONGEST);
        let is_in_time =
            now.saturating_duration_since(self.begun).saturating_add(pause) <= Self::LIMIT;
        is_in_time.then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tonic::Status;
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn what_the_specification_calls_retryable_is_tried_again() {
        for (number, again) in (0..17).map(|number| (number, GRPC_AGAIN.contains(&number))) {
            let status = Status::new(number.into(), "why");
            let expected = if again { Again::Soon } else { Again::Never };
            assert_eq!(Failure::of_grpc(&status).again, expected, "{number}");
        }
        for status in 300..600 {
            let code = StatusCode::from_u16(status).expect("a status");
            let expected = match status {
                429 | 502..=504 => Again::Soon,
                _ => Again::Never,
            };
            assert_eq!(Failure::of_http(code, None).again, expected, "{status}");
        }
    }

    #[test]
    fn a_collector_may_say_when_to_try_again() {
        let after = Duration::from_secs(3);
        for (number, again) in
            [(8, Again::After(after)), (14, Again::After(after)), (3, Again::Never)]
        {
            let details = ErrorDetails::with_retry_info(Some(after));
            let status = Status::with_error_details(number.into(), "busy", details);
            assert_eq!(Failure::of_grpc(&status).again, again, "{number}");
        }
        let busy = StatusCode::TOO_MANY_REQUESTS;
        assert_eq!(Failure::of_http(busy, Some(" 3 ")).again, Again::After(after));
        assert_eq!(
            Failure::of_http(busy, Some("Fri, 31 Dec 1999 23:59:59 GMT")).again,
            Again::Soon
        );
        assert_eq!(Failure::of_http(StatusCode::BAD_REQUEST, Some("3")).again, Again::Never);
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_end() {
        let start = Instant::now();
        let mut tries = Tries::new(start);
        let (mut now, mut pauses) = (start, Vec::new());
        while let Some(pause) = tries.next(Again::Soon, now, 1.0) {
            pauses.push(pause.as_millis());
            now += pause;
        }
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 8000]);
        assert_eq!(Tries::new(start).next(Again::Never, start, 1.0), None);
        let half = Tries::new(start).next(Again::Soon, start, 0.0);
        assert_eq!(half, Some(Duration::from_millis(250)));
    }

    #[test]
    fn a_collector_that_asks_for_hours_is_not_waited_for() {
        let start = Instant::now();
        let again = |seconds| Again::After(Duration::from_secs(seconds));
        assert_eq!(Tries::new(start).next(again(3), start, 0.0), Some(Duration::from_secs(3)));
        assert_eq!(Tries::new(start).next(again(3600), start, 0.0), None);
        assert_eq!(Tries::new(start).next(again(u64::MAX), start, 0.0), None);
    }

    #[test]
    fn the_text_of_a_collector_is_shortened() {
        let status = Status::new(3.into(), "ä".repeat(1000));
        assert_eq!(Failure::of_grpc(&status).why.chars().count(), LONGEST + 1);
    }
}
