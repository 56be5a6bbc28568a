//! What an error says about its call.

use std::collections::HashMap;

use crate::call::{CallFacts, WorkerRef};

/// The metadata of an ErrorInfo, with the worker if there was one.
pub fn metadata(facts: &CallFacts, worker: Option<WorkerRef>) -> HashMap<String, String> {
    let mut metadata = HashMap::from([
        ("app".to_owned(), facts.app.clone()),
        ("action".to_owned(), facts.action.clone()),
    ]);
    let request_id = match (facts.request_id.as_str(), facts.call) {
        ("", call) => call.map(|call| call.to_string()),
        (own, _) => Some(own.to_owned()),
    };
    metadata.extend(request_id.map(|id| ("request_id".to_owned(), id)));
    if let Some(worker) = worker {
        metadata.insert("worker_id".to_owned(), worker.id.to_string());
        metadata.insert("worker_pid".to_owned(), worker.pid.to_string());
    }
    metadata
}
