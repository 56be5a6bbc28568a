//! Tokens to a browser as server-sent events. When the browser leaves, axum
//! drops the stream, and the generator in the worker ends.
//!
//! Run the daemon beside it, in `samples`: `dirtyd serve --config dirtyd.toml`.
//! The argument is the port, 8000 without one; then open localhost:8000, or:
//! `curl -N 'localhost:8000/tokens?prompt=hello'`

use std::{convert::Infallible, env};

use axum::{
    Router,
    extract::{Query, State},
    http::{StatusCode, header::RETRY_AFTER},
    response::{
        Html, IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::get,
};
use dirtyd_client::{Client, Error, args};
use futures_util::StreamExt as _;
use serde::Deserialize;

#[derive(Deserialize)]
struct Wanted {
    prompt: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let app = Router::new()
        .route("/", get(async || Html(PAGE)))
        .route("/tokens", get(tokens))
        .with_state(Client::from_env().with_retries(3));
    let port = env::args().nth(1).unwrap_or_else(|| "8000".to_owned());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, app).await
}

async fn tokens(State(client): State<Client>, Query(wanted): Query<Wanted>) -> Response {
    // Waits for the first token: until then an error is still a status.
    match client.stream("apps:Model", "generate", args![wanted.prompt]).await {
        Ok(tokens) => {
            let events = tokens.into_stream().map(|token| {
                Ok::<_, Infallible>(match token {
                    Ok(token) => Event::default().data(token.as_str().unwrap_or_default()),
                    Err(error) => Event::default().event("failed").data(error.to_string()),
                })
            });
            Sse::new(events).keep_alive(KeepAlive::default()).into_response()
        }
        Err(error) => refusal(&error),
    }
}

fn refusal(error: &Error) -> Response {
    match error.retry_after() {
        Some(wait) => {
            let seconds = wait.as_secs_f64().ceil().to_string();
            (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, seconds)], "busy, try again")
                .into_response()
        }
        None => {
            eprintln!("{error}");
            (StatusCode::BAD_GATEWAY, "the model failed").into_response()
        }
    }
}

const PAGE: &str = r#"<!doctype html>
<title>Tokens</title>
<pre id="tokens"></pre>
<script>
  const tokens = document.getElementById("tokens");
  const events = new EventSource("tokens?prompt=hello");
  events.onmessage = ({ data }) => tokens.append(data, "\n");
  events.onerror = () => events.close(); // At the end; otherwise it would begin anew.
</script>
"#;
