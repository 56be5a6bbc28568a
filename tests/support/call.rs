//! Making calls and reading what became of them.

use dirtyd_client::{CallFailure, Error, Reason};
use tokio::task::{JoinHandle, JoinSet};
use tonic::Code;

/// The failure of a call, which must be of this kind.
#[track_caller]
pub fn failure<T: std::fmt::Debug>(
    outcome: Result<T, Error>,
    code: Code,
    reason: Reason,
) -> CallFailure {
    match outcome {
        Err(Error::Call(failure)) => {
            assert_eq!((failure.code, &failure.reason), (code, &reason), "{failure:?}");
            *failure
        }
        other => panic!("expected {code:?} {reason:?}, got {other:?}"),
    }
}

/// Starts futures at once; their outputs, in no order.
pub fn together<F>(futures: impl IntoIterator<Item = F>) -> JoinHandle<Vec<F::Output>>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let running: JoinSet<_> = futures.into_iter().collect();
    tokio::spawn(running.join_all())
}
