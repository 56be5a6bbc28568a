//! The JSON codec: messages between protobuf and its JSON, by their descriptors. Nothing
//! else of the edge opens a message.
//!
//! It takes memory and time that are many times what the message has. So a message has a
//! limit of its own here, and large ones are done one after the other, on another thread.

use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use prost::Message as _;
use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor, SerializeOptions,
};
use tokio::sync::Semaphore;
use tonic::Status;

use super::super::{grpc, status};

/// The largest message in bytes.
const LIMIT: usize = 1024 * 1024;
/// Up to this size in bytes a message is done at once.
const AT_ONCE: usize = 8 * 1024;

/// The messages of all methods. Clones share it.
#[derive(Debug, Clone)]
pub struct Messages(Arc<Known>);

#[derive(Debug)]
struct Known {
    /// Encoded file descriptor sets.
    sets: Vec<Bytes>,
    /// Read when they are first needed.
    pool: OnceLock<DescriptorPool>,
    /// For the one that is done on another thread.
    turn: Arc<Semaphore>,
}

/// A method.
#[derive(Debug, Clone)]
pub struct Method {
    /// What it takes.
    pub input: MessageDescriptor,
    /// What it answers.
    pub output: MessageDescriptor,
    /// Whether it streams, to either side.
    pub streams: bool,
}

/// A method and what knows its messages.
#[derive(Debug, Clone, Copy)]
pub struct Described<'a> {
    /// What knows them.
    pub messages: &'a Messages,
    /// The method.
    pub method: &'a Method,
}

impl Described<'_> {
    /// What the method takes, from its JSON.
    ///
    /// # Errors
    /// It is none, or too large.
    pub async fn to_proto(self, json: Bytes) -> Result<Bytes, Status> {
        self.messages.to_proto(&self.method.input, json).await
    }

    /// Messages that the method takes, each in its envelope, from theirs in JSON.
    ///
    /// # Errors
    /// One is none, or too large, or the last one is cut short.
    pub async fn all_to_proto(self, envelopes: Bytes) -> Result<Bytes, Status> {
        let (mut rest, mut all) = (BytesMut::from(envelopes), BytesMut::new());
        while let Some(json) = grpc::split(&mut rest) {
            all.extend_from_slice(&grpc::framed(0, &self.to_proto(json).await?));
        }
        match rest.is_empty() {
            true => Ok(all.freeze()),
            false => {
                Err(status::invalid_request("the last message of the request is cut short".into()))
            }
        }
    }

    /// The JSON of what the method answers.
    ///
    /// # Errors
    /// It is too large, or no such message.
    pub async fn to_json(self, message: Bytes) -> Result<Bytes, Status> {
        self.messages.to_json(&self.method.output, message).await
    }
}

impl Messages {
    /// Those of encoded `FileDescriptorSet`s, each with all that it imports.
    pub fn new(sets: Vec<Bytes>) -> Self {
        Self(Arc::new(Known { sets, pool: OnceLock::new(), turn: Arc::new(Semaphore::new(1)) }))
    }

    /// The method at a path, `/package.Service/Method`.
    pub fn method(&self, path: &str) -> Option<Method> {
        let (service, name) = path.strip_prefix('/')?.split_once('/')?;
        let service = self.pool().get_service_by_name(service)?;
        let method = service.methods().find(|method| method.name() == name)?;
        let streams = method.is_server_streaming() || method.is_client_streaming();
        Some(Method { input: method.input(), output: method.output(), streams })
    }

    fn pool(&self) -> &DescriptorPool {
        self.0.pool.get_or_init(|| {
            let mut pool = DescriptorPool::new();
            for set in &self.0.sets {
                // The services of a set that cannot be read have no methods.
                if let Err(error) = pool.decode_file_descriptor_set(&set[..]) {
                    tracing::error!("the descriptors of a service cannot be read: {error}");
                }
            }
            pool
        })
    }

    /// A message of this kind, from its JSON.
    ///
    /// # Errors
    /// It is none, or too large.
    pub async fn to_proto(&self, kind: &MessageDescriptor, json: Bytes) -> Result<Bytes, Status> {
        let kind = kind.clone();
        self.turned(json, move |json| {
            let mut reader = serde_json::Deserializer::from_slice(json);
            let known = DeserializeOptions::new().deny_unknown_fields(false);
            let name = kind.full_name().to_owned();
            let message = DynamicMessage::deserialize_with_options(kind, &mut reader, &known);
            let message = message.and_then(|message| reader.end().map(|()| message));
            let encoded = message.map(|message| message.encode_to_vec().into());
            encoded.map_err(|error| {
                status::invalid_request(format!("the request is no {name} in JSON: {error}"))
            })
        })
        .await
    }

