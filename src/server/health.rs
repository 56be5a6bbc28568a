//! grpc.health.v1: overall and one entry per app, kept up to date.

use std::collections::HashSet;

use tokio::sync::watch;
use tonic_health::{
    ServingStatus,
    server::{HealthReporter, health_reporter},
};

use crate::pool::Health;

/// Reports until the pool has ended. The overall service, named "", is serving
/// until the arbiter drains; an app is serving while a worker can serve it.
pub async fn report(
    reporter: HealthReporter,
    mut health: watch::Receiver<Health>,
    mut draining: watch::Receiver<bool>,
) {
    let mut known = HashSet::new();
    loop {
        let drains = *draining.borrow_and_update();
        let apps = health.borrow_and_update().clone();
        reporter.set_service_status("", serving(!drains)).await;
        for gone in known.iter().filter(|name| !apps.iter().any(|(app, _)| app == *name)) {
            reporter.set_service_status(gone, ServingStatus::NotServing).await;
        }
        for (app, ready) in apps {
            reporter.set_service_status(&app, serving(ready && !drains)).await;
            known.insert(app);
        }
        let changed = tokio::select! {
            changed = health.changed() => changed,
            changed = draining.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
    }
}

/// The reporter and its service.
pub fn pair() -> (
    HealthReporter,
    tonic_health::pb::health_server::HealthServer<impl tonic_health::pb::health_server::Health>,
) {
    health_reporter()
}

fn serving(yes: bool) -> ServingStatus {
    if yes { ServingStatus::Serving } else { ServingStatus::NotServing }
}
