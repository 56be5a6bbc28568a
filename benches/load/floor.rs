//! What no arbiter can beat: a message there and back between two processes,
//! and a gRPC call with nobody behind it.

use std::{
    convert::Infallible,
    io::{Read as _, Write as _},
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use dirtyd::proto::arbiter_server::{Arbiter, ArbiterServer};
use dirtyd_client::proto::v1::{ExecuteRequest, ExecuteResponse, ExecuteStreamResponse};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use serde_json::{Value as Json, json};
use tonic::{Request, Response, Status};
use tower::ServiceExt as _;

use crate::measure::percentile;

/// Measures round trips to another process: this program, or `peer`.
pub fn ping(size: usize, duration: Duration, peer: &[String]) -> anyhow::Result<Json> {
    let (mut ours, theirs) = UnixStream::pair()?;
    fcntl(&theirs, FcntlArg::F_SETFD(FdFlag::empty()))?;
    let fd = theirs.as_raw_fd().to_string();
    let mut command = match peer {
        [] => Command::new(std::env::current_exe()?),
        [program, args @ ..] => {
            let mut command = Command::new(program);
            command.args(args);
            command
        }
    };
    if peer.is_empty() {
        command.arg("pong");
    }
    let mut other = command.args([&fd, &size.to_string()]).spawn()?;
    drop(theirs);
    let mut message = vec![0; size];
    let mut times = Vec::new();
    let mut round_trip = || -> std::io::Result<Duration> {
        let start = Instant::now();
        ours.write_all(&message)?;
        ours.read_exact(&mut message)?;
        Ok(start.elapsed())
    };
    for _ in 0..200 {
        round_trip()?;
    }
    let until = Instant::now() + duration;
    while Instant::now() < until {
        times.push(round_trip()?);
    }
    drop(ours);
    other.wait()?;
    Ok(json!({
        "calls": times.len(),
        "per_second": times.len() as f64 / duration.as_secs_f64(),
        "p50_us": percentile(&mut times.clone(), 50),
        "p99_us": percentile(&mut times, 99),
    }))
}

/// Sends back what comes, until the socket closes.
pub fn pong(fd: i32, size: usize) -> anyhow::Result<()> {
    let mut socket = UnixStream::from(inherited(fd)?);
    let mut message = vec![0; size];
    while socket.read_exact(&mut message).is_ok() {
        socket.write_all(&message)?;
    }
    Ok(())
}

fn inherited(fd: i32) -> anyhow::Result<OwnedFd> {
    anyhow::ensure!(fd > 2, "{fd} is no inherited descriptor");
    #[allow(unsafe_code)]
    // SAFETY: `ping` left exactly this descriptor open for us, and nothing else
    // in this process knows of it.
    Ok(unsafe { std::os::fd::FromRawFd::from_raw_fd(fd) })
}

/// Serves `dirty.v1.Arbiter` without workers.
pub async fn serve_tonic_echo(socket: &Path) -> anyhow::Result<()> {
    let listener = tokio::net::UnixListener::bind(socket)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let service = ArbiterServer::new(Echo)
            .map_request(|request: http::Request<hyper::body::Incoming>| request)
            .map_err(|error: Infallible| error);
        tokio::spawn(
            hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)),
        );
    }
}

struct Echo;

#[tonic::async_trait]
impl Arbiter for Echo {
    type ExecuteStreamStream = tokio_stream::Empty<Result<ExecuteStreamResponse, Status>>;

    async fn execute(
        &self,
        request: Request<ExecuteRequest>,
    ) -> Result<Response<ExecuteResponse>, Status> {
        let result = request.into_inner().args.into_iter().next();
        Ok(Response::new(ExecuteResponse { result }))
    }

    async fn execute_stream(
        &self,
        _: Request<ExecuteRequest>,
    ) -> Result<Response<Self::ExecuteStreamStream>, Status> {
        Ok(Response::new(tokio_stream::empty()))
    }
}
