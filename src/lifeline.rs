//! The socket between the main arbiter and a child of it: its dirty arbiter, or
//! in an upgrade the new main arbiter. Each learns from the socket's end that the
//! other is gone; what they say is a byte each.
//!
//! Both sides use it, it knows neither.

use std::{
    io::{self, IoSlice, IoSliceMut, Read as _, Write as _},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
        unix::net::{UnixListener, UnixStream},
    },
};

use nix::sys::socket::{
    CmsgIterator, ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg,
};

use crate::process::descriptors;

/// What the lower one reports to the upper one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// The first workers have booted, and every app is served.
    Ready,
    /// The first workers have booted or failed, and some app is not served.
    Degraded,
    /// A reload has ended, well or not.
    Reloaded,
    /// A worker ended: what it forked may be left.
    WorkerDied,
    /// It is alive; the answer to a ping.
    Alive,
    /// A call was ended because it went on for too long in a drain.
    CutOff,
    /// It was told to end.
    Stopping,
}

impl Report {
    const ALL: [(Self, u8); 7] = [
        (Self::Ready, b'R'),
        (Self::Degraded, b'D'),
        (Self::Reloaded, b'L'),
        (Self::WorkerDied, b'W'),
        (Self::Alive, b'A'),
        (Self::CutOff, b'C'),
        (Self::Stopping, b'T'),
    ];

    /// Its byte.
    pub fn byte(self) -> u8 {
        Self::ALL.iter().find(|(report, _)| *report == self).map_or(0, |(_, byte)| *byte)
    }

    /// The report of a byte; a byte of a later version is none.
    pub fn of(byte: u8) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == byte).map(|(report, _)| *report)
    }
}

/// What the upper one says to the lower one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Give a sign of life.
    Ping,
    /// Take connections.
    Admit,
    /// Accept from the socket that comes with it, in place of the one before.
    Listen,
    /// To a dirty arbiter: another one serves, so finish, without killing a call, and
    /// end. To a new main arbiter: the old one does so.
    GiveWay,
}

impl Word {
    const fn byte(self) -> u8 {
        match self {
            Self::Ping => b'P',
            Self::Admit => b'S',
            Self::Listen => b'L',
            Self::GiveWay => b'G',
        }
    }

    /// Those among the bytes that came, each once.
    pub fn all_in(bytes: &[u8]) -> Vec<Self> {
        let all = [Self::Ping, Self::Admit, Self::Listen, Self::GiveWay];
        all.into_iter().filter(|word| bytes.contains(&word.byte())).collect()
    }
}

/// The main arbiter's end.
#[derive(Debug)]
pub struct Lifeline(UnixStream);

impl Lifeline {
    /// Both ends: this one, and the one to be inherited.
    ///
    /// # Errors
    /// The kernel has no descriptor left.
    pub fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        Ok((Self(ours), theirs.into()))
    }

    /// Takes over the end that was inherited.
    pub fn inherited(fd: OwnedFd) -> UnixStream {
        UnixStream::from(fd)
    }

    /// Sends a word. A full socket means that hundreds of pings are unanswered; one
    /// more would not help, and no child that is to be admitted was ever pinged
    /// so often.
    pub fn say(&self, word: Word) {
        let _ = (&self.0).write(&[word.byte()]);
    }

    /// Hands over a listening socket, as [`Word::Listen`].
    ///
    /// # Errors
    /// The socket is full, or its other end is gone.
    pub fn hand(&self, listener: &OwnedFd) -> io::Result<()> {
        let word = [Word::Listen.byte()];
        let descriptors = [listener.as_raw_fd()];
        let with = [ControlMessage::ScmRights(&descriptors)];
        let word = [IoSlice::new(&word)];
        sendmsg::<()>(self.0.as_raw_fd(), &word, &with, MsgFlags::MSG_NOSIGNAL, None)?;
        Ok(())
    }

    /// The reports that have come; `None` once the other end is gone.
    pub fn reports(&self) -> Option<Vec<Report>> {
        let mut bytes = [0; 256];
        match (&self.0).read(&mut bytes) {
            Ok(0) => None,
            Ok(n) => Some(bytes[..n].iter().filter_map(|byte| Report::of(*byte)).collect()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Some(Vec::new()),
            Err(_) => None,
        }
    }
}

