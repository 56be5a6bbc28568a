//! A collector of OTLP, over gRPC or HTTP, on a port of the loopback: it decodes and keeps
//! what comes, and answers as it is told.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use opentelemetry_proto::tonic::{
    collector::{
        metrics::v1::{
            ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    trace::v1::Span,
};
use prost::Message;
use tokio::{net::TcpListener, sync::oneshot};
use tonic::{Status, service::Routes};
use tonic_types::{ErrorDetails, StatusExt as _};

/// How long to wait for what has to come.
const LIMIT: Duration = Duration::from_secs(20);

/// How a collector is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    Grpc,
    Http,
}

/// What a collector says to a request.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    /// It is taken.
    Take,
    /// It is taken, but for this number of spans or points.
    Partial(i64),
    /// gRPC: a code, and when to try again.
    Code(i32, Option<Duration>),
    /// HTTP: a status, and when to try again.
    Status(u16, Option<&'static str>),
    /// Nothing, ever.
    Stall,
}

/// What has come.
#[derive(Default)]
pub struct Came {
    /// The requests with traces that were taken.
    pub traces: Vec<ExportTraceServiceRequest>,
    /// The requests with metrics that were taken.
    pub metrics: Vec<ExportMetricsServiceRequest>,
    /// The number of all requests, and of those that were not taken.
    pub requests: usize,
}

impl Came {
    /// All spans that were taken.
    pub fn spans(&self) -> Vec<&Span> {
        let resources = self.traces.iter().flat_map(|request| &request.resource_spans);
        resources.flat_map(|spans| &spans.scope_spans).flat_map(|scope| &scope.spans).collect()
    }
}

#[derive(Default)]
struct State {
    came: Mutex<(Came, VecDeque<Answer>)>,
    more: Condvar,
    stalls: bool,
}

impl State {
    fn lock(&self) -> MutexGuard<'_, (Came, VecDeque<Answer>)> {
        self.came.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request, and says what to answer.
    fn answer(&self, keep: impl FnOnce(&mut Came)) -> Answer {
        let mut state = self.lock();
        let (came, answers) = &mut *state;
        came.requests += 1;
        let usual = if self.stalls { Answer::Stall } else { Answer::Take };
        let answer = answers.pop_front().unwrap_or(usual);
        if matches!(answer, Answer::Take | Answer::Partial(_)) {
            keep(came);
        }
        self.more.notify_all();
        answer
    }
}

