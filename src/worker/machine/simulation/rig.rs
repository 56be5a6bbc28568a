//! A machine, its callers and a clock; what it decides is carried out on real
//! replies, and noted.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use dirtyd_client::proto::worker::{
    AppReady, Chunk, Hello, Request, Response, arbiter_frame, worker_frame::Kind,
};
use futures_util::FutureExt as _;
use tokio::sync::oneshot;

use crate::{
    call::{
        Call, CallError, CallId, CallRequest, Chunks, Credit, PayloadKind, Peer, Quota, Reply,
        StreamItem, WorkerRef,
    },
    clock::Deadline,
    config::{Config, PoolConfig, Raw, Window},
    worker::{
        Control, Report, WorkerSpec,
        machine::{Action, Event, Level, Machine},
    },
};
#[cfg(test)]
use crate::{
    call::{EndedBy, Hold, reply_channel, stream_channel},
    worker::Death,
};

pub const WORKER: WorkerRef = WorkerRef { id: 1, pid: 77 };
pub const APP: &str = "app:App";
pub const TIMEOUT: Duration = Duration::from_secs(10);
pub const GRACEFUL: Duration = Duration::from_secs(30);
pub const WINDOW: Window = Window { chunks: 4, bytes: 100 };

pub type Outcome = Result<Bytes, (CallError, Option<WorkerRef>)>;

/// The end of a call where its caller waits.
#[derive(Debug)]
pub enum Caller {
    /// It left.
    Gone,
    /// Execute.
    Unary(oneshot::Receiver<Outcome>),
    /// ExecuteStream, with the credit that is not returned yet.
    Stream(Chunks, Credit),
}

/// A machine with all around it.
#[derive(Debug)]
pub struct Rig {
    pub machine: Machine,
    pub now: Instant,
    pub callers: BTreeMap<u64, Caller>,
    /// The frames to the worker.
    pub sent: Vec<arbiter_frame::Kind>,
    pub reports: Vec<Report>,
    /// What was done otherwise, in words and in order.
    pub done: Vec<String>,
    /// The number of requests that were sent.
    pub requests: u64,
}

pub fn pool() -> PoolConfig {
    let apps = vec![APP.parse().expect("a path")];
    let config = Config::from_raw(Raw::of_apps(apps)).expect("valid");
    let boot_timeout = Duration::from_secs(60);
    let (kill_grace, heartbeat) = (Duration::from_secs(2), Duration::from_secs(20));
    PoolConfig { boot_timeout, kill_grace, heartbeat, ..config.pools[0].clone() }
}

pub fn hello(lowest: u32, latest: u32) -> Kind {
    Kind::Hello(Hello {
        protocol_version: lowest,
        latest_protocol_version: latest,
        stack_dump_signal: 10,
        capabilities: vec!["metrics".to_owned(), "stacks".to_owned()],
        ..Hello::default()
    })
}

pub fn response(call: u64) -> Kind {
    Kind::Response(Response { call_id: call, payload: Bytes::from_static(b"result") })
}

pub fn chunk(call: u64, size: usize) -> Kind {
    Kind::Chunk(Chunk { call_id: call, payload: vec![b'c'; size].into() })
}

pub fn ready() -> Kind {
    Kind::AppReady(AppReady { app: APP.to_owned() })
}

impl Rig {
    /// A worker that has just started.
    pub fn started() -> Self {
        Self::with(pool())
    }

    pub fn with(pool: PoolConfig) -> Self {
        let now = Instant::now();
        let spec = WorkerSpec {
            id: WORKER.id,
            pool: Arc::new(pool),
            window: WINDOW,
            max_message_size: 1 << 20,
            busy_wait: Duration::ZERO,
            graceful_timeout: GRACEFUL,
        };
        Self {
            machine: Machine::new(spec, WORKER, now),
            now,
            callers: BTreeMap::new(),
            sent: Vec::new(),
            reports: Vec::new(),
            done: Vec::new(),
            requests: 0,
        }
    }

    /// A worker that serves, of protocol version `version`.
    pub fn serving(version: u32) -> Self {
        let mut rig = Self::started();
        rig.tell(Control::Load(vec![APP.to_owned()]));
        rig.frame(hello(version, 0));
        rig.frame(ready());
        assert!(matches!(rig.reports.last(), Some(Report::Booted)), "{:?}", rig.reports);
        (rig.sent, rig.reports, rig.done) = Default::default();
        rig
    }

