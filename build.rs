//! Compiles `proto/` without protoc: protox parses, tonic-prost-build generates.
//!
//! The server of `dirty.v1.Arbiter` is generated a second time over raw bytes:
//! the arbiter reads the envelope of a request and forwards the rest unopened,
//! so its own server must never decode a `Value`.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message as _;
use tonic_build::manual::{Builder, Method, Service};

const PROTOS: [&str; 4] = [
    "dirty/v1/value.proto",
    "dirty/v1/arbiter.proto",
    "dirty/v1/admin.proto",
    "dirty/worker/v1/worker.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let out = PathBuf::from(env::var("OUT_DIR")?);

    let descriptors = protox::compile(PROTOS, ["proto"])?;
    fs::write(out.join("dirty.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;

    fs::create_dir_all(out.join("raw"))?;
    Builder::new().build_client(false).out_dir(out.join("raw")).compile(&[raw_arbiter()]);
    Ok(())
}

fn raw_arbiter() -> Service {
    let method = || {
        Method::builder()
            .input_type("crate::server::raw::Envelope")
            .output_type("bytes::Bytes")
            .codec_path("crate::server::raw::RawCodec")
    };
    Service::builder()
        .package("dirty.v1")
        .name("Arbiter")
        .comment("The Arbiter service over unopened payloads.")
        .method(
            method()
                .name("execute")
                .route_name("Execute")
                .comment("See `proto/dirty/v1/arbiter.proto`.")
                .build(),
        )
        .method(
            method()
                .name("execute_stream")
                .route_name("ExecuteStream")
                .comment("See `proto/dirty/v1/arbiter.proto`.")
                .server_streaming()
                .build(),
        )
        .build()
}
