//! The limits of the edge: what one caller, or all of them, may ask for.

use std::time::Duration;

use crate::config::{
    declare::keys,
    rules::upgrade,
    units::{KIB, MIB, Seconds, Size},
};

/// The limits of the edge: what one caller, or all of them, may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest request, result or chunk in bytes.
    pub max_message_size: usize,
    /// The largest header list of a request in bytes.
    pub max_header_size: u32,
    /// Calls at once per connection; a client queues further ones itself.
    pub max_concurrent_streams: u32,
    /// Connections at once.
    pub max_connections: usize,
    /// The bytes of large messages that are held for callers.
    pub max_held_bytes: u64,
    /// How long a connection may rest; zero for no limit.
    pub max_connection_idle: Duration,
    /// How long a request may take to arrive whole; zero for no limit.
    pub request_timeout: Duration,
    /// How long a large result may wait for its reader to take some of it; zero for no
    /// limit.
    pub response_timeout: Duration,
}

keys! {
    /// The edge.
    pub struct Edge {
        /// the largest request, result or chunk; at most 2 GiB
        max_message_size: Size = Size(64 * MIB),
            upgrade().at_least(Size(KIB)).at_most(Size(2048 * MIB), "the limit of protobuf");
        /// the largest header list of a request; at most 512 KiB
        max_header_size: Size = Size(16 * KIB),
            upgrade().at_least(Size(KIB)).at_most(Size(512 * KIB), "");
        /// calls at once per connection; clients queue further ones themselves
        max_concurrent_streams: u32 = 1024, upgrade().at_least(1);
        /// connections at once; each takes a descriptor
        max_connections: u32 = 4096, upgrade().at_least(1);
        /// bytes of large messages that are held for callers: requests until a worker has them,
        /// results until they are read; at least twice `max_message_size`
        max_held_bytes: Size = Size(1024 * MIB), upgrade().at_least(Size(MIB));
        /// how long a connection without a call is kept; `0` for ever. Clients open another one by
        /// themselves
        max_connection_idle: Seconds = Seconds::of(15 * 60), upgrade();
        /// how long a request may take from its head to its last byte; `0` for no limit
        request_timeout: Seconds = Seconds::of(60), upgrade();
        /// how long a large result waits for its reader to take some of it; `0` for no limit
        response_timeout: Seconds = Seconds::of(60), upgrade();
        /// origins whose pages may call, as `"https://shop.example"`; `"*"` for any. For browsers
        /// behind a proxy of yours
        cors_origins: Vec<String>,
            upgrade().unset("none").check(|origins: &Vec<String>| are_origins(origins));
    }
}

impl Edge {
    /// What the keys mean.
    pub fn meaning(&self) -> Limits {
        // Otherwise one of the largest messages could wait for room for ever.
        let max_held_bytes = self.max_held_bytes().0.max(2 * self.max_message_size().0);
        Limits {
            max_message_size: usize::try_from(self.max_message_size().0).unwrap_or(usize::MAX),
            max_header_size: u32::try_from(self.max_header_size().0).unwrap_or(u32::MAX),
            max_concurrent_streams: self.max_concurrent_streams(),
            max_connections: self.max_connections() as usize,
            max_held_bytes,
            max_connection_idle: self.max_connection_idle().0,
            request_timeout: self.request_timeout().0,
            response_timeout: self.response_timeout().0,
        }
    }
}

/// Checks that each is `*`, or a scheme and a host, as browsers send them.
fn are_origins(origins: &[String]) -> Result<(), String> {
    let is_origin = |origin: &String| {
        let host = origin.split_once("://").map_or("", |(_, host)| host);
        let is_in_host = |byte: u8| byte.is_ascii_graphic() && !b"/?#@*".contains(&byte);
        origin == "*" || (!host.is_empty() && host.bytes().all(is_in_host))
    };
    match origins.iter().find(|origin| !is_origin(origin)) {
        None => Ok(()),
        Some(origin) => Err(format!(
            "`{origin}` is no origin; write scheme and host, such as \"https://shop.example\", without a path"
        )),
    }
}
