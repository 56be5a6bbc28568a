//! The place where callers find the arbiter. A cleaner of temporary files may remove
//! the socket, or its folder, under a running daemon: it is bound again.

use std::{
    os::unix::net::UnixListener,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{sync::mpsc, task::spawn_blocking, time::interval};

use crate::{listening_socket::ListeningSocket, patience::PING, server::UnixSocket};

/// The sockets to accept from in place of the first: those that the main arbiter hands
/// over, or, where there is none, those that are bound here because `file` is lost.
pub fn listeners(
    handed: mpsc::Receiver<UnixListener>,
    file: Option<Arc<Mutex<ListeningSocket>>>,
) -> mpsc::Receiver<UnixSocket> {
    let (sender, receiver) = mpsc::channel(1);
    match file {
        Some(file) => tokio::spawn(watch(file, sender)),
        None => tokio::spawn(pass_on(handed, sender)),
    };
    receiver
}

async fn pass_on(mut handed: mpsc::Receiver<UnixListener>, sender: mpsc::Sender<UnixSocket>) {
    while let Some(listener) = handed.recv().await {
        if !accepts(listener, &sender).await {
            return;
        }
    }
}

async fn watch(file: Arc<Mutex<ListeningSocket>>, sender: mpsc::Sender<UnixSocket>) {
    let mut looks = interval(PING);
    loop {
        looks.tick().await;
        let file = Arc::clone(&file);
        let look = move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.restore().then(|| file.give().ok()).flatten()
        };
        // The file system may be slow, and nobody else waits for it.
        if let Ok(Some(listener)) = spawn_blocking(look).await
            && !accepts(listener, &sender).await
        {
            return;
        }
    }
}

/// Hands a socket to the edge; false once that is gone.
async fn accepts(listener: UnixListener, sender: &mpsc::Sender<UnixSocket>) -> bool {
    match UnixSocket::new(listener) {
        Ok(listener) => sender.send(listener).await.is_ok(),
        Err(error) => {
            tracing::error!("the new socket cannot be used: {error}");
            true
        }
    }
}
