//! Reading a status.

use dirtyd_client::proto::v1::{AppStatus, StatusResponse};

/// The process ids of the workers, oldest first.
pub fn pids(status: &StatusResponse) -> Vec<i32> {
    status.workers.iter().map(|worker| worker.pid).collect()
}

/// An app.
pub fn app<'a>(status: &'a StatusResponse, path: &str) -> &'a AppStatus {
    status.apps.iter().find(|app| app.app == path).expect("the app is configured")
}

/// The apps that some worker could not load.
pub fn failed_apps(status: &StatusResponse) -> Vec<&str> {
    status.workers.iter().flat_map(|worker| &worker.failed_apps).map(String::as_str).collect()
}
