//! What the dirty arbiter reports: to the main arbiter over the lifeline, or, if
//! it runs alone, to systemd.

use std::{
    io,
    os::unix::net::{UnixListener, UnixStream as StdStream},
};

use tokio::{
    io::{AsyncWriteExt as _, Interest},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{broadcast, mpsc, oneshot, watch},
    task::JoinHandle,
};

use crate::{
    lifeline::{self, Heard, Report, Word},
    pool::{Entry, EntryKind, Health, PoolHandle, WorkerState},
};

/// Whom the dirty arbiter reports to.
#[derive(Debug)]
pub enum Upstream {
    /// A main arbiter.
    Main {
        /// The lifeline.
        lifeline: StdStream,
        /// Whether it may take connections at once, without the main arbiter's word.
        admitted: bool,
    },
    /// Nobody.
    Nobody,
}

/// The way to report, and to hear from the main arbiter.
pub struct Link {
    /// Reports that do not come from the pool. There are few; the sender waits.
    pub reports: mpsc::Sender<Report>,
    /// Resolves when the main arbiter is gone. Without one it never does.
    pub lost: oneshot::Receiver<()>,
    /// Resolves when connections may be taken.
    pub admitted: oneshot::Receiver<()>,
    /// Resolves when the main arbiter gives way to another one that serves.
    pub gives_way: oneshot::Receiver<()>,
    /// Sockets to accept from, each in place of the one before.
    pub listeners: mpsc::Receiver<UnixListener>,
    /// Ends when everything is reported, once the pool has ended.
    pub task: JoinHandle<()>,
}

/// Starts the task that reports.
///
/// # Errors
/// The reactor cannot watch the lifeline.
pub fn start(upstream: Upstream, pool: &PoolHandle) -> io::Result<Link> {
    let (reports, receiver) = mpsc::channel(16);
    let (gone, lost) = oneshot::channel();
    let (admit, may_admit) = oneshot::channel();
    let (leave, gives_way) = oneshot::channel();
    let (handed, listeners) = mpsc::channel(1);
    let (read, sink, admitted) = match upstream {
        Upstream::Main { lifeline, admitted } => {
            lifeline.set_nonblocking(true)?;
            let (read, write) = UnixStream::from_std(lifeline)?.into_split();
            (Some(read), Sink::Main(write), admitted)
        }
        Upstream::Nobody => (None, Sink::Systemd { told: false }, true),
    };
    let mut admit = Some(admit);
    if admitted {
        admit.take().map(|admit| admit.send(()));
    }
    let task = Task {
        sink,
        gone,
        admit,
        leave: Some(leave),
        handed,
        reports: receiver,
        events: pool.events(),
        health: pool.health(),
        pool: pool.clone(),
        booted: false,
    };
    let task = tokio::spawn(task.run(read));
    Ok(Link { reports, lost, admitted: may_admit, gives_way, listeners, task })
}

struct Task {
    sink: Sink,
    /// Dropped unsent without a main arbiter, when the pool has ended.
    gone: oneshot::Sender<()>,
    admit: Option<oneshot::Sender<()>>,
    leave: Option<oneshot::Sender<()>>,
    handed: mpsc::Sender<UnixListener>,
    reports: mpsc::Receiver<Report>,
    events: broadcast::Receiver<Entry>,
    health: watch::Receiver<Health>,
    pool: PoolHandle,
    /// The first workers have booted, or failed to.
    booted: bool,
}

impl Task {
    async fn run(mut self, read: Option<OwnedReadHalf>) {
        self.tell_health_once_booted().await;
        loop {
            tokio::select! {
                heard = heard(read.as_ref()) => {
                    let ended = match heard {
                        Ok(heard) => self.hear(heard).await,
                        Err(error) => {
                            tracing::warn!("the main arbiter can no longer be heard: {error}");
                            true
                        }
                    };
                    if ended {
                        let _ = self.gone.send(());
                        return;
                    }
                }
                Some(report) = self.reports.recv() => self.sink.tell(report).await,
                event = self.events.recv() => match event.map(|event| event.kind) {
                    // Events that were missed may have been deaths.
                    Ok(EntryKind::WorkerDied) | Err(broadcast::error::RecvError::Lagged(_)) => {
                        self.sink.tell(Report::WorkerDied).await;
                        self.tell_health_once_booted().await;
                    }
                    Ok(EntryKind::WorkerReady) => self.tell_health_once_booted().await,
                    Ok(EntryKind::CallCutOff) => self.sink.tell(Report::CutOff).await,
                    Ok(_) => {}
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                changed = self.health.changed() => match changed {
                    Ok(()) => self.tell_health().await,
                    Err(_) => return self.tell_the_rest().await,
                },
            }
        }
    }

    /// Does what was said; true if that was the end.
    async fn hear(&mut self, heard: Heard) -> bool {
        for word in heard.words {
            self.obey(word).await;
        }
        match heard.handed {
            Ok(listeners) => {
                for listener in listeners {
                    let _ = self.handed.send(listener).await;
                }
            }
            Err(error) => tracing::warn!("cannot use the main arbiter's new socket: {error}"),
        }
        heard.is_end
    }

    async fn obey(&mut self, word: Word) {
        match word {
            Word::Ping => self.sink.tell(Report::Alive).await,
            Word::Admit => drop(self.admit.take().map(|admit| admit.send(()))),
            Word::Listen => {} // what comes with it says it
            Word::GiveWay => drop(self.leave.take().map(|leave| leave.send(()))),
        }
    }

    /// The pool has ended: what it said last.
    async fn tell_the_rest(mut self) {
        while let Ok(event) = self.events.try_recv() {
            if event.kind == EntryKind::CallCutOff {
                self.sink.tell(Report::CutOff).await;
            }
        }
    }

    async fn tell_health_once_booted(&mut self) {
        if self.booted {
            return;
        }
        let Some(snapshot) = self.pool.status().await else { return };
        self.booted = !snapshot.workers.iter().any(|w| w.state == WorkerState::Booting);
        self.tell_health().await;
    }

    async fn tell_health(&mut self) {
        if self.booted {
            let all = self.health.borrow_and_update().iter().all(|(_, served)| *served);
            self.sink.tell(if all { Report::Ready } else { Report::Degraded }).await;
        }
    }
}

/// Reads what the main arbiter says. Without one this waits for ever.
async fn heard(read: Option<&OwnedReadHalf>) -> io::Result<Heard> {
    let Some(read) = read else { return std::future::pending().await };
    let stream: &UnixStream = read.as_ref();
    stream.async_io(Interest::READABLE, || lifeline::heard(stream)).await
}

enum Sink {
    Main(OwnedWriteHalf),
    Systemd { told: bool },
}

impl Sink {
    async fn tell(&mut self, report: Report) {
        match self {
            // That it is gone is seen by the reading side.
            Self::Main(write) => drop(write.write_all(&[report.byte()]).await),
            Self::Systemd { told } => {
                let ready = matches!(report, Report::Ready | Report::Degraded);
                if ready && !std::mem::replace(told, true) {
                    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
                }
            }
        }
    }
}
