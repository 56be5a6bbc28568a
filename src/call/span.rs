//! The place of a call in a trace. What it means is [`observe`](crate::observe)'s.

/// The span that a call is, within the trace of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The trace.
    pub trace_id: [u8; 16],
    /// The caller's span; `None` if the trace begins here.
    pub parent: Option<[u8; 8]>,
    /// The span of the call itself. That of its caller if it is not sampled: then the worker
    /// gets the caller's headers as they came.
    pub span_id: [u8; 8],
    /// Whether it is exported.
    pub sampled: bool,
}
