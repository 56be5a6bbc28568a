//! The tables of the configuration file, each made of groups of keys. Every key
//! is optional; nothing is checked here beyond each key itself.

use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::{
    AppFlag, ConfigError, file,
    groups::{
        access::Access,
        app::{BareApps, Named, Own},
        edge::Edge,
        hooks::{Commands, WorkerInit},
        instance::Instance,
        log::Log,
        observe::Observed,
        queue::Calls,
        recycling::Recycling,
        restarts::Restarts,
        streams::Streams,
        worker::{Process, Worker},
    },
    origin::Origin,
    place::Place,
    read::read,
    slot::Slot,
    table::{Overlay, Placed, Table, Visit},
};

/// All keys that may be written. One type serves file, environment and flags,
/// so that a later source simply overlays an earlier one.
#[derive(Debug, Default, Clone)]
pub struct Raw {
    pub(super) instance: Instance,
    pub(super) log: Log,
    pub(super) edge: Edge,
    pub(super) streams: Streams,
    /// The default pool, and defaults for the others.
    pub(super) top: PoolKeys,
    pub(super) bare: BareApps,
    pub(super) app: Option<Vec<Placed<RawApp>>>,
    pub(super) access: Option<Vec<Placed<Access>>>,
    pub(super) hooks: Option<RawHooks>,
    pub(super) observe: Option<Observed>,
    pub(super) pool: Option<Vec<Placed<RawPool>>>,
    /// The file that all this came from, for messages.
    pub(super) origin: Origin,
    /// Where relative paths start, that of the file among them; `None` for the
    /// working directory.
    pub(super) folder: Option<PathBuf>,
    /// What is harmless, and hardly meant.
    pub(super) warnings: Vec<String>,
}

/// The keys that the top level and `[[pool]]` share.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct PoolKeys {
    pub(super) worker: Worker,
    pub(super) process: Process,
    pub(super) calls: Calls,
    pub(super) recycling: Recycling,
    pub(super) restarts: Restarts,
}

/// `[[pool]]`.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct RawPool {
    pub(super) named: Named,
    pub(super) keys: PoolKeys,
    pub(super) init: WorkerInit,
    pub(super) app: Option<Vec<Placed<RawApp>>>,
}

/// `[[app]]` and `[[pool.app]]`.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct RawApp {
    pub(super) own: Own,
    pub(super) calls: Calls,
    pub(super) recycling: Recycling,
}

/// `[hooks]`.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct RawHooks {
    pub(super) commands: Commands,
    pub(super) init: WorkerInit,
}

impl Table for Raw {
    fn visit<V: Visit>(&mut self, visit: &mut V) {
        self.instance.visit(visit);
        self.log.visit(visit);
        self.edge.visit(visit);
        self.streams.visit(visit);
        self.top.visit(visit);
        self.bare.visit(visit);
        visit.tables("access", &mut self.access);
        visit.tables("app", &mut self.app);
        visit.table("hooks", &mut self.hooks);
        visit.table("observe", &mut self.observe);
        visit.tables("pool", &mut self.pool);
    }
}

impl Table for PoolKeys {
    fn visit<V: Visit>(&mut self, visit: &mut V) {
        self.worker.visit(visit);
        self.process.visit(visit);
        self.calls.visit(visit);
        self.recycling.visit(visit);
        self.restarts.visit(visit);
    }
}

impl Table for RawPool {
    fn visit<V: Visit>(&mut self, visit: &mut V) {
        self.named.visit(visit);
        self.keys.visit(visit);
        self.init.visit(visit);
        visit.tables("app", &mut self.app);
    }
}

impl Table for RawApp {
    fn visit<V: Visit>(&mut self, visit: &mut V) {
        self.own.visit(visit);
        self.calls.visit(visit);
        self.recycling.visit(visit);
    }
}

impl Table for RawHooks {
    fn visit<V: Visit>(&mut self, visit: &mut V) {
        self.commands.visit(visit);
        self.init.visit(visit);
    }
}

