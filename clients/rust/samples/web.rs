//! A web server that streams chunks to browsers as server-sent events. When a
//! browser leaves, axum drops its stream, and the generator in the worker ends.
//!
//! `GET /` is a page, `GET /events?limit=20&mark=FILE` the events.

use std::convert::Infallible;

use axum::{
    Router,
    extract::{Query, State},
    http::StatusCode,
    response::{
        Html, IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::get,
};
use dirtyd::client::{Client, Error, Reason, args};
use futures_util::StreamExt as _;
use serde::Deserialize;

#[derive(Deserialize)]
struct Wanted {
    limit: i64,
    mark: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let app = Router::new()
        .route("/", get(async || Html(PAGE)))
        .route("/events", get(events))
        .with_state(Client::from_env().with_retries(3));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, app).await
}

async fn events(State(client): State<Client>, Query(wanted): Query<Wanted>) -> Response {
    let args = args![wanted.limit, wanted.mark];
    match client.stream("conformance:Conformance", "watched", args).await {
        Ok(chunks) => {
            let events = chunks.into_stream().map(|chunk| {
                Ok::<_, Infallible>(match chunk {
                    Ok(number) => Event::default().data(number.as_int().unwrap_or(-1).to_string()),
                    Err(error) => Event::default().event("failed").data(error.to_string()),
                })
            });
            Sse::new(events).keep_alive(KeepAlive::default()).into_response()
        }
        Err(error) => (status(&error), error.to_string()).into_response(),
    }
}

fn status(error: &Error) -> StatusCode {
    match error.reason() {
        Some(Reason::QueueFull) => StatusCode::TOO_MANY_REQUESTS,
        Some(Reason::QueueTimeout | Reason::ExecutionTimeout) => StatusCode::GATEWAY_TIMEOUT,
        Some(Reason::InvalidRequest) => StatusCode::BAD_REQUEST,
        Some(_) => StatusCode::BAD_GATEWAY,
        None => StatusCode::SERVICE_UNAVAILABLE,
    }
}

const PAGE: &str = r#"<!doctype html>
<title>dirtyd</title>
<pre id="out"></pre>
<script>
  const events = new EventSource("/events?limit=100&mark=/dev/null");
  events.onmessage = (event) => (document.getElementById("out").textContent += event.data + " ");
  events.onerror = () => events.close();
</script>
"#;
