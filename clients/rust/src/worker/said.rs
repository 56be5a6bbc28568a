//! What the threads of a worker tell its task.

use bytes::Bytes;

use super::AppError;

/// What a thread has to say.
#[derive(Debug)]
pub enum Said {
    /// A call made a chunk, encoded, for which it took credit.
    Chunk(u64, Bytes),
    /// A call ended.
    Ended(u64, Result<Outcome, AppError>),
    /// An init ended.
    Loaded(String, Result<(), AppError>),
}

/// How a call ended well.
#[derive(Debug)]
pub enum Outcome {
    /// With one result, encoded.
    Response(Bytes),
    /// After its last chunk.
    End,
}
