//! One request to the collector, by gRPC or by HTTP.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use opentelemetry_proto::tonic::collector::{
    metrics::v1::{
        ExportMetricsServiceRequest, ExportMetricsServiceResponse,
        metrics_service_client::MetricsServiceClient,
    },
    trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_client::TraceServiceClient,
    },
};
use prost::Message;
use tonic::transport::{Channel, Endpoint as Grpc};

use super::{
    endpoint::Endpoint,
    failure::{Failure, shortened},
};
use crate::config::OtlpProtocol;

/// How long one try may take.
const TRY: Duration = Duration::from_secs(10);
/// How long it may take to connect.
const CONNECT: Duration = Duration::from_secs(5);
/// The longest answer of a collector by HTTP that is read.
const MOST_ANSWER: usize = 64 * 1024;
const PROTOBUF: &str = "application/x-protobuf";
const USER_AGENT: &str = concat!("dirtyd/", env!("CARGO_PKG_VERSION"));

/// What a collector said that took a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// How many spans or points it left out.
    pub rejected: u64,
    /// Why, or what it warns of.
    pub message: String,
}

/// What can be sent: traces or metrics.
pub enum Export {
    /// Spans.
    Traces(ExportTraceServiceRequest),
    /// Metrics.
    Metrics(ExportMetricsServiceRequest),
}

/// The way to the collector. Connections are made when they are needed, and again after
/// they broke.
#[derive(Debug, Clone)]
pub enum Transport {
    /// By gRPC.
    Grpc(Channel),
    /// By HTTP.
    Http(Box<Http>),
}

/// A client of HTTP, and where it sends to.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    to: Endpoint,
}

impl Transport {
    /// The way to `endpoint`. It connects to nobody yet, and belongs to the present runtime.
    pub fn new(endpoint: Endpoint, protocol: OtlpProtocol) -> Self {
        match protocol {
            OtlpProtocol::Grpc => {
                let grpc = Grpc::from(endpoint.base).connect_timeout(CONNECT);
                Self::Grpc(grpc.user_agent(USER_AGENT).map_or_else(
                    |_| unreachable!("a constant is a valid header"),
                    |grpc| grpc.connect_lazy(),
                ))
            }
            OtlpProtocol::Http => {
                let mut connector = HttpConnector::new();
                connector.set_connect_timeout(Some(CONNECT));
                let client = Client::builder(TokioExecutor::new()).build(connector);
                Self::Http(Box::new(Http { client, to: endpoint }))
            }
        }
    }

    /// Sends it once.
    ///
    /// # Errors
    /// It was not taken.
    pub async fn send(&self, export: &Export) -> Result<Taken, Failure> {
        match tokio::time::timeout(TRY, self.try_once(export)).await {
            Ok(sent) => sent,
            Err(_) => Err(Failure::unanswered(format!("no answer within {TRY:?}"))),
        }
    }

    async fn try_once(&self, export: &Export) -> Result<Taken, Failure> {
        match (self, export) {
            (Self::Grpc(channel), Export::Traces(request)) => {
                let mut client = TraceServiceClient::new(channel.clone());
                let answer = client.export(request.clone()).await;
                answer
                    .map(|answer| of_traces(answer.into_inner()))
                    .map_err(|e| Failure::of_grpc(&e))
            }
            (Self::Grpc(channel), Export::Metrics(request)) => {
                let mut client = MetricsServiceClient::new(channel.clone());
                let answer = client.export(request.clone()).await;
                answer
                    .map(|answer| of_metrics(answer.into_inner()))
                    .map_err(|e| Failure::of_grpc(&e))
            }
            (Self::Http(http), Export::Traces(request)) => {
                post(&http.client, &http.to.traces, request).await.map(of_traces)
            }
            (Self::Http(http), Export::Metrics(request)) => {
                post(&http.client, &http.to.metrics, request).await.map(of_metrics)
            }
        }
    }
}

fn of_traces(answer: ExportTraceServiceResponse) -> Taken {
    let partial = answer.partial_success.unwrap_or_default();
    taken(partial.rejected_spans, &partial.error_message)
}

fn of_metrics(answer: ExportMetricsServiceResponse) -> Taken {
    let partial = answer.partial_success.unwrap_or_default();
    taken(partial.rejected_data_points, &partial.error_message)
}

fn taken(rejected: i64, message: &str) -> Taken {
    Taken { rejected: rejected.try_into().unwrap_or(0), message: shortened(message) }
}

async fn post<Answer: Message + Default>(
    client: &Client<HttpConnector, Full<Bytes>>,
    to: &Uri,
    message: &impl Message,
) -> Result<Answer, Failure> {
    let request = Request::post(to)
        .header(header::CONTENT_TYPE, PROTOBUF)
        .header(header::USER_AGENT, USER_AGENT)
        .body(Full::from(message.encode_to_vec()))
        .map_err(Failure::garbled)?;
    let answer =
        client.request(request).await.map_err(|error| Failure::unanswered(worded(&error)))?;
    let (head, body) = answer.into_parts();
    if !head.status.is_success() {
        let after = head.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        return Err(Failure::of_http(head.status, after));
    }
    let body = Limited::new(body, MOST_ANSWER).collect().await;
    let body = body.map_err(|error| Failure::garbled(format!("its answer is cut: {error}")))?;
    let read = Answer::decode(body.to_bytes());
    read.map_err(|error| Failure::garbled(format!("its answer is not one of OTLP: {error}")))
}

/// An error of the client with its cause, which says more.
fn worded(error: &(dyn std::error::Error + 'static)) -> String {
    let last = std::iter::successors(error.source(), |cause| cause.source()).last();
    last.map_or_else(|| error.to_string(), |cause| format!("{error} ({cause})"))
}
