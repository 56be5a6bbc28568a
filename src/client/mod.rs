//! The Rust client: native values in, native values out, typed errors, streams
//! that cancel when they are dropped.
//!
//! ```no_run
//! # async fn f() -> Result<(), dirtyd::client::Error> {
//! use dirtyd::client::{Client, args};
//!
//! let client = Client::connect("/run/dirtyd/dirtyd.sock");
//! let sum = client.execute("calc:Calc", "add", args![1, 2]).await?;
//! assert_eq!(sum.as_int(), Some(3));
//!
//! let mut tokens = client.stream("tokens:Tokens", "generate", args!["Once"]).await?;
//! while let Some(token) = tokens.next().await {
//!     print!("{}", token?.as_str().unwrap_or_default());
//! }
//! # Ok(())
//! # }
//! ```

mod channel;
mod error;
mod stream;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tonic::{
    Request,
    metadata::{MetadataKey, MetadataValue},
    transport::Channel,
};

pub use crate::value::{Args, InvalidValue, Tensor, Value, ValueError};
pub use error::{CallFailure, Error, Reason};
pub use stream::Stream;

/// Positional arguments of anything that has a [`Value`].
pub use crate::__dirtyd_args as args;

use crate::{
    config::default_socket,
    proto::v1::{ExecuteRequest, arbiter_client::ArbiterClient},
};

/// A connection to a dirtyd. Cloning is cheap and shares the connection; it is
/// made at the first call, and again by itself when it was lost.
#[derive(Debug, Clone)]
pub struct Client {
    channel: Channel,
    socket: PathBuf,
    timeout: Option<Duration>,
    metadata: Vec<(String, String)>,
}

impl Client {
    /// A client for the socket at `path`.
    pub fn connect(path: impl AsRef<Path>) -> Self {
        let socket = path.as_ref().to_owned();
        let channel = channel::lazy(socket.clone());
        Self { channel, socket, timeout: None, metadata: Vec::new() }
    }

    /// A client for `$DIRTYD_SOCKET`, or the default socket of this user.
    pub fn from_env() -> Self {
        let path = std::env::var_os("DIRTYD_SOCKET").map_or_else(default_socket, PathBuf::from);
        Self::connect(path)
    }

    /// The same connection, with a deadline for each call.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The same connection, with gRPC metadata on each call.
    #[must_use]
    pub fn with_metadata(mut self, key: &str, value: &str) -> Self {
        self.metadata.push((key.to_owned(), value.to_owned()));
        self
    }

    /// The channel, for other services of the same socket.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
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
        let request = self.request(app, action, args.into())?;
        let response = self.arbiter().execute(request).await;
        let response = response.map_err(|status| Error::of(status, &self.socket))?;
        Ok(Value::read(response.into_inner().result)?)
    }

    /// Runs an action and gives its chunks as they come. Dropping the stream
    /// cancels it.
    ///
    /// # Errors
    /// [`Error`], by the reason that the arbiter gives.
    pub async fn stream(
        &self,
        app: &str,
        action: &str,
        args: impl Into<Args>,
    ) -> Result<Stream, Error> {
        let request = self.request(app, action, args.into())?;
        let response = self.arbiter().execute_stream(request).await;
        let response = response.map_err(|status| Error::of(status, &self.socket))?;
        Ok(Stream::new(response.into_inner(), self.socket.clone()))
    }

    fn arbiter(&self) -> ArbiterClient<Channel> {
        ArbiterClient::new(self.channel.clone())
            .max_decoding_message_size(usize::MAX)
            .max_encoding_message_size(usize::MAX)
    }

    fn request(
        &self,
        app: &str,
        action: &str,
        args: Args,
    ) -> Result<Request<ExecuteRequest>, Error> {
        let Args { args, kwargs } = args;
        let mut request = Request::new(ExecuteRequest {
            app: app.to_owned(),
            action: action.to_owned(),
            args: args.into_iter().map(Value::into_proto).collect(),
            kwargs: kwargs.into_iter().map(|(name, value)| (name, value.into_proto())).collect(),
        });
        if let Some(timeout) = self.timeout {
            request.set_timeout(timeout);
        }
        for (key, value) in &self.metadata {
            let bad = |what| Error::InvalidArgument(format!("metadata {key:?}: {what}"));
            let name =
                MetadataKey::from_bytes(key.as_bytes()).map_err(|_| bad("not a valid key"))?;
            let value = MetadataValue::try_from(value).map_err(|_| bad("not a valid value"))?;
            request.metadata_mut().insert(name, value);
        }
        Ok(request)
    }
}
