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

/// The edge alone: what judges from outside speak to.
pub mod edge {
    use std::{future::pending, io, os::unix::net::UnixListener};

    use crate::{
        config::{Config, Raw},
        pool,
        server::{Edge, Further, ReloadConfig, UnixSocket},
    };

    /// Serves a `further` service beside those of dirtyd, without any worker, for as long
    /// as it is polled; messages have at most `max_message_size` bytes.
    ///
    /// # Errors
    /// The socket cannot be used with the reactor, or the descriptors of the service are
    /// broken.
    pub async fn serve(
        listener: UnixListener,
        max_message_size: usize,
        further: Further,
    ) -> io::Result<()> {
        let app = "nobody:Nobody".parse().map_err(io::Error::other)?;
        let mut config = Config::from_raw(Raw::of_apps(vec![app])).map_err(io::Error::other)?;
        config.pools[0].workers = 0;
        config.limits.max_message_size = max_message_size;
        let (pool, _) = pool::start(&config);
        let unchanged = config.clone();
        let reload = ReloadConfig::new(move || Ok(unchanged.clone()));
        let listener = UnixSocket::new(listener)?;
        let edge = Edge::on(listener, &config, &pool, reload, Some(further))?;
        edge.serve(async {}, pending(), tokio::sync::mpsc::channel(1).1).await;
        Ok(())
    }
}

/// The simulations of the pure machines, by the seed of a story.
pub mod simulation {
    pub use crate::{
        main_arbiter::simulation::story as main_arbiter, pool::machine::simulation::story as pool,
        worker::machine::simulation::story as worker,
    };
}
