//! What an app is, and what its actions give.

use std::{fmt, pin::Pin};

use futures_util::{Stream, StreamExt as _, stream};

use super::AppError;
use crate::value::{Args, Value};

/// An app: state that lives as long as its worker, and actions on it.
pub trait DirtyApp: Send + Sync + Sized + 'static {
    /// In how many workers to load it; `None` loads it in all. The
    /// configuration beats it.
    const WORKERS: Option<u32> = None;

    /// Makes the app. It may block. One that fails is tried again later.
    fn init() -> impl Future<Output = Result<Self, AppError>> + Send;

    /// Runs an action. It may block; as many run at once as the pool has
    /// `threads`. Names that start with an underscore never get here.
    fn execute(
        &self,
        action: &str,
        args: Args,
    ) -> impl Future<Output = Result<Output, AppError>> + Send;

    /// Cleans up before the worker exits; no call runs any more.
    fn close(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

pub(super) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
type Chunks = Pin<Box<dyn Stream<Item = Result<Value, AppError>> + Send>>;

/// What an action gives: one value, or a stream of them.
pub struct Output(pub(super) Kind);

pub(super) enum Kind {
    Value(Value),
    Stream(Chunks),
}

impl Output {
    /// A stream of chunks; dropped when the caller leaves.
    pub fn stream<T: Into<Value>>(
        chunks: impl Stream<Item = Result<T, AppError>> + Send + 'static,
    ) -> Self {
        Self(Kind::Stream(Box::pin(chunks.map(|chunk| chunk.map(T::into)))))
    }

    /// A stream of what an iterator gives, which may block.
    pub fn iter<I, T>(chunks: I) -> Self
    where
        I: IntoIterator<Item = Result<T, AppError>>,
        I::IntoIter: Send + 'static,
        T: Into<Value>,
    {
        Self::stream(stream::iter(chunks))
    }
}

impl<T: Into<Value>> From<T> for Output {
    fn from(value: T) -> Self {
        Self(Kind::Value(value.into()))
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Value(value) => value.fmt(f),
            Kind::Stream(_) => f.write_str("a stream"),
        }
    }
}

/// A [`DirtyApp`] of any type.
pub(super) trait AnyApp: Send + Sync {
    fn execute<'a>(
        &'a self,
        action: &'a str,
        args: Args,
    ) -> BoxFuture<'a, Result<Output, AppError>>;

    fn close(&self) -> BoxFuture<'_, ()>;
}

impl<A: DirtyApp> AnyApp for A {
    fn execute<'a>(
        &'a self,
        action: &'a str,
        args: Args,
    ) -> BoxFuture<'a, Result<Output, AppError>> {
        Box::pin(DirtyApp::execute(self, action, args))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(DirtyApp::close(self))
    }
}
