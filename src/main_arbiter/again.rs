//! How this program starts itself again, and what it then hands over.

use std::{
    env,
    ffi::{OsStr, OsString},
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
    path::{Path, PathBuf},
    str::FromStr,
};

use super::{instance::Instance, number};
use crate::{
    lifeline::{Lifeline, Report, Word},
    process::{self, Program, descriptors},
    working_dir::WorkingDir,
};

/// The flag of `serve` by which a main arbiter starts its dirty arbiter.
pub const SUPERVISED: &str = "--supervised-by-main";
/// The flag of `serve` by which a main arbiter starts its successor.
pub const SUCCEED: &str = "--succeed-main";
/// The running program, even if its file was replaced.
const SELF: &str = "/proc/self/exe";

/// What this program was started with.
#[derive(Debug)]
pub struct Again {
    name: OsString,
    file: PathBuf,
    args: Vec<OsString>,
    folder: WorkingDir,
}

impl Again {
    /// Remembers it, and the working directory. The file is the path that was
    /// called, not what it was resolved to: an upgrade may exchange a link.
    pub fn new(folder: &WorkingDir) -> Self {
        let mut args = env::args_os();
        let name = args.next().unwrap_or_else(|| "dirtyd".into());
        let handed = |arg: &OsString| {
            let arg = arg.to_string_lossy();
            [SUPERVISED, SUCCEED].iter().any(|flag| arg.starts_with(flag))
        };
        let file = called_as(&name, folder.path()).unwrap_or_else(|| SELF.into());
        let args = args.filter(|arg| !handed(arg)).collect();
        Self { name, file, args, folder: folder.clone() }
    }

    /// Starts a dirty arbiter of the same version. It inherits the listening
    /// socket, its end of the lifeline, and the configuration that was valid last.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_arbiter(
        &self,
        instance: &Instance,
        inherits: [OwnedFd; 3],
        admitted: bool,
        pid_file: &Path,
    ) -> io::Result<i32> {
        let [listener, lifeline, valid] = inherits.each_ref().map(fd_of);
        let pid_file = pid_file.as_os_str().to_owned();
        let handed = [listener, lifeline, valid, flag(admitted), pid_file];
        process::fork_self(Program {
            file: Path::new(SELF),
            name: &self.name,
            args: self.args_with(SUPERVISED, &handed),
            inherits: inherits.into(),
            env: self.env(instance),
            speaks_to_systemd: false,
        })
    }

    /// Starts the binary that stands where this one was called.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_successor(
        &self,
        instance: &Instance,
        listener: OwnedFd,
        report: OwnedFd,
        owns_socket_file: bool,
    ) -> io::Result<i32> {
        let handed = [fd_of(&listener), fd_of(&report), flag(owns_socket_file)];
        process::fork_self(Program {
            file: &self.file,
            name: &self.name,
            args: self.args_with(SUCCEED, &handed),
            inherits: vec![listener, report],
            env: self.env(instance),
            speaks_to_systemd: true,
        })
    }

    fn env<'a>(&'a self, instance: &'a Instance) -> [(&'a str, &'a OsStr); 2] {
        let (name, id) = instance.mark();
        [(name, OsStr::new(id)), self.folder.handed()]
    }

    fn args_with(&self, flag: &str, handed: &[OsString]) -> Vec<OsString> {
        let mut last = OsString::from(format!("{flag}="));
        last.push(handed.join(OsStr::new(",")));
        self.args.iter().cloned().chain([last]).collect()
    }
}

fn fd_of(fd: &OwnedFd) -> OsString {
    number(std::os::fd::AsRawFd::as_raw_fd(fd))
}

fn flag(is_set: bool) -> OsString {
    if is_set { "1" } else { "0" }.into()
}

/// The absolute path of a program that was called as `name`.
fn called_as(name: &OsStr, folder: &Path) -> Option<PathBuf> {
    if name.to_string_lossy().contains('/') {
        return std::path::absolute(folder.join(name)).ok();
    }
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| folder.join(dir).join(name)).find(|file| file.is_file())
}

