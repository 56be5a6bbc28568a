//! The generated code of `proto/`: the public contract and the worker protocol.

/// Package `dirty.v1`: what callers and operators speak.
#[allow(missing_docs, clippy::all)]
pub mod v1 {
    tonic::include_proto!("dirty.v1");
}

/// Package `dirty.worker.v1`: the frames between the arbiter and a worker.
#[allow(missing_docs, clippy::all)]
pub mod worker {
    tonic::include_proto!("dirty.worker.v1");
}

/// The encoded `FileDescriptorSet` of all packages, for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/dirty.bin"));
