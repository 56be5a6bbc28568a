//! Generates the server side of `proto/`, and its descriptors for reflection. The
//! messages are those of `dirtyd-client`. No protoc: protox parses.

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use prost::Message as _;

const PROTOS: [&str; 5] = [
    "dirty/v1/value.proto",
    "dirty/v1/stack.proto",
    "dirty/v1/arbiter.proto",
    "dirty/v1/admin.proto",
    "dirty/worker/v1/worker.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let out = PathBuf::from(env::var("OUT_DIR")?);

    let descriptors = protox::compile(PROTOS, ["proto"])?;
    fs::write(out.join("dirty.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .build_client(false)
        .extern_path(".dirty.v1", "::dirtyd_client::proto::v1")
        .extern_path(".dirty.worker.v1", "::dirtyd_client::proto::worker")
        .compile_fds(descriptors)?;
    if env::var_os("CARGO_FEATURE_INTERNALS").is_some() {
        judges(&out)?;
    }
    Ok(())
}

/// The messages of the service that `tests/judges` serves.
fn judges(out: &Path) -> Result<(), Box<dyn Error>> {
    const PROTOS: &str = "tests/judges/connectrpc/proto";
    println!("cargo:rerun-if-changed={PROTOS}");
    let parts = ["service", "server_compat"];
    let parts = parts.map(|part| format!("connectrpc/conformance/v1/{part}.proto"));
    let descriptors = protox::compile(parts, [PROTOS])?;
    fs::write(out.join("judges.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .build_client(false)
        .build_server(false)
        .compile_fds(descriptors)?;
    Ok(())
}
