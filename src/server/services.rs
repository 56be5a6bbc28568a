//! The services beside the arbiter's own: admin, health, reflection.

use std::{convert::Infallible, io};

use bytes::Bytes;
use http::{Request, Response};
use tonic::{body::Body, service::Routes};
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_reflection::{
    pb::{
        v1::FILE_DESCRIPTOR_SET as REFLECTION_V1,
        v1alpha::FILE_DESCRIPTOR_SET as REFLECTION_V1ALPHA,
    },
    server::Builder,
};
use tower::{BoxError, ServiceExt as _};

use super::{admin::AdminService, dialect::Messages};
use crate::proto::{DESCRIPTORS, admin_server::AdminServer};

/// All of them, and their messages. Clones share it.
#[derive(Debug, Clone)]
pub struct Services {
    routes: Routes,
    messages: Messages,
}

/// A service beside those of dirtyd: what serves it, and the encoded `FileDescriptorSet` of
/// its messages, with all that it imports.
pub type Further = (Routes, Vec<u8>);

impl Services {
    /// Those of dirtyd, of which reflection is served in both of its versions, and a
    /// further one.
    ///
    /// # Errors
    /// The descriptors, which are compiled in, are broken.
    pub fn new(
        admin: AdminService,
        health: HealthServer<impl Health>,
        further: Option<Further>,
    ) -> io::Result<Self> {
        let (further, described) = further.unzip();
        let mut sets = vec![
            Bytes::from_static(DESCRIPTORS),
            Bytes::from_static(tonic_health::pb::FILE_DESCRIPTOR_SET),
            // So that grpcurl shows the details of errors in clear.
            Bytes::from_static(tonic_types::pb::FILE_DESCRIPTOR_SET),
        ];
        sets.extend(described.map(Bytes::from));
        let reflection = || {
            sets.iter().fold(Builder::configure(), |builder, set| {
                builder.register_encoded_file_descriptor_set(set)
            })
        };
        let routes = further
            .unwrap_or_default()
            .add_service(AdminServer::new(admin))
            .add_service(health)
            .add_service(reflection().build_v1().map_err(io::Error::other)?)
            .add_service(reflection().build_v1alpha().map_err(io::Error::other)?);
        sets.extend([REFLECTION_V1, REFLECTION_V1ALPHA].map(Bytes::from_static));
        Ok(Self { routes, messages: Messages::new(sets) })
    }

    /// Their messages.
    pub fn messages(&self) -> &Messages {
        &self.messages
    }

    /// Answers a request of gRPC to a method of theirs.
    ///
    /// # Errors
    /// Never: an error is an answer, too.
    pub async fn serve<B>(&self, request: Request<B>) -> Result<Response<Body>, Infallible>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.routes.clone().oneshot(request).await
    }
}
