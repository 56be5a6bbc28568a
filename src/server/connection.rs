//! One connection, from its arrival to its end.
//!
//! ```text
//!   arrival ─identify─> peer ─admission─> preface ─┬─ HTTP/2 ─> router
//!                                                  ├─ HTTP/1 ─> router, but for gRPC
//!                                                  └─ else   ─> closed
//! ```
//!
//! Its end lingers until the client has seen it.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time::{sleep, timeout},
};

use super::{
    access::Caller,
    admission::{Admission, Refusal},
    calm::{Accounts, Tally},
    counter::Counted,
    http1, http2,
    linger::LingeringClose,
    listener::Arrival,
    notice::Notice,
    preface::{self, Opening, Protocol},
    router::Router,
    seldom::Seldom,
};
use crate::{call::Peer, config::Limits, patience::CONNECTIONS_CLOSE};

/// How long a connection may take until it is clear who connects and which
/// protocol it speaks; each of the two has this time.
const OPENING: Duration = Duration::from_secs(10);
/// How long a refused client may take to read why.
const REFUSAL: Duration = Duration::from_secs(5);

/// What all connections share.
pub struct Shared {
    /// Who may connect.
    pub admission: Admission,
    /// What answers requests.
    pub router: Arc<Router>,
    /// What their frames without content cost.
    pub accounts: Accounts,
    /// The limits of a connection.
    pub limits: Limits,
    /// What others can make happen again and again.
    pub warnings: Warnings,
}

/// Warnings that are summed up.
pub struct Warnings {
    /// A peer may not connect.
    pub refused: Seldom,
    /// Nobody knows whose connection it is.
    pub nameless: Seldom,
    /// A client takes nothing of its results.
    pub unread: Seldom,
    /// A client breaks the protocol.
    pub broken: Seldom,
    /// There are no descriptors for another connection.
    pub unaccepted: Seldom,
}

impl Default for Warnings {
    fn default() -> Self {
        Self {
            refused: Seldom::new("connections were refused"),
            nameless: Seldom::new("connections were closed before it was known whose they were"),
            unread: Seldom::new("connections were closed that read nothing of a result"),
            broken: Seldom::new("connections were closed whose clients broke the protocol"),
            unaccepted: Seldom::new("times a connection could not be accepted"),
        }
    }
}

/// Serves a connection, or tells its client why not, until it ends. `place` is
/// what [`Admission::enter`] returned when it arrived; `closing` is held to the end,
/// because that is what the edge waits for.
pub async fn run(
    arrival: impl Arrival,
    place: Option<Counted>,
    shared: Arc<Shared>,
    closing: watch::Receiver<bool>,
) {
    let groups = match shared.admission.asks_for_groups() {
        true => arrival.groups(),
        false => Vec::new(),
    };
    let (stream, peer) = match in_time(arrival.identify()).await {
        Ok(identified) => identified,
        Err(error) => {
            return shared.warnings.nameless.warn(format_args!(
                "a connection is closed before it is known who connected: {error}"
            ));
        }
    };
    let stream = LingeringClose::new(stream, CONNECTIONS_CLOSE);
    // A peer that may not connect at all learns that first.
    match shared.admission.admit(peer.clone(), &groups, place) {
        Ok((caller, _places)) => serve(stream, Arc::new(caller), &shared, &closing).await,
        Err(refusal) => {
            drop(closing);
            shared
                .warnings
                .refused
                .warn(format_args!("refusing a connection of {peer}: {refusal}"));
            let mut tally = shared.accounts.tally(&peer);
            tally.asked();
            if tally.floods() {
                return; // whoever floods is told nothing
            }
            if let Some(_counted) = shared.admission.enter_refused() {
                // A client that does not read why has had the time to.
                let refused = Box::pin(refuse(stream, &refusal, tally, shared.limits));
                let _ = timeout(REFUSAL, refused).await;
            }
        }
    }
}

async fn serve<S>(
    mut stream: S,
    caller: Arc<Caller>,
    shared: &Shared,
    closing: &watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let peer = &caller.peer;
    let Opening { protocol, bytes } = match in_time(preface::read(&mut stream)).await {
        Ok(opening) => opening,
        Err(error) => {
            return tracing::debug!("{peer} connected and sent no complete preface: {error}");
        }
    };
    match protocol {
        Protocol::Http2 => {
            let router = Arc::clone(&shared.router);
            let tally = shared.accounts.tally(peer);
            if tally.floods() {
                sleep(tally.turn()).await;
            }
            let (limits, caller) = (shared.limits, Arc::clone(&caller));
            let served =
                http2::serve(stream, bytes, caller, router, tally, limits, closing.clone());
            // Boxed, because one of HTTP/1 that rests is much smaller.
            ended(Box::pin(served).await, peer, shared);
        }
        Protocol::Http1 => {
            let (router, limits) = (Arc::clone(&shared.router), shared.limits);
            let caller = Arc::clone(&caller);
            let tally = shared.accounts.tally(peer);
            let served =
                http1::serve(stream, bytes, caller, router, tally, limits, closing.clone());
            ended(served.await, peer, shared);
        }
        Protocol::Unknown => tracing::debug!(
            "a connection of {peer} is closed, because its first bytes belong to no protocol that \
             is spoken here: {}",
            bytes[..bytes.len().min(24)].escape_ascii()
        ),
    }
}

/// Logs how a connection ended, if somebody should know.
fn ended(served: hyper::Result<bool>, peer: &Peer, shared: &Shared) {
    match served {
        Ok(false) => {}
        Ok(true) => shared.warnings.unread.warn(format_args!(
            "a connection of {peer} is closed: it read nothing of a result within response_timeout"
        )),
        Err(error) => match http2::fault(&error) {
            Some(fault) => shared.warnings.broken.warn(format_args!(
                "a connection of {peer} is closed, because its client broke the protocol: {fault}"
            )),
            // A client that vanishes is no fault of the arbiter's.
            None => tracing::debug!("a connection of {peer} broke: {error}"),
        },
    }
}

async fn refuse<S>(mut stream: S, refusal: &Refusal, tally: Tally, limits: Limits)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Ok(Opening { protocol, bytes }) = preface::read(&mut stream).await else { return };
    // It is refused already; how its connection ends does not matter.
    match protocol {
        Protocol::Http2 => drop(http2::refuse(stream, bytes, refusal, tally, limits).await),
        Protocol::Http1 => drop(Notice::refused(refusal).send(&bytes, stream).await),
        Protocol::Unknown => {}
    }
}

/// Bounds a step of the opening.
async fn in_time<T>(step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(OPENING, step).await.unwrap_or_else(|_| {
        let late = format!("it took more than {} s", OPENING.as_secs());
        Err(io::Error::new(io::ErrorKind::TimedOut, late))
    })
}