/// What a dirty arbiter is handed by its main arbiter.
#[derive(Debug, Clone)]
pub struct Supervision {
    /// The listening socket.
    pub listener: RawFd,
    /// Its end of the lifeline.
    pub lifeline: RawFd,
    /// The configuration that was valid last.
    pub valid: RawFd,
    /// Whether it may take connections; if not, it waits for the word.
    pub admitted: bool,
    /// Its PID file.
    pub pid_file: PathBuf,
}

impl FromStr for Supervision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(5, ',');
        let listener = number_in(parts.next())?;
        let lifeline = number_in(parts.next())?;
        let valid = number_in(parts.next())?;
        let admitted = parts.next() == Some("1");
        let pid_file = parts.next().ok_or("the PID file is missing")?.into();
        Ok(Self { listener, lifeline, valid, admitted, pid_file })
    }
}

/// What a main arbiter is handed by the one that it is to succeed.
#[derive(Debug, Clone)]
pub struct Succession {
    /// The listening socket.
    pub listener: RawFd,
    report: RawFd,
    /// Whether the socket's file goes with the socket.
    pub owns_socket_file: bool,
}

impl FromStr for Succession {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(3, ',');
        let listener = number_in(parts.next())?;
        let report = number_in(parts.next())?;
        Ok(Self { listener, report, owns_socket_file: parts.next() == Some("1") })
    }
}

fn number_in(part: Option<&str>) -> Result<RawFd, String> {
    part.and_then(|part| part.parse().ok()).ok_or_else(|| "no descriptor number".to_owned())
}

/// The main arbiter that this one is to succeed: its end of the lifeline, which
/// ends with it. Who this one's parent is says nothing: the other may have been
/// gone before that was asked.
#[derive(Debug)]
pub struct Predecessor {
    lifeline: UnixStream,
    is_gone: bool,
}

impl Predecessor {
    /// What it has said since the last look, each word once.
    pub fn words(&mut self) -> Vec<Word> {
        let mut bytes = [0; 16];
        match self.lifeline.read(&mut bytes) {
            Ok(n) if n > 0 => return Word::all_in(&bytes[..n]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(_) | Err(_) => self.is_gone = true,
        }
        Vec::new()
    }

    /// Whether it was gone at the last look.
    pub fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// Reports to it. If it is gone, that is seen at the next look.
    pub fn tell(&mut self, report: Report) {
        let _ = self.lifeline.write_all(&[report.byte()]);
    }
}

impl AsFd for Predecessor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.lifeline.as_fd()
    }
}

impl Succession {
    /// The process that started this one.
    ///
    /// # Errors
    /// The descriptor that was handed over is not open.
    pub fn predecessor(&self) -> io::Result<Predecessor> {
        let lifeline = Lifeline::inherited(descriptors::inherited(self.report)?);
        lifeline.set_nonblocking(true)?;
        Ok(Predecessor { lifeline, is_gone: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_over_is_read_back() {
        let again = Again {
            name: "dirtyd".into(),
            file: SELF.into(),
            args: vec!["serve".into()],
            folder: WorkingDir::found(),
        };
        let args =
            again.args_with(SUPERVISED, &["3", "4", "5", "1", "/run/a,b.pid"].map(OsString::from));
        assert_eq!(args[0], "serve");
        let text = args[1].to_string_lossy();
        let supervision: Supervision =
            text.trim_start_matches(SUPERVISED)[1..].parse().expect("readable");
        assert_eq!((supervision.listener, supervision.lifeline, supervision.valid), (3, 4, 5));
        assert!(supervision.admitted);
        assert_eq!(supervision.pid_file, Path::new("/run/a,b.pid"));
        assert!("x,4,1,p".parse::<Supervision>().is_err());
        assert!("3".parse::<Succession>().is_err());
    }
}
