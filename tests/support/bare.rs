//! A stock stub on a bare HTTP/2 connection. tonic's channel has a clock of its
//! own for `grpc-timeout`, which would answer before the daemon does.

use std::path::Path;

use bytes::Bytes;
use dirtyd_client::{
    Error, Value,
    proto::v1::{ExecuteRequest, arbiter_client::ArbiterClient},
};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Collected};
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};
use tonic::{
    body::Body,
    client::GrpcService,
    metadata::{Ascii, MetadataKey},
};

/// A stub on a connection of its own.
pub async fn bare(
    socket: &Path,
) -> ArbiterClient<
    impl GrpcService<Body, ResponseBody = Incoming, Error = hyper::Error, Future: Send> + Clone,
> {
    let stream = UnixStream::connect(socket).await.expect("the daemon listens");
    let (sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    tokio::spawn(connection);
    let service = tower::service_fn(move |request: Request<Body>| {
        let mut sender = sender.clone();
        async move {
            let response: Result<Response<Incoming>, _> = sender.send_request(request).await;
            response
        }
    });
    ArbiterClient::with_origin(service, http::Uri::from_static("http://localhost"))
}

/// A message as gRPC writes it into a body.
pub fn framed(message: &ExecuteRequest) -> Bytes {
    let mut body = vec![0];
    body.extend((message.encoded_len() as u32).to_be_bytes());
    message.encode(&mut body).expect("a Vec grows");
    body.into()
}

/// An Execute of `lab:Lab` with one argument, as gRPC writes it into a body.
pub fn of_lab(action: &str, arg: Value) -> Bytes {
    framed(&ExecuteRequest {
        app: "lab:Lab".to_owned(),
        action: action.to_owned(),
        args: vec![arg.into_proto()],
        ..ExecuteRequest::default()
    })
}

/// The head of an Execute as every gRPC client sends it.
pub fn post() -> http::request::Builder {
    Request::post("http://localhost/dirty.v1.Arbiter/Execute")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
}

/// What a request of HTTP/2 gets, whatever it is: the status, the headers, and the
/// body's bytes and trailers.
pub async fn raw<B>(socket: &Path, request: Request<B>) -> Response<Collected<Bytes>>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let stream = UnixStream::connect(socket).await.expect("the daemon listens");
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    tokio::spawn(connection);
    let (head, body) = sender.send_request(request).await.expect("an answer").into_parts();
    Response::from_parts(head, body.collect().await.expect("a body"))
}

/// A connection whose frames have at most the 16 KiB that HTTP/2 begins with, as those of most
/// clients, whatever the daemon announces.
pub async fn in_small_frames<B>(socket: &Path) -> http2::SendRequest<B>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    const MAX_FRAME_SIZE: [u8; 2] = [0, 5];
    let daemon = UnixStream::connect(socket).await.expect("the daemon listens");
    let (stream, between) = UnixStream::pair().expect("a pair");
    let (mut from_daemon, mut to_daemon) = daemon.into_split();
    let (mut from_client, mut to_client) = between.into_split();
    // Either side may end it.
    tokio::spawn(async move {
        let _ = tokio::io::copy(&mut from_client, &mut to_daemon).await;
    });
    tokio::spawn(async move {
        let mut head = [0; 9];
        from_daemon.read_exact(&mut head).await.expect("SETTINGS");
        let mut settings = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
        from_daemon.read_exact(&mut settings).await.expect("SETTINGS");
        for setting in settings.chunks_exact_mut(6) {
            if setting[..2] == MAX_FRAME_SIZE {
                setting[2..].copy_from_slice(&(16u32 << 10).to_be_bytes());
            }
        }
        let settings = [&head[..], &settings].concat();
        if to_client.write_all(&settings).await.is_ok() {
            let _ = tokio::io::copy(&mut from_daemon, &mut to_client).await;
        }
    });
    let (sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    tokio::spawn(connection);
    sender
}

/// Executes an action of `lab:Lab` with metadata as it is.
pub async fn execute_with(
    socket: &Path,
    (key, value): (&'static str, &str),
    action: &str,
    args: &[Value],
) -> Result<Value, Error> {
    let mut request = tonic::Request::new(ExecuteRequest {
        app: "lab:Lab".to_owned(),
        action: action.to_owned(),
        args: args.iter().cloned().map(Value::into_proto).collect(),
        ..ExecuteRequest::default()
    });
    let key = MetadataKey::<Ascii>::from_static(key);
    request.metadata_mut().insert(key, value.parse().expect("metadata"));
    match bare(socket).await.execute(request).await {
        Ok(response) => {
            Ok(Value::try_from(response.into_inner().result.expect("result")).expect("a value"))
        }
        Err(status) => Err(Error::of(status, socket)),
    }
}
