//! The caller's end of a submitted call.

use tokio::sync::mpsc;

use super::CallId;

/// How far the worker of a stream may go on: as many chunks, and as many bytes
/// of payload, as its reader has taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Credit {
    /// Chunks.
    pub chunks: u32,
    /// Bytes of payload.
    pub bytes: u64,
}

/// What a caller says after its call was submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FromCaller {
    /// It has read so much of its stream.
    Credit(Credit),
    /// It has left: nobody waits for the answer.
    Left,
}

/// The way from callers to the pool.
pub type CallerLine = mpsc::Sender<(CallId, FromCaller)>;

/// A submitted call, as its caller holds it: credit goes to the worker through
/// it, and dropping it before [`done`](Self::done) cancels the call.
#[derive(Debug)]
pub struct Ticket {
    call: CallId,
    line: Option<CallerLine>,
    /// The place in the line that is kept for this call's leaving, so that a
    /// cancel is never lost and never waits.
    leave: Option<mpsc::OwnedPermit<(CallId, FromCaller)>>,
}

impl Ticket {
    /// A call that was submitted.
    pub fn new(
        call: CallId,
        line: CallerLine,
        leave: mpsc::OwnedPermit<(CallId, FromCaller)>,
    ) -> Self {
        Self { call, line: Some(line), leave: Some(leave) }
    }

    /// A call that was refused before it was submitted: there is nothing to say.
    pub fn refused(call: CallId) -> Self {
        Self { call, line: None, leave: None }
    }

    /// Lets the worker go on. Waits while the line is full, which only delays
    /// the caller's own reading.
    pub async fn credit(&self, credit: Credit) {
        if let Some(line) = &self.line {
            // A closed line means that the arbiter ends; the stream's own end says so.
            let _ = line.send((self.call, FromCaller::Credit(credit))).await;
        }
    }

    /// The call has its outcome.
    pub fn done(mut self) {
        self.leave = None;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(permit) = self.leave.take() {
            permit.send((self.call, FromCaller::Left));
        }
    }
}
