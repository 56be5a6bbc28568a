//! Workers that leave: what they still do, and waiting for their end.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::ExitCode,
};

use dirtyd_client::{
    Client, Error,
    proto::v1::{
        EventKind, StatusRequest, StatusResponse, WatchEventsRequest, WatchEventsResponse,
        WorkerState, WorkerStatus, admin_client::AdminClient,
    },
};
use tonic::{Status, Streaming, transport::Channel};

use super::{connect::explain, say};
use crate::printable::{count, lines};

/// Whether a command waits for the workers that leave because of it.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Wait {
    /// Wait until the workers that leave have finished their calls and exited; exit with 1 if a
    /// call was cut off
    #[arg(long)]
    wait: bool,
}

/// Watches the workers that leave from now on.
pub struct Leaving {
    client: Client,
    admin: AdminClient<Channel>,
    /// What happens, if the command waits.
    events: Option<Streaming<WatchEventsResponse>>,
}

impl Leaving {
    /// Begins before the command does anything, so that no event is missed.
    ///
    /// # Errors
    /// dirtyd is not there.
    pub async fn watch(client: Client, wait: Wait) -> anyhow::Result<Self> {
        let mut leaving = Self { admin: AdminClient::new(client.channel()), client, events: None };
        if wait.wait {
            let events = leaving.admin.watch_events(WatchEventsRequest {}).await;
            leaving.events = Some(events.map_err(|status| leaving.failed(status))?.into_inner());
        }
        Ok(leaving)
    }

    /// The service by which the command acts.
    pub fn admin(&mut self) -> &mut AdminClient<Channel> {
        &mut self.admin
    }

    /// An error as a person reads it.
    pub fn failed(&self, status: Status) -> anyhow::Error {
        anyhow::anyhow!("{}", explain(&Error::of(status, self.client.socket())))
    }

    /// Prints who leaves, and waits for their end if that was asked for. The command
    /// fails if a call was cut off.
    ///
    /// # Errors
    /// dirtyd went away.
    pub async fn end(mut self) -> anyhow::Result<ExitCode> {
        let mut leaving = self.who_leaves().await?;
        for worker in leaving.values().filter(|worker| worker.in_flight > 0) {
            let (id, pid, calls) = (worker.id, worker.pid, worker.in_flight);
            say(format_args!(
                "worker {id} (pid {pid}) is still finishing {}",
                count(calls, "call")
            ));
        }
        let Some(mut events) = self.events.take() else { return Ok(ExitCode::SUCCESS) };
        let mut cut_off = 0;
        while !leaving.is_empty() {
            let event = events.message().await.map_err(|status| self.failed(status))?;
            let Some(event) = event else { anyhow::bail!("the arbiter exited meanwhile") };
            match event.kind() {
                EventKind::WorkerDied if leaving.remove(&event.worker_id).is_some() => {
                    say(format_args!("{}", lines(event.message.trim_end())));
                }
                EventKind::CallCutOff if leaving.contains_key(&event.worker_id) => {
                    cut_off += 1;
                    eprintln!("cut off: {}", lines(event.message.trim_end()));
                }
                // Some of them may have been ends.
                EventKind::EventsLost => {
                    let still = self.who_leaves().await?;
                    leaving.retain(|id, _| still.contains_key(id));
                }
                _ => {}
            }
        }
        Ok(if cut_off == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Waits for the end of a worker that is being replaced, if that was asked for. The
    /// command fails if a call was cut off.
    ///
    /// # Errors
    /// dirtyd went away, or the replacement was no good and the worker stays.
    pub async fn end_of(mut self, id: u64) -> anyhow::Result<ExitCode> {
        let Some(mut events) = self.events.take() else { return Ok(ExitCode::SUCCESS) };
        let mut cut_off = 0;
        let mut started = BTreeSet::new();
        loop {
            let event = events.message().await.map_err(|status| self.failed(status))?;
            let Some(event) = event else { anyhow::bail!("the arbiter exited meanwhile") };
            let message = lines(event.message.trim_end());
            match event.kind() {
                EventKind::WorkerDied if event.worker_id == id => {
                    say(format_args!("{message}"));
                    break;
                }
                EventKind::CallCutOff if event.worker_id == id => {
                    cut_off += 1;
                    eprintln!("cut off: {message}");
                }
                EventKind::WorkerStarted => {
                    started.insert(event.worker_id);
                }
                EventKind::WorkerDied
                    if started.remove(&event.worker_id) && stays(&self.workers().await?, id) =>
                {
                    anyhow::bail!("worker {id} was not replaced and keeps serving: {message}");
                }
                // Its end may have been one of them.
                EventKind::EventsLost
                    if self.workers().await?.iter().all(|worker| worker.id != id) =>
                {
                    break;
                }
                _ => {}
            }
        }
        Ok(if cut_off == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    async fn workers(&mut self) -> anyhow::Result<Vec<WorkerStatus>> {
        let status = self.admin.status(StatusRequest {}).await;
        let StatusResponse { workers, .. } =
            status.map_err(|status| self.failed(status))?.into_inner();
        Ok(workers)
    }

    async fn who_leaves(&mut self) -> anyhow::Result<BTreeMap<u64, WorkerStatus>> {
        let workers = self.workers().await?;
        let leaves = workers.into_iter().filter(|w| w.state() == WorkerState::Draining);
        Ok(leaves.map(|worker| (worker.id, worker)).collect())
    }
}

/// Whether a worker serves, and nobody is there to replace it.
fn stays(workers: &[WorkerStatus], id: u64) -> bool {
    let Some(worker) = workers.iter().find(|worker| worker.id == id) else { return false };
    let replaces = |other: &WorkerStatus| {
        other.id != id && (&other.pool, other.seat) == (&worker.pool, worker.seat)
    };
    worker.state() == WorkerState::Ready && !workers.iter().any(replaces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(id: u64, seat: u32, state: WorkerState) -> WorkerStatus {
        WorkerStatus { id, seat, state: state.into(), ..WorkerStatus::default() }
    }

    #[test]
    fn a_worker_stays_if_it_serves_and_nobody_boots_for_its_seat() {
        let (ready, booting) = (WorkerState::Ready, WorkerState::Booting);
        assert!(stays(&[worker(1, 0, ready), worker(3, 1, booting)], 1));
        assert!(!stays(&[worker(1, 0, ready), worker(3, 0, booting)], 1), "tried again");
        assert!(!stays(&[worker(1, 0, WorkerState::Draining), worker(3, 0, ready)], 1));
        assert!(!stays(&[worker(3, 0, ready)], 1), "gone");
    }
}