/// Reads what the main arbiter has said, and the sockets that it has handed over.
///
/// # Errors
/// Nothing has come yet, or nothing can come any more.
pub fn heard(lifeline: &impl AsRawFd) -> io::Result<Heard> {
    let (mut bytes, mut space) = ([0; 64], nix::cmsg_space!([RawFd; 4]));
    let mut into = [IoSliceMut::new(&mut bytes)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<()>(lifeline.as_raw_fd(), &mut into, Some(&mut space), flags)?;
    let handed = message.cmsgs().map_err(io::Error::from).and_then(sockets);
    let n = message.bytes;
    Ok(Heard { words: Word::all_in(&bytes[..n]), handed, is_end: n == 0 })
}

fn sockets(with: CmsgIterator<'_>) -> io::Result<Vec<UnixListener>> {
    let mut sockets = Vec::new();
    for with in with {
        if let ControlMessageOwned::ScmRights(descriptors) = with {
            for fd in descriptors {
                sockets.push(descriptors::listener(fd)?);
            }
        }
    }
    Ok(sockets)
}

/// What a main arbiter has said.
#[derive(Debug)]
pub struct Heard {
    /// Each word once.
    pub words: Vec<Word>,
    /// The sockets that came with [`Word::Listen`], or why they cannot be used.
    pub handed: io::Result<Vec<UnixListener>>,
    /// It is gone.
    pub is_end: bool,
}

impl AsFd for Lifeline {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_arrive_in_order_and_the_end_is_seen() {
        let (main, dirty) = Lifeline::pair().expect("a pair");
        assert_eq!(main.reports(), Some(vec![]));
        let mut dirty = Lifeline::inherited(dirty);
        let bytes: Vec<u8> = Report::ALL.iter().map(|(report, _)| report.byte()).collect();
        dirty.write_all(&bytes).expect("room");
        let reports = Report::ALL.map(|(report, _)| report).to_vec();
        assert_eq!(main.reports(), Some(reports));
        dirty.write_all(b"?").expect("room");
        assert_eq!(main.reports(), Some(vec![]), "a later version's report is skipped");
        main.say(Word::Ping);
        main.say(Word::GiveWay);
        let mut said = [0; 2];
        dirty.read_exact(&mut said).expect("two words");
        assert_eq!(Word::all_in(&said), [Word::Ping, Word::GiveWay]);
        assert_eq!(Word::all_in(&said[..1]), [Word::Ping]);
        drop(dirty);
        assert_eq!(main.reports(), None);
    }

    #[test]
    fn a_socket_is_handed_over_between_words() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("s");
        let listener = OwnedFd::from(UnixListener::bind(&path).expect("bound"));
        let (main, dirty) = Lifeline::pair().expect("a pair");
        main.say(Word::Ping);
        main.hand(&listener).expect("room");
        drop(listener);
        let (mut words, mut handed) = (Vec::new(), Vec::new());
        while let Ok(heard) = heard(&dirty) {
            words.extend(heard.words);
            handed.extend(heard.handed.expect("sockets that listen"));
        }
        assert_eq!(words, [Word::Ping, Word::Listen]);
        let _caller = UnixStream::connect(&path).expect("it listens");
        handed[0].accept().expect("it is this one");
        drop(main);
        assert!(super::heard(&dirty).expect("the end").is_end);
    }

    #[test]
    fn a_word_is_heard_though_what_comes_with_it_is_of_no_use() {
        let (main, dirty) = Lifeline::pair().expect("a pair");
        let (deaf, _other) = UnixStream::pair().expect("a pair");
        main.hand(&OwnedFd::from(deaf)).expect("room");
        let heard = heard(&dirty).expect("a word");
        assert_eq!(heard.words, [Word::Listen]);
        assert!(!heard.is_end);
        let error = heard.handed.expect_err("it does not listen");
        assert!(error.to_string().contains("is not listening"), "{error}");
    }
}
