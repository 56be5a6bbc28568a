//! The client: connections, calls, streams, and what can become of them.

mod attempts;
mod channel;
mod error;
mod stream;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tonic::{
    Request,
    metadata::{Ascii, Binary, MetadataKey, MetadataMap, MetadataValue},
    transport::Channel,
};

pub use channel::Sent;
pub use error::{CallFailure, Error, Reason};
pub use stream::Stream;

use attempts::{Deadline, attempt};
use channel::{Transport, origin};

use crate::{
    Args, Value, default_socket,
    proto::v1::{ExecuteRequest, arbiter_client::ArbiterClient},
};

/// A connection to a dirtyd. Cloning is cheap and shares the connection; it is
/// made at the first call, and again by itself when it was lost.
#[derive(Debug, Clone)]
pub struct Client {
    transport: Transport,
    socket: PathBuf,
    timeout: Option<Duration>,
    retries: u32,
    metadata: Vec<(String, Vec<u8>)>,
}

impl Client {
    /// A client for the socket at `path`.
    pub fn connect(path: impl AsRef<Path>) -> Self {
        let socket = path.as_ref().to_owned();
        let transport = channel::transport(&socket);
        Self { transport, socket, timeout: None, retries: 0, metadata: Vec::new() }
    }

    /// A client for `$DIRTYD_SOCKET`, or the default socket of this user.
    pub fn from_env() -> Self {
        let path = std::env::var_os("DIRTYD_SOCKET").map_or_else(default_socket, PathBuf::from);
        Self::connect(path)
    }

    /// The same connection, with a deadline for each call, its further attempts
    /// and the whole of its stream. The arbiter ends the call; if it does not
    /// answer, the call fails a second later with [`Error::DeadlineExceeded`].
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The same connection; a call is tried again up to this number of times if it
    /// certainly had not started: the queue was full, no worker could serve, the
    /// arbiter was about to end, or there was no connection. It waits as long as
    /// the arbiter asks for, within the deadline.
    #[must_use]
    pub fn with_retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// The same connection, with one more entry of gRPC metadata on each call. The
    /// action finds it in its call. The value is a text, which other systems want to
    /// be ASCII, or any bytes for a key that ends with `-bin`. The key `x-request-id` names the call in logs and errors.
    #[must_use]
    pub fn with_metadata(mut self, key: &str, value: impl AsRef<[u8]>) -> Self {
        self.metadata.push((key.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// A channel of tonic's, for other services of the same socket. It has a
    /// connection of its own.
    pub fn channel(&self) -> Channel {
        channel::lazy(self.socket.clone())
    }

    /// The socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Runs an action and gives its result. Dropping the future cancels it.
    ///
    /// # Errors
    /// [`Error`], by the reason that the arbiter gives.
    pub async fn execute(
        &self,
        app: &str,
        action: &str,
        args: impl Into<Args>,
    ) -> Result<Value, Error> {
        let (message, deadline) = (message(app, action, args.into())?, self.deadline());
        attempt(self.retries, deadline, || self.execute_once(message.clone(), deadline)).await
    }

    /// Runs an action and gives its chunks as they come. Waits for the first
    /// one, so that an error which comes instead is an error of this function.
    /// Dropping the stream cancels it.
    ///
    /// # Errors
    /// [`Error`], by the reason that the arbiter gives.
    pub async fn stream(
        &self,
        app: &str,
        action: &str,
        args: impl Into<Args>,
    ) -> Result<Stream, Error> {
        let (message, deadline) = (message(app, action, args.into())?, self.deadline());
        attempt(self.retries, deadline, || self.stream_once(message.clone(), deadline)).await
    }

    async fn execute_once(
        &self,
        message: ExecuteRequest,
        deadline: Deadline,
    ) -> Result<Value, Error> {
        let response = self.arbiter().execute(self.request(message, deadline)?).await;
        let response = response.map_err(|status| Error::of(status, &self.socket))?;
        Ok(Value::read(response.into_inner().result)?)
    }

    async fn stream_once(
        &self,
        message: ExecuteRequest,
        deadline: Deadline,
    ) -> Result<Stream, Error> {
        let response = self.arbiter().execute_stream(self.request(message, deadline)?).await;
        let response = response.map_err(|status| Error::of(status, &self.socket))?;
        Stream::open(response.into_inner(), deadline, self.socket.clone()).await
    }

    fn deadline(&self) -> Deadline {
        Deadline::after(self.timeout)
    }

    fn arbiter(&self) -> ArbiterClient<Transport> {
        ArbiterClient::with_origin(self.transport.clone(), origin())
            .max_decoding_message_size(usize::MAX)
            .max_encoding_message_size(usize::MAX)
    }

    fn request<T>(&self, message: T, deadline: Deadline) -> Result<Request<T>, Error> {
        let mut request = Request::new(message);
        if let Some(left) = deadline.left() {
            request.set_timeout(left);
        }
        for (key, value) in &self.metadata {
            add_metadata(request.metadata_mut(), key, value)
                .map_err(|what| Error::InvalidArgument(format!("metadata {key:?}: {what}")))?;
        }
        Ok(request)
    }
}

fn add_metadata(map: &mut MetadataMap, key: &str, value: &[u8]) -> Result<(), &'static str> {
    if let Ok(name) = MetadataKey::<Binary>::from_bytes(key.as_bytes()) {
        map.insert_bin(name, MetadataValue::from_bytes(value));
        return Ok(());
    }
    let name = MetadataKey::<Ascii>::from_bytes(key.as_bytes()).map_err(|_| "not a valid key")?;
    let value = MetadataValue::<Ascii>::try_from(value)
        .map_err(|_| "the value is not text; for bytes, use a key that ends with -bin")?;
    map.insert(name, value);
    Ok(())
}

fn message(app: &str, action: &str, Args { args, kwargs }: Args) -> Result<ExecuteRequest, Error> {
    for value in args.iter().chain(kwargs.values()) {
        value.validate().map_err(|error| Error::InvalidArgument(error.to_string()))?;
    }
    Ok(ExecuteRequest {
        app: app.to_owned(),
        action: action.to_owned(),
        args: args.into_iter().map(Value::into_proto).collect(),
        kwargs: kwargs.into_iter().map(|(name, value)| (name, value.into_proto())).collect(),
    })
}
