//! A call in its slot: its clocks, alone.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::worker::machine::slot::{Slot, Step};
use crate::{
    call::{
        Call, CallId, CallRequest, Chunks, Hold, PayloadKind, Peer, Quota, Reply, reply_channel,
        stream_channel,
    },
    config::Window,
};

const TIMEOUT: Duration = Duration::from_secs(10);
const GRACE: Duration = Duration::from_secs(2);
const WINDOW: Window = Window { chunks: 2, bytes: 100 };

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn slot(reply: Reply, caller: Option<Instant>, now: Instant) -> Slot {
    let request = Box::new(CallRequest {
        app: "a:A".into(),
        action: "act".into(),
        payload: Bytes::new(),
        payload_kind: PayloadKind::ExecuteRequest,
        arrived: now,
        peer: Peer::Unknown,
        quota: Quota::default(),
        caller_deadline: caller.into(),
        request_id: String::new(),
        metadata: Vec::new(),
        story: None,
    });
    let call = Call { id: CallId(1), request, timeout: TIMEOUT, reply, deaths: 0 };
    Slot::new(call, Some(1), WINDOW, GRACE, now)
}

fn stream(now: Instant) -> (Slot, Chunks) {
    let (reply, chunks) = stream_channel(WINDOW.chunks, Hold::nothing());
    (slot(reply, None, now), chunks)
}

/// Runs the clock from event to event and notes what is done when.
fn climb(call: &mut Slot, start: Instant, until: Duration) -> Vec<(u64, Step)> {
    let mut steps = Vec::new();
    while let Some(due) = call.due().instant().filter(|due| *due <= start + until) {
        while let Some(step) = call.step(due) {
            if matches!(step, Step::CallerDeadline | Step::Timeout | Step::Raise) {
                drop(call.take_reply(due));
            }
            steps.push(((due - start).as_secs(), step));
        }
    }
    steps
}

#[test]
fn a_stuck_call_goes_up_the_whole_ladder() {
    let now = Instant::now();
    let (reply, _answer) = reply_channel();
    let mut call = slot(reply, None, now);
    let steps = climb(&mut call, now, seconds(100));
    let expected =
        [(10, Step::Timeout), (10, Step::Raise), (11, Step::DumpStacks), (12, Step::Kill)];
    assert_eq!(steps, expected);
}

#[test]
fn a_callers_own_deadline_only_answers_until_the_timeout_of_the_app() {
    let now = Instant::now();
    let (reply, _answer) = reply_channel();
    let mut call = slot(reply, Some(now + seconds(3)), now);
    assert_eq!(climb(&mut call, now, seconds(9)), [(3, Step::CallerDeadline)]);
    let rest = climb(&mut call, now, seconds(100));
    assert_eq!(rest[0], (10, Step::Raise), "the app's timeout still ends the work");
}

#[test]
fn chunks_restart_the_clock_of_a_stream() {
    let now = Instant::now();
    let (mut call, _chunks) = stream(now);
    assert!(call.on_chunk(1, now + seconds(9)));
    assert_eq!(climb(&mut call, now, seconds(18)), []);
    assert_eq!(climb(&mut call, now, seconds(19)), [(19, Step::Raise)]);
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_stalled_and_one_that_takes_little_is_not() {
    let now = Instant::now();
    let (mut call, mut chunks) = stream(now);
    for _ in 0..2 {
        assert!(call.on_chunk(1, now));
        call.sink().expect("stream").send(Bytes::new());
    }
    chunks.next().await.expect("chunk");
    assert_eq!(climb(&mut call, now, seconds(10)), [], "it took one");
    assert_eq!(climb(&mut call, now, seconds(20)), [(20, Step::ReaderStalled)]);
    // Once it is abandoned, the action has a timeout to close.
    drop(call.take_reply(now + seconds(20)));
    let steps = climb(&mut call, now, seconds(40));
    assert_eq!(steps[0], (30, Step::Raise));
    assert_eq!(steps[2], (32, Step::Kill));
}

#[test]
fn a_worker_that_reads_the_names_in_the_payload_reads_those_of_the_arbiter() {
    use dirtyd_client::proto::v1::ExecuteRequest;
    use prost::Message as _;
    let named = |app: &str| ExecuteRequest { app: app.into(), ..Default::default() };
    let (reply, _answer) = reply_channel();
    let mut slot = slot(reply, None, Instant::now());
    slot.request.payload =
        [named("a:A"), named("other:B")].map(|m| m.encode_to_vec()).concat().into();
    let payload = slot.with_request(false, |_, payload| payload.clone());
    let read = ExecuteRequest::decode(payload).expect("a request");
    assert_eq!((read.app.as_str(), read.action.as_str()), ("a:A", "act"));
    let payload = slot.with_request(true, |_, payload| payload.clone());
    assert_eq!(
        payload, slot.request.payload,
        "one that reads them in the frame gets it as it came"
    );
}
