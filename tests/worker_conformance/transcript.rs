//! The session in `docs/worker-protocol.md`, played with the Rust worker. The
//! document holds exactly what was sent; `UPDATE_DOCS=1` writes it anew.

use std::{env, fmt::Write as _, fs};

use dirtyd_client::{
    Args,
    proto::worker::{
        ArbiterFrame, Cancel, CancelReason, Credit, InitApp, Ping, Request, Shutdown, Welcome,
        arbiter_frame::Kind,
    },
};
use prost::Message as _;

use crate::{
    arbiter::{APP, Arbiter, request, with_names},
    runtime::{self, repository},
};

const BEGIN: &str = "<!-- transcript: written by tests/worker_conformance/transcript.rs -->\n";
/// The version of the protocol that the session speaks.
const VERSION: u32 = 2;
const END: &str = "<!-- end of transcript -->\n";

/// Plays the session and compares.
pub fn check() -> Result<(), String> {
    let path = repository().join("docs/worker-protocol.md");
    let document = fs::read_to_string(&path).map_err(|error| error.to_string())?;
    let (before, rest) = document.split_once(BEGIN).ok_or("the document has no transcript")?;
    let (old, after) = rest.split_once(END).ok_or("the transcript has no end")?;
    let new = format!("\n```text\n{}```\n\n", play());
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, format!("{before}{BEGIN}{new}{END}{after}")).map_err(|e| e.to_string())?;
    } else if old != new {
        return Err("the transcript in docs/worker-protocol.md is not what happens; \
                    UPDATE_DOCS=1 cargo test --test worker_conformance writes it anew"
            .to_owned());
    }
    Ok(())
}

fn play() -> String {
    let rust = runtime::rust(VERSION);
    let mut session = Session { arbiter: Arbiter::start(&rust), text: String::new() };
    session.hear(1);
    let capabilities = vec!["metrics".to_owned()];
    session.say(Kind::Welcome(Welcome { capabilities, ..session.arbiter.welcome(2) }));
    session.say(Kind::InitApp(InitApp { app: APP.to_owned() }));
    session.hear(1);
    session.say(call(1, "echo", Args::from(["hi".into()]), None));
    session.hear(1);
    session.say(call(2, "count", Args::from([3.into()]), Some(2)));
    session.hear(2);
    session.say(Kind::Credit(Credit { call_id: 2, chunks: 2, bytes: 12 }));
    session.hear(2);
    session.say(call(3, "nap", Args::from([600.0.into()]), None));
    session.say(Kind::Cancel(Cancel { call_id: 3, reason: CancelReason::CallerGone.into() }));
    session.hear(1);
    session.say(call(4, "nonesuch", Args::none(), None));
    session.hear(1);
    session.say(Kind::Ping(Ping { nonce: 42 }));
    session.hear(1);
    session.say(call(5, "measure", Args::from([3.0.into(), "a".into()]), None));
    session.hear(2);
    session.say(Kind::Shutdown(Shutdown {}));
    session.hear(1);
    let Session { arbiter, mut text } = session;
    let _ = writeln!(text, "worker   closes its apps and exits with {}", arbiter.exit());
    text
}

fn call(call_id: u64, action: &str, args: Args, chunks: Option<u32>) -> Kind {
    let frame = Request {
        call_id,
        stream: chunks.is_some(),
        timeout_micros: 5_000_000,
        credit: chunks.map(|chunks| Credit { call_id: 0, chunks, bytes: 1024 }),
        request_id: format!("r{call_id}"),
        metadata: Vec::new(),
        payload: request(action, args).encode_to_vec().into(),
        ..Request::default()
    };
    Kind::Request(with_names(VERSION, APP, action, frame))
}

struct Session {
    arbiter: Arbiter,
    text: String,
}

impl Session {
    fn say(&mut self, kind: Kind) {
        let told = format!("{kind:?}");
        let frame = ArbiterFrame { kind: Some(kind) }.encode_to_vec();
        self.arbiter.send_frame(&frame);
        self.note("arbiter", &told, &frame);
    }

    fn hear(&mut self, frames: usize) {
        for _ in 0..frames {
            let (kind, frame) = self.arbiter.next_raw();
            self.note("worker", &format!("{kind:?}"), &frame);
        }
    }

    /// `Hello(Hello { ... })` is told as `Hello { ... }`.
    fn note(&mut self, who: &str, told: &str, frame: &[u8]) {
        let told = told.split_once('(').map_or(told, |(_, rest)| rest.trim_end_matches(')'));
        let _ = writeln!(self.text, "{who:8} {told}");
        let bytes = [&(frame.len() as u32).to_be_bytes(), frame].concat();
        for line in bytes.chunks(16) {
            let hex: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
            let _ = writeln!(self.text, "         {}", hex.join(" "));
        }
        self.text.push('\n');
    }
}
