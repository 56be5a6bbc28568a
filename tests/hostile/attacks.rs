//! What the attacker does, until it is ended.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use dirtyd_client::{Client, Value, args};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use nix::{sys::signal::Signal, unistd::Pid};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};

use crate::{
    blows::Blow,
    support::{Daemon, of_lab, post},
};

/// An attack.
#[derive(Debug)]
pub struct Attack {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is, for the table.
    pub what: &'static str,
    /// How it is done.
    pub means: Means,
    /// What it costs the good client, whatever dirtyd does.
    pub cost: Cost,
}

/// Who does it.
#[derive(Debug)]
pub enum Means {
    /// A process of another user.
    Process,
    /// The workers of a pool, on a word of this process.
    Worker(&'static str),
    /// This process signals the workers of a pool.
    Signals(Signal),
    /// This process strikes at the arbiters, or at their files.
    Blows(Blow),
}

/// What cannot be otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// Nothing.
    None,
    /// A call waits as long as the arbiter stands still.
    Waits,
    /// A call that runs is lost, and waits for that: one for each blow, at most.
    Calls,
}

/// All of them.
pub const ATTACKS: &[Attack] = &[
    Attack { name: "nothing", what: "none, to compare", means: Means::Process, cost: Cost::None },
    Attack {
        name: "frames",
        what: "1,000 connections that flood SETTINGS, PING, PRIORITY and WINDOW_UPDATE",
        means: Means::Process,
        cost: Cost::None,
    },
    Attack {
        name: "silent",
        what: "1,000 connections that send nothing, half a preface, half a frame",
        means: Means::Process,
        cost: Cost::None,
    },
    Attack {
        name: "again",
        what: "100 connections that are opened and closed in a loop",
        means: Means::Process,
        cost: Cost::None,
    },
    Attack {
        name: "unfinished",
        what: "30 requests of 50 MiB without their last byte",
        means: Means::Process,
        cost: Cost::None,
    },
    Attack {
        name: "unread",
        what: "30 results of 50 MiB to a reader with a window of 1 byte",
        means: Means::Process,
        cost: Cost::None,
    },
    Attack {
        name: "heads",
        what: "10,000 requests with heads of 15 KiB and no body",
        means: Means::Process,
        cost: Cost::None,
    },
    Attack {
        name: "http-cheap",
        what: "1,000 connections of HTTP/1 that pipeline requests for nothing",
        means: Means::Process,
        cost: Cost::None,
    },
    Attack {
        name: "http-unread",
        what: "300 results of 1 MiB to readers of HTTP/1 that read nothing",
        means: Means::Process,
        cost: Cost::None,
    },
    Attack {
        name: "queued",
        what: "10,000 queued calls of 10 ms",
        means: Means::Process,
        cost: Cost::None,
    },
    Attack {
        name: "garbage",
        what: "100 connections that send noise, and frames with flipped bits",
        means: Means::Process,
        cost: Cost::None,
    },
    Attack {
        name: "worker-frames",
        what: "a worker that floods frames nobody asked for",
        means: Means::Worker("flood_of_strange_frames"),
        cost: Cost::None,
    },
    Attack {
        name: "worker-output",
        what: "a worker that floods stderr",
        means: Means::Worker("flood_stderr"),
        cost: Cost::None,
    },
    Attack {
        name: "worker-exits",
        what: "a worker that ends in every call, half a frame in its socket",
        means: Means::Worker("half_a_frame"),
        cost: Cost::None,
    },
    Attack {
        name: "worker-frozen",
        what: "workers of another pool stopped again and again",
        means: Means::Signals(Signal::SIGSTOP),
        cost: Cost::None,
    },
    Attack {
        name: "worker-killed",
        what: "workers of another pool killed again and again",
        means: Means::Signals(Signal::SIGKILL),
        cost: Cost::None,
    },
    Attack {
        name: "worker-fuzz",
        what: "a worker that sends random and mutated frames",
        means: Means::Worker("fuzz"),
        cost: Cost::None,
    },
    Attack {
        name: "planted",
        what: "links, FIFOs, folders and files of others planted where a reload, an upgrade or another instance opens or makes a file",
        means: Means::Blows(Blow::Plant),
        cost: Cost::None,
    },
    Attack {
        name: "arbiter-frozen",
        what: "the dirty arbiter stopped for 300 ms again and again (calls wait as long)",
        means: Means::Blows(Blow::FreezeDirty),
        cost: Cost::Waits,
    },
    Attack {
        name: "arbiter-silent",
        what: "the dirty arbiter stopped for 45 s (after 30 to 40 s it is replaced; the call that waited may be lost)",
        means: Means::Blows(Blow::SilenceDirty),
        cost: Cost::Calls,
    },
    Attack {
        name: "main-frozen",
        what: "the main arbiter stopped for 45 s",
        means: Means::Blows(Blow::FreezeMain),
        cost: Cost::None,
    },
    Attack {
        name: "upgrade-old",
        what: "upgrades, the old main arbiter killed at every moment of one (a call may wait for the change)",
        means: Means::Blows(Blow::KillOld),
        cost: Cost::Calls,
    },
    Attack {
        name: "upgrade-new",
        what: "upgrades, the new main arbiter killed at every moment until the old one gives way",
        means: Means::Blows(Blow::KillNew),
        cost: Cost::Calls,
    },
];

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const FRAMES: [&[u8]; 4] = [
    &[0, 0, 0, 4, 0, 0, 0, 0, 0],
    &[0, 0, 8, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    &[0, 0, 5, 2, 0, 0, 0, 0, 9, 0, 0, 0, 0, 1],
    &[0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1],
];
const LARGE: usize = 50 << 20;
/// How long somebody who was refused waits.
const AGAIN: Duration = Duration::from_millis(1);

/// The attacker. Of its connections and requests there is one in `divisor`.
pub async fn run(name: &str, socket: &Path, divisor: usize) {
    let many = |count: usize| count.div_ceil(divisor);
    match name {
        "frames" => spread(many(1000), socket, |socket, number| async move {
            let Ok(mut stream) = UnixStream::connect(&socket).await else { return };
            let flood = FRAMES[number % FRAMES.len()].repeat(1000);
            let _ = stream.write_all(PREFACE).await;
            while stream.write_all(&flood).await.is_ok() {}
        }),
        "silent" => spread(many(1000), socket, |socket, number| async move {
            let Ok(mut stream) = UnixStream::connect(&socket).await else { return };
            let said = [&b""[..], &PREFACE[..11], &PREFACE[..PREFACE.len() - 4]][number % 3];
            let _ = stream.write_all(said).await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }),
        "again" => spread(many(100), socket, |socket, _| async move {
            drop(UnixStream::connect(&socket).await);
        }),
        "unfinished" => spread(many(30), socket, |socket, _| async move {
            let whole = of_lab("echo", Value::from("x".repeat(LARGE)));
            let part = whole.slice(..whole.len() - 1);
            let first = futures_util::stream::iter([Ok(http_body::Frame::data(part))]);
            let body = futures_util::StreamExt::chain(first, futures_util::stream::pending());
            hold(&socket, StreamBody::new(body).boxed_unsync(), 1 << 20).await;
        }),
        "unread" => spread(many(30), socket, |socket, _| async move {
            let blob = of_lab("blob", Value::from(LARGE as i64));
            hold(&socket, Full::new(blob).map_err(|error| match error {}).boxed_unsync(), 1).await;
        }),
        "heads" => spread(many(10), socket, |socket, _| async move {
            let Some(sender) = connected(&socket, 1 << 16).await else { return };
            let filler = "x".repeat(1500);
            let all = (0..1000).map(|_| {
                let mut request = post();
                for number in 0..10 {
                    request = request.header(format!("filler-{number}"), &filler);
                }
                let never = StreamBody::new(futures_util::stream::pending()).boxed_unsync();
                sender.clone().send_request(request.body(never).expect("a request"))
            });
            let _ = futures_util::future::join_all(all).await;
        }),
        "http-cheap" => spread(many(1000), socket, |socket, _| async move {
            let Ok(stream) = UnixStream::connect(&socket).await else { return };
            let (mut answers, mut requests) = stream.into_split();
            let many = b"GET / HTTP/1.1\r\nHost: d\r\n\r\n".repeat(16);
            let ask = async { while requests.write_all(&many).await.is_ok() {} };
            let mut nowhere = tokio::io::sink();
            let _ = tokio::join!(ask, tokio::io::copy(&mut answers, &mut nowhere));
        }),
        "http-unread" => spread(many(300), socket, |socket, _| async move {
            let Ok(mut stream) = UnixStream::connect(&socket).await else { return };
            let body = format!("[{}]", 1 << 20);
            let head = format!("Host: d\r\nContent-Length: {}\r\n", body.len());
            let request = format!("POST /v1/lab:Lab/blob HTTP/1.1\r\n{head}\r\n{body}");
            let _ = stream.write_all(request.as_bytes()).await;
            // Until it is closed, which a write finds.
            while stream.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }),
        "queued" => spread(10, socket, move |socket, _| async move {
            let client = Client::connect(&socket);
            let call = || client.execute("lab:Lab", "sleep", args![0.01]);
            let all = (0..1000usize.div_ceil(divisor)).map(|_| call());
            let _ = futures_util::future::join_all(all).await;
        }),
        "garbage" => spread(many(100), socket, |socket, number| async move {
            let Ok(mut stream) = UnixStream::connect(&socket).await else { return };
            let mut random = fastrand::Rng::new();
            let mut bytes = [PREFACE, &FRAMES.concat().repeat(20)].concat();
            match number % 2 {
                0 => bytes[PREFACE.len()..].fill_with(|| random.u8(..)),
                _ => (0..20).for_each(|_| {
                    let at = random.usize(24..bytes.len());
                    bytes[at] ^= 1 << random.u32(0..8);
                }),
            }
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }),
        _ => {}
    }
    std::future::pending().await
}

/// Does something many times beside itself, again and again.
fn spread<F: Future<Output = ()> + Send + 'static>(
    count: usize,
    socket: &Path,
    what: impl Fn(std::path::PathBuf, usize) -> F + Clone + Send + 'static,
) {
    for number in 0..count {
        let (socket, what) = (socket.to_owned(), what.clone());
        tokio::spawn(async move {
            loop {
                what(socket.clone(), number).await;
                tokio::time::sleep(AGAIN).await;
            }
        });
    }
}

