//! The answer to Execute.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};
use tonic::Status;

use super::{
    frame::{HEAD, SMALL, put},
    trailers,
};

/// One message, then OK, unless it is bare.
#[derive(Debug)]
pub struct UnaryBody {
    data: [Option<Bytes>; 2],
    ended: bool,
}

impl UnaryBody {
    /// Whether the message is too large to be copied.
    pub fn is_large(&self) -> bool {
        self.data[1].is_some()
    }

    /// Answers with the message alone, as HTTP without gRPC does.
    pub fn bare(message: Bytes) -> Self {
        let data = match message.len() > SMALL {
            true => [None, Some(message)],
            false => [Some(message), None],
        };
        Self { data, ended: true }
    }

    /// Answers with an encoded message.
    pub fn new(message: Bytes) -> Self {
        let mut head = BytesMut::with_capacity(HEAD + message.len().min(SMALL));
        let rest = put(&mut head, message);
        Self { data: [Some(head.freeze()), rest], ended: false }
    }
}

impl Body for UnaryBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let data = self.data.iter_mut().find_map(Option::take);
        Poll::Ready(match data {
            Some(data) => Some(Ok(Frame::data(data))),
            None if !std::mem::replace(&mut self.ended, true) => {
                Some(Ok(Frame::trailers(trailers::ok())))
            }
            None => None,
        })
    }
}
