//! The client of dirtyd: native values in, native values out, typed errors, streams
//! that cancel when they are dropped.
//!
#![cfg_attr(feature = "client", doc = "```no_run")]
#![cfg_attr(not(feature = "client"), doc = "```ignore")]
//! # async fn f() -> Result<(), dirtyd_client::Error> {
//! use dirtyd_client::{Client, args};
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
//!
//! With the feature `worker`, the module `worker` is the SDK for workers in Rust.

#[cfg(not(unix))]
compile_error!("dirtyd-client speaks over Unix sockets, which this platform does not have");

#[cfg(feature = "frames")]
#[doc(hidden)]
pub mod busy_wait;
#[cfg(feature = "client")]
mod client;
#[cfg(feature = "frames")]
#[doc(hidden)]
pub mod frames;
mod paths;
pub mod proto;
#[doc(hidden)]
pub mod system;
mod value;
#[cfg(feature = "worker")]
pub mod worker;

#[cfg(feature = "client")]
pub use client::{CallFailure, Client, Error, Reason, Sent, Stream};
pub use paths::{default_runtime_dir, default_socket};
#[cfg(feature = "json")]
#[doc(hidden)]
pub use value::json;
pub use value::{
    Args, ArgumentError, Element, InvalidValue, Tensor, Value, ValueError, WrongDtype, WrongKind,
};

/// Compiles the snippets of the README.
#[cfg(all(doctest, feature = "client"))]
#[doc = include_str!("../README.md")]
struct Readme;
