//! A fake arbiter: one worker process, and the frames between.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io::{Read as _, Write as _},
    os::{fd::OwnedFd, unix::net::UnixStream, unix::process::ExitStatusExt as _},
    process::{Child, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use dirtyd_client::{
    Args, Value, json,
    proto::{
        v1::{ExecuteRequest, ExecuteResponse},
        worker::{
            ArbiterFrame, Cancel, CancelReason, Credit, Error, ErrorKind, GetStacks, Hello,
            InitApp, Metadata, PayloadKind, Ping, Request, Stacks, Welcome, WorkerFrame,
            arbiter_frame, worker_frame::Kind,
        },
    },
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use prost::Message as _;
use tempfile::TempDir;

use crate::runtime::Runtime;

/// The app of the contract; see `apps/`.
pub const APP: &str = "conformant:App";
/// The largest message that the worker is told.
pub const MAX_MESSAGE: u64 = 1_000_000;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A worker and its arbiter's end of the socket.
pub struct Arbiter {
    /// Where the worker's app leaves its marks.
    pub dir: TempDir,
    /// The version of the protocol that it speaks.
    pub version: u32,
    socket: UnixStream,
    child: Option<Child>,
    /// What its Hello said; 0 if it has none.
    stack_dump_signal: i32,
    calls: u64,
    /// The credit that each stream has left, as the protocol counts it.
    credit: HashMap<u64, (i64, i64)>,
}

impl Arbiter {
    /// Starts a worker and reads nothing.
    pub fn start(runtime: &Runtime) -> Self {
        let (socket, theirs) = UnixStream::pair().expect("socketpair");
        socket.set_read_timeout(Some(PATIENCE)).expect("timeout");
        let dir = TempDir::new().expect("directory");
        let child = (runtime.command())
            .env("CONFORMANT_DIR", dir.path())
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::from(File::create(dir.path().join("stderr")).expect("file")))
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", runtime.name));
        let (child, credit) = (Some(child), HashMap::new());
        let version = runtime.version;
        Self { dir, version, socket, child, stack_dump_signal: 0, calls: 0, credit }
    }

    /// A worker that was welcomed with `threads` threads.
    pub fn greeted(runtime: &Runtime, threads: u32) -> Self {
        let mut arbiter = Self::start(runtime);
        arbiter.hello();
        let welcome = arbiter.welcome(threads);
        arbiter.send(arbiter_frame::Kind::Welcome(welcome));
        arbiter
    }

    /// A worker whose app is ready.
    pub fn ready(runtime: &Runtime, threads: u32) -> Self {
        let mut arbiter = Self::greeted(runtime, threads);
        let answer = arbiter.init(APP);
        assert!(matches!(answer, Kind::AppReady(_)), "expected AppReady, got {answer:?}");
        arbiter
    }

    /// A worker whose app is ready, and with which JSON was agreed on.
    pub fn ready_for_json(runtime: &Runtime) -> Self {
        Self::ready_with(runtime, "json", |_| {})
    }

    /// A worker whose app is ready, and with which a capability was agreed on; `change` changes
    /// what it is told.
    pub fn ready_with(runtime: &Runtime, name: &str, change: impl FnOnce(&mut Welcome)) -> Self {
        let mut arbiter = Self::start(runtime);
        arbiter.hello();
        let mut welcome = Welcome { capabilities: vec![name.to_owned()], ..arbiter.welcome(1) };
        change(&mut welcome);
        arbiter.send(arbiter_frame::Kind::Welcome(welcome));
        let answer = arbiter.init(APP);
        assert!(matches!(answer, Kind::AppReady(_)), "expected AppReady, got {answer:?}");
        arbiter
    }

    /// The worker's first frame.
    pub fn hello(&mut self) -> Hello {
        match self.next() {
            Kind::Hello(hello) => {
                self.stack_dump_signal = hello.stack_dump_signal;
                hello
            }
            other => panic!("expected Hello, got {other:?}"),
        }
    }

    /// The settings of a worker with `threads` threads.
    pub fn welcome(&self, threads: u32) -> Welcome {
        Welcome {
            protocol_version: self.version,
            worker_id: 7,
            threads,
            max_message_size: MAX_MESSAGE,
            worker_init_hook: String::new(),
            pool: "default".to_owned(),
            busy_wait_micros: 100,
            capabilities: Vec::new(),
        }
    }

    /// Asks to load an app; returns the answer.
    pub fn init(&mut self, app: &str) -> Kind {
        self.send(arbiter_frame::Kind::InitApp(InitApp { app: app.to_owned() }));
        self.next()
    }

    // ---- towards the worker

    pub fn send(&mut self, kind: arbiter_frame::Kind) {
        self.send_frame(&ArbiterFrame { kind: Some(kind) }.encode_to_vec());
    }

    /// Any bytes as one frame.
    pub fn send_frame(&mut self, frame: &[u8]) {
        let prefix = (frame.len() as u32).to_be_bytes();
        self.send_bytes(&[&prefix, frame].concat());
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).expect("the worker reads");
    }

    /// Starts a call for one result.
    pub fn call(&mut self, action: &str, args: impl Into<Args>) -> u64 {
        self.request(request(action, args.into()), None)
    }

    /// Starts a stream with this credit.
    pub fn stream(&mut self, action: &str, args: impl Into<Args>, chunks: u32, bytes: u64) -> u64 {
        self.request(request(action, args.into()), Some((chunks, bytes)))
    }

    /// Starts a call as its caller encoded it.
    pub fn request(&mut self, payload: ExecuteRequest, credit: Option<(u32, u64)>) -> u64 {
        let frame = self.frame(&payload, credit);
        self.start_call(frame)
    }

    /// Starts a call of an action of [`APP`] with this JSON.
    pub fn call_json(&mut self, action: &str, text: impl Into<Bytes>) -> u64 {
        self.request_json(action, text, None)
    }

    /// The same; a stream if it has credit.
    pub fn request_json(
        &mut self,
        action: &str,
        text: impl Into<Bytes>,
        credit: Option<(u32, u64)>,
    ) -> u64 {
        let frame = self.frame(&request(action, Args::none()), credit);
        let payload_kind = PayloadKind::Json.into();
        self.start_call(Request { payload_kind, payload: text.into(), ..frame })
    }

    /// The frame that starts a call, as an arbiter of this version writes it.
    pub fn frame(&mut self, payload: &ExecuteRequest, credit: Option<(u32, u64)>) -> Request {
        self.calls += 1;
        let frame = Request {
            call_id: self.calls,
            stream: credit.is_some(),
            timeout_micros: 60_000_000,
            credit: credit.map(|(chunks, bytes)| Credit { call_id: 0, chunks, bytes }),
            request_id: format!("request-{}", self.calls),
            metadata: vec![Metadata { key: "color".into(), value: "blue".into() }],
            payload: payload.encode_to_vec().into(),
            ..Request::default()
        };
        with_names(self.version, &payload.app, &payload.action, frame)
    }

    /// Starts a call with this frame; returns its id.
    pub fn start_call(&mut self, frame: Request) -> u64 {
        let id = frame.call_id;
        let credit = frame.credit.unwrap_or_default();
        self.credit.insert(id, (credit.chunks.into(), credit.bytes as i64));
        self.send(arbiter_frame::Kind::Request(frame));
        id
    }

    pub fn credit(&mut self, call_id: u64, chunks: u32, bytes: u64) {
        let left = self.credit.entry(call_id).or_default();
        *left = (left.0 + i64::from(chunks), left.1 + bytes as i64);
        self.send(arbiter_frame::Kind::Credit(Credit { call_id, chunks, bytes }));
    }

    pub fn cancel(&mut self, call_id: u64, reason: CancelReason) {
        self.send(arbiter_frame::Kind::Cancel(Cancel { call_id, reason: reason.into() }));
    }

    /// Asks for the stacks until they name `function`, if the worker can print them.
    pub fn dump_stacks(&self, function: &str) {
        let Some(signal) = Signal::try_from(self.stack_dump_signal).ok() else { return };
        let pid = self.child.as_ref().expect("it runs").id();
        let limit = Instant::now() + PATIENCE;
        let printed = || fs::read_to_string(self.dir.path().join("stderr")).expect("stderr");
        while !printed().contains(function) {
            kill(Pid::from_raw(pid as i32), signal).expect("it still runs");
            assert!(Instant::now() < limit, "no {function} in the stacks: {}", printed());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Asks for a sign of life; nothing else may come before it.
    pub fn ping(&mut self, nonce: u64) {
        self.send(arbiter_frame::Kind::Ping(Ping { nonce }));
        match self.next() {
            Kind::Pong(pong) => assert_eq!(pong.nonce, nonce),
            other => panic!("expected Pong, got {other:?}"),
        }
    }

    // ---- from the worker

    /// The next frame.
    pub fn next(&mut self) -> Kind {
        self.try_next().unwrap_or_else(|| panic!("the worker closed its socket"))
    }

    /// All frames until the worker closes its socket.
    pub fn rest(&mut self) -> Vec<Kind> {
        std::iter::from_fn(|| self.try_next()).collect()
    }

    /// Asks for the stacks; nothing else may come before them.
    pub fn stacks(&mut self, nonce: u64) -> Stacks {
        self.send(arbiter_frame::Kind::GetStacks(GetStacks { nonce }));
        match self.next() {
            Kind::Stacks(stacks) if stacks.nonce == nonce => stacks,
            other => panic!("expected Stacks {nonce}, got {other:?}"),
        }
    }

    fn try_next(&mut self) -> Option<Kind> {
        let (kind, _) = self.read()?;
        if let Kind::Chunk(chunk) = &kind {
            let left = self.credit.get_mut(&chunk.call_id).expect("a chunk of a known call");
            assert!(left.0 > 0 && left.1 > 0, "a chunk without credit: {left:?}");
            *left = (left.0 - 1, left.1 - chunk.payload.len() as i64);
        }
        Some(kind)
    }

    /// The next frame and its bytes, of a session whose requests were sent by hand.
    pub fn next_raw(&mut self) -> (Kind, Vec<u8>) {
        self.read().expect("the worker closed its socket")
    }

    fn read(&mut self) -> Option<(Kind, Vec<u8>)> {
        let mut prefix = [0; 4];
        if let Err(error) = self.socket.read_exact(&mut prefix) {
            let ended = matches!(
                error.kind(),
                std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset
            );
            assert!(ended, "no frame from the worker: {error}");
            return None;
        }
        let mut frame = vec![0; u32::from_be_bytes(prefix) as usize];
        self.socket.read_exact(&mut frame).expect("the rest of a frame");
        let decoded = WorkerFrame::decode(frame.as_slice()).expect("a WorkerFrame");
        Some((decoded.kind.expect("a frame of a known kind"), frame))
    }

    /// The result of a call.
    pub fn result(&mut self, id: u64) -> Value {
        value(&self.response(id))
    }

    /// The result of a call, of JSON.
    pub fn json_result(&mut self, id: u64) -> Value {
        json_value(&self.response(id))
    }

    fn response(&mut self, id: u64) -> Bytes {
        match self.next() {
            Kind::Response(response) if response.call_id == id => response.payload,
            other => panic!("expected the Response of call {id}, got {other:?}"),
        }
    }

    /// The failure of a call.
    pub fn failure(&mut self, id: u64, kind: ErrorKind) -> Error {
        match self.next() {
            Kind::Error(error) if error.call_id == id && error.kind() == kind => error,
            other => panic!("expected {kind:?} of call {id}, got {other:?}"),
        }
    }

    /// The next chunk of a stream.
    pub fn chunk(&mut self, id: u64) -> Value {
        value(&self.chunk_payload(id))
    }

    /// The next chunk of a stream, of JSON.
    pub fn json_chunk(&mut self, id: u64) -> Value {
        json_value(&self.chunk_payload(id))
    }

    fn chunk_payload(&mut self, id: u64) -> Bytes {
        match self.next() {
            Kind::Chunk(chunk) if chunk.call_id == id => chunk.payload,
            other => panic!("expected a Chunk of call {id}, got {other:?}"),
        }
    }

    /// The end of a stream.
    pub fn end(&mut self, id: u64) {
        match self.next() {
            Kind::End(end) if end.call_id == id => {}
            other => panic!("expected the End of call {id}, got {other:?}"),
        }
    }

    /// Nobody is at this end of the socket any more.
    pub fn hang_up(&mut self) {
        self.socket.shutdown(std::net::Shutdown::Write).expect("shutdown");
    }

    /// The exit code, once the worker has closed its socket and ended.
    pub fn exit(mut self) -> i32 {
        while self.try_next().is_some() {}
        let mut child = self.child.take().expect("it runs");
        let (pid, (sender, ended)) = (child.id(), mpsc::channel());
        thread::spawn(move || sender.send(child.wait()));
        match ended.recv_timeout(PATIENCE) {
            Ok(status) => {
                let status = status.expect("wait");
                status.code().unwrap_or_else(|| panic!("ended by signal {:?}", status.signal()))
            }
            Err(_) => {
                kill(Pid::from_raw(pid as i32), Signal::SIGKILL).expect("it still runs");
                panic!("the worker did not exit")
            }
        }
    }
}

impl Drop for Arbiter {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Adds to a frame what it says from version 2 on.
pub fn with_names(version: u32, app: &str, action: &str, frame: Request) -> Request {
    if version < 2 {
        return frame;
    }
    let payload_kind = PayloadKind::ExecuteRequest.into();
    Request { app: app.to_owned(), action: action.to_owned(), payload_kind, ..frame }
}

/// A request for an action of [`APP`].
pub fn request(action: &str, args: Args) -> ExecuteRequest {
    let kwargs: BTreeMap<_, _> = args.kwargs;
    ExecuteRequest {
        app: APP.to_owned(),
        action: action.to_owned(),
        args: args.args.into_iter().map(Value::into_proto).collect(),
        kwargs: kwargs.into_iter().map(|(name, value)| (name, value.into_proto())).collect(),
    }
}

fn value(payload: &[u8]) -> Value {
    let response = ExecuteResponse::decode(payload).expect("an ExecuteResponse");
    Value::try_from(response.result.expect("a value")).expect("a value of a known kind")
}

/// The value of a text, which is one line.
fn json_value(payload: &[u8]) -> Value {
    let text = std::str::from_utf8(payload).expect("UTF-8");
    assert!(!text.contains(['\n', '\r']), "a line break in {text:?}");
    json::read(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}
