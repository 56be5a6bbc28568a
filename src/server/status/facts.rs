//! What an error says about its call.

use std::collections::HashMap;

use crate::call::{Ticket, WorkerRef};

/// The names of a call.
#[derive(Debug, Clone, Default)]
pub struct CallFacts {
    /// The app.
    pub app: String,
    /// The action.
    pub action: String,
    /// The caller's request id, or the number of the call.
    pub request_id: String,
}

impl CallFacts {
    /// Takes the number of the call as its request id, if it has no other.
    pub fn name_request(&mut self, ticket: &Ticket) {
        if self.request_id.is_empty() {
            self.request_id = ticket.request_id();
        }
    }

    /// The metadata of an ErrorInfo, with the worker if there was one.
    pub(super) fn metadata(&self, worker: Option<WorkerRef>) -> HashMap<String, String> {
        let mut metadata = HashMap::from([
            ("app".to_owned(), self.app.clone()),
            ("action".to_owned(), self.action.clone()),
        ]);
        if !self.request_id.is_empty() {
            metadata.insert("request_id".to_owned(), self.request_id.clone());
        }
        if let Some(worker) = worker {
            metadata.insert("worker_id".to_owned(), worker.id.to_string());
            metadata.insert("worker_pid".to_owned(), worker.pid.to_string());
        }
        metadata
    }
}
