//! The edge as a whole: opening it, taking connections, closing it.

use std::{
    convert::Infallible, io, os::unix::net::UnixListener as StdListener, sync::Arc, time::Duration,
};

use tokio::sync::{mpsc, watch};

use super::{
    access::Access,
    admin::{AdminService, Counts},
    admission::Admission,
    calm::Accounts,
    connection::{self, Shared, Warnings},
    execute::ArbiterService,
    health,
    held::Held,
    listener::{Listener, UnixSocket},
    origins::Origins,
    past::Past,
    reload::ReloadConfig,
    router::Router,
    scrape::Scrape,
    services::{Further, Services},
    unread,
};
use crate::{
    call::Peer,
    config::{AdminRight, Config},
    observe::{Observer, Outlets, recent::SLOW},
    patience::{CONNECTIONS_CLOSE, READERS_STALL},
    pool::PoolHandle,
};

/// How long to wait after accept failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The edge, ready to serve.
pub struct Edge<L = UnixSocket> {
    listener: L,
    shared: Arc<Shared>,
    draining: watch::Sender<bool>,
    held: Held,
    insight: Insight,
}

/// What operators can know of an arbiter, for who shows it elsewhere.
#[derive(Clone)]
pub struct Insight {
    /// Its metrics and its health.
    pub scrape: Arc<Scrape>,
    /// What the service Admin knows and does.
    pub admin: AdminService,
    /// The past of its calls.
    pub past: Arc<Past>,
    access: Arc<Access>,
}

impl Insight {
    /// What a user whose process is in `groups` may see and do; `None` if it may not
    /// connect.
    pub fn right(&self, peer: &Peer, groups: &[u32]) -> Option<AdminRight> {
        self.access.rights(peer, groups).map(|rights| rights.admin)
    }
}

impl Edge {
    /// An edge on a bound Unix socket.
    ///
    /// # Errors
    /// The socket cannot be used with the reactor.
    pub fn new(
        listener: StdListener,
        config: &Config,
        pool: &PoolHandle,
        reload: ReloadConfig,
        outlets: Outlets,
    ) -> io::Result<Self> {
        Self::on(UnixSocket::new(listener)?, config, pool, reload, outlets, None)
    }
}

impl<L: Listener> Edge<L> {
    /// An edge on a listener, with a `further` service beside those of dirtyd.
    ///
    /// # Errors
    /// The descriptors of the services, which are compiled in, are broken.
    pub fn on(
        listener: L,
        config: &Config,
        pool: &PoolHandle,
        reload: ReloadConfig,
        outlets: Outlets,
        further: Option<Further>,
    ) -> io::Result<Self> {
        let admission = Admission::new(config);
        let (draining, drains) = watch::channel(false);
        let (reporter, health_service) = health::pair();
        tokio::spawn(reporter.report(pool.health(), drains.clone()));
        let held = Held::new(config.limits.max_held_bytes);
        let counts = Counts {
            connections: admission.open().clone(),
            users: admission.users().clone(),
            held: held.clone(),
        };
        let slow = config.observe.access_log.slow.unwrap_or(SLOW);
        let observer = Observer::new(pool.health(), outlets, slow);
        let max_connections = config.limits.max_connections;
        let scrape =
            Scrape::new(pool.clone(), counts.clone(), max_connections, Arc::clone(&observer));
        if let Some(interval) = metrics_interval(config) {
            tokio::spawn(Arc::clone(&scrape).push(interval));
        }
        let past = Past::new(pool.clone(), Arc::clone(&observer));
        tokio::spawn(Arc::clone(&past).keep());
        let admin =
            AdminService::new(pool.clone(), counts, Arc::clone(&past), reload, config.clone());
        let services = Services::new(admin.clone(), health_service, further)?;
        let arbiter = ArbiterService::new(
            pool.clone(),
            config.window,
            config.limits,
            held.clone(),
            Arc::clone(&observer),
        );
        let origins = Origins::new(&config.cors_origins);
        let router = Router::new(arbiter, services, Arc::clone(&scrape), origins, drains);
        let router = Arc::new(router);
        let response_timeout = config.limits.response_timeout;
        if !response_timeout.is_zero() {
            tokio::spawn(unread::watch(Arc::downgrade(router.unread()), response_timeout));
        }
        let shared = Arc::new(Shared {
            admission,
            router,
            accounts: Accounts::new(held.clone()),
            limits: config.limits,
            warnings: Warnings::default(),
        });
        let insight = Insight { scrape, admin, past, access: Arc::new(Access::new(config)) };
        Ok(Self { listener, shared, draining, held, insight })
    }

    /// What operators can know of it.
    pub fn insight(&self) -> Insight {
        self.insight.clone()
    }

    /// What it holds for callers.
    pub fn held(&self) -> Held {
        self.held.clone()
    }

    /// Takes connections once `admitted` resolves, and serves until `stop` does;
    /// then takes no further connection, asks the open ones to end after their
    /// calls, and returns when they have ended, or only such are left that wait
    /// for no answer. Each of `listeners` takes the place of the one before.
    pub async fn serve(
        mut self,
        admitted: impl Future<Output = ()>,
        stop: impl Future<Output = ()>,
        mut listeners: mpsc::Receiver<L>,
    ) {
        // Each connection holds a receiver until its end.
        let (connections, _) = watch::channel(false);
        tokio::select! {
            () = stop => {}
            never = async {
                // Until then others may take them: the old arbiter of an upgrade.
                admitted.await;
                self.accept(&connections, &mut listeners).await
            } => match never {},
        }
        self.close(connections).await;
    }

    async fn accept(
        &mut self,
        connections: &watch::Sender<bool>,
        listeners: &mut mpsc::Receiver<L>,
    ) -> Infallible {
        loop {
            let accepted = tokio::select! { biased;
                accepted = self.listener.accept() => accepted,
                // Nobody waits at the old one.
                Some(listener) = listeners.recv() => {
                    self.listener = listener;
                    continue;
                }
            };
            match accepted {
                Ok(arrival) => {
                    // Taken here, so that a burst cannot pass the limit.
                    let place = self.shared.admission.enter();
                    let (shared, closing) = (Arc::clone(&self.shared), connections.subscribe());
                    tokio::spawn(connection::run(arrival, place, shared, closing));
                }
                Err(error) => {
                    self.shared.warnings.unaccepted.warn(format_args!(
                        "no connection can be accepted: {error}; the next try is in {ACCEPT_PAUSE:?}"
                    ));
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn close(self, connections: watch::Sender<bool>) {
        self.draining.send_replace(true);
        connections.send_replace(true);
        drop(self.listener);
        // A client that is stopped, or sends nothing, does not see that it is
        // asked to end: without an outstanding answer, nobody waits for it.
        tokio::select! {
            () = connections.closed() => {}
            () = self.shared.router.outstanding().none_for(CONNECTIONS_CLOSE) => {}
            () = self.shared.router.nobody_reads_for(READERS_STALL) => {}
        }
    }
}

/// How often metrics are sent to a collector, if they are.
fn metrics_interval(config: &Config) -> Option<Duration> {
    let otlp = config.observe.otlp.as_ref()?;
    Some(otlp.metrics_interval).filter(|interval| !interval.is_zero())
}

#[cfg(test)]
#[path = "edge_tests.rs"]
mod tests;
