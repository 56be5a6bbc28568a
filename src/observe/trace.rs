//! Which trace a call belongs to, after the Recommendation "Trace Context" of the W3C
//! (level 1): what its caller says in `traceparent`, whether it is traced, and what its
//! worker is told. All of it is pure: randomness is an argument.

use std::fmt;

pub use crate::call::Span;
use crate::config::OtlpConfig;

/// The length of a `traceparent` of version 00; later versions are no shorter.
const LENGTH: usize = 55;
/// The flag that says that the caller records the trace.
const SAMPLED: u8 = 1;
/// What makes the ids of the parts of a call out of its own, which is random.
const QUEUE: u64 = 0x9e37_79b9_7f4a_7c15;
const RUN: u64 = 0xc2b2_ae3d_27d4_eb4f;

impl Span {
    /// What is known of a call that is not exported: the trace of its caller. `None` if that
    /// is malformed.
    pub fn of_caller(traceparent: &[u8]) -> Option<Self> {
        let Parent { trace_id, span_id, .. } = Parent::read(traceparent)?;
        Some(Self { trace_id, parent: Some(span_id), span_id, sampled: false })
    }

    /// The `traceparent` that its worker gets, so that the spans of an action are below
    /// [`run_id`](Self::run_id). Only for a call that is sampled.
    pub fn traceparent(&self) -> String {
        let (trace, span) = (Hex(&self.trace_id), self.run_id());
        format!("00-{trace}-{}-{:02x}", Hex(&span), u8::from(self.sampled))
    }

    /// The trace, as it is written.
    pub fn trace(&self) -> impl fmt::Display {
        Hex(&self.trace_id)
    }

    /// The span of its wait in the queue.
    pub fn queue_id(&self) -> [u8; 8] {
        self.part(QUEUE)
    }

    /// The span of its run in a worker.
    pub fn run_id(&self) -> [u8; 8] {
        self.part(RUN)
    }

    /// Its parts have ids that follow from its own, so that a worker can be told its span
    /// before anybody has made that.
    fn part(&self, part: u64) -> [u8; 8] {
        match u64::from_be_bytes(self.span_id) ^ part {
            0 => (!part).to_be_bytes(),
            id => id.to_be_bytes(),
        }
    }
}

/// Decides which calls are traced: the caller, if it says so; else chance.
#[derive(Debug, Clone, Copy)]
pub struct Sampler {
    /// The part of the calls whose callers do not decide, from 0 to 1.
    part: f64,
}

impl Sampler {
    /// The sampler that the configuration describes.
    pub fn new(config: &OtlpConfig) -> Self {
        Self { part: config.trace_sample }
    }

    /// The span of a call that comes with this `traceparent`. `None` if it belongs to no
    /// trace. A `traceparent` that is malformed is none.
    pub fn begin(
        &self,
        traceparent: Option<&[u8]>,
        mut random: impl FnMut() -> u64,
    ) -> Option<Span> {
        if let Some(Parent { trace_id, span_id, sampled }) = traceparent.and_then(Parent::read) {
            let parent = Some(span_id);
            let span_id = if sampled { id(&mut random).to_be_bytes() } else { span_id };
            return Some(Span { trace_id, parent, span_id, sampled });
        }
        if !self.draws(&mut random) {
            return None;
        }
        let halves = u128::from(id(&mut random)) << 64 | u128::from(random());
        let (trace_id, span_id) = (halves.to_be_bytes(), id(&mut random).to_be_bytes());
        Some(Span { trace_id, parent: None, span_id, sampled: true })
    }

    fn draws(&self, random: &mut impl FnMut() -> u64) -> bool {
        self.part > 0.0 && (self.part >= 1.0 || unit(random()) < self.part)
    }
}

/// A number that is evenly spread over what is below 1, made of a random one.
pub fn unit(random: u64) -> f64 {
    (random >> 11) as f64 / (1_u64 << 53) as f64
}

/// A random id. Zero is the one that is none.
fn id(random: &mut impl FnMut() -> u64) -> u64 {
    match random() {
        0 => 1,
        id => id,
    }
}

/// What a `traceparent` says.
struct Parent {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    sampled: bool,
}

impl Parent {
    /// Reads it: version, trace, span and flags in lower-case hexadecimal. Later versions
    /// are read as far as they are like version 00.
    fn read(text: &[u8]) -> Option<Self> {
        let (head, more) = text.split_at_checked(LENGTH)?;
        let is_dash = |at: usize| head[at] == b'-';
        if ![2, 35, 52].into_iter().all(is_dash) {
            return None;
        }
        let [version] = bytes(&head[..2])?;
        match version {
            0 if more.is_empty() => {}
            0 | 0xff => return None,
            _ if more.first().is_none_or(|next| *next == b'-') => {}
            _ => return None,
        }
        let trace_id: [u8; 16] = bytes(&head[3..35])?;
        let span_id: [u8; 8] = bytes(&head[36..52])?;
        let [flags] = bytes(&head[53..])?;
        let is_valid = trace_id != [0; 16] && span_id != [0; 8];
        is_valid.then_some(Self { trace_id, span_id, sampled: flags & SAMPLED != 0 })
    }
}

fn bytes<const N: usize>(hex: &[u8]) -> Option<[u8; N]> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

