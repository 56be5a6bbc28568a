//! What a call meets on its way in, and what its end means for others.

use super::{
    Machine,
    dispatch::{AppQueue, Full, retry_after},
    fleet::Pause,
    ids::{AppId, WorkerId},
    turn::{Note, Turn},
};
use crate::{
    call::{Call, CallError, CallId, CallRequest, FromCaller, QueueBound, Reply},
    config::QueueLimits,
    pool::machine::EntryKind,
    worker::End,
};

impl Machine {
    pub(super) fn submit(
        &mut self,
        id: CallId,
        request: Box<CallRequest>,
        reply: Reply,
        turn: &mut Turn<'_>,
    ) {
        let is_awaited = self.dispatch.comes(id);
        let Some(app) = self.fleet.named(&request.app) else {
            return turn.refuse(reply, CallError::AppNotFound { app: request.app });
        };
        let timeout = self.fleet.app(app).config.timeout;
        let call = Call { id, request, timeout, reply, deaths: 0 };
        let refusal = match self.phase.may_submit() {
            Err(error) => Some(error),
            Ok(()) if !is_awaited => Some(CallError::Cancelled),
            Ok(()) if call.queue_deadline().is_over(turn.now) => {
                let waited = turn.now.saturating_duration_since(call.request.arrived);
                Some(CallError::DeadlineOver { waited })
            }
            Ok(()) => None,
        };
        if let Some(error) = refusal {
            return self.refuse(app, call, error, turn);
        }
        let Some(call) = self.dispatch.assign_now(app, call, turn) else { return };
        if !self.has_hope(app) {
            let error = self.no_workers(app);
            return self.refuse(app, call, error, turn);
        }
        for (full, call) in self.dispatch.enqueue(app, call, turn) {
            let error = self.queue_full(app, full, call.size(), turn);
            self.refuse(app, call, error, turn);
        }
    }

    fn refuse(&mut self, app: AppId, call: Call, error: CallError, turn: &mut Turn<'_>) {
        self.dispatch.refuse(app, call.reply, call.request.arrived, error, turn);
    }

    pub(super) fn on_caller(&mut self, id: CallId, said: FromCaller, turn: &mut Turn<'_>) {
        match said {
            FromCaller::Credit(credit) => self.dispatch.on_credit(id, credit, turn),
            FromCaller::Left => {
                self.dispatch.on_left(id, turn);
            }
        }
    }

    pub(super) fn on_finished(&mut self, worker: WorkerId, end: End, turn: &mut Turn<'_>) {
        let app = self.dispatch.on_finished(worker, end);
        if let Some(row) = self.fleet.worker_mut(worker) {
            row.served += 1;
        }
        self.feed(worker, turn);
        self.recycle_after_call(worker, app, turn);
    }

    /// What became of a call in a worker is an event.
    pub(super) fn note_call(
        &self,
        kind: EntryKind,
        worker: WorkerId,
        id: CallId,
        message: String,
        turn: &mut Turn<'_>,
    ) {
        let mut note = Note::event(kind, message);
        note.worker = self.fleet.worker(worker).map(|row| row.process);
        let app = self.dispatch.app_of(id).and_then(|app| self.fleet.find_app(app));
        note.app = app.map(|app| app.path().to_owned());
        turn.note(note);
    }

    /// Gives a worker with a free slot what it can take: an app to load again, or
    /// calls.
    pub(super) fn feed(&mut self, worker: WorkerId, turn: &mut Turn<'_>) {
        self.retry_app_in(worker, turn);
        self.dispatch.feed(worker, turn);
    }

    /// Nobody waits for what cannot come.
    pub(super) fn settle_all(&mut self, turn: &mut Turn<'_>) {
        let apps: Vec<AppId> = self.fleet.apps().map(|(id, _)| id).collect();
        for app in apps {
            self.settle(app, turn);
        }
    }

    /// Ends the waiting calls of an app that nobody is going to serve, or lets
    /// them wait for the one that has its name since a reload moved it.
    fn settle(&mut self, app: AppId, turn: &mut Turn<'_>) {
        if !self.dispatch.has_waiting(app) || self.has_hope(app) {
            return;
        }
        let named = self.fleet.named(self.fleet.app(app).path());
        match named.filter(|named| *named != app) {
            Some(named) => {
                self.dispatch.move_waiting(app, named, turn);
                self.settle(named, turn);
            }
            None => {
                let error = self.no_workers(app);
                self.dispatch.refuse_waiting(app, &error, turn);
            }
        }
    }

    /// Whether some worker serves the app or is going to soon.
    pub(super) fn has_hope(&self, app: AppId) -> bool {
        self.dispatch.servers(app) > 0
            || self.fleet.has_worker_for(app)
            || self.phase.may_replace_workers()
                && self.fleet.has_seat_for(app, |seat| self.phase.is_replacing(seat))
            || self.phase.is_opening()
    }

    fn no_workers(&self, app: AppId) -> CallError {
        if self.phase.drain().is_some() {
            return CallError::Draining; // what died is not replaced
        }
        let row = self.fleet.app(app);
        let pool = self.fleet.pool(row.pool);
        let (name, intensity) = (&pool.config.name, pool.config.intensity);
        let why = match &row.last_error {
            Some(error) => error.clone(),
            None if pool.seats.is_empty() => {
                format!("pool `{name}` has 0 workers; scale it up with `dirtyd scale`")
            }
            None if pool.seats.iter().any(|seat| seat.pause() == Some(Pause::TooManyDeaths)) => {
                format!(
                    "its workers died more than max_restarts ({}) times within restart_window ({:?}); the next one starts when that time is over",
                    intensity.max_restarts, intensity.window
                )
            }
            None => "its workers keep failing to start; the log says why".to_owned(),
        };
        CallError::NoWorkers { app: row.path().to_owned(), why }
    }

    /// The refusal of a call of `own` bytes, with an estimate for a retry.
    fn queue_full(&self, app: AppId, full: Full, own: u64, turn: &Turn<'_>) -> CallError {
        let row = self.fleet.app(app);
        let queue = self.dispatch.queue(app);
        let QueueLimits { calls, bytes } = row.config.queue;
        let bound = match full {
            Full::Calls => QueueBound::Calls(calls),
            Full::Displaced => QueueBound::Share,
            Full::OfPrincipal(most) => QueueBound::OfUser(most),
            Full::Bytes => QueueBound::Bytes {
                waiting: queue.map_or(0, AppQueue::bytes),
                own,
                limit: bytes.unwrap_or(u64::MAX),
            },
        };
        let retry_after = retry_after(queue, self.dispatch.servers(app) > 0, turn.now);
        CallError::QueueFull { app: row.path().to_owned(), bound, retry_after }
    }
}
