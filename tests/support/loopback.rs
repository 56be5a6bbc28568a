//! A TCP port of this machine that leads to a Unix socket, for programs that know only TCP.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream, UnixStream},
};

/// Opens it. Until the end of the runtime each connection to the port gets one to `socket`, and
/// what either side sends, the end included, goes to the other.
///
/// # Errors
/// No port can be bound.
pub async fn leading_to(socket: PathBuf) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            // Who breaks off breaks both off: they end with this task.
            tokio::spawn(join(connection, socket.clone()));
        }
    });
    Ok(address)
}

async fn join(mut connection: TcpStream, socket: PathBuf) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let mut inner = UnixStream::connect(socket).await?;
    copy_bidirectional(&mut connection, &mut inner).await?;
    Ok(())
}
