//! What goes into the machine, and what comes out of it.

use bytes::Bytes;

use super::{hello::StackDump, stacks::NoStacks};

use dirtyd_client::proto::{
    v1::Stack,
    worker::{arbiter_frame, worker_frame},
};

use crate::{
    call::{CallError, CallId, EndedBy, Reply},
    worker::{Control, Report, StacksReply},
};

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The pool told something.
    Told(Control),
    /// A frame came; `None` if its kind is unknown.
    Frame(Option<worker_frame::Kind>),
    /// The socket took this many requests in full, counted since its start. A
    /// request counts by an [`Action::SendRequest`].
    Written(u64),
    /// The socket has ended, or failed. After [`Event::Exited`]: nothing more is
    /// there to be read.
    Closed {
        /// The last frame is incomplete.
        within_frame: bool,
    },
    /// A frame is malformed or too large, and why.
    Fault(String),
    /// The process has ended. What it left in the socket follows as
    /// [`Event::Frame`]s, and what the pool has told meanwhile as
    /// [`Event::Told`]; then [`Event::Closed`].
    Exited {
        /// Its exit code or signal.
        ended: EndedBy,
        /// The number of requests of which the socket took at least one byte.
        begun: u64,
        /// The number of requests that the socket took in full.
        written: u64,
    },
    /// Time has passed: [`Machine::due`](super::Machine::due) has come.
    Alarm,
}

/// What to do, in this order.
#[derive(Debug)]
pub enum Action {
    /// Send a frame. It is boxed because it is rare, and every action would be as
    /// large.
    Send(Box<arbiter_frame::Kind>),
    /// Send the Request of a call, which
    /// [`Machine::with_request`](super::Machine::with_request) shows. To be
    /// carried out before the next event.
    SendRequest(CallId),
    /// Pass a chunk on to the [`Machine::sink`](super::Machine::sink) of its
    /// call. To be carried out before the next event.
    Chunk {
        /// The call.
        call: CallId,
        /// The chunk, an encoded `dirty.v1.ExecuteStreamResponse`.
        payload: Bytes,
        /// It is the first of its stream. A burst may follow at once; the first
        /// chunk should go ahead of it.
        first: bool,
    },
    /// Give a caller its last word, with [`Reply::end`].
    Answer(Reply, Result<Option<Bytes>, CallError>),
    /// Tell the pool. The last words in [`Report::Died`] are empty; whoever
    /// reads the worker's stderr adds them.
    Report(Report),
    /// Answer whoever asked what the worker does now.
    Stacks(StacksReply, Result<Vec<Stack>, NoStacks>),
    /// Log why, then send the worker this signal, on which it prints its stacks.
    DumpStacks {
        /// By which signal, and to whom.
        how: StackDump,
        /// Why, for the log.
        why: String,
    },
    /// Kill the process and its group.
    Kill,
    /// Log a text.
    Log(Level, String),
}

/// How much a text in the log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For whoever looks for a fault.
    Debug,
    /// For the operator.
    Warn,
}
