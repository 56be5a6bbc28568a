//! The services beside the arbiter's own: admin, health, reflection.

use std::io;

use tonic::service::Routes;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_reflection::server::Builder;

use super::admin::AdminService;
use crate::proto::{DESCRIPTORS, admin_server::AdminServer};

/// A service beside those of dirtyd: what serves it, and the encoded `FileDescriptorSet` of
/// its messages, with all that it imports.
pub type Further = (Routes, Vec<u8>);

/// All of them. Reflection is served in both of its versions.
///
/// # Errors
/// The descriptors, which are compiled in, are broken.
pub fn beside_the_arbiter(
    admin: AdminService,
    health: HealthServer<impl Health>,
    further: Option<Further>,
) -> io::Result<Routes> {
    let reflection = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // So that grpcurl shows the details of errors in clear.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    Ok(further
        .map(|(routes, _)| routes)
        .unwrap_or_default()
        .add_service(AdminServer::new(admin))
        .add_service(health)
        .add_service(reflection().build_v1().map_err(io::Error::other)?)
        .add_service(reflection().build_v1alpha().map_err(io::Error::other)?))
}