impl Overlay for PoolKeys {
    fn overlaid_with(&self, over: &Self) -> Self {
        Self {
            worker: self.worker.overlaid_with(&over.worker),
            process: self.process.overlaid_with(&over.process),
            calls: self.calls.overlaid_with(&over.calls),
            recycling: self.recycling.overlaid_with(&over.recycling),
            restarts: self.restarts.overlaid_with(&over.restarts),
        }
    }
}

impl RawApp {
    /// An app of which only the path is written, at `place`.
    pub(super) fn of(path: AppFlag, place: &Place) -> Placed<Self> {
        let own = Own { path: Slot::at(place.clone(), path), ..Own::default() };
        Placed { place: place.clone(), table: Self { own, ..Self::default() } }
    }
}

impl Raw {
    /// Reads a TOML file.
    ///
    /// # Errors
    /// The file is unreadable, not TOML, or has unknown keys or wrong values.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        Self::from_file_in(Path::new(""), path)
    }

    /// Reads a TOML file whose path starts at `folder`; messages name it by `path`. Where
    /// the relative paths in it start, [`found_from`](Self::found_from) says.
    ///
    /// # Errors
    /// As [`from_file`](Self::from_file).
    pub fn from_file_in(folder: &Path, path: &Path) -> Result<Self, ConfigError> {
        let text = file::read(&folder.join(path))
            .map_err(|why| ConfigError::Unreadable { path: path.to_owned(), why })?;
        Self::from_text(path, text)
    }

    /// Reads the text of the TOML file at `path`.
    ///
    /// # Errors
    /// It is not TOML, or has unknown keys or wrong values.
    pub fn from_text(path: &Path, text: String) -> Result<Self, ConfigError> {
        let mut raw = Self::default();
        let origin = Origin::file(path, text);
        let text = origin.text().unwrap_or_default();
        let table = DeTable::parse(text).map_err(|error| ConfigError::Malformed {
            path: path.to_owned(),
            message: error.to_string().trim_end().to_owned(),
        })?;
        read(&mut raw, table.get_ref(), "", &origin)?;
        raw.origin = origin;
        Ok(raw)
    }

    /// The apps of the default pool, as `--app` names them.
    #[must_use]
    pub fn of_apps(apps: Vec<AppFlag>) -> Self {
        let written = Some(apps).filter(|apps| !apps.is_empty());
        let dirty_apps = written.map(|apps| Slot::at(Place::Flag("--app".to_owned()), apps));
        let dirty_apps = dirty_apps.unwrap_or_default();
        Self { bare: BareApps { dirty_apps }, ..Self::default() }
    }

    /// No more than the path of the socket, as `--socket` gives it.
    #[must_use]
    pub fn of_socket(socket: Option<PathBuf>) -> Self {
        let place = Place::Flag("--socket".to_owned());
        let socket = socket.map(|socket| Slot::at(place, socket)).unwrap_or_default();
        Self { instance: Instance { socket, ..Instance::default() }, ..Self::default() }
    }

    /// The same, where relative paths start at `folder` and not at the working
    /// directory of this process.
    #[must_use]
    pub fn found_from(self, folder: &Path) -> Self {
        Self { folder: Some(folder.to_owned()), ..self }
    }

    /// The text of the file that this came from.
    pub fn text(&self) -> Option<&str> {
        self.origin.text()
    }

    /// These values, with every value that `over` has put over them.
    #[must_use]
    pub fn overlaid_with(self, over: Self) -> Self {
        // A later list of apps replaces an earlier one, in whichever form.
        let (bare, app) = match over.bare.dirty_apps.is_some() || over.app.is_some() {
            true => (over.bare, over.app),
            false => (self.bare, self.app),
        };
        Self {
            instance: self.instance.overlaid_with(&over.instance),
            log: self.log.overlaid_with(&over.log),
            edge: self.edge.overlaid_with(&over.edge),
            streams: self.streams.overlaid_with(&over.streams),
            top: self.top.overlaid_with(&over.top),
            bare,
            app,
            access: over.access.or(self.access),
            hooks: over.hooks.or(self.hooks),
            observe: over.observe.or(self.observe),
            pool: over.pool.or(self.pool),
            folder: over.folder.or(self.folder),
            warnings: [self.warnings, over.warnings].concat(),
            origin: if self.origin.path().is_some() { self.origin } else { over.origin },
        }
    }
}
