//! The life of a worker, from its start to its end, in the order in which it
//! happens. Each step is an event of the kernel or a report of the worker's task;
//! the stages are those of [`Stage`](super::fleet::Stage).
//!
//! ```text
//!   start     a seat is empty, or its worker is to be replaced ─> Spawn
//!   boot      Spawned ─> Import, Load ─> Imported, Loaded ─> Booted ─> takes its seat
//!   retry     apps that failed are loaded again, in a free slot
//!   recycle   it has served enough, is too old or too large ─> a successor starts
//!   end       it leaves its seat ─> Drain or Kill ─> Died; it died unasked ─> replaced
//! ```

mod boot;
mod end;
mod recycle;
mod retry;
mod start;

use super::{EntryKind, Machine, ids::WorkerId, turn::Turn};
use crate::worker::Report;

impl Machine {
    /// A worker reports.
    pub(super) fn on_report(&mut self, id: WorkerId, report: Report, turn: &mut Turn<'_>) {
        match report {
            Report::Imported(app, result) => self.on_imported(id, &app, result, turn),
            Report::Loaded(app, result) => self.on_loaded(id, &app, result, turn),
            Report::Spoiled => {
                if let Some(worker) = self.fleet.worker_mut(id) {
                    worker.is_spoiled = true;
                }
            }
            Report::Booted => self.on_booted(id, turn),
            Report::Finished(end) => self.on_finished(id, end, turn),
            Report::TimedOut(call, message) => {
                self.note_call(EntryKind::CallTimedOut, id, call, message, turn);
            }
            Report::CutOff(call, message) => {
                self.note_call(EntryKind::CallCutOff, id, call, message, turn);
            }
            Report::Abandoned(call) => self.dispatch.on_abandoned(call),
            Report::LateFrame => self.late_frames += 1,
            // The task adds them up.
            Report::Metrics(_) => {}
            Report::Died(death) => self.on_died(id, death, turn),
        }
    }
}
