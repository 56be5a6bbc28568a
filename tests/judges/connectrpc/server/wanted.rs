//! What a request of a conformance case wants in return. Unary methods and streams want the same
//! in different words.

use std::time::Duration;

use crate::proto::{
    Error, Header, StreamResponseDefinition, UnaryResponseDefinition,
    unary_response_definition::Response as One,
};

/// An answer.
#[derive(Default)]
pub struct Wanted {
    /// Its headers.
    pub headers: Vec<Header>,
    /// The data of its messages.
    pub messages: Vec<Vec<u8>>,
    /// The time before each message, and before the error of a unary method.
    pub delay: Duration,
    /// The time before an error.
    pub delay_of_error: Duration,
    /// The error at its end.
    pub error: Option<Error>,
    /// Its trailers.
    pub trailers: Vec<Header>,
}

impl Wanted {
    /// Of a unary method, which answers a request that wants nothing, too.
    pub fn of_unary(wanted: Option<UnaryResponseDefinition>) -> Self {
        let wanted = wanted.unwrap_or_default();
        let (messages, error) = match wanted.response {
            None => (vec![Vec::new()], None),
            Some(One::ResponseData(data)) => (vec![data], None),
            Some(One::Error(error)) => (Vec::new(), Some(error)),
        };
        let delay = Duration::from_millis(wanted.response_delay_ms.into());
        Self {
            headers: wanted.response_headers,
            messages,
            delay,
            delay_of_error: delay,
            error,
            trailers: wanted.response_trailers,
        }
    }

    /// Of a stream.
    pub fn of_stream(wanted: Option<StreamResponseDefinition>) -> Self {
        let wanted = wanted.unwrap_or_default();
        Self {
            headers: wanted.response_headers,
            messages: wanted.response_data,
            delay: Duration::from_millis(wanted.response_delay_ms.into()),
            delay_of_error: Duration::ZERO,
            error: wanted.error,
            trailers: wanted.response_trailers,
        }
    }
}
