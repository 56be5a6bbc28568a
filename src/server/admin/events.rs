//! The events of the life cycle, as a stream of messages.

use std::time::SystemTime;

use dirtyd_client::proto::v1;
use futures_util::Stream;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::pool::{Entry, EntryKind};

/// The events from now on; a reader that is too slow learns how many it has missed.
pub fn responses(events: Receiver<Entry>) -> impl Stream<Item = v1::WatchEventsResponse> {
    futures_util::stream::unfold(events, |mut events| async move {
        let event = match events.recv().await {
            Ok(event) => event_response(event),
            Err(RecvError::Lagged(missed)) => v1::WatchEventsResponse {
                time: Some(SystemTime::now().into()),
                kind: v1::EventKind::EventsLost.into(),
                message: format!("the reader was too slow: {missed} events were dropped"),
                ..v1::WatchEventsResponse::default()
            },
            Err(RecvError::Closed) => return None,
        };
        Some((event, events))
    })
}

/// One event.
pub fn event_response(event: Entry) -> v1::WatchEventsResponse {
    let (worker_id, worker_pid) = event.worker.map_or((0, 0), |worker| (worker.id, worker.pid));
    v1::WatchEventsResponse {
        time: Some(event.time.into()),
        kind: event_kind(event.kind).into(),
        worker_id,
        worker_pid,
        app: event.app.unwrap_or_default(),
        pool: event.pool.unwrap_or_default(),
        message: event.message,
    }
}

fn event_kind(kind: EntryKind) -> v1::EventKind {
    match kind {
        EntryKind::WorkerStarted => v1::EventKind::WorkerStarted,
        EntryKind::WorkerReady => v1::EventKind::WorkerReady,
        EntryKind::WorkerDied => v1::EventKind::WorkerDied,
        EntryKind::WorkerDraining => v1::EventKind::WorkerDraining,
        EntryKind::AppFailed => v1::EventKind::AppFailed,
        EntryKind::AppRecovered => v1::EventKind::AppRecovered,
        EntryKind::CallTimedOut => v1::EventKind::CallTimedOut,
        EntryKind::CallCutOff => v1::EventKind::CallCutOff,
        EntryKind::ReloadStarted => v1::EventKind::ReloadStarted,
        EntryKind::ReloadFinished => v1::EventKind::ReloadFinished,
        EntryKind::ReloadFailed => v1::EventKind::ReloadFailed,
        EntryKind::Scaled => v1::EventKind::Scaled,
        EntryKind::Draining => v1::EventKind::Draining,
    }
}
