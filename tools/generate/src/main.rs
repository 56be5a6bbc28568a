//! Writes the messages and the clients of `proto/` into `clients/rust/src/proto`,
//! without protoc: protox parses, tonic-prost-build generates. `make proto` runs it.

use std::{error::Error, path::Path};

const PROTOS: [&str; 4] = [
    "dirty/v1/value.proto",
    "dirty/v1/arbiter.proto",
    "dirty/v1/admin.proto",
    "dirty/worker/v1/worker.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let contract = protox::compile(PROTOS, [root.join("proto")])?;
    tonic_prost_build::configure()
        .bytes(".")
        .build_server(false)
        .client_mod_attribute(".", "#[cfg(feature = \"client\")]")
        .emit_rerun_if_changed(false)
        .out_dir(root.join("clients/rust/src/proto"))
        .compile_fds(contract)?;
    Ok(())
}