    /// Hands the machine an event, and carries out what it decides.
    pub fn on(&mut self, event: Event) -> Vec<&'static str> {
        let mut actions = Vec::new();
        self.machine.on(event, self.now, &mut actions);
        actions.into_iter().map(|action| self.carry_out(action)).collect()
    }

    fn carry_out(&mut self, action: Action) -> &'static str {
        match action {
            Action::Send(kind) => {
                self.sent.push(*kind);
                "send"
            }
            Action::SendRequest(call) => {
                let whole = |head: &Request, payload: &Bytes| Request {
                    payload: payload.clone(),
                    ..head.clone()
                };
                let request = self.machine.with_request(call, whole).expect("it is in its slot");
                self.sent.push(arbiter_frame::Kind::Request(request));
                self.requests += 1;
                "send"
            }
            Action::Chunk { call, payload, .. } => {
                self.machine.sink(call).expect("a stream").send(payload);
                "chunk"
            }
            Action::Answer(reply, outcome) => {
                reply.end(outcome, WORKER);
                "answer"
            }
            Action::Report(report) => {
                let died = matches!(report, Report::Died(_));
                self.reports.push(report);
                if died { "died" } else { "report" }
            }
            Action::Stacks(reply, stacks) => {
                drop(reply.send(stacks));
                "stacks answered"
            }
            Action::DumpStacks { why, .. } => {
                self.done.push(format!("stacks: {why}"));
                "stacks"
            }
            Action::Kill => {
                self.done.push("kill".to_owned());
                "kill"
            }
            Action::Log(level, text) => {
                if level == Level::Warn {
                    self.done.push(text);
                }
                "log"
            }
        }
    }

    pub fn tell(&mut self, control: Control) {
        self.on(Event::Told(control));
    }

    pub fn frame(&mut self, kind: Kind) {
        self.on(Event::Frame(Some(kind)));
    }

    pub fn call(&self, id: u64, reply: Reply, caller_deadline: Deadline) -> Call {
        let request = Box::new(CallRequest {
            app: APP.to_owned(),
            action: "act".to_owned(),
            payload: Bytes::from_static(b"payload"),
            payload_kind: PayloadKind::ExecuteRequest,
            arrived: self.now,
            peer: Peer::Unknown,
            quota: Quota::default(),
            caller_deadline,
            request_id: "r".to_owned(),
            metadata: Vec::new(),
            story: None,
        });
        Call { id: CallId(id), request, timeout: TIMEOUT, reply, deaths: 0 }
    }

    /// The next item of a stream; `None` if there is none.
    pub fn next(&mut self, id: u64) -> Option<StreamItem> {
        let Some(Caller::Stream(chunks, credit)) = self.callers.get_mut(&id) else { return None };
        let item = chunks.next().now_or_never().flatten();
        if let Some(StreamItem::Chunk(chunk)) = &item {
            credit.chunks += 1;
            credit.bytes += chunk.len() as u64;
        }
        item
    }

    /// Whether it was killed, with this in the reason.
    pub fn was_killed(&self, why: &str) -> bool {
        let killing = |text: &String| text.starts_with("killing") && text.contains(why);
        self.done.iter().any(killing) && self.done.iter().any(|done| done == "kill")
    }
}

/// What single tests need besides.
#[cfg(test)]
impl Rig {
    /// The socket takes all that was sent.
    pub fn write_all(&mut self) {
        self.on(Event::Written(self.requests));
    }

    /// Lets time pass, and rings each alarm that comes due.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.machine.due().instant().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.on(Event::Alarm);
            assert!(!self.machine.due().is_over(self.now), "an alarm leaves nothing due");
        }
        self.now = until;
    }

    /// The process ends by itself; `begun` requests were begun, `written` written.
    pub fn exit(&mut self, begun: u64, written: u64) {
        let ended = EndedBy::Exit(3);
        self.on(Event::Exited { ended, begun, written });
    }

    /// Nothing more is in the socket of an ended process.
    pub fn bury(&mut self) -> &Death {
        self.on(Event::Closed { within_frame: false });
        match self.reports.last() {
            Some(Report::Died(death)) => death,
            other => panic!("it is dead: {other:?}"),
        }
    }

    pub fn execute(&mut self, id: u64) {
        let (reply, answer) = reply_channel();
        self.start(id, reply, Deadline::Never);
        self.callers.insert(id, Caller::Unary(answer));
    }

    /// The same with a request of JSON.
    pub fn execute_json(&mut self, id: u64) {
        let (reply, answer) = reply_channel();
        let mut call = self.call(id, reply, Deadline::Never);
        call.request.payload_kind = PayloadKind::Json;
        self.tell(Control::Start(call));
        self.callers.insert(id, Caller::Unary(answer));
    }

    pub fn stream(&mut self, id: u64) {
        let (reply, chunks) = stream_channel(WINDOW.chunks, Hold::nothing());
        self.start(id, reply, Deadline::Never);
        self.callers.insert(id, Caller::Stream(chunks, Credit::default()));
    }

    pub fn start(&mut self, id: u64, reply: Reply, caller_deadline: Deadline) {
        self.tell(Control::Start(self.call(id, reply, caller_deadline)));
    }

    /// The caller leaves; its ticket says so.
    pub fn cancel(&mut self, id: u64) {
        self.callers.insert(id, Caller::Gone);
        self.tell(Control::Cancel(CallId(id)));
    }

    /// The answer of an Execute; `None` if there is none.
    pub fn answer(&mut self, id: u64) -> Option<Outcome> {
        match self.callers.get_mut(&id) {
            Some(Caller::Unary(answer)) => answer.try_recv().ok(),
            other => panic!("call {id} is no Execute: {other:?}"),
        }
    }

    /// The reader returns the credit for what it has read.
    pub fn return_credit(&mut self, id: u64) {
        if let Some(Caller::Stream(_, credit)) = self.callers.get_mut(&id) {
            let credit = std::mem::take(credit);
            self.tell(Control::Credit(CallId(id), credit));
        }
    }
}
