//! Writes the messages and the clients of `proto/` into `clients/rust/src/proto`,
//! without protoc: protox parses, tonic-prost-build generates. `make proto` runs it.

use std::{error::Error, path::Path};

use prost_types::FileDescriptorSet;

const PROTOS: [&str; 5] = [
    "dirty/v1/value.proto",
    "dirty/v1/arbiter.proto",
    "dirty/v1/stack.proto",
    "dirty/v1/admin.proto",
    "dirty/worker/v1/worker.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let contract = protox::compile(PROTOS, [root.join("proto")])?;
    let (public, frames): (Vec<_>, Vec<_>) =
        contract.file.into_iter().partition(|file| file.package() != "dirty.worker.v1");
    let out = root.join("clients/rust/src/proto");
    let configured = || {
        tonic_prost_build::configure()
            .bytes(".")
            .build_server(false)
            .client_mod_attribute(".", "#[cfg(feature = \"client\")]")
            .emit_rerun_if_changed(false)
            .out_dir(&out)
    };
    configured().compile_fds(FileDescriptorSet { file: public })?;
    // Its module stands beside that of `dirty.v1`, whatever prost thinks of the packages.
    configured()
        .extern_path(".dirty.v1", "crate::proto::v1")
        .compile_fds(FileDescriptorSet { file: frames })?;
    Ok(())
}
