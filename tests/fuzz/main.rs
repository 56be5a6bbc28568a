//! Bytes from outside against the parts that read them first.
//!
//! Each target is a check that takes any bytes, and a folder of kept inputs, `corpus/TARGET`. A run
//! checks the kept inputs first, then new ones: random bytes, and kept inputs with mutations. An
//! input that fails is shrunk and written to the folder, where it stays for every later run. See
//! `engine` for what happens to an input that ends the whole process.
//!
//! `make test` runs each target for some thousand inputs, `make fuzz SECONDS=600` for ten minutes.
//!
//! It is built on proptest, not on bolero: with the stable toolchain and `cargo test` both draw
//! inputs without looking at coverage, and bolero does not mutate its corpus then. Its engines that
//! follow coverage need `cargo-bolero`, and a nightly toolchain for the sanitizers. proptest is
//! here already, and shrinks a list of mutations well.

mod authority;
mod engine;
mod envelope;
mod frames;
mod h2_server;
mod http1;
mod json;
mod mutation;
mod values;
