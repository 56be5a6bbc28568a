//! The parts that `benches/micro` measures alone, that `tests/fuzz` feeds with
//! bytes, and the simulations. They are here only with the feature `internals`,
//! which only benchmarks, tests and `make sim` turn on. They are not part of the
//! crate's public face and may change at any time.

pub use crate::{
    call::{CallId, Principal, Quota},
    cli::json::{parse as parse_json, render as render_json},
    pool::machine::{
        ids::{AppId, WorkerId},
        scheduler::{Scheduler, Taken, Verdict, Wait},
    },
    server::{
        authority::AuthorityRepair,
        envelope::Envelope,
        grpc::{UnaryBody, read as read_message},
    },
};

/// The edge alone, without any worker: what judges and fuzzers speak to.
pub mod edge {
    use std::{future::pending, io, os::unix::net::UnixListener};

    use tokio::{
        io::DuplexStream,
        sync::{Mutex, mpsc},
    };

    use crate::{
        call::Peer,
        config::{Config, Raw},
        observe::Outlets,
        pool,
        server::{Arrival, Edge, Further, Listener, ReloadConfig, UnixSocket},
    };

    /// Serves a `further` service beside those of dirtyd, for as long as it is polled;
    /// messages have at most `max_message_size` bytes.
    ///
    /// # Errors
    /// The socket cannot be used with the reactor, or the descriptors of the service are
    /// broken.
    pub async fn serve(
        listener: UnixListener,
        max_message_size: usize,
        further: Further,
    ) -> io::Result<()> {
        let limit = |config: &mut Config| config.limits.max_message_size = max_message_size;
        serve_on(UnixSocket::new(listener)?, Some(further), limit).await
    }

    /// Serves connections in memory, of a user without rights, for as long as it is polled.
    ///
    /// # Errors
    /// None that depends on a connection.
    pub async fn serve_in_memory(connections: mpsc::Receiver<DuplexStream>) -> io::Result<()> {
        serve_on(InMemory(Mutex::new(connections)), None, |_| {}).await
    }

    async fn serve_on(
        listener: impl Listener,
        further: Option<Further>,
        change: impl FnOnce(&mut Config),
    ) -> io::Result<()> {
        let app = "nobody:Nobody".parse().map_err(io::Error::other)?;
        let mut config = Config::from_raw(Raw::of_apps(vec![app])).map_err(io::Error::other)?;
        config.pools[0].workers = 0;
        change(&mut config);
        let (pool, _) = pool::start(&config);
        let unchanged = config.clone();
        let reload = ReloadConfig::new(move || Ok(unchanged.clone()));
        let edge = Edge::on(listener, &config, &pool, reload, Outlets::default(), further)?;
        edge.serve(async {}, pending(), mpsc::channel(1).1).await;
        Ok(())
    }

    struct InMemory(Mutex<mpsc::Receiver<DuplexStream>>);

    struct Connected(DuplexStream);

    impl Listener for InMemory {
        type Arrival = Connected;

        async fn accept(&self) -> io::Result<Connected> {
            match self.0.lock().await.recv().await {
                Some(stream) => Ok(Connected(stream)),
                None => pending().await,
            }
        }
    }

    impl Arrival for Connected {
        type Stream = DuplexStream;

        async fn identify(self) -> io::Result<(DuplexStream, Peer)> {
            Ok((self.0, Peer::Unknown))
        }
    }
}

/// The simulations of the pure machines, by the seed of a story.
pub mod simulation {
    pub use crate::{
        main_arbiter::simulation::story as main_arbiter, pool::machine::simulation::story as pool,
        worker::machine::simulation::story as worker,
    };
}
