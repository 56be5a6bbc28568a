//! The flags that are configuration: `--config`, `--app`, and one for each key
//! that the configuration declares to have one.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::{
    config::{AppFlag, Config, ConfigError, Flag, NO_APP, Raw, flags},
    patience::CONFIG_READ,
    process::in_time,
    working_dir::WorkingDir,
};

/// What a configuration file is usually called.
const FILE: &str = "dirtyd.toml";

/// What the command line says about the configuration.
#[derive(Debug, Clone)]
pub struct ConfigFlags {
    config: Option<PathBuf>,
    /// The keys of the other flags.
    keys: Raw,
    /// Where relative paths start.
    folder: WorkingDir,
    /// Whether the file beats the environment, and not the other way round.
    file_is_meant: bool,
}

impl ConfigFlags {
    /// Only a file, and perhaps the socket: who names the file of a running daemon means
    /// that, whichever `$DIRTYD_SOCKET` is set for others.
    pub fn of_file(config: &Path, socket: Option<&Path>) -> Self {
        let keys = Raw::of_socket(socket.map(Path::to_owned));
        let config = Some(config.to_owned());
        Self { config, keys, folder: WorkingDir::found(), file_is_meant: true }
    }

    /// The same, for a process that has inherited where relative paths start.
    #[must_use]
    pub fn found_from(self, folder: WorkingDir) -> Self {
        Self { folder, ..self }
    }

    /// Where relative paths start.
    pub fn folder(&self) -> &WorkingDir {
        &self.folder
    }

    /// The configuration: flags over environment over file over defaults.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn load(&self) -> Result<Config, ConfigError> {
        self.read().map(|(config, _)| config)
    }

    /// The configuration, and the text of its file. A file system that hangs is not
    /// waited for.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn read(&self) -> Result<(Config, String), ConfigError> {
        let flags = self.clone();
        let read = move || {
            let file = flags.file()?;
            let text = file.text().unwrap_or_default().to_owned();
            Ok((flags.complete(file).map_err(|error| flags.hinted(error))?, text))
        };
        in_time(CONFIG_READ, read).unwrap_or_else(|why| {
            let path = self.path().unwrap_or(self.folder.path()).to_owned();
            Err(ConfigError::Unreadable { path, why })
        })
    }

    /// The error, with the file that may have been forgotten.
    fn hinted(&self, error: ConfigError) -> ConfigError {
        let forgotten = || self.config.is_none() && self.folder.path().join(FILE).is_file();
        match error {
            ConfigError::Invalid { place, message } if message == NO_APP && forgotten() => {
                let message = format!("{NO_APP}; there is a {FILE} here: add --config {FILE}");
                ConfigError::Invalid { place, message }
            }
            error => error,
        }
    }

    /// The path of the file, if one is named.
    pub fn path(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// What the file says.
    fn file(&self) -> Result<Raw, ConfigError> {
        let read = |path| Raw::from_file_in(self.folder.path(), path);
        self.path().map_or_else(|| Ok(Raw::default()), read)
    }

    /// The configuration with this file.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn complete(&self, file: Raw) -> Result<Config, ConfigError> {
        let (environment, flags) = (Raw::from_process_env()?, self.keys.clone());
        let raw = match self.file_is_meant {
            true => environment.overlaid_with(file),
            false => file.overlaid_with(environment),
        };
        Config::from_raw(raw.overlaid_with(flags).found_from(self.folder.path()))
    }
}

impl clap::Args for ConfigFlags {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .env("DIRTYD_CONFIG")
            .value_parser(value_parser!(PathBuf))
            .help("The configuration file");
        let app = Arg::new("app")
            .long("app")
            .alias("dirty-app")
            .value_name("PATH[:N]")
            .action(ArgAction::Append)
            .value_parser(value_parser!(AppFlag))
            .help("An app to serve, such as `myapp.ml:MLApp`, in N workers only with `:N`; repeatable");
        command.arg(config).arg(app).args(flags().into_iter().map(argument))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// The argument of a key.
fn argument(flag: Flag) -> Arg {
    let Flag { key, alias, value, help, is_common, check } = flag;
    let parse = move |text: &str| check(key, text).map(|()| text.to_owned());
    Arg::new(key)
        .long(key.replace('_', "-"))
        .aliases(alias.map(|name| name.replace('_', "-")))
        .value_name(value)
        .hide_short_help(!is_common)
        .value_parser(parse)
        .help(help)
}

impl clap::FromArgMatches for ConfigFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let folder = WorkingDir::found();
        let mut read = Self { config: None, keys: Raw::default(), folder, file_is_meant: false };
        read.update_from_arg_matches(matches)?;
        Ok(read)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        let text = |flag: Flag| {
            let text = matches.get_one::<String>(flag.key)?;
            Some((flag.key.to_owned(), text.clone()))
        };
        let keys = Raw::from_flags(flags().into_iter().filter_map(text))
            .map_err(|error| clap::Error::raw(clap::error::ErrorKind::ValueValidation, error))?;
        let apps = matches.get_many("app").into_iter().flatten().cloned().collect();
        self.config = matches.get_one("config").cloned();
        self.keys = keys.overlaid_with(Raw::of_apps(apps));
        Ok(())
    }
}
