//! `dirtyd serve`: from flags, environment and file to a running arbiter.

use std::{
    os::unix::net::UnixListener,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use super::{config_flags::ConfigFlags, valid::Valid};
use crate::{
    config::Config,
    dirty_arbiter::{DirtyArbiter, Upstream},
    hooks::{CommandHooks, Hooks},
    lifeline::Lifeline,
    listening_socket::ListeningSocket,
    logging::{self, Log},
    main_arbiter::{self, Names, Succession, Supervision},
    observe::Outlets,
    process::{descriptors, memo::Memo, pidfile::PidFile, private_dir},
    server::ReloadConfig,
    working_dir::WorkingDir,
};

/// `dirtyd serve`.
#[derive(Debug, clap::Args)]
pub struct Serve {
    #[command(flatten)]
    flags: ConfigFlags,
    /// Run the dirty arbiter alone, without a main arbiter that restarts and upgrades it
    #[arg(long)]
    single: bool,
    /// What a main arbiter hands to its dirty arbiter.
    #[arg(long = "supervised-by-main", hide = true)]
    supervision: Option<Supervision>,
    /// What a main arbiter hands to its successor.
    #[arg(long = "succeed-main", hide = true)]
    succession: Option<Succession>,
}

impl Serve {
    /// Runs until it was told to end, and has.
    ///
    /// # Errors
    /// The configuration, the socket or the private directory cannot be used.
    pub fn run(mut self) -> anyhow::Result<ExitCode> {
        if self.supervision.is_some() || self.succession.is_some() {
            let folder = WorkingDir::inherited();
            folder.enter();
            self.flags = self.flags.found_from(folder);
        }
        if let Some(supervision) = &self.supervision {
            return self.serve_supervised(supervision);
        }
        if self.single {
            return self.serve_alone();
        }
        let memo = Memo::new()?;
        let config = Valid::new(&self.flags, memo.share().map(Memo::from)?).load()?;
        private_dir::make(&config.runtime_dir)?;
        main_arbiter::run(&config, memo, self.flags.folder(), self.succession).map(ExitCode::from)
    }

    /// The process below a main arbiter.
    fn serve_supervised(&self, supervision: &Supervision) -> anyhow::Result<ExitCode> {
        let valid = Valid::new(&self.flags, Memo::inherited(supervision.valid)?);
        let (config, bad) = valid.load_or_last()?;
        private_dir::make(&config.runtime_dir)?;
        let log = Log::start(&config.log)?;
        if let Some(error) = bad {
            tracing::error!(
                "this dirty arbiter starts with the last valid configuration; fix the file, then run `dirtyd reload`: {error}"
            );
        }
        // It was started by another name of the same file.
        let _ = nix::sys::prctl::set_name(c"dirtyd");
        let listener = descriptors::listener(supervision.listener)?;
        let lifeline = descriptors::inherited(supervision.lifeline)?;
        let file = PidFile::take(&supervision.pid_file)?;
        file.publish()?;
        let lifeline = Lifeline::inherited(lifeline);
        let upstream = Upstream::Main { lifeline, admitted: supervision.admitted };
        let mut arbiter = self.arbiter(config, listener, log, upstream);
        arbiter.reload = ReloadConfig::new(move || valid.load());
        arbiter.run()?;
        Ok(ExitCode::SUCCESS)
    }

    fn serve_alone(&self) -> anyhow::Result<ExitCode> {
        let config = self.flags.load()?;
        private_dir::make(&config.runtime_dir)?;
        let log = Log::start(&config.log)?;
        Outlets::check(&config)?;
        logging::sources(&config);
        let names = Names::new(&config.runtime_dir, &config.proc_name);
        let _file = names.claim()?;
        let instance = Arc::new(names.clear(config.graceful_timeout)?);
        let mut socket =
            ListeningSocket::bind_or_inherit(&config).inspect_err(|_| instance.retire())?;
        let listener = socket.give()?;
        // No main arbiter gives it to the workers with its own environment.
        let mark = {
            let instance = Arc::clone(&instance);
            move |config: Config| {
                let (name, value) = instance.mark();
                config.with_env(name, value)
            }
        };
        // The log is needed after the arbiter: its end tells whom it ends.
        let mut arbiter = self.arbiter(mark(config), listener, log.clone(), Upstream::Nobody);
        let socket = Arc::new(Mutex::new(socket));
        arbiter.file = Some(Arc::clone(&socket));
        arbiter.reload = arbiter.reload.map(mark);
        let ended = arbiter.run();
        socket.lock().unwrap_or_else(PoisonError::into_inner).close(false);
        instance.retire();
        ended?;
        Ok(ExitCode::SUCCESS)
    }

    fn arbiter(
        &self,
        config: Config,
        listener: UnixListener,
        log: Log,
        upstream: Upstream,
    ) -> DirtyArbiter {
        let flags = self.flags.clone();
        let hooks = CommandHooks::of(&config.hooks).map(|hooks| Box::new(hooks) as Box<dyn Hooks>);
        DirtyArbiter {
            listener,
            file: None,
            reload: ReloadConfig::new(move || flags.load()),
            log: Some(log),
            hooks,
            upstream,
            stop: None,
            owns_process: true,
            config,
        }
    }
}
