//! Processes that workers left behind, where no main arbiter takes care of
//! them: they become children of this process, are killed once their worker is
//! gone, and reaped.
//!
//! As PID 1 of a container this process gets them anyway; elsewhere it asks for
//! them.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::broadcast::{self, error::RecvError},
    task::spawn_blocking,
};

use crate::{
    pool::{Entry, EntryKind},
    process::children::Adoption,
};

/// The adoption, of the task that follows the workers and of the end after it.
pub type Shared = Arc<Mutex<Adoption>>;

fn of(shared: &Shared) -> MutexGuard<'_, Adoption> {
    // Each change is whole.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adopts from now on.
pub fn adopt() -> Shared {
    Arc::new(Mutex::new(Adoption::begin()))
}

/// Reaps the adopted, and ends those whose workers are gone. `events` are the
/// pool's.
///
/// # Errors
/// The reactor cannot watch SIGCHLD.
pub fn follow(adoption: Shared, mut events: broadcast::Receiver<Entry>) -> io::Result<()> {
    let mut child_ended = signal(SignalKind::child())?;
    tokio::spawn(async move {
        loop {
            let due = of(&adoption).due();
            let overdue = async {
                match due {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            let left_something = tokio::select! {
                () = overdue => true,
                // One that ends leaves its children to this process.
                _ = child_ended.recv() => of(&adoption).reap(),
                event = events.recv() => match event.map(|event| event.kind) {
                    // By then the worker is reaped. Events that were missed may
                    // have been deaths.
                    Ok(EntryKind::WorkerDied) | Err(RecvError::Lagged(_)) => true,
                    Ok(_) => false,
                    Err(RecvError::Closed) => return,
                },
            };
            if left_something {
                let adoption = Arc::clone(&adoption);
                // It reads all of /proc, which takes long where there are many processes.
                let sweep = move || of(&adoption).sweep(&[], false, Instant::now());
                let _ = spawn_blocking(sweep).await;
            }
        }
    });
    Ok(())
}

/// Ends and reaps whatever is left, when the workers are gone.
pub fn end(adoption: &Shared) {
    of(adoption).end_all(&[]);
}