/// Bytes as lower-case hexadecimal digits.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::config::OtlpProtocol;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const PARENT: &str = "b7ad6b7169203331";

    fn sampler(trace_sample: f64) -> Sampler {
        let (endpoint, protocol) = (String::new(), OtlpProtocol::Grpc);
        let metrics_interval = Duration::ZERO;
        Sampler::new(&OtlpConfig { endpoint, protocol, trace_sample, metrics_interval })
    }

    fn from(traceparent: &str) -> Option<Span> {
        sampler(0.0).begin(Some(traceparent.as_bytes()), || 7)
    }

    #[test]
    fn the_caller_decides_whether_its_call_is_traced() {
        for (flags, sampled) in
            [("00", false), ("01", true), ("02", false), ("03", true), ("ff", true)]
        {
            let text = format!("00-{TRACE}-{PARENT}-{flags}");
            let span = from(&text).expect("a trace");
            assert_eq!((span.trace().to_string().as_str(), span.sampled), (TRACE, sampled));
            assert_eq!(Hex(&span.parent.expect("a parent")).to_string(), PARENT);
            let of_caller = Span::of_caller(text.as_bytes()).expect("a trace");
            assert_eq!((of_caller.trace_id, of_caller.sampled), (span.trace_id, false));
            match sampled {
                true => assert_eq!(span.span_id, 7_u64.to_be_bytes()),
                false => assert_eq!(span, of_caller, "the caller's span is the last of the trace"),
            }
            assert_eq!(sampler(1.0).begin(Some(text.as_bytes()), || 7), Some(span));
        }
    }

    #[test]
    fn a_malformed_traceparent_is_none() {
        let good = format!("00-{TRACE}-{PARENT}-01");
        assert!(from(&good).is_some());
        for at in 0..good.len() {
            for bad in ["", "g", "A", "-", " ", "\0", "ä"] {
                let mut text = good.clone();
                text.replace_range(at..=at, bad);
                // A dash may stand where there was one.
                assert!(text == good || from(&text).is_none(), "{text:?}");
            }
            assert!(from(&good[..at]).is_none(), "{at} bytes of it");
        }
        for (what, text) in [
            ("an empty one", String::new()),
            ("version ff", format!("ff-{TRACE}-{PARENT}-01")),
            ("no trace", format!("00-{}-{PARENT}-01", "0".repeat(32))),
            ("no parent", format!("00-{TRACE}-{}-01", "0".repeat(16))),
            ("more than version 00 has", format!("{good}-")),
            ("a space behind", format!("{good} ")),
            ("a space before", format!(" {good}")),
            ("two of them", format!("{good},{good}")),
            ("longer flags in a later version", format!("01-{TRACE}-{PARENT}-0100")),
            ("upper case", good.to_uppercase()),
        ] {
            assert!(from(&text).is_none(), "{what}: {text:?}");
            assert!(Span::of_caller(text.as_bytes()).is_none(), "{what}: {text:?}");
        }
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        for text in [
            format!("01-{TRACE}-{PARENT}-01"),
            format!("cc-{TRACE}-{PARENT}-01-what-the-future-will-be-like"),
            format!("fe-{TRACE}-{PARENT}-01-"),
        ] {
            assert!(from(&text).is_some_and(|span| span.sampled), "{text}");
        }
    }

    #[test]
    fn chance_decides_about_calls_without_a_traceparent() {
        assert_eq!(sampler(0.0).begin(None, || panic!("nothing to draw")), None);
        assert_eq!(sampler(0.5).begin(None, || u64::MAX), None);
        assert_eq!(sampler(0.5).begin(None, || 1 << 63), None);
        let span = sampler(0.5).begin(None, || 1 << 62).expect("it was drawn");
        assert_eq!((span.parent, span.sampled), (None, true));
        let span = sampler(1.0).begin(Some(b"garbage"), || 0).expect("all are traced");
        assert!(span.trace_id != [0; 16] && span.span_id != [0; 8], "zero is no id");
    }

    #[test]
    fn the_worker_is_told_the_run_of_the_call() {
        let span = from(&format!("00-{TRACE}-{PARENT}-03")).expect("a trace");
        let told = Span::of_caller(span.traceparent().as_bytes()).expect("well formed");
        assert_eq!((told.trace_id, told.span_id), (span.trace_id, span.run_id()));
        assert!(span.traceparent().ends_with("-01"), "{}", span.traceparent());
    }

    proptest! {
        #[test]
        fn whatever_a_caller_sends_is_read_without_harm(bytes in any::<Vec<u8>>(), text in "[0-9a-f-]{50,60}") {
            for bytes in [bytes.as_slice(), text.as_bytes()] {
                let span = sampler(0.0).begin(Some(bytes), || 1);
                prop_assert_eq!(span.is_some(), Span::of_caller(bytes).is_some());
            }
        }

        #[test]
        fn the_parts_of_a_call_have_ids_of_their_own(id in 1_u64.., near in 0_u64..3) {
            for id in [id, QUEUE.wrapping_add(near), RUN.wrapping_add(near)] {
                let span_id = id.to_be_bytes();
                let span = Span { trace_id: [1; 16], parent: None, span_id, sampled: true };
                let ids = [span.span_id, span.queue_id(), span.run_id()];
                prop_assert!(ids.iter().all(|id| *id != [0; 8]), "{ids:?}");
                prop_assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2], "{ids:?}");
            }
        }
    }
}
