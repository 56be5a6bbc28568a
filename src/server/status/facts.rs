//! What an error says about its call.

use std::collections::HashMap;

use crate::call::{CallId, WorkerRef};

/// The names of a call.
#[derive(Debug, Clone, Default)]
pub struct CallFacts {
    /// The app.
    pub app: String,
    /// The action.
    pub action: String,
    /// The caller's request id; empty if it gave none.
    pub request_id: String,
    /// The number of the call, which stands for a request id.
    pub call: Option<CallId>,
}

impl CallFacts {
    /// The metadata of an ErrorInfo, with the worker if there was one.
    pub(super) fn metadata(&self, worker: Option<WorkerRef>) -> HashMap<String, String> {
        let mut metadata = HashMap::from([
            ("app".to_owned(), self.app.clone()),
            ("action".to_owned(), self.action.clone()),
        ]);
        let request_id = match (self.request_id.as_str(), self.call) {
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
}
