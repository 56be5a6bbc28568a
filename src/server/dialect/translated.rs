//! An answer of gRPC in a dialect: message by message, then the ending.

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, StreamBody};
use prost_reflect::MessageDescriptor;
use tonic::Status;

use super::{
    super::{answer::Answer, grpc},
    answer::OF_GRPC,
    codec::{self, Described, Messages},
    ending,
    head::{Codec, Dialect, Framing},
    text,
};

/// The body of an answer in a dialect.
pub type TranslatedBody = Pin<Box<dyn Body<Data = Bytes, Error = Status> + Send>>;

/// Counts bytes as held for their reader.
pub type Keep = Box<dyn Fn(Bytes) -> Result<Bytes, Status> + Send + Sync>;

/// An answer of gRPC in a `dialect` whose messages stand in envelopes. An answer without
/// messages need not be `described`. What is made anew here is held by `keep`.
pub fn translated(
    response: Response<Answer>,
    dialect: Dialect,
    described: Option<Described<'_>>,
    keep: Keep,
) -> Response<Answer> {
    let (mut head, body) = response.into_parts();
    let mut only = HeaderMap::new();
    if head.headers.contains_key(grpc::STATUS) && dialect.framing != Framing::Grpc {
        // An answer that is an error from the start has its trailers in its head.
        only = std::mem::take(&mut head.headers);
        only.remove(http::header::CONTENT_TYPE);
    }
    for name in OF_GRPC.iter().filter(|_| dialect.framing != Framing::Grpc) {
        head.headers.remove(*name);
    }
    let content_type = http::HeaderValue::from_static(dialect.content_type());
    head.headers.insert(http::header::CONTENT_TYPE, content_type);
    let translating = Translating {
        dialect,
        body,
        only: Some(only).filter(|only| !only.is_empty()),
        json: described
            .filter(|_| dialect.codec == Codec::Json)
            .map(|described| (described.messages.clone(), described.method.output.clone())),
        keep,
        come: BytesMut::new(),
        ended: false,
    };
    let frames = futures_util::stream::unfold(translating, |mut translating| async move {
        let frame = translating.next().await?;
        Some((Ok(frame), translating))
    });
    Response::from_parts(head, Answer::Translated { body: Box::pin(StreamBody::new(frames)) })
}

struct Translating {
    dialect: Dialect,
    body: Answer,
    /// The trailers of an answer that has nothing else.
    only: Option<HeaderMap>,
    json: Option<(Messages, MessageDescriptor)>,
    keep: Keep,
    /// Of a message that has not come whole, or is not yet translated.
    come: BytesMut,
    ended: bool,
}

/// What comes next.
enum Part {
    Data(Bytes),
    End(HeaderMap),
    /// The answer broke off.
    Broken,
}

impl Translating {
    async fn next(&mut self) -> Option<Frame<Bytes>> {
        if self.ended {
            return None;
        }
        match self.part().await {
            Ok(Part::Data(data)) => Some(Frame::data(data)),
            Ok(Part::End(trailers)) => Some(self.end(trailers)),
            Ok(Part::Broken) => None,
            Err(error) => Some(self.end(grpc::trailers_of(&error))),
        }
    }

    async fn part(&mut self) -> Result<Part, Status> {
        loop {
            if let Some(message) = self.message().await? {
                return self.texted(message).map(Part::Data);
            }
            let Some(frame) = self.body.frame().await else {
                return Ok(self.only.take().map_or(Part::Broken, Part::End));
            };
            match frame?.into_data() {
                Ok(data) if self.json.is_none() => return self.texted(data).map(Part::Data),
                Ok(data) => self.come.extend_from_slice(&data),
                Err(frame) => return Ok(frame.into_trailers().map_or(Part::Broken, Part::End)),
            }
        }
    }

    /// The next whole message in JSON, in its envelope.
    async fn message(&mut self) -> Result<Option<Bytes>, Status> {
        let Some((messages, output)) = &self.json else { return Ok(None) };
        if let Some(length) = grpc::length(&self.come) {
            // A message that is too large is not gathered first.
            codec::fits(length)?;
        }
        let Some(message) = grpc::split(&mut self.come) else { return Ok(None) };
        let json = messages.to_json(output, message).await?;
        (self.keep)(grpc::framed(0, &json)).map(Some)
    }

    fn end(&mut self, trailers: HeaderMap) -> Frame<Bytes> {
        self.ended = true;
        Frame::data(match self.dialect.framing {
            Framing::Grpc => return Frame::trailers(trailers),
            Framing::Web => ending::web(&trailers),
            Framing::WebText => text::encoded(&ending::web(&trailers)),
            Framing::ConnectStream | Framing::ConnectUnary => ending::connect(&trailers),
        })
    }

    fn texted(&self, data: Bytes) -> Result<Bytes, Status> {
        match self.dialect.framing {
            Framing::WebText => (self.keep)(text::encoded(&data)),
            _ => Ok(data),
        }
    }
}