type Sender = SendRequest<UnsyncBoxBody<Bytes, std::io::Error>>;

async fn connected(socket: &Path, window: u32) -> Option<Sender> {
    let stream = UnixStream::connect(socket).await.ok()?;
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(window)
        .handshake(TokioIo::new(stream))
        .await
        .ok()?;
    tokio::spawn(connection);
    Some(sender)
}

/// Sends a request, and holds its answer for a while without reading it.
async fn hold(socket: &Path, body: UnsyncBoxBody<Bytes, std::io::Error>, window: u32) {
    let Some(mut sender) = connected(socket, window).await else { return };
    let request = post().body(body).expect("a request");
    if let Ok(answer) = sender.send_request(request).await
        && answer.headers().get("grpc-status").is_none()
    {
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
}

/// Has the workers of the pool of faults do their worst, again and again.
pub async fn of_workers(means: &Means, daemon: &Daemon) {
    let client = daemon.connect();
    loop {
        match means {
            Means::Worker(fault) => drop(client.execute("Faulty", fault, args![]).await),
            Means::Signals(signal) => {
                for worker in daemon.status().await.workers {
                    if worker.pool == "faults" {
                        // It may have ended meanwhile.
                        let _ = nix::sys::signal::kill(Pid::from_raw(worker.pid), *signal);
                    }
                }
                // Somebody wants something of a worker that may not answer.
                let call = client.execute("Faulty", "work", args![]);
                let _ = tokio::time::timeout(Duration::from_millis(100), call).await;
            }
            Means::Process | Means::Blows(_) => return,
        }
        tokio::time::sleep(AGAIN).await;
    }
}
