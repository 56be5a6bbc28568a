//! The service `dirty.v1.Admin`: what operators see of the pool, and what they
//! can do to it.

mod calls;
mod events;
mod picture;

use std::{
    pin::Pin,
    sync::Arc,
    time::{Instant, SystemTime},
};

use dirtyd_client::proto::v1;
use futures_util::{Stream, StreamExt as _};
use tonic::{Request, Response, Status};

use self::picture::{app_status, arbiter_status, worker_status};
use super::{past::Past, reload::ReloadConfig, status};
use crate::{
    call::CallId,
    config::{Config, Pending, Takes},
    pool::{AppSnapshot, PoolHandle, ScaleTo},
    proto::admin_server::Admin,
};

pub use self::picture::Counts;

/// The service `dirty.v1.Admin`.
#[derive(Clone)]
pub struct AdminService {
    pool: PoolHandle,
    counts: Counts,
    past: Arc<Past>,
    reload: ReloadConfig,
    started: SystemTime,
    /// The configuration that it started with.
    config: Arc<Config>,
}

impl AdminService {
    /// A service over a pool that was started with `config`. `counts` are those of the
    /// edge, `past` is that of its calls, and `reload` reads the configuration again.
    pub fn new(
        pool: PoolHandle,
        counts: Counts,
        past: Arc<Past>,
        reload: ReloadConfig,
        config: Config,
    ) -> Self {
        let started = SystemTime::now();
        Self { pool, counts, past, reload, started, config: Arc::new(config) }
    }

    /// The events of the life cycle from now on.
    pub fn events(&self) -> impl Stream<Item = v1::WatchEventsResponse> + Send + Unpin + use<> {
        Box::pin(events::responses(self.pool.events()))
    }
}

#[tonic::async_trait]
impl Admin for AdminService {
    async fn status(
        &self,
        _: Request<v1::StatusRequest>,
    ) -> Result<Response<v1::StatusResponse>, Status> {
        let snapshot = self.pool.status().await.ok_or_else(status::draining)?;
        let app = |app: AppSnapshot| {
            let minute = self.past.minute(&app.app);
            app_status(app, minute.unwrap_or_default())
        };
        Ok(Response::new(v1::StatusResponse {
            arbiter: Some(arbiter_status(
                &snapshot,
                &self.counts,
                self.started,
                &self.config.proc_name,
            )),
            workers: snapshot.workers.into_iter().map(worker_status).collect(),
            apps: snapshot.apps.into_iter().map(app).collect(),
            peers: self.counts.peers(),
        }))
    }

    async fn scale(
        &self,
        request: Request<v1::ScaleRequest>,
    ) -> Result<Response<v1::ScaleResponse>, Status> {
        let v1::ScaleRequest { pool, workers } = request.into_inner();
        let (previous_workers, workers) = (self.pool.scale(pool, ScaleTo::Workers(workers)).await)
            .map_err(|error| status::of_scale(&error))?;
        Ok(Response::new(v1::ScaleResponse { previous_workers, workers }))
    }

    async fn reload(
        &self,
        request: Request<v1::ReloadRequest>,
    ) -> Result<Response<v1::ReloadResponse>, Status> {
        let v1::ReloadRequest { pool } = request.into_inner();
        let config = self.reload.read().await.map_err(|error| status::of_config(&error))?;
        let pending = self.config.pending_after_reload(&config);
        let pending_keys = pending.into_iter().map(pending_key).collect();
        let replaced_workers =
            self.pool.reload(config, pool).await.map_err(|error| status::of_reload(&error))?;
        Ok(Response::new(v1::ReloadResponse { replaced_workers, pending_keys }))
    }

    async fn list_calls(
        &self,
        request: Request<v1::ListCallsRequest>,
    ) -> Result<Response<v1::ListCallsResponse>, Status> {
        let calls = self.pool.calls().await.ok_or_else(status::draining)?;
        Ok(Response::new(calls::listed(calls, request.get_ref(), Instant::now())))
    }

    async fn cancel_call(
        &self,
        request: Request<v1::CancelCallRequest>,
    ) -> Result<Response<v1::CancelCallResponse>, Status> {
        let id = request.get_ref().call_id;
        let was = self.pool.cancel_call(CallId(id)).await.map_err(|_| status::draining())?;
        let was = was.ok_or_else(|| status::no_call(id))?;
        Ok(Response::new(v1::CancelCallResponse { state: calls::state_of(was).into() }))
    }

    async fn get_stacks(
        &self,
        request: Request<v1::GetStacksRequest>,
    ) -> Result<Response<v1::GetStacksResponse>, Status> {
        let id = request.get_ref().worker_id;
        let (worker, stacks) = self.pool.stacks(id).await.ok_or_else(|| status::no_worker(id))?;
        let (stacks, note) = match stacks {
            Ok(stacks) => (stacks, String::new()),
            Err(why) => (Vec::new(), calls::why_no_stacks(why).to_owned()),
        };
        Ok(Response::new(v1::GetStacksResponse { worker_pid: worker.pid, stacks, note }))
    }

    async fn restart_worker(
        &self,
        request: Request<v1::RestartWorkerRequest>,
    ) -> Result<Response<v1::RestartWorkerResponse>, Status> {
        let restarted = self.pool.restart(request.get_ref().worker_id).await;
        let (worker, pool) = restarted.map_err(|error| status::of_restart(&error))?;
        Ok(Response::new(v1::RestartWorkerResponse { worker_pid: worker.pid, pool }))
    }

    type WatchEventsStream =
        Pin<Box<dyn Stream<Item = Result<v1::WatchEventsResponse, Status>> + Send>>;

    async fn watch_events(
        &self,
        _: Request<v1::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        Ok(Response::new(Box::pin(self.events().map(Ok))))
    }
}

fn pending_key(pending: Pending) -> v1::PendingKey {
    let until = match pending.takes {
        Takes::Reload | Takes::Upgrade => v1::PendingUntil::Upgrade,
        Takes::Restart => v1::PendingUntil::Restart,
    };
    v1::PendingKey { key: pending.key, until: until.into() }
}