/// A collector. It is gone when this is dropped.
pub struct Collector {
    address: SocketAddr,
    state: Arc<State>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Collector {
    /// One that takes all, but for the requests that `answers` are for.
    pub fn start(speaks: Speaks, answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::at("127.0.0.1:0".parse().expect("an address"), speaks, answers, false)
    }

    /// One that takes connections and requests, and never answers.
    pub fn stalled(speaks: Speaks) -> Self {
        Self::at("127.0.0.1:0".parse().expect("an address"), speaks, [], true)
    }

    /// One at an address where there was one before.
    pub fn again(address: SocketAddr, speaks: Speaks) -> Self {
        Self::at(address, speaks, [], false)
    }

    fn at(
        address: SocketAddr,
        speaks: Speaks,
        answers: impl IntoIterator<Item = Answer>,
        stalls: bool,
    ) -> Self {
        let came = Mutex::new((Came::default(), answers.into_iter().collect()));
        let state = Arc::new(State { came, more: Condvar::new(), stalls });
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = std::net::TcpListener::bind(address).expect("a port");
        let address = listener.local_addr().expect("an address");
        listener.set_nonblocking(true).expect("a socket");
        let served = Arc::clone(&state);
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a socket");
                tokio::select! {
                    () = serve(listener, speaks, served) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, state, stop: Some(stop), thread: Some(thread) }
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, for `otlp_endpoint`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until what has come is as wanted, and returns what is wanted of it.
    pub fn until<T>(&self, what: &str, wanted: impl Fn(&Came) -> Option<T>) -> T {
        let until = Instant::now() + LIMIT;
        let mut state = self.state.lock();
        loop {
            if let Some(found) = wanted(&state.0) {
                return found;
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{what} did not come; {} requests did", state.0.requests);
            let waited = self.state.more.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for this number of spans, and returns them.
    pub fn spans(&self, number: usize) -> Vec<Span> {
        self.until(&format!("{number} spans"), |came| {
            let spans = came.spans();
            (spans.len() >= number).then(|| spans.into_iter().cloned().collect())
        })
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        drop(self.stop.take());
        // With the thread go its connections, so that another one can have the address.
        drop(self.thread.take().map(thread::JoinHandle::join));
    }
}

async fn serve(listener: TcpListener, speaks: Speaks, state: Arc<State>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let (io, state) = (TokioIo::new(stream), Arc::clone(&state));
        tokio::spawn(async move {
            // A connection that breaks is its client's affair.
            match speaks {
                Speaks::Grpc => {
                    let traces = TraceServiceServer::from_arc(Arc::clone(&state));
                    let routes =
                        Routes::new(traces).add_service(MetricsServiceServer::from_arc(state));
                    let service = TowerToHyperService::new(routes.prepare());
                    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    drop(server.serve_connection(io, service).await);
                }
                Speaks::Http => {
                    let service = service_fn(move |request| by_http(Arc::clone(&state), request));
                    let server = hyper::server::conn::http1::Builder::new();
                    drop(server.serve_connection(io, service).await);
                }
            }
        });
    }
}

#[tonic::async_trait]
impl TraceService for State {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, Status> {
        let answer = self.answer(|came| came.traces.push(request.into_inner()));
        by_grpc(answer, of_traces).await
    }
}

#[tonic::async_trait]
impl MetricsService for State {
    async fn export(
        &self,
        request: tonic::Request<ExportMetricsServiceRequest>,
    ) -> Result<tonic::Response<ExportMetricsServiceResponse>, Status> {
        let answer = self.answer(|came| came.metrics.push(request.into_inner()));
        by_grpc(answer, of_metrics).await
    }
}

fn of_traces(rejected_spans: i64) -> ExportTraceServiceResponse {
    let error_message = "too many".to_owned();
    let partial = ExportTracePartialSuccess { rejected_spans, error_message };
    ExportTraceServiceResponse { partial_success: (rejected_spans > 0).then_some(partial) }
}

fn of_metrics(rejected_data_points: i64) -> ExportMetricsServiceResponse {
    let error_message = "too many".to_owned();
    let partial = ExportMetricsPartialSuccess { rejected_data_points, error_message };
    ExportMetricsServiceResponse { partial_success: (rejected_data_points > 0).then_some(partial) }
}

async fn by_grpc<T>(answer: Answer, of: fn(i64) -> T) -> Result<tonic::Response<T>, Status> {
    match answer {
        Answer::Take => Ok(tonic::Response::new(of(0))),
        Answer::Partial(rejected) => Ok(tonic::Response::new(of(rejected))),
        Answer::Code(code, Some(after)) => {
            let details = ErrorDetails::with_retry_info(Some(after));
            Err(Status::with_error_details(code.into(), "no", details))
        }
        Answer::Code(code, None) => Err(Status::new(code.into(), "no")),
        Answer::Status(..) => unreachable!("gRPC has no status of HTTP"),
        Answer::Stall => std::future::pending().await,
    }
}

async fn by_http(
    state: Arc<State>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    assert_eq!(head.headers["content-type"], "application/x-protobuf");
    let body = body.collect().await?.to_bytes();
    let (answer, of): (_, fn(i64) -> Vec<u8>) = match head.uri.path() {
        "/v1/traces" => {
            let message = ExportTraceServiceRequest::decode(body).expect("traces");
            let answer = state.answer(|came| came.traces.push(message));
            (answer, |rejected| of_traces(rejected).encode_to_vec())
        }
        "/v1/metrics" => {
            let message = ExportMetricsServiceRequest::decode(body).expect("metrics");
            let answer = state.answer(|came| came.metrics.push(message));
            (answer, |rejected| of_metrics(rejected).encode_to_vec())
        }
        other => panic!("{other} is no path of OTLP"),
    };
    let mut response = Response::new(Full::default());
    match answer {
        Answer::Take => *response.body_mut() = Full::from(of(0)),
        Answer::Partial(rejected) => *response.body_mut() = Full::from(of(rejected)),
        Answer::Status(status, after) => {
            *response.status_mut() = status.try_into().expect("a status");
            if let Some(after) = after {
                response.headers_mut().insert("retry-after", after.parse().expect("a header"));
            }
        }
        Answer::Code(..) => unreachable!("HTTP has no code of gRPC"),
        Answer::Stall => std::future::pending().await,
    }
    Ok(response)
}
