//! grpc.health.v1: overall and one entry per app, kept up to date.

use std::{collections::HashSet, pin::Pin, sync::Arc};

use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::watch;
use tonic::{Request, Response, Status};
use tonic_health::{
    ServingStatus,
    pb::{
        HealthCheckRequest, HealthCheckResponse,
        health_check_response::ServingStatus as Told,
        health_server::{Health as Service, HealthServer},
    },
    server::{HealthReporter, HealthService},
};

use crate::pool::Health;

/// Keeps what the service says up to date.
pub struct Reporter {
    inner: HealthReporter,
    /// Changes after each report.
    reported: watch::Sender<()>,
}

/// The reporter and its service.
pub fn pair() -> (Reporter, HealthServer<impl Service>) {
    let inner = HealthReporter::new();
    let (reported, reports) = watch::channel(());
    let service = Arc::new(HealthService::from_health_reporter(inner.clone()));
    (Reporter { inner, reported }, HealthServer::new(Patient { service, reports }))
}

impl Reporter {
    /// Reports until the pool has ended. The overall service, named "", is serving
    /// until the arbiter drains; an app is serving while a worker can serve it.
    pub async fn report(
        self,
        mut health: watch::Receiver<Health>,
        mut draining: watch::Receiver<bool>,
    ) {
        let mut known = HashSet::new();
        loop {
            let drains = *draining.borrow_and_update();
            let apps = health.borrow_and_update().clone();
            self.inner.set_service_status("", serving(!drains)).await;
            for gone in known.iter().filter(|name| !apps.iter().any(|(app, _)| app == *name)) {
                self.inner.set_service_status(gone, ServingStatus::NotServing).await;
            }
            for (app, ready) in apps {
                self.inner.set_service_status(&app, serving(ready && !drains)).await;
                known.insert(app);
            }
            self.reported.send_replace(());
            let changed = tokio::select! {
                changed = health.changed() => changed,
                changed = draining.changed() => changed,
            };
            if changed.is_err() {
                return;
            }
        }
    }
}

fn serving(yes: bool) -> ServingStatus {
    if yes { ServingStatus::Serving } else { ServingStatus::NotServing }
}

/// The service, whose Watch keeps to the protocol: one that is not known is
/// SERVICE_UNKNOWN, and may become known.
struct Patient {
    service: Arc<HealthService>,
    reports: watch::Receiver<()>,
}

type Answers = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

#[tonic::async_trait]
impl Service for Patient {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.service.check(request).await
    }

    type WatchStream = Answers;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Answers>, Status> {
        let mut reports = self.reports.clone();
        reports.mark_unchanged();
        let asked = request.into_inner();
        // Its one error is that it does not know the service.
        if let Ok(watched) = self.service.watch(Request::new(asked.clone())).await {
            return Ok(Response::new(watched.into_inner().boxed()));
        }
        let unknown = HealthCheckResponse { status: Told::ServiceUnknown.into() };
        let known = known(Arc::clone(&self.service), asked, reports);
        let answers = stream::iter([Ok(unknown)]).chain(stream::once(known).flatten());
        Ok(Response::new(answers.boxed()))
    }
}

/// What is said of a service once it is known.
async fn known(
    service: Arc<HealthService>,
    asked: HealthCheckRequest,
    mut reports: watch::Receiver<()>,
) -> Answers {
    while reports.changed().await.is_ok() {
        if let Ok(watched) = service.watch(Request::new(asked.clone())).await {
            return watched.into_inner().boxed();
        }
    }
    stream::empty().boxed()
}
