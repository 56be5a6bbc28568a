//! The listening socket: binding it, accepting from it, and closing the edge.

use std::{
    fs, io,
    os::unix::{
        fs::{FileTypeExt as _, PermissionsExt as _},
        net::UnixListener as StdListener,
    },
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use dirtyd_client::system::Socket;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::{
    net::{UnixListener, UnixStream},
    sync::watch,
};
use tonic::{Status, service::Routes};

use super::{
    admin::{AdminService, ReloadConfig},
    connection,
    execute::ArbiterService,
    health,
    router::Router,
    status,
};
use crate::{
    call::Peer,
    config::{Config, Limits},
    pool::PoolHandle,
    proto::{DESCRIPTORS, admin_server::AdminServer},
};

/// How long to wait after accept failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long connections that owe nothing may take to end, when they are asked
/// to, and how often to look.
const QUIET: Duration = Duration::from_secs(1);
const QUIET_LOOKS: u32 = 20;
/// Refused clients that are told why, at once; further ones are just closed.
const MAX_REFUSALS: u32 = 32;

/// Counters of the edge.
#[derive(Debug, Default)]
pub struct EdgeStats {
    connections: AtomicU32,
    refusals: AtomicU32,
}

impl EdgeStats {
    /// Open connections.
    pub fn connections(&self) -> u32 {
        self.connections.load(Ordering::Relaxed)
    }
}

/// One of something that must return when it is dropped.
struct Counted<'a>(&'a AtomicU32);

impl<'a> Counted<'a> {
    fn new(counter: &'a AtomicU32) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Binds the socket with its file mode from the start. A socket file that
/// nobody listens on any more is replaced; a live one is not.
///
/// # Errors
/// The path is taken, or cannot be made; the text names it.
pub fn bind(path: &Path, mode: u32) -> io::Result<StdListener> {
    let context = |error: io::Error| {
        io::Error::new(error.kind(), format!("cannot listen on {}: {error}", path.display()))
    };
    match fs::symlink_metadata(path) {
        Ok(file) if !file.file_type().is_socket() => {
            let taken = io::Error::other(
                "a file that is not a socket stands there; remove it or choose another path",
            );
            return Err(context(taken));
        }
        Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => {
            let taken = io::Error::new(io::ErrorKind::AddrInUse, "another process serves it");
            return Err(context(taken));
        }
        Ok(_) => fs::remove_file(path).map_err(context)?,
        Err(_) => {}
    }
    // A umask of 0777 leaves no moment in which others could connect.
    let before = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o777));
    let listener = StdListener::bind(path);
    nix::sys::stat::umask(before);
    let listener = listener.map_err(context)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(context)?;
    listener.set_nonblocking(true).map_err(context)?;
    Ok(listener)
}

/// Resolves when no call has been owed anything for a while.
async fn quiet(router: &Router) {
    let mut looks = 0;
    while looks < QUIET_LOOKS {
        tokio::time::sleep(QUIET / QUIET_LOOKS).await;
        looks = if router.owes() { 0 } else { looks + 1 };
    }
}

/// Who is at the other end, as the kernel says.
fn peer_of(stream: &UnixStream) -> Peer {
    stream.peer_cred().map_or(Peer::Unknown, |peer| Peer::Process {
        uid: peer.uid(),
        gid: peer.gid(),
        pid: peer.pid(),
    })
}

/// The edge, ready to serve.
pub struct Edge {
    listener: UnixListener,
    router: Arc<Router>,
    limits: Limits,
    allowed_uids: Option<Vec<u32>>,
    stats: Arc<EdgeStats>,
    draining: watch::Sender<bool>,
}

impl Edge {
    /// An edge on a bound socket.
    ///
    /// # Errors
    /// The socket cannot be used with the reactor.
    pub fn new(
        listener: StdListener,
        config: &Config,
        pool: &PoolHandle,
        reload: ReloadConfig,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let stats = Arc::new(EdgeStats::default());
        let arbiter =
            ArbiterService::new(pool.clone(), config.window, config.limits.max_message_size);
        let admin =
            AdminService::new(pool.clone(), Arc::clone(&stats), reload, config.proc_name.clone());
        let (draining, drains) = watch::channel(false);
        let (reporter, health_service) = health::pair();
        tokio::spawn(health::report(reporter, pool.health(), drains.clone()));
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                // So that grpcurl shows the details of errors in clear.
                .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        };
        let others = Routes::new(AdminServer::new(admin))
            .add_service(health_service)
            .add_service(reflection().build_v1().map_err(io::Error::other)?)
            .add_service(reflection().build_v1alpha().map_err(io::Error::other)?);
        Ok(Self {
            listener: UnixListener::from_std(listener)?,
            router: Arc::new(Router::new(arbiter, others, drains)),
            limits: config.limits,
            allowed_uids: config.allowed_uids.clone(),
            stats,
            draining,
        })
    }

    /// Takes connections once `admitted` resolves, and serves until `stop` does;
    /// then takes no further connection, asks the open ones to end after their
    /// calls, and returns when they have, or only such are left that have none.
    pub async fn serve(self, admitted: impl Future<Output = ()>, stop: impl Future<Output = ()>) {
        let graceful = GracefulShutdown::new();
        tokio::pin!(stop);
        // Others may take them meanwhile: the old arbiter of an upgrade.
        tokio::select! {
            () = &mut stop => return self.close(graceful).await,
            () = admitted => {}
        }
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => self.open(stream, &graceful),
                Err(error) => {
                    tracing::warn!(
                        "cannot accept a connection: {error}; the next try is in {ACCEPT_PAUSE:?}"
                    );
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        self.close(graceful).await;
    }

    async fn close(self, connections: GracefulShutdown) {
        self.draining.send_replace(true);
        drop(self.listener);
        // A client that is stopped, or says nothing, does not see that it is asked
        // to end: if it is owed nothing, it is not waited for.
        tokio::select! {
            () = connections.shutdown() => {}
            () = quiet(&self.router) => {}
        }
    }

    fn open(&self, stream: UnixStream, graceful: &GracefulShutdown) {
        let (limits, stats) = (self.limits, Arc::clone(&self.stats));
        let peer = peer_of(&stream);
        let refusal = self.refusal(peer);
        let stream = match stream.into_std().and_then(Socket::new) {
            Ok(stream) => stream,
            Err(error) => return tracing::warn!("dropping a connection: {error}"),
        };
        if let Some(status) = refusal {
            tracing::warn!("refusing a connection: {}", status.message());
            if stats.refusals.load(Ordering::Relaxed) < MAX_REFUSALS {
                tokio::spawn(async move {
                    let _counted = Counted::new(&stats.refusals);
                    connection::refuse(stream, status, limits).await;
                });
            }
            return;
        }
        let (router, watcher) = (Arc::clone(&self.router), graceful.watcher());
        tokio::spawn(async move {
            let _counted = Counted::new(&stats.connections);
            connection::serve(stream, peer, router, limits, watcher).await;
        });
    }

    fn refusal(&self, peer: Peer) -> Option<Status> {
        if let Some(allowed) = &self.allowed_uids
            && !peer.uid().is_some_and(|uid| allowed.contains(&uid))
        {
            return Some(status::peer_refused(peer));
        }
        let full = self.stats.connections() as usize >= self.limits.max_connections;
        full.then(|| status::too_many_connections(self.limits.max_connections))
    }
}