    /// The JSON of a message of this kind.
    ///
    /// # Errors
    /// It is too large, or no such message.
    pub async fn to_json(&self, kind: &MessageDescriptor, message: Bytes) -> Result<Bytes, Status> {
        let kind = kind.clone();
        self.turned(message, move |message| {
            let name = kind.full_name().to_owned();
            let mut json = Vec::with_capacity(2 * message.len());
            let mut writer = serde_json::Serializer::new(&mut json);
            let told = DynamicMessage::decode(kind, message).map_err(|error| error.to_string());
            let told = told.and_then(|message| {
                let written = message.serialize_with_options(&mut writer, &SerializeOptions::new());
                written.map_err(|error| error.to_string())
            });
            match told {
                Ok(()) => Ok(json.into()),
                Err(error) => Err(status::not_in_json(&name, &error)),
            }
        })
        .await
    }

    async fn turned(
        &self,
        message: Bytes,
        turn: impl FnOnce(&[u8]) -> Result<Bytes, Status> + Send + 'static,
    ) -> Result<Bytes, Status> {
        fits(message.len())?;
        if message.len() <= AT_ONCE {
            return turn(&message);
        }
        let one = Arc::clone(&self.0.turn).acquire_owned().await;
        let turned = tokio::task::spawn_blocking(move || {
            // Also when nobody waits any longer.
            let _one = one;
            turn(&message)
        });
        let turned = turned.await;
        turned.unwrap_or_else(|error| Err(status::not_in_json("message", &error.to_string())))
    }
}

/// Checks the length of a message, in bytes.
///
/// # Errors
/// It is too large.
pub fn fits(length: usize) -> Result<(), Status> {
    match length > LIMIT {
        true => Err(status::too_large_for_json(length, LIMIT)),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::DESCRIPTORS;

    fn execute() -> (Messages, Method) {
        let messages = Messages::new(vec![Bytes::from_static(DESCRIPTORS)]);
        let method = messages.method("/dirty.v1.Arbiter/Execute").expect("a method");
        (messages, method)
    }

    #[tokio::test]
    async fn a_message_becomes_its_json_and_back() {
        let (messages, method) = execute();
        let json = br#"{"app":"a:A","action":"b","args":[{"intValue":"1"},{"bytesValue":"AAE="}]}"#;
        let proto = messages.to_proto(&method.input, Bytes::from_static(json)).await.expect("read");
        assert_eq!(&proto[..8], b"\x0a\x03a:A\x12\x01b", "names come first");
        let back = messages.to_json(&method.input, proto).await.expect("written");
        assert_eq!(back, json.as_slice());
        let large = format!(r#"{{"app":"a:A","action":"{}"}}"#, "b".repeat(AT_ONCE));
        let proto = messages.to_proto(&method.input, large.clone().into()).await.expect("read");
        assert_eq!(messages.to_json(&method.input, proto).await.expect("written"), large);
    }

    #[tokio::test]
    async fn what_is_no_message_is_told_what_it_is_not() {
        let (messages, method) = execute();
        for json in ["", "[1]", r#"{"app": 1}"#, "{} {}", "{"] {
            let error = messages.to_proto(&method.input, json.into()).await.expect_err(json);
            assert!(error.message().contains("no dirty.v1.ExecuteRequest in JSON"), "{error}");
        }
        let unknown = messages.to_proto(&method.input, Bytes::from_static(b"{\"later\": 1}")).await;
        assert!(unknown.is_ok(), "clients may know more than dirtyd");
        let large = messages.to_proto(&method.input, vec![b' '; LIMIT + 1].into()).await;
        assert!(large.is_err_and(|error| error.message().contains("1048577 bytes")));
    }

    #[test]
    fn a_method_is_found_by_its_path() {
        let (messages, execute) = execute();
        assert!(!execute.streams);
        let stream = messages.method("/dirty.v1.Arbiter/ExecuteStream").expect("a method");
        assert!(stream.streams);
        for none in ["", "/", "/dirty.v1.Arbiter", "/dirty.v1.Arbiter/", "/dirty.v1.Nobody/Execute"]
        {
            assert!(messages.method(none).is_none(), "{none}");
        }
    }
}
